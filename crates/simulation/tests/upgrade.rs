//! A stack is updated while runs are under way: their executions go on with the definition that they started with, and call this version's
//! functions. Their instances keep the runner of the version before until they boot anew. The guarantees hold then too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use reveille_simulation::definition::Definitions;
use reveille_simulation::earlier;
use reveille_simulation::fault::Fault;
use reveille_simulation::play::play;
use reveille_simulation::schedule::generate;

/// The definitions of versions from which a stack may be updated with runs under way: docs/upgrade.md lists them.
const EARLIER: [&str; 1] = ["2026-11-26"];
/// Enough that each of the commonest faults takes part.
const SCHEDULES: u64 = 100;

/// What is wrong with a schedule that was played: a violation, or an outcome which says that a function was not passed what it asks for.
fn wrong(definitions: &mut Definitions, seed: u64) -> Option<String> {
    let schedule = generate(seed, true);
    let machine = definitions.with(schedule.parameters).unwrap();
    let played = play(schedule, &machine, None, true);
    if let Some(violation) = played.violations.first() {
        return Some(format!("{violation:?}"));
    }
    let failures = played.endings.into_iter().filter_map(|ending| ending.outcome?.failure);
    failures.map(|failure| failure.message).find(|message| message.contains("arguments: "))
}

#[test]
fn the_guarantees_hold_under_each_earlier_definition() {
    for version in EARLIER {
        let mut definitions = Definitions::earlier(&format!("tests/contract/released/{version}/notebook_run.asl.json"));
        for seed in 0..SCHEDULES {
            let wrong = wrong(&mut definitions, seed);
            assert!(wrong.is_none(), "{version}, seed {seed}: {wrong:?}");
        }
    }
}

/// Two runs on one instance, the first of which began before the update: it goes on with the earlier definition beside the other.
#[test]
fn an_update_between_any_two_steps_changes_nothing() {
    let mut definitions = Definitions::default();
    let mut under_way = 0;
    for at in (0..400).step_by(67) {
        for seed in 0..6 {
            let mut schedule = generate(seed, true);
            let first = schedule.triggers.iter().map(|trigger| trigger.at + trigger.deliveries[0]).min().unwrap();
            schedule.updated_at = Some(first + Duration::from_secs(at));
            let machine = definitions.with(schedule.parameters).unwrap();
            let played = play(schedule, &machine, None, true);
            assert!(
                played.violations.is_empty(),
                "seed {seed}, updated {at} s after the first run: {:?}",
                played.violations
            );
            under_way += u32::from(played.faults.contains_key(&Fault::UpdatedUnderRun));
        }
    }
    assert!(under_way > 5, "{under_way} updates under a run");
}

/// Of every schedule, how many runs a runner of the version before executed, and how many this version's; and what is wrong.
fn with_earlier_runners(updated_at: Duration, seeds: std::ops::Range<u64>) -> (u32, u32, Vec<String>) {
    let mut definitions = Definitions::default();
    let (mut before, mut after, mut wrong) = (0, 0, Vec::new());
    for seed in seeds {
        let mut schedule = generate(seed, true);
        schedule.updated_at = Some(updated_at);
        // It asks for what an earlier runner does not know of.
        schedule.live_seconds = 5;
        let machine = definitions.with(schedule.parameters).unwrap();
        let played = play(schedule, &machine, None, true);
        wrong.extend(played.violations.first().map(|violation| format!("seed {seed}: {violation:?}")));
        for outcome in played.endings.into_iter().filter_map(|ending| ending.outcome) {
            let ran = outcome.outputs.contains_key("notebook");
            before += u32::from(ran && outcome.runner_version.is_none());
            after += u32::from(outcome.runner_version.is_some());
        }
    }
    (before, after, wrong)
}

/// Instances that stay on, or are pinned, keep the earlier runner: it knows fewer fields of the records than the functions do.
#[test]
fn the_guarantees_hold_with_the_earlier_runner() {
    let never = Duration::from_hours(1_000);
    let (before, after, wrong) = with_earlier_runners(never, 0..30);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(before > 10 && after == 0, "{before} runs of the earlier runner, {after} of this one");
    // Instances boot before and after an update.
    let (before, after, wrong) = with_earlier_runners(Duration::from_mins(15), 30..60);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(before > 5 && after > 5, "{before} runs of the earlier runner, {after} of this one");
}

/// What the test above would notice: functions that cannot do without what an earlier runner did not know.
#[test]
fn an_earlier_runner_that_knows_too_little_is_noticed() {
    earlier::forget("report", "outputs");
    let (before, ..) = with_earlier_runners(Duration::from_hours(1_000), 0..10);
    assert_eq!(before, 0, "no function reads its reports");
    earlier::forget("lease", "busy");
    let (.., wrong) = with_earlier_runners(Duration::from_hours(1_000), 0..20);
    assert!(!wrong.is_empty(), "no schedule noticed it");
}

/// What the first test would notice: a function that asks for more than the earlier definition passes.
#[test]
fn a_definition_that_passes_less_is_noticed() {
    let mut definitions = Definitions::edited(|definition| {
        let payload = &mut definition["States"]["CheckInstance"]["Arguments"]["Payload"];
        payload.as_object_mut().unwrap().remove("run").unwrap();
    });
    assert!((0..20).any(|seed| wrong(&mut definitions, seed).is_some()), "no schedule noticed it");
}
