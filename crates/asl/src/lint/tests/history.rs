//! The worst case of an execution's history.

use super::*;

#[test]
fn the_worst_case_history_is_bounded() {
    let bounds =
        |pauses, redrives| HistoryBounds { entries: BTreeMap::from([("Pause", pauses)]), redrives, retries: None };
    // A state is 2 events, each of 7 attempts 4 more, one that waits for a callback 5: Begin 2, Check 30, Decide 2,
    // Start 30, Pause 2, Await 37, Stop 30, Conclude 30, Done 2.
    let once = worst_case_history(&sound(), &bounds(1, 0)).unwrap();
    // Check-Decide-Start, a Pause, the same again, the way out, and the three events of the frame.
    assert_eq!(once, 3 + 2 + 62 + (2 + 62) + (37 + 30 + 30 + 2));
    let again = worst_case_history(&sound(), &bounds(1, 1)).unwrap();
    assert_eq!(again, 2 * once + 1);
    let mut options = options();
    options.history = Some(bounds(1000, 0));
    let found = lint(&sound(), &options);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, Rule::History);
    assert!(found[0].message.contains("25000"));
}

#[test]
fn retries_may_be_counted_once() {
    let bounds =
        |retries| HistoryBounds { entries: BTreeMap::from([("Pause", 1)]), redrives: 0, retries: Some(retries) };
    // A Task is 2 + 4 events, one that waits for a callback 2 + 5; a retry is at most 5.
    let none = worst_case_history(&sound(), &bounds(0)).unwrap();
    assert_eq!(none, 3 + 2 + 14 + (2 + 14) + (7 + 6 + 6 + 2));
    assert_eq!(worst_case_history(&sound(), &bounds(10)), Ok(none + 10 * 5));
}

#[test]
fn a_cycle_without_a_bound_is_found() {
    let mut options = options();
    options.history = Some(HistoryBounds::default());
    let found = lint(&sound(), &options);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].rule, Rule::History);
    options.history = Some(HistoryBounds { entries: BTreeMap::from([("Pauze", 1)]), ..HistoryBounds::default() });
    assert_eq!(lint(&sound(), &options)[0].state, "Pauze");
}

#[test]
fn branches_count_into_the_history() {
    let branch = |name: &str| json!({"StartAt": name, "States": {name: {"Type": "Pass", "End": true}}});
    let definition = json!({
        "QueryLanguage": "JSONata", "StartAt": "Fan",
        "States": {"Fan": {"Type": "Parallel", "Branches": [branch("A"), branch("B")], "End": true}}
    });
    // Frame 3, state 2, started and succeeded 2, one evaluation 1, and two branches of 2.
    assert_eq!(worst_case_history(&definition, &HistoryBounds::default()), Ok(3 + 2 + 2 + 1 + 2 * 2));
}
