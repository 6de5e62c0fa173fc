//! The passes through the history: where one goes on, what it writes down, and when it has come to its end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::history::{Entry, Group, HistoryPass, HistoryPlace, Order};
use reveille_domain::limits::{HISTORY_CUT, HISTORY_TIME};
use reveille_domain::observation::InstanceStatus;
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, StartAnswer};
use reveille_domain::records::Execution;
use reveille_domain::{InputText, RunId};
use reveille_protocol::conclude_run::conclude_run;
use reveille_protocol::sweep::{SweepInput, sweep};
use serde_json::json;
use support::{StepFault, StepWorld, block_on, now, stack};

const PLACE: &str = "history.json";

fn minutes(count: i64) -> DateTime<Utc> {
    now() + TimeDelta::minutes(count)
}

/// A run that was skipped, and is not in the history. It started and ended so many minutes from now.
fn ended(world: &StepWorld, name: &str, started: i64, ended: i64) {
    let start_time = minutes(started);
    let execution = Execution { arn: format!("arn:{name}"), name: name.into(), start_time, redrive_count: 0 };
    let run = json!({
        "id": execution.run(), "attempt": 1, "instance": "nightly", "admittedAt": now(), "whenBusy": "skip", "onRunnerLost": "fail",
        "limits": {"startSeconds": 30, "queueSeconds": 30, "runSeconds": 30, "stopSeconds": 30},
    });
    let input = json!({"instance": "nightly", "notebook": "reports/a.ipynb"});
    let call =
        json!({"execution": execution, "input": input, "attempt": 1, "run": run, "skipped": true, "error": null});
    block_on(conclude_run(&stack(), world, serde_json::from_value(call).unwrap())).unwrap();
    world.objects.borrow_mut().retain(|key, _| !key.starts_with("history/"));
    let (status, input) = (ExecutionStatus::Succeeded, InputText::from(&input));
    let seen = ExecutionSeen { status, execution, input, error: None, cause: None };
    world.executions.borrow_mut().push((seen, minutes(ended)));
    // The newest start is listed first.
    world.executions.borrow_mut().sort_by_key(|(seen, _)| std::cmp::Reverse(seen.execution.start_time));
}

fn entered(world: &StepWorld) -> usize {
    let folder = Order::All.folder(&stack().layout, Group::Ok);
    world.objects.borrow().keys().filter(|key| key.starts_with(&folder)).count()
}

fn timer(world: &StepWorld) {
    let swept = block_on(sweep(&stack(), world, SweepInput::default())).unwrap();
    assert_eq!(swept.history_failure, None);
}

fn place(world: &StepWorld) -> HistoryPlace {
    serde_json::from_slice(&world.objects.borrow()[PLACE]).unwrap()
}

fn looked_at(at: DateTime<Utc>) -> HistoryPlace {
    HistoryPlace { is_whole: true, looked_at: Some(at), ..HistoryPlace::default() }
}

/// Every five minutes a write that says nothing would cost more than it tells.
#[test]
fn a_pass_that_found_nothing_is_written_down_once_an_hour() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    timer(&world);
    assert_eq!(place(&world), looked_at(now()), "the first pass");
    for minute in [5, 30, 59] {
        world.passed.set(minute * 60);
        timer(&world);
        assert_eq!(place(&world), looked_at(now()), "{minute}");
    }
    world.passed.set(3_600);
    timer(&world);
    assert_eq!(place(&world), looked_at(minutes(60)));
    // Something ended.
    ended(&world, "daily", 58, 63);
    world.passed.set(65 * 60);
    timer(&world);
    assert_eq!((place(&world), entered(&world)), (looked_at(minutes(65)), 1));
    // A pass looks back ten minutes behind the one before, and meets it once more.
    for (minute, written) in [(80, 80), (95, 80)] {
        world.passed.set(minute * 60);
        timer(&world);
        assert_eq!(place(&world), looked_at(minutes(written)), "{minute}");
    }
}

/// A pass that other sweeps began is ended, and written down, even if nothing is left to look at.
#[test]
fn a_pass_that_is_under_way_comes_to_its_end() {
    for redriven in [false, true] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        let pass = HistoryPass {
            began_at: minutes(-2),
            since: Some(minutes(-20)),
            redriven,
            page: None,
            after: None,
            held: 3,
        };
        world.put(PLACE, &HistoryPlace { pass: Some(pass), ..looked_at(minutes(-10)) });
        timer(&world);
        assert_eq!(place(&world), looked_at(minutes(-2)), "redriven: {redriven}");
    }
}

/// Step Functions forgets its pages after a day. What was entered is in the history, so the way to it is short.
#[test]
fn a_page_that_is_no_longer_known_is_begun_anew() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for number in 0..5 {
        ended(&world, &format!("daily-{number}"), -10 * number - 5, -1);
    }
    let pass = HistoryPass {
        began_at: minutes(-2),
        since: None,
        redriven: false,
        page: Some("forgotten".into()),
        after: Some("arn:daily-2".into()),
        held: 0,
    };
    world.put(PLACE, &HistoryPlace { is_whole: false, pass: Some(pass), ..looked_at(minutes(-10)) });
    timer(&world);
    assert_eq!((entered(&world), place(&world)), (5, looked_at(minutes(-2))));
}

/// A page that was looked at in part is gone on with behind what was looked at, and each page is turned from its beginning.
#[test]
fn a_pass_goes_on_behind_what_it_looked_at() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for number in 0..7 {
        ended(&world, &format!("daily-{number}"), -10 * number - 5, -1);
    }
    world.page_size.set(3);
    let pass = |page: Option<&str>, after: Option<&str>| HistoryPass {
        began_at: minutes(-2),
        since: None,
        redriven: false,
        page: page.map(str::to_owned),
        after: after.map(|name| format!("arn:{name}")),
        held: 0,
    };
    for (page, after, expected) in [(None, None, 7), (None, Some("daily-1"), 5), (Some("3"), Some("daily-3"), 3)] {
        world.objects.borrow_mut().retain(|key, _| !key.starts_with("history"));
        let under_way = HistoryPlace { is_whole: false, pass: Some(pass(page, after)), ..looked_at(minutes(-10)) };
        world.put(PLACE, &under_way);
        timer(&world);
        assert_eq!((entered(&world), place(&world)), (expected, looked_at(minutes(-2))), "{page:?} {after:?}");
    }
}

/// What started long ago and ended lately was redriven: behind the newest, a pass looks at those from their first page on.
#[test]
fn a_pass_ends_with_every_execution_that_was_redriven() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let day = 24 * 60;
    for number in 0..5 {
        ended(&world, &format!("daily-{number}"), -10 * number - 5, -1);
    }
    ended(&world, "old", -9 * day, -9 * day + 1);
    ended(&world, "redriven", -10 * day, -1);
    for (seen, _) in world.executions.borrow_mut().iter_mut().filter(|(seen, _)| seen.execution.name == "redriven") {
        seen.execution.redrive_count = 1;
    }
    world.page_size.set(3);
    world.put(PLACE, &looked_at(minutes(-60)));
    timer(&world);
    assert_eq!((entered(&world), place(&world)), (6, looked_at(now())));
}

/// It was held at a page, and came further since.
#[test]
fn a_pass_that_came_further_is_not_held() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for number in 0..20 {
        ended(&world, &format!("daily-{number}"), -10 * number - 5, -1);
    }
    world.page_size.set(3);
    world.describing.set(2);
    let pass = HistoryPass { began_at: minutes(-2), since: None, redriven: false, page: None, after: None, held: 3 };
    world.put(PLACE, &HistoryPlace { is_whole: false, pass: Some(pass), ..looked_at(minutes(-10)) });
    timer(&world);
    let pass = place(&world).pass.expect("it is under way");
    assert!(pass.page.is_some() && pass.held == 0, "{pass:?}");
}

/// What is in the history costs no look, however many others are listed between; and no more of it is listed than those may be in.
#[test]
fn a_run_that_is_in_the_history_is_not_described_again() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for (name, started) in [("new", -5), ("old", -5_000)] {
        ended(&world, name, started, -1);
    }
    timer(&world);
    assert_eq!(entered(&world), 2);
    // Runs that Step Functions has forgotten: a page of the list and some more between the two, and as many behind them.
    let layout = stack().layout;
    let folder = Order::All.folder(&layout, Group::Ok);
    let key = world.objects.borrow().keys().find(|key| key.starts_with(&folder)).unwrap().clone();
    let entry = Entry::read(&folder, &key).unwrap();
    for number in 0..2_400 {
        let mut other = entry.clone();
        other.at.run = RunId::from_key(&format!("other-{number}"));
        other.started = minutes(if number < 1_200 { -10 - number } else { -6_000 - number });
        world.objects.borrow_mut().insert(other.last_key(&layout), Vec::new());
    }
    world.objects.borrow_mut().remove(PLACE);
    world.lists.borrow_mut().clear();
    world.describing.set(1);
    timer(&world);
    assert_eq!((world.passed.get(), place(&world)), (0, looked_at(now())), "nothing is described");
    let listed = world.lists.borrow().iter().filter(|(prefix, _)| *prefix == folder).count();
    assert_eq!(listed, 2, "two pages of the history");
}

/// Fifty are remembered and tried again; of more, only the number is kept.
#[test]
fn of_too_many_that_cannot_be_entered_the_number_is_kept() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for number in 0..52 {
        ended(&world, &format!("daily-{number}"), -10 * number - 5, -1);
    }
    let kind = CallErrorKind::Refused;
    world.faults.borrow_mut().push(StepFault { action: "s3:GetObject", key_end: "outcome.json", kind, times: 999 });
    let swept = block_on(sweep(&stack(), &world, SweepInput::default())).unwrap();
    assert_eq!((swept.history_failed, place(&world).missed.len(), place(&world).lacking), (52, 50, 2));
}

/// Whatever the rest of a sweep took, a call that hangs leaves the function the time to write down what was done.
#[test]
fn a_sweep_gives_the_history_up_at_the_same_time_however_late_it_came_to_it() {
    let cut = HISTORY_CUT.num_seconds();
    for seconds_before in [0, 5, 11] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        // Time passes for whoever sleeps.
        world.status.set((InstanceStatus::InService, 0));
        world.sleeps_left.set(100);
        let slow = |key: &str, seconds| world.slow.borrow_mut().push(("s3:GetObject", key.to_owned(), seconds));
        slow("sweeper.json", seconds_before);
        slow(PLACE, 600);
        let swept = block_on(sweep(&stack(), &world, SweepInput::default())).unwrap();
        assert_eq!(swept.history_failed, 1);
        let gave_up_at = world.passed.get();
        // Whoever waits beside the call lets a second or two more pass in this world.
        assert!((cut..cut + 4).contains(&gave_up_at), "after {seconds_before} s of other work: at {gave_up_at} s");
    }
}

/// One that has no time left for it does not begin.
#[test]
fn a_sweep_without_time_leaves_the_history_to_the_next() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.slow.borrow_mut().push(("s3:GetObject", "sweeper.json".to_owned(), HISTORY_TIME.num_seconds()));
    timer(&world);
    assert!(!world.objects.borrow().contains_key(PLACE));
    world.slow.borrow_mut().clear();
    timer(&world);
    assert!(place(&world).is_whole);
}

/// Nothing that lies there will ever be an outcome.
#[test]
fn what_is_no_outcome_is_passed_for_good() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    ended(&world, "daily", -5, -1);
    for (seen, _) in world.executions.borrow_mut().iter_mut() {
        seen.status = ExecutionStatus::Failed;
        seen.error = Some("Internal".into());
    }
    let key = world.objects.borrow().keys().find(|key| key.ends_with("outcome.json")).unwrap().clone();
    world.objects.borrow_mut().insert(key, b"garbage".to_vec());
    timer(&world);
    assert_eq!((entered(&world), place(&world)), (0, looked_at(now())));
}
