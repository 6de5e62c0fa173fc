//! The history: what ConcludeRun enters, and what a sweep enters in its place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::TimeDelta;
use reveille_domain::history::{Entry, Group, HistoryPlace, Order};
use reveille_domain::limits::MAX_HISTORY_DESCRIBED;
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, StartAnswer};
use reveille_domain::records::{Execution, RunStatus};
use reveille_domain::{Code, InputText};
use reveille_protocol::conclude_run::conclude_run;
use reveille_protocol::sweep::{SweepInput, sweep};
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

fn timer(world: &StepWorld) {
    block_on(sweep(&stack(), world, SweepInput::default())).unwrap();
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
    assert_eq!((entry.code, entry.trigger.as_str()), (Some(Code::QuotaExceeded), "schedule"));
    assert_eq!(entry.notebook.as_ref().unwrap().notebook(), ("reports/a.ipynb".to_owned(), true));
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
    for number in 0..40 {
        let execution = execution(&format!("old-{number}"));
        assert_eq!(conclude(&world, &execution, 1, true), Ok(()));
        let long_ago = now() - TimeDelta::days(80);
        world.executions.borrow_mut().push((seen(execution, ExecutionStatus::Succeeded), long_ago));
    }
    world.objects.borrow_mut().retain(|key, _| !key.starts_with("history/"));
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
    for number in 0..250 {
        let execution = execution(&format!("old-{number}"));
        assert_eq!(conclude(&world, &execution, 1, true), Ok(()));
        let long_ago = now() - TimeDelta::days(80);
        world.executions.borrow_mut().push((seen(execution, ExecutionStatus::Succeeded), long_ago));
    }
    world.objects.borrow_mut().retain(|key, _| !key.starts_with("history/"));
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

/// A history that nobody may write holds up no sweep.
#[test]
fn what_goes_wrong_here_is_told_last_and_holds_nothing_up() {
    let (world, execution) = (world(), execution("daily"));
    world.only(seen(execution, ExecutionStatus::Aborted));
    let denied =
        || StepFault { action: "s3:PutObject", key_end: "history", kind: CallErrorKind::AccessDenied, times: 99 };
    world.faults.borrow_mut().push(denied());
    let failure = block_on(sweep(&stack(), &world, SweepInput::default())).unwrap_err();
    assert_eq!(failure.code, Code::AccessDenied);
    assert_eq!(world.events.get(), 1, "the outcome was recorded and published all the same");
    assert!(world.records().keys().any(|key| key.ends_with("/outcome.json")));
}
