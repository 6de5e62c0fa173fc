//! Lists of runs from the history: what one costs does not grow with the number of runs, and what Step Functions has forgotten is listed too.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod past;
mod stub;

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use past::{Odd, Past, PastAccount, layout};
use reveille_domain::{Code, history::NotebookName};
use serde_json::json;
use stub::Stub;

/// A list costs after a hundred thousand runs what it costs after a thousand: as many requests, and answers as long.
#[test]
fn what_a_list_costs_does_not_grow_with_the_number_of_runs() {
    let (small, large) = (PastAccount::of(Past::of(1_000, 1_000)), PastAccount::of(Past::of(100_000, 100_000)));
    for (arguments, shown) in [
        (&[][..], 20),
        (&["--status", "failed"], 20),
        (&["--since", "12h"], 20),
        (&["--instance", "nb-3"], 20),
        (&["--instance", "nb-3", "--status", "failed"], 20),
        (&["--notebook", "reports/2"], 20),
        (&["--notebook", "rare"], 1),
        (&["--notebook", "reports/2", "--instance", "nb-3", "--since", "16h"], 20),
        (&["--notebook", "reports", "--status", "succeeded", "--since", "5h"], 20),
    ] {
        let (few, many) = (small.list(arguments), large.list(arguments));
        assert_eq!(few.lines.len(), shown, "{arguments:?}: {:#?}", few.lines);
        assert_eq!(many.lines.len(), shown, "{arguments:?}: {:#?}", many.lines);
        let fits = |line: &String| {
            let failed = !arguments.contains(&"failed") || line.contains("FAILED");
            failed && (!arguments.contains(&"nb-3") || line.contains("nb-3"))
        };
        assert!(few.lines.iter().chain(&many.lines).all(fits), "{arguments:?}: {:#?}", many.lines);
        assert!(
            many.numbers().is_sorted() && few.notes.is_empty() && many.notes.is_empty(),
            "{arguments:?}: {}",
            many.notes
        );
        assert_eq!(few.requests, many.requests, "{arguments:?}");
        // Of each run that is shown its execution, and if that failed its records; besides those, lists.
        assert!(many.requests <= 3 * shown + 24, "{arguments:?}: {}", many.requests);
        // Whoever reads on reads a whole page, and after a thousand runs there is less than one.
        let page = if arguments.contains(&"reports/2") && arguments.contains(&"nb-3") { 250_000 } else { 0 };
        // Names of later runs are longer.
        assert!(many.bytes * 10 <= few.bytes * 11 + page * 10, "{arguments:?}: {} and {} bytes", few.bytes, many.bytes);
    }
}

/// docs/cli.md, "Old runs".
#[test]
fn what_step_functions_has_forgotten_is_listed() {
    let world = PastAccount::of(Past::of(300, 40));
    let listed = world.list(&["--limit", "100"]);
    assert_eq!(listed.numbers(), (0..100).collect::<Vec<_>>(), "each once, in order: {:#?}", listed.lines);
    let failed = world.list(&["--status", "failed", "--limit", "30"]);
    assert_eq!(failed.numbers(), (0..30).map(|number| 10 * number + 3).collect::<Vec<_>>(), "{:#?}", failed.lines);
    assert!(failed.lines.iter().all(|line| line.contains("FAILED")), "{:#?}", failed.lines);
    let all = world.list(&["--limit", "1000"]);
    assert_eq!(all.lines.len(), 300);
    assert!(all.lines[299].contains("rare.ipynb") && all.lines[299].contains("SUCCEEDED"), "{:?}", all.lines[299]);
    let of_one = world.list(&["--instance", "nb-3", "--limit", "60"]);
    assert_eq!(of_one.numbers(), (0..60).map(|number| 5 * number + 3).collect::<Vec<_>>());
    // Step Functions forgets nothing that young.
    let lists = || world.stub.asked("GET").iter().filter(|call| call.contains("history%2F")).count();
    let before = lists();
    assert_eq!(world.list(&["--since", "5h", "--limit", "100"]).lines.len(), 40);
    assert_eq!(lists(), before);
}

/// A stack of an earlier version has no history, and one that was just upgraded has a part of it.
#[test]
fn without_a_whole_history_executions_are_looked_at_as_before() {
    let long_ago = Utc::now() - TimeDelta::hours(30);
    let places = [
        None,
        Some(json!({"isWhole": false, "lookedAt": Utc::now()}).to_string()),
        // The stack went back to a version without a history, and nobody says what that entered.
        Some(json!({"isWhole": true, "lookedAt": long_ago}).to_string()),
        Some("no JSON".to_owned()),
    ];
    for place in places {
        let mut past = Past::of(300, 300);
        past.bodies.remove("history.json");
        past.bodies.extend(place.clone().map(|place| ("history.json".to_owned(), place)));
        if place.is_none() {
            past.keys.retain(|key| !key.starts_with("history/"));
        }
        let world = PastAccount::of(past);
        let listed = world.list(&["--instance", "nb-3", "--limit", "30"]);
        assert_eq!(listed.numbers(), (0..30).map(|number| 5 * number + 3).collect::<Vec<_>>(), "{place:?}");
        assert_eq!(world.list(&["--limit", "10"]).numbers(), (0..10).collect::<Vec<_>>());
    }
}

/// A run may have ended so shortly ago that its entry is not there yet, or go on, or run again.
#[test]
fn what_is_not_in_the_history_yet_is_listed() {
    let mut past = Past::of(300, 300);
    for number in [3, 8] {
        let keys = past.entry(number).keys(&layout());
        past.keys.retain(|key| !keys.contains(key));
    }
    let world = PastAccount::of(past);
    let listed = world.list(&["--instance", "nb-3", "--limit", "5"]);
    assert_eq!(listed.numbers(), [3, 8, 13, 18, 23], "{:#?}", listed.lines);
    let failed = world.list(&["--instance", "nb-3", "--limit", "3", "--status", "failed"]);
    assert_eq!(failed.numbers(), [3, 13, 23], "{:#?}", failed.lines);
}

/// Whoever may not list the bucket is told what Step Functions knows, and that this is not all.
#[test]
fn a_bucket_that_may_not_be_listed_hides_nothing_that_step_functions_knows() {
    let past = Past::of(40, 10);
    let stub = Stub::start(move |call| {
        let is_refused = call.first.contains("list-type=2") && call.first.contains("history");
        Some(if is_refused { (403, "<Error><Code>AccessDenied</Code></Error>".to_owned()) } else { past.answer(call) })
    });
    let output = stub.reveille(&["runs", "--status", "succeeded"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (lines, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(lines.lines().filter(|line| line.contains("run-")).count(), 9, "{lines}");
    assert!(notes.contains("forgotten are not listed"), "{notes}");
}

/// The same where a history would tell whose runs they are.
#[test]
fn where_the_bucket_may_not_be_listed_the_runs_of_an_instance_are_looked_for_among_executions() {
    let past = Past::of(40, 30);
    let stub = Stub::start(move |call| {
        let is_refused = call.first.contains("list-type=2") && call.first.contains("history");
        Some(if is_refused { (403, "<Error><Code>AccessDenied</Code></Error>".to_owned()) } else { past.answer(call) })
    });
    let output = stub.reveille(&["runs", "--instance", "nb-3", "--limit", "5"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let (lines, notes) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(lines.lines().filter(|line| line.contains("run-")).count(), 5, "{lines}");
    assert!(notes.contains("forgotten are not listed") && notes.contains("history/"), "{notes}");
}

/// docs/output.md: the execution failed, and "the status in `outcome.json` is SUCCEEDED".
#[test]
fn a_run_whose_stop_was_not_confirmed_is_listed_among_the_failed_ones() {
    let left_on = Odd { code: Some(Code::StopNotConfirmed), execution: "FAILED", ..Odd::default() };
    // One that only the history finds, and one that Step Functions has forgotten.
    let world = PastAccount::of(Past::with(300, 200, odd([107, 257], &left_on)));
    let failed = world.list(&["--instance", "nb-2", "--status", "failed", "--limit", "100"]);
    assert_eq!(failed.numbers(), [107, 257], "{:#?}", failed.lines);
    assert!(failed.lines.iter().all(|line| line.contains("FAILED")), "{:#?}", failed.lines);
    let all = world.list(&["--status", "failed", "--limit", "100"]).numbers();
    assert!(all.len() == 32 && all.contains(&107) && all.contains(&257), "{all:?}");
    let fine = world.list(&["--instance", "nb-2", "--status", "succeeded", "--limit", "100"]).numbers();
    assert!(fine.len() == 58 && !fine.contains(&107) && !fine.contains(&257), "{fine:?}");
}

#[test]
fn of_a_run_that_was_redriven_the_last_attempt_counts() {
    let mut past = Past::with(300, 200, odd([160, 260], &Odd { attempt: 2, ..Odd::default() }));
    past.add_first_attempt(160);
    past.add_first_attempt(260);
    let world = PastAccount::of(past);
    assert!(world.list(&["--instance", "nb-0", "--status", "failed", "--limit", "100"]).lines.is_empty());
    let fine = world.list(&["--instance", "nb-0", "--status", "succeeded", "--limit", "100"]);
    assert_eq!(fine.numbers(), (0..60).map(|number| 5 * number).collect::<Vec<_>>(), "each once: {:#?}", fine.lines);
}

/// The history says what was. Where that is so no longer, others take the place of those that do not fit.
#[test]
fn a_list_is_as_long_as_it_was_asked_to_be() {
    let runs_again = Odd { execution: "RUNNING", ..Odd::default() };
    let world = PastAccount::of(Past::with(300, 200, odd((54..104).step_by(5), &runs_again)));
    let listed = world.list(&["--instance", "nb-4", "--status", "succeeded"]);
    let fitting = (0..10).chain(20..30).map(|number| 5 * number + 4);
    assert_eq!(listed.numbers(), fitting.collect::<Vec<_>>(), "{:#?}", listed.lines);
    assert_eq!(listed.notes, "");
}

/// Step Functions forgets 90 days after the end, so the oldest that it knows may be older than many that it does not.
#[test]
fn what_was_forgotten_is_listed_between_what_is_known() {
    let long = Odd { took: TimeDelta::days(91), is_known: Some(true), ..Odd::default() };
    let world = PastAccount::of(Past::with(300, 200, odd([250], &long)));
    for limit in ["201", "230", "290"] {
        let listed = world.list(&["--limit", limit]);
        assert_eq!(listed.numbers(), (0..limit.parse().unwrap()).collect::<Vec<_>>(), "each once, in order");
    }
}

#[test]
fn a_notebook_with_a_long_name_is_found_by_any_part_of_it() {
    let name = format!("分析/{}/売上レポート.ipynb", "月次".repeat(20));
    assert!(NotebookName::of(&name).shown().contains('…'));
    let long = Odd { notebook: Some(name), ..Odd::default() };
    let world = PastAccount::of(Past::with(300, 200, odd([150, 260], &long)));
    assert_eq!(world.list(&["--notebook", "売上レポート"]).numbers(), [150, 260]);
    // The middle is in no key: the execution has it.
    let middle = "月次".repeat(18);
    assert_eq!(world.list(&["--notebook", &middle]).numbers(), [150]);
    let other = world.list(&["--notebook", "reports/2", "--limit", "100"]).numbers();
    assert_eq!(other.len(), 43, "{other:?}");
}

#[test]
fn many_runs_under_way_are_not_all_described() {
    let runs = Odd { execution: "RUNNING", is_entered: false, ..Odd::default() };
    let world = PastAccount::of(Past::with(400, 400, odd(0..300, &runs)));
    let listed = world.list(&["--instance", "nb-3", "--limit", "5"]);
    assert_eq!(listed.numbers(), [3, 8, 13, 18, 23], "{:#?}", listed.lines);
    let described = world.stub.asked("DescribeExecution").len();
    assert!(described <= 60, "{described}");
    assert!(listed.notes.contains("of the runs under way, the newest 200 were looked at"), "{}", listed.notes);
}

#[test]
fn a_history_that_lacks_runs_says_so_where_a_list_is_short() {
    let mut past = Past::of(100, 100);
    let place = json!({"isWhole": true, "lookedAt": Utc::now(), "lacking": 7});
    past.bodies.insert("history.json".to_owned(), place.to_string());
    let world = PastAccount::of(past);
    assert_eq!(world.list(&["--instance", "nb-3", "--limit", "20"]).notes, "");
    assert!(world.list(&["--instance", "nb-3", "--limit", "21"]).notes.contains("lacks 7 runs"));
}

/// A clock that is up to a day slow takes what was forgotten for young.
#[test]
fn a_run_at_the_edge_of_what_step_functions_remembers_is_listed() {
    let edge = Odd { is_known: Some(false), earlier: TimeDelta::days(89) + TimeDelta::hours(12), ..Odd::default() };
    let world = PastAccount::of(Past::with(10, 10, odd([9], &edge)));
    assert_eq!(world.list(&[]).numbers(), (0..10).collect::<Vec<_>>());
}

/// docs/cli.md, "Old runs": "the command looks at the newest 200 runs under way".
#[test]
fn of_many_runs_under_way_as_many_are_looked_at_as_is_documented() {
    let runs = Odd { execution: "RUNNING", is_entered: false, ..Odd::default() };
    let world = PastAccount::of(Past::with(400, 400, odd(0..300, &runs)));
    let listed = world.list(&["--instance", "nb-3", "--status", "running", "--limit", "100"]);
    assert_eq!(listed.numbers(), (0..40).map(|number| 5 * number + 3).collect::<Vec<_>>());
    assert!(listed.notes.contains("of the runs under way, the newest 200 were looked at"), "{}", listed.notes);
    assert!(world.stub.asked("DescribeExecution").len() <= 200);
}

#[test]
fn a_short_list_without_a_filter_says_what_the_history_lacks() {
    for (place, said) in [
        (json!({"isWhole": false, "lookedAt": Utc::now()}), "the stack's history is not whole"),
        (json!({"isWhole": true, "lookedAt": Utc::now(), "lacking": 7}), "the history lacks 7 runs"),
    ] {
        let mut past = Past::of(30, 10);
        past.bodies.insert("history.json".to_owned(), place.to_string());
        let world = PastAccount::of(past);
        assert!(world.list(&["--limit", "50"]).notes.contains(said), "{said}");
        for whole in [&["--limit", "30"][..], &["--limit", "50", "--since", "1d"], &["--status", "running"]] {
            assert!(!world.list(whole).notes.contains("history"), "{whole:?}");
        }
    }
    assert_eq!(PastAccount::of(Past::of(30, 10)).list(&["--limit", "50"]).notes, "");
}

/// After 90 quiet days Step Functions knows none.
#[test]
fn the_last_run_is_found_in_the_history() {
    let world = PastAccount::of(Past::of(30, 0));
    for (name, number) in [("@last", "run-0"), ("@last-failed", "run-3")] {
        let output = world.stub.reveille(&["show", name]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains(&format!("{number}-")), "{name}");
    }
}

fn odd(numbers: impl IntoIterator<Item = usize>, run: &Odd) -> BTreeMap<usize, Odd> {
    numbers.into_iter().map(|number| (number, run.clone())).collect()
}
