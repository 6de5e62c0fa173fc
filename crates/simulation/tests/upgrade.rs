//! A stack is updated while runs are under way: their executions go on with the definition that they started with, and call this version's
//! functions. Their instances keep the runner of the version before until they boot anew. The guarantees hold then too.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use reveille_simulation::definition::Definitions;
use reveille_simulation::earlier;
use reveille_simulation::fault::Fault;
use reveille_simulation::play::play;
use reveille_simulation::schedule::generate;
use reveille_simulation::world::ledger::Violation;

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

/// Of schedules whose stack goes back to the version before under a run: how many did, and what is wrong.
fn going_back(seeds: std::ops::Range<u64>) -> (u32, Vec<String>) {
    let mut definitions = Definitions::default();
    let (mut under_run, mut wrong) = (0, Vec::new());
    for seed in seeds {
        let mut schedule = generate(seed, true);
        schedule.updated_at = None;
        let first = schedule.triggers.iter().map(|trigger| trigger.at + trigger.deliveries[0]).min().unwrap();
        schedule.went_back_at = Some(first + Duration::from_secs(seed * 29 % 400));
        // It asks for what the version before does not know of.
        schedule.live_seconds = 5;
        let machine = definitions.with(schedule.parameters).unwrap();
        let played = play(schedule, &machine, None, true);
        wrong.extend(played.violations.first().map(|violation| format!("seed {seed}: {violation:?}")));
        let failures = played.endings.into_iter().filter_map(|ending| ending.outcome?.failure);
        wrong.extend(failures.map(|failure| failure.message).filter(|message| message.contains("arguments: ")));
        under_run += u32::from(played.faults.contains_key(&Fault::WentBackUnderRun));
    }
    (under_run, wrong)
}

/// An update that fails is taken back: runs that began under this version go on with its definition, and call functions which know fewer
/// fields of the records that this version wrote.
#[test]
fn the_guarantees_hold_when_the_stack_goes_back_under_a_run() {
    let (under_run, wrong) = going_back(0..60);
    assert_eq!(wrong, Vec::<String>::new());
    assert!(under_run > 20, "{under_run} stacks went back under a run");
}

/// What the test above would notice: records that an earlier function cannot do without a field of.
#[test]
fn an_earlier_function_that_knows_too_little_is_noticed() {
    earlier::forget("outcome", "phases");
    let (_, wrong) = going_back(0..30);
    assert!(!wrong.is_empty(), "no schedule noticed it");
}

/// A version that a stack may not go back to under a run: it does not know a word that this one writes. Its programs take the record for one
/// that cannot be read: they name it, run nothing twice, and stop no person. That an instance stays on is what they say, too.
#[test]
fn a_version_that_cannot_read_a_record_names_it_and_runs_nothing_twice() {
    for (field, word) in [("lease.state", "busy"), ("report.by", "runner")] {
        earlier::forget_word(field, word);
        let (record, _) = field.split_once('.').unwrap();
        let mut definitions = Definitions::default();
        let mut named = 0;
        for seed in 0..30 {
            let mut schedule = generate(seed, true);
            schedule.hostile.clear();
            (schedule.updated_at, schedule.went_back_at) = (None, Some(Duration::from_mins(5)));
            let machine = definitions.with(schedule.parameters).unwrap();
            let played = play(schedule, &machine, None, true);
            // An outcome may lack what the record says, and an instance may stay on.
            let is_worse = |violation: &&Violation| match violation.guarantee {
                "G3" => !violation.what.contains("in vain"),
                guarantee => guarantee != "G4",
            };
            assert_eq!(played.violations.iter().find(is_worse), None, "{field} {seed}");
            let failures = played.endings.into_iter().filter_map(|ending| ending.outcome?.failure);
            named += failures
                .filter(|failure| failure.message.contains(record) && failure.message.contains("is not valid JSON"))
                .count();
        }
        assert!(named > 10, "{field}: {named} failures name the record");
    }
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
