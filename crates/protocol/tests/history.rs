//! The history: what ConcludeRun enters, and what a sweep enters in its place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::TimeDelta;
use reveille_domain::history::{Entry, Group, HistoryPlace, Order, TriggerKind};
use reveille_domain::limits::{MAX_HISTORY_DESCRIBED, MAX_HISTORY_HELD, MAX_HISTORY_TRIES};
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, InstanceStatus, StartAnswer};
use reveille_domain::records::{Execution, RunStatus};
use reveille_domain::{Code, InputText};
use reveille_protocol::conclude_run::conclude_run;
use reveille_protocol::sweep::{SweepInput, SweepOutput, sweep};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

fn world() -> StepWorld {
    StepWorld::answering(Ok(StartAnswer::Accepted))
}

fn execution(name: &str) -> Execution {
    Execution { arn: format!("arn:{name}"), name: name.into(), start_time: now(), redrive_count: 0 }
}

fn input() -> Value {
    json!({"instance": "nightly", "notebook": "reports/a.ipynb", "event": {"source": "aws.events"}})
}

/// Concludes a run that was skipped, or failed for want of a quota.
fn conclude(world: &StepWorld, execution: &Execution, attempt: u32, succeeds: bool) -> Result<(), Code> {
    let run = json!({
        "id": execution.run(), "attempt": attempt, "instance": "nightly", "admittedAt": now(), "whenBusy": "skip",
        "onRunnerLost": "fail",
        "limits": {"startSeconds": 30, "queueSeconds": 30, "runSeconds": 30, "stopSeconds": 30},
    });
    let error = json!({"state": "StartInstance", "error": "QuotaExceeded", "cause": ""});
    let call = json!({
        "execution": execution, "input": input(), "attempt": attempt, "run": run, "skipped": succeeds,
        "error": if succeeds { Value::Null } else { error },
        "stopping": {"since": now(), "patience": 1, "endedAt": now(), "rest": "notTouched"},
    });
    block_on(conclude_run(&stack(), world, serde_json::from_value(call).unwrap())).map(drop).map_err(|it| it.code)
}

/// What an order lists of a group.
fn listed(world: &StepWorld, order: &Order, group: Group) -> Vec<Entry> {
    let folder = order.folder(&stack().layout, group);
    let objects = world.objects.borrow();
    objects.keys().filter_map(|key| Entry::read(&folder, key)).collect()
}

fn everything(world: &StepWorld) -> Vec<Entry> {
    Group::ALL.into_iter().flat_map(|group| listed(world, &Order::All, group)).collect()
}

fn seen(execution: Execution, status: ExecutionStatus) -> ExecutionSeen {
    ExecutionSeen { status, execution, input: InputText::from(&input()), error: None, cause: None }
}

fn swept(world: &StepWorld) -> SweepOutput {
    block_on(sweep(&stack(), world, SweepInput::default())).unwrap()
}

/// A sweep in which all goes well.
fn timer(world: &StepWorld) {
    let answer = swept(world);
    assert_eq!(answer.history_failure, None);
}

/// Runs that succeeded long ago, before there was a history.
fn old_runs(world: &StepWorld, count: usize) {
    for number in 0..count {
        let execution = execution(&format!("old-{number}"));
        assert_eq!(conclude(world, &execution, 1, true), Ok(()));
        let long_ago = now() - TimeDelta::days(80);
        world.executions.borrow_mut().push((seen(execution, ExecutionStatus::Succeeded), long_ago));
    }
    world.objects.borrow_mut().retain(|key, _| !key.starts_with("history/"));
}

fn fault(action: &'static str, key_end: &'static str, kind: CallErrorKind) -> StepFault {
    StepFault { action, key_end, kind, times: u32::MAX }
}

fn place(world: &StepWorld) -> HistoryPlace {
    serde_json::from_slice(&world.objects.borrow()["history.json"]).unwrap()
}

#[test]
fn a_run_is_entered_behind_its_outcome() {
    let (world, execution) = (world(), execution("daily"));
    assert_eq!(conclude(&world, &execution, 1, false), Err(Code::QuotaExceeded));
    let [entry] = &everything(&world)[..] else { panic!("one entry") };
    assert_eq!((&entry.at.run, entry.at.attempt, entry.status), (&execution.run(), 1, RunStatus::Failed));
    assert_eq!((entry.code, entry.trigger), (Some(Code::QuotaExceeded), TriggerKind::Schedule));
    assert_eq!(entry.notebook.as_ref().unwrap().shown(), "reports/a.ipynb");
    assert_eq!(listed(&world, &Order::Instance("nightly".into()), Group::Failed), std::slice::from_ref(entry));
    assert_eq!(
        listed(&world, &Order::Notebook(entry.notebook.clone().unwrap()), Group::Failed),
        std::slice::from_ref(entry)
    );
    let before = world.objects.borrow().clone();
    assert_eq!(conclude(&world, &execution, 1, false), Err(Code::QuotaExceeded));
    assert_eq!(*world.objects.borrow(), before, "its answer was lost, and it was called again");
}

/// Whatever the history answers, the run has ended as it has.
#[test]
fn an_entry_that_cannot_be_written_changes_nothing_and_a_sweep_enters_it() {
    for kind in [CallErrorKind::AccessDenied, CallErrorKind::Throttled, CallErrorKind::NoAnswer, CallErrorKind::Refused]
    {
        let (world, execution) = (world(), execution("daily"));
        world.faults.borrow_mut().push(StepFault { action: "s3:PutObject", key_end: "history/all", kind, times: 1 });
        assert_eq!(conclude(&world, &execution, 1, true), Ok(()), "{kind:?}");
        assert_eq!(everything(&world), []);
        assert_eq!(world.events.get(), 1);
        world.only(seen(execution, ExecutionStatus::Succeeded));
        timer(&world);
        let [entry] = &everything(&world)[..] else { panic!("one entry") };
        assert_eq!(entry.status, RunStatus::Skipped);
        let before = world.records();
        timer(&world);
        assert_eq!((world.records(), everything(&world).len()), (before, 1), "once");
    }
}

/// Runs of a version that had no history.
#[test]
fn the_first_pass_enters_every_run_that_step_functions_knows() {
    let world = world();
    old_runs(&world, 40);
    world.page_size.set(16);
    // So slow that a sweep comes to some of them.
    world.describing.set(2);
    timer(&world);
    assert!(!place(&world).is_whole, "not yet");
    for _ in 0..5 {
        world.passed.set(0);
        timer(&world);
    }
    assert!(place(&world).is_whole);
    assert_eq!(everything(&world).len(), 40);
    let requests = world.lists.borrow().len();
    world.passed.set(0);
    timer(&world);
    assert!(world.lists.borrow().len() - requests <= 3, "nothing ended since: {:?}", world.lists.borrow());
}

/// An account may describe few executions in a second, and whatever decides about runs needs that more.
#[test]
fn a_sweep_describes_few_executions_for_the_history() {
    let world = world();
    old_runs(&world, 250);
    let mut entered = Vec::new();
    for _ in 0..3 {
        timer(&world);
        entered.push(everything(&world).len());
    }
    assert_eq!(entered, [MAX_HISTORY_DESCRIBED, 2 * MAX_HISTORY_DESCRIBED, 250]);
    assert!(place(&world).is_whole);
}

#[test]
fn the_entry_of_a_redrive_that_was_lost_is_entered() {
    let (world, mut execution) = (world(), execution("daily"));
    assert_eq!(conclude(&world, &execution, 1, false), Err(Code::QuotaExceeded));
    let lost = StepFault { action: "s3:PutObject", key_end: "history/", kind: CallErrorKind::NoAnswer, times: 99 };
    world.faults.borrow_mut().push(lost);
    execution.redrive_count = 1;
    assert_eq!(conclude(&world, &execution, 2, true), Ok(()));
    world.faults.borrow_mut().clear();
    assert_eq!(listed(&world, &Order::All, Group::Failed)[0].at.attempt, 1, "what was");
    world.only(seen(execution, ExecutionStatus::Succeeded));
    timer(&world);
    let latest = listed(&world, &Order::All, Group::Failed).into_iter().max_by_key(|entry| entry.at.attempt).unwrap();
    assert_eq!((latest.at.attempt, latest.status), (2, RunStatus::Skipped), "who lists the failed ones sees that");
}

/// Its keys in both groups are written beside each other, and a function may be cut off between them.
#[test]
fn an_entry_of_which_only_a_part_was_written_is_completed() {
    let (world, execution) = (world(), execution("daily"));
    runner_lost(&world, &execution);
    assert_eq!(conclude(&world, &execution, 2, true), Ok(()));
    let whole = world.objects.borrow().clone();
    world.only(seen(execution, ExecutionStatus::Succeeded));
    let keys: Vec<String> = whole.keys().filter(|key| key.starts_with("history/")).cloned().collect();
    let last = Order::All.folder(&stack().layout, Group::Ok);
    // The last key is written behind all others: where it is missing, any of them may be.
    for kept in keys.iter().filter(|key| !key.starts_with(&last)) {
        world.objects.borrow_mut().retain(|key, _| key == kept || !key.starts_with("history"));
        timer(&world);
        let now: Vec<String> =
            world.objects.borrow().keys().filter(|key| key.starts_with("history/")).cloned().collect();
        assert_eq!(now, keys, "only {kept} had been written");
    }
}

/// A history that nobody may write fails no sweep, and is not taken for a whole one.
#[test]
fn a_history_that_may_not_be_written_fails_nothing_and_is_not_whole() {
    let world = world();
    old_runs(&world, 3);
    let aborted = seen(execution("daily"), ExecutionStatus::Aborted);
    world.executions.borrow_mut().insert(0, (aborted, now()));
    world.faults.borrow_mut().push(fault("s3:PutObject", "history/", CallErrorKind::AccessDenied));
    for _ in 0..MAX_HISTORY_HELD + MAX_HISTORY_TRIES + 2 {
        let answer = swept(&world);
        assert!(answer.history_failed > 0 && answer.failed == 0, "{answer:?}");
        assert!(answer.history_failure.unwrap().contains("denied"));
        assert!(!place(&world).is_whole);
    }
    assert_eq!(world.events.get(), 4, "the outcome was recorded and published all the same");
    assert!(world.records().keys().any(|key| key.ends_with("/outcome.json")));
    world.faults.borrow_mut().clear();
    timer(&world);
    assert_eq!((everything(&world).len(), place(&world).is_whole, place(&world).lacking), (4, true, 0));
}

/// The sweep's failure is that of its own work.
#[test]
fn of_two_failures_the_one_about_the_history_is_not_the_sweeps() {
    let (world, execution) = (world(), execution("daily"));
    world.only(seen(execution, ExecutionStatus::Aborted));
    world.faults.borrow_mut().push(fault("s3:GetObject", "history.json", CallErrorKind::AccessDenied));
    assert_eq!(swept(&world).history_failed, 1);
    world.faults.borrow_mut().push(fault("s3:GetObject", "sweeper.json", CallErrorKind::Throttled));
    let failure = block_on(sweep(&stack(), &world, SweepInput::default())).unwrap_err();
    assert_eq!(failure.code, Code::Throttled);
}

/// A record that is in an archive, or that a policy forbids to read, or that AWS does not answer for.
#[test]
fn an_execution_that_cannot_be_entered_stops_neither_the_pass_nor_the_sweep() {
    for (kind, sweeps) in [
        (CallErrorKind::Refused, 1),
        (CallErrorKind::AccessDenied, 1),
        (CallErrorKind::Throttled, MAX_HISTORY_HELD + 1),
        (CallErrorKind::NoAnswer, MAX_HISTORY_HELD + 1),
    ] {
        let world = world();
        old_runs(&world, 40);
        let key = "/old-7-";
        world.faults.borrow_mut().push(fault("s3:GetObject", key, kind));
        for _ in 1..sweeps {
            assert!(swept(&world).history_failed > 0, "{kind:?}");
            assert!(!place(&world).is_whole, "{kind:?}: it may go well soon");
            assert_eq!(everything(&world).len(), 39, "{kind:?}: the others are entered");
        }
        assert!(swept(&world).history_failed > 0, "{kind:?}");
        assert!(place(&world).is_whole, "{kind:?}");
        assert_eq!((everything(&world).len(), place(&world).missed.len()), (39, 1), "{kind:?}");
        let mut tries = 0;
        while !place(&world).missed.is_empty() {
            assert_eq!(swept(&world).history_failed, 1, "{kind:?}: it is tried again");
            tries += 1;
        }
        assert_eq!((tries, place(&world).lacking), (MAX_HISTORY_TRIES - 1, 1), "{kind:?}: and then given up");
        timer(&world);
    }
}

#[test]
fn what_was_passed_over_is_entered_when_it_can_be() {
    let world = world();
    old_runs(&world, 4);
    world.faults.borrow_mut().push(fault("s3:GetObject", "/old-2-", CallErrorKind::Refused));
    swept(&world);
    swept(&world);
    assert_eq!(everything(&world).len(), 3);
    world.faults.borrow_mut().clear();
    timer(&world);
    assert_eq!((everything(&world).len(), place(&world).missed.len(), place(&world).lacking), (4, 0, 0));
}

/// A function that is cut off is called again by Lambda and raises an alarm, and what it had to tell is lost.
#[test]
fn a_call_that_takes_for_ever_cuts_off_no_sweep_and_is_passed() {
    for (action, key) in [("s3:GetObject", "/old-7-"), ("s3:PutObject", "/old-7-"), ("s3:GetObject", "history.json")] {
        let world = world();
        // Time passes for whoever sleeps.
        world.status.set((InstanceStatus::InService, 0));
        old_runs(&world, 40);
        world.slow.borrow_mut().push((action, key.to_owned(), 600));
        let mut sweeps = 0;
        while sweeps < 2 * MAX_HISTORY_HELD && (sweeps == 0 || key != "history.json" && !place(&world).is_whole) {
            world.passed.set(0);
            world.sleeps_left.set(100);
            assert!(swept(&world).history_failed > 0, "{action} {key}");
            assert!(world.passed.get() <= 24, "{action} {key}: {} s", world.passed.get());
            sweeps += 1;
            if key == "history.json" {
                world.put(key, &HistoryPlace::default());
            }
        }
        if key != "history.json" {
            assert!(place(&world).is_whole, "{action} {key}");
            assert_eq!(everything(&world).len(), 39, "{action} {key}");
        }
    }
}

/// ConcludeRun has thirty seconds, and a call may take twelve.
#[test]
fn a_slow_bucket_costs_conclude_run_no_more_than_one_call_behind_its_time() {
    for (seconds, entered) in [(0, 3), (6, 2)] {
        let (world, execution) = (world(), execution("daily"));
        world.slow.borrow_mut().push(("s3:PutObject", "history/".to_owned(), seconds));
        assert_eq!(conclude(&world, &execution, 1, true), Ok(()));
        let keys = world.objects.borrow().keys().filter(|key| key.starts_with("history/")).count();
        assert_eq!(keys, entered, "{seconds} s: the last key is not begun after five seconds");
    }
    let (world, execution) = (world(), execution("daily"));
    world.slow.borrow_mut().push(("s3:PutObject", "outcome.json".to_owned(), 6));
    assert_eq!(conclude(&world, &execution, 1, true), Ok(()));
    assert!(!world.objects.borrow().keys().any(|key| key.starts_with("history/")), "no time is left");
}

/// A stack that went back to a version without a history for a week, and came again.
#[test]
fn a_history_that_nobody_kept_is_not_whole_until_it_was_looked_through() {
    let world = world();
    old_runs(&world, 250);
    for (_, ended) in world.executions.borrow_mut().iter_mut() {
        *ended = now() - TimeDelta::days(3);
    }
    let mut whole = Vec::new();
    let left = HistoryPlace { is_whole: true, looked_at: Some(now() - TimeDelta::days(7)), ..HistoryPlace::default() };
    world.put("history.json", &left);
    for _ in 0..3 {
        timer(&world);
        whole.push(place(&world).is_whole);
    }
    assert_eq!(whole, [false, false, true]);
    assert_eq!(everything(&world).len(), 250);
}

/// Its outcome may come only after many sweeps, when no pass looks back as far as its end any more.
#[test]
fn an_execution_that_is_concluded_late_is_entered() {
    let world = world();
    world.only(seen(execution("daily"), ExecutionStatus::Aborted));
    world.faults.borrow_mut().push(fault("s3:PutObject", "outcome.json", CallErrorKind::Throttled));
    for sweeps in 0..6 {
        world.passed.set(300 * sweeps);
        block_on(sweep(&stack(), &world, SweepInput::default())).unwrap_err();
        assert_eq!(place(&world).missed.len(), 1);
    }
    world.faults.borrow_mut().clear();
    world.passed.set(1_800);
    timer(&world);
    let [entry] = &everything(&world)[..] else { panic!("one entry") };
    assert_eq!((entry.status, place(&world).missed.len()), (RunStatus::Aborted, 0));
}

/// Records of a first attempt whose runner was lost. It was repeated, so it has no entry.
fn runner_lost(world: &StepWorld, execution: &Execution) {
    assert_eq!(conclude(world, execution, 1, false), Err(Code::QuotaExceeded));
    let key = world.records().into_keys().find(|key| key.ends_with("outcome.json")).unwrap();
    let mut outcome: Value = serde_json::from_slice(&world.records()[&key]).unwrap();
    (outcome["code"], outcome["failure"]["code"]) = ("RunnerLost".into(), "RunnerLost".into());
    world.put(&key, &outcome);
    world.objects.borrow_mut().retain(|key, _| !key.starts_with("history/"));
}

/// `onRunnerLost: rerun`: the run goes on, so the attempt is not how it ended.
#[test]
fn an_attempt_that_is_repeated_is_not_entered() {
    let (world, execution) = (world(), execution("daily"));
    runner_lost(&world, &execution);
    let mut input = input();
    input["onRunnerLost"] = "rerun".into();
    input.as_object_mut().unwrap().remove("event");
    let mut aborted = seen(execution, ExecutionStatus::Aborted);
    aborted.input = InputText::from(&input);
    world.only(aborted);
    // The outcome of what it was stopped on the way to cannot be written yet.
    world.faults.borrow_mut().push(fault("s3:PutObject", "/2/", CallErrorKind::Throttled));
    block_on(sweep(&stack(), &world, SweepInput::default())).unwrap_err();
    assert_eq!(everything(&world), []);
    world.faults.borrow_mut().clear();
    timer(&world);
    let [entry, other] = &everything(&world)[..] else { panic!("the second attempt, in both groups") };
    assert_eq!((entry.at.attempt, entry.status), (2, RunStatus::Aborted));
    assert_eq!(entry, other);
}
