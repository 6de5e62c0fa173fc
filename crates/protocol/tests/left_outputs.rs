//! A notebook that is ended because its verdict was reached elsewhere: what it left is kept, and both records name it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use std::collections::BTreeMap;

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, StartAnswer};
use reveille_domain::records::{Outcome, Report, Reporter};
use reveille_domain::{Code, Failure};
use reveille_protocol::conclude_run::{ConcludeRunOutput, conclude_run};
use reveille_protocol::sweep::{self, SweepInput};
use serde_json::json;
use support::runner::{attempt, execution, serve, waiting_run};
use support::{StepFault, StepWorld, block_on, now, stack};

/// What the sweeper puts for an execution that a person stopped.
fn stopped() -> Report {
    let at = attempt();
    Report {
        run: at.run,
        attempt: at.attempt,
        by: Reporter::Function,
        runner_version: None,
        failure: Some(Failure::new(Code::Cancelled, "Execution r was stopped by a person.")),
        source_sha256: None,
        outputs: BTreeMap::new(),
        html_error: None,
        queued_at: None,
        started_at: None,
        ended_at: now(),
    }
}

/// A run whose execution is stopped while its notebook executes.
fn aborted_while_it_executes() -> StepWorld {
    let mut world = waiting_run();
    world.endless.set(true);
    world.during = Some((stack().layout.report(&attempt()), serde_json::to_vec(&stopped()).unwrap()));
    let seen = ExecutionSeen {
        status: ExecutionStatus::Aborted,
        execution: execution(),
        input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
        error: None,
        cause: None,
    };
    world.only(seen);
    world
}

fn announce(world: &StepWorld) {
    let announced = SweepInput { execution_arn: Some("arn".to_owned()) };
    block_on(sweep::sweep(&stack(), world, announced)).unwrap();
}

fn read<T: serde::de::DeserializeOwned>(world: &StepWorld, key: &str) -> T {
    serde_json::from_slice(&world.objects.borrow()[key]).unwrap()
}

/// The outputs in both records; the verdict is the first one.
fn assert_named(world: &StepWorld) {
    let (at, layout) = (attempt(), stack().layout);
    let report: Report = read(world, &layout.report(&at));
    let outcome: Outcome = read(world, &layout.outcome(&at));
    for (outputs, sha256) in [(&report.outputs, &report.source_sha256), (&outcome.outputs, &outcome.source_sha256)] {
        let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
        assert_eq!(names, ["log", "notebook"], "{:?}", world.log.borrow());
        assert!(outputs["notebook"].ends_with("/1/output.ipynb"), "{outputs:?}");
        assert_eq!(sha256.as_ref().unwrap().len(), 64);
    }
    assert_eq!((report.by, report.failure), (Reporter::Function, stopped().failure));
    assert_eq!(outcome.code, Some(Code::Cancelled));
    assert_eq!(world.uploaded.borrow().len(), 2);
    assert_eq!(world.executed.get(), 1);
}

#[test]
fn an_outcome_that_is_recorded_after_the_notebook_ended_names_its_outputs() {
    let world = aborted_while_it_executes();
    serve(&world);
    announce(&world);
    assert_named(&world);
}

/// As a rule: the outcome is written at once, the runner ends the notebook at its next beat. The runner completes the report, and
/// the sweeper the outcome. Calls that fail for a while cost nothing.
#[test]
fn an_outcome_that_is_there_already_gets_the_outputs_added() {
    for kind in [None, Some(CallErrorKind::Throttled), Some(CallErrorKind::NoAnswer)] {
        let elsewhere = aborted_while_it_executes();
        let (key, report) = elsewhere.during.clone().unwrap();
        elsewhere.objects.borrow_mut().insert(key, report);
        announce(&elsewhere);
        let key = stack().layout.outcome(&attempt());
        let outcome = elsewhere.objects.borrow()[&key].clone();
        assert!(serde_json::from_slice::<Outcome>(&outcome).unwrap().outputs.is_empty());

        let world = StepWorld { and_during: Some((key.clone(), outcome.clone())), ..aborted_while_it_executes() };
        if let Some(kind) = kind {
            let fault = StepFault { action: "s3:PutObject", key_end: "1/report.json", kind, times: 2 };
            world.faults.borrow_mut().push(fault);
        }
        serve(&world);
        // A notebook has the runner's role, so that role writes no outcome.
        assert_eq!(world.objects.borrow()[&key], outcome);
        announce(&world);
        assert_named(&world);
        // A sweep that comes later changes nothing any more.
        announce(&world);
        assert_named(&world);
    }
}

/// What the runner reports itself is its own: nothing is added to it, nor to a verdict that names its outputs.
#[test]
fn only_a_functions_verdict_without_outputs_gets_any() {
    let outputs: BTreeMap<_, _> = [("log".to_owned(), "s3://b/log.txt".to_owned())].into();
    let left = Report { outputs: outputs.clone(), ..stopped() };
    assert_eq!(stopped().with_outputs_of(&left).unwrap().outputs, outputs);
    assert_eq!(stopped().with_outputs_of(&stopped()), None);
    assert_eq!(left.with_outputs_of(&left), None);
    assert_eq!(Report { by: Reporter::Runner, ..stopped() }.with_outputs_of(&left), None);
}

/// A lost runner that lives completes the report of its attempt. The attempt that repeated it looks at the outcome, because
/// nobody sweeps an execution that runs or that succeeded.
#[test]
fn the_next_attempt_completes_the_outcome_of_the_one_before() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let (layout, first) = (stack().layout, attempt());
    let second = AttemptRef { attempt: 2, ..first.clone() };
    let conclude = |attempt: u32, code: &str| {
        let run = json!({"id": first.run, "attempt": attempt, "instance": "nightly", "admittedAt": now(),
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "queue", "onRunnerLost": "rerun"});
        let call = json!({"execution": execution(), "input": {"instance": "nightly", "notebook": "a.ipynb"},
            "attempt": attempt, "run": run, "error": {"state": "S", "error": code, "cause": ""},
            "stopping": {"since": now(), "patience": 1, "endedAt": now(), "rest": "atRest"}});
        block_on(conclude_run(&stack(), &world, serde_json::from_value(call).unwrap()))
    };
    let lost = Report { failure: Some(Failure::new(Code::RunnerLost, "It fell silent.")), ..stopped() };
    world.put(&layout.report(&first), &lost);
    assert_eq!(conclude(1, "RunnerLost").unwrap(), ConcludeRunOutput::RunAgain { attempt: 2 });
    assert!(read::<Outcome>(&world, &layout.outcome(&first)).outputs.is_empty());

    let uri = layout.uri(&layout.attempt(&first)) + "output.ipynb";
    let late = Report { outputs: [("notebook".to_owned(), uri)].into(), ..lost };
    world.put(&layout.report(&first), &late);
    let report = Report { attempt: 2, by: Reporter::Runner, failure: None, ..stopped() };
    world.put(&layout.report(&second), &report);
    assert!(matches!(conclude(2, "RunnerLost").unwrap(), ConcludeRunOutput::Concluded { .. }));
    let outcome: Outcome = read(&world, &layout.outcome(&first));
    assert_eq!((outcome.outputs, outcome.code), (late.outputs, Some(Code::RunnerLost)));
}

/// There is no attempt 0, and nobody looks for one.
#[test]
fn the_first_attempt_has_none_before_it() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let kind = CallErrorKind::AccessDenied;
    world.faults.borrow_mut().push(StepFault { action: "s3:GetObject", key_end: "/0/", kind, times: 1 });
    block_on(reveille_protocol::left::complete_previous(&stack().layout, &world, &attempt(), "arn"));
    assert_eq!(world.faults.borrow()[0].times, 1);
}

/// Its runner ended the notebook between the function's look at the report and its outcome.
#[test]
fn outputs_that_came_while_the_outcome_was_recorded_are_added_at_once() {
    let layout = stack().layout;
    let uri = layout.uri(&layout.attempt(&attempt())) + "output.ipynb";
    let late = Report { outputs: [("notebook".to_owned(), uri)].into(), ..stopped() };
    let recorded = json!({"run": attempt().run, "attempt": 1, "status": "ABORTED", "code": "Cancelled", "outputs": {}, "phases": {},
        "instance": "nightly", "instanceAfter": "atRest", "executionArn": "arn", "redriveCount": 0, "concludedAt": now()});
    let fresh: Outcome = serde_json::from_value(recorded).unwrap();
    let runners = Report { by: Reporter::Runner, ..stopped() };
    for (seen, is_completed) in [(Some(stopped()), true), (Some(runners), false), (None, false)] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        world.put(&layout.report(&attempt()), &late);
        world.put(&layout.outcome(&attempt()), &fresh);
        let completed =
            block_on(reveille_protocol::left::completed(&layout, &world, &attempt(), seen.as_ref(), fresh.clone()));
        let expected = if is_completed { late.outputs.clone() } else { BTreeMap::new() };
        assert_eq!(completed.outputs, expected, "{seen:?}");
        assert_eq!(read::<Outcome>(&world, &layout.outcome(&attempt())), completed, "{seen:?}");
    }
}
