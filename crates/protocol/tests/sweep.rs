//! The sweeper on executions that ended between two of their records.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::TimeDelta;
use reveille_domain::ports::{CallError, CallErrorKind, ExecutionSeen, ExecutionStatus, InstanceStatus, StartAnswer};
use reveille_domain::records::{Execution, Lease, LeaseState};
use reveille_domain::{Code, InputText, InstanceName, RunId};
use reveille_protocol::admit_run::admit_run;
use reveille_protocol::conclude_run::{ConcludeRunOutput, conclude_run};
use reveille_protocol::sweep::{SweepInput, sweep};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

/// Its outcome is written, and its event could not be published: the announced end of the execution makes up for it, once.
///
/// docs/output.md: "ConcludeRun publishes after it has written `outcome.json`."
#[test]
fn an_event_that_was_not_published_is_published_by_the_sweeper() {
    let denied = CallError {
        kind: CallErrorKind::AccessDenied,
        action: "events:PutEvents",
        resource: "default".to_owned(),
        message: "AccessDeniedException: not authorized".to_owned(),
    };
    let mut world = StepWorld { publishing: Err(denied), ..StepWorld::answering(Ok(StartAnswer::Accepted)) };
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    let call = json!({
        "execution": execution, "input": input, "attempt": 1,
        "error": {"state": "AdmitRun", "error": "InvalidRequest", "cause": ""},
    });
    let failure = block_on(conclude_run(&stack(), &world, serde_json::from_value(call).unwrap())).unwrap_err();
    assert_eq!(failure.code, Code::OutcomeNotRecorded);
    assert_eq!(world.records().len(), 1, "the outcome is written");

    world.publishing = Ok(());
    world.events.set(0);
    world.only(ExecutionSeen {
        status: ExecutionStatus::Failed,
        execution,
        input: (&input).into(),
        error: Some(failure.code.to_string()),
        cause: Some(failure.message),
    });
    let announced = SweepInput { execution_arn: Some("arn:x".to_owned()) };
    assert_eq!(block_on(sweep(&stack(), &world, announced)).unwrap().concluded, 0);
    assert_eq!(world.events.get(), 1);
    // The timer sees the same execution for an hour.
    block_on(sweep(&stack(), &world, SweepInput::default())).unwrap();
    assert_eq!(world.events.get(), 1);
}

/// Its runner was lost, its instance has stopped, and a person stops it on the way to its second attempt.
///
/// docs/output.md: "If `onRunnerLost: rerun` repeats an attempt, the attempt that was lost has an outcome but no event
/// of its own."
#[test]
fn an_execution_that_is_stopped_between_two_attempts_gets_its_outcome() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let input = json!({"instance": "nightly", "notebook": "a.ipynb", "onRunnerLost": "rerun"});
    let admit = json!({"execution": execution, "input": input, "attempt": 1});
    let admitted = block_on(admit_run(&stack(), &world, serde_json::from_value(admit).unwrap())).unwrap();
    let conclude = json!({
        "execution": execution, "input": input, "attempt": 1, "run": serde_json::to_value(admitted).unwrap()["run"],
        "stopping": {"since": now(), "patience": 1, "endedAt": now(), "rest": "atRest"},
        "error": {"state": "CheckInstance", "error": "RunnerLost", "cause": ""},
    });
    let again = block_on(conclude_run(&stack(), &world, serde_json::from_value(conclude).unwrap())).unwrap();
    assert_eq!(again, ConcludeRunOutput::RunAgain { attempt: 2 });
    assert_eq!(world.events.get(), 0);

    let status = ExecutionStatus::Aborted;
    world.only(ExecutionSeen { status, execution, input: (&input).into(), error: None, cause: None });
    for _ in 0..2 {
        let announced = SweepInput { execution_arn: Some("arn:x".to_owned()) };
        block_on(sweep(&stack(), &world, announced)).unwrap();
    }
    assert_eq!(world.events.get(), 1);
    let objects = world.objects.borrow();
    let (key, outcome) = objects.iter().find(|(key, _)| key.ends_with("/2/outcome.json")).expect("a second outcome");
    let outcome: Value = serde_json::from_slice(outcome).unwrap();
    assert_eq!((&outcome["status"], &outcome["code"]), (&json!("ABORTED"), &json!("Cancelled")), "{key}");
}

/// docs/operations.md, `InstanceOnTooLong`: whatever else becomes of the instance.
#[test]
fn the_timers_sweep_says_for_how_long_an_instance_with_a_lease_has_been_on() {
    let day = 86_400;
    for (status, entered, seconds) in [
        (InstanceStatus::InService, -day, 86_410),
        (InstanceStatus::InService, 4, 6),
        // Ahead of every clock: it says nothing.
        (InstanceStatus::InService, day, 0),
        (InstanceStatus::Stopping, -day, 0),
        (InstanceStatus::Stopped, -day, 0),
    ] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        let (run, written) = (RunId::from_key("x-1"), now() - TimeDelta::days(2));
        let lease =
            Lease { state: LeaseState::Open, certain: true, ..Lease::starting(&run, "n".into(), None, written) };
        world.put(&stack().layout.lease(&InstanceName::parse("nightly").unwrap()), &lease);
        world.status.set((status, entered));
        world.passed.set(10);
        let swept = block_on(sweep(&stack(), &world, SweepInput::default())).unwrap();
        assert_eq!((swept.longest_on_seconds, swept.checked), (Some(seconds), 1), "{status:?} {entered}");
    }
    // Where no instance has a lease, none is on. A sweep for one execution looks at no lease, and cannot know that.
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let swept = |call| block_on(sweep(&stack(), &world, call)).unwrap().longest_on_seconds;
    assert_eq!(swept(SweepInput::default()), Some(0));
    assert_eq!(swept(SweepInput { execution_arn: Some("arn:x".into()) }), None);
}

/// The message of a run whose execution a person stopped, and so announced; the outcome and its event have the same one.
fn stopped(input: &Value, progress: Option<Value>, error: Option<&str>, cause: Option<&str>) -> String {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let run = execution.run();
    if let Some(progress) = progress {
        world.put(&format!("runs/nightly/{run}/1/progress.json"), &progress);
    }
    world.only(ExecutionSeen {
        status: ExecutionStatus::Aborted,
        execution,
        input: input.into(),
        error: error.map(str::to_owned),
        cause: cause.map(str::to_owned),
    });
    block_on(sweep(&stack(), &world, SweepInput { execution_arn: Some("arn:x".to_owned()) })).unwrap();
    let objects = world.objects.borrow();
    let (key, outcome) = objects.iter().find(|(key, _)| key.ends_with("/outcome.json")).expect("an outcome");
    let outcome: Value = serde_json::from_slice(outcome).unwrap();
    assert_eq!((&outcome["status"], &outcome["code"]), (&json!("ABORTED"), &json!("Cancelled")), "{key}: {outcome}");
    let message = outcome["failure"]["message"].as_str().unwrap().to_owned();
    assert!(world.published.borrow()[0].to_string().contains(&json!(message).to_string()), "the event has another one");
    message
}

/// docs/errors/Cancelled.md: "It names what the person gave as `--error` and `--cause`, and the last cell in `progress.json`."
#[test]
fn a_person_who_stops_an_execution_is_quoted_and_the_cell_is_named() {
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    let end = " To run the notebook again, redrive this execution, or start a new execution, with \"rerun\": true if its input has an event.";
    let at = |cell: u32| Some(json!({"cell": cell, "cells": 12, "at": now()}));
    for (progress, error, cause, says) in [
        (None, None, None, "."),
        (None, Some(""), Some(" \n"), "."),
        (at(0), None, None, " before the first cell of its notebook."),
        (at(3), None, None, " while its notebook was at cell 3 of 12."),
        (Some(json!({"cell": "three"})), None, None, "."),
        (None, Some("Maintenance"), None, ". They gave the error \"Maintenance\"."),
        (None, None, Some("The table\nmoves."), ". They gave this cause: The table moves."),
        // Their word for it is no code of a run.
        (
            at(3),
            Some("NotebookFailed"),
            Some(r#"{"errorMessage": "x"}"#),
            " while its notebook was at cell 3 of 12. They gave the error \"NotebookFailed\" and this cause: {\"errorMessage\": \"x\"}.",
        ),
    ] {
        assert_eq!(stopped(&input, progress, error, cause), format!("Execution x was stopped by a person{says}{end}"));
    }
    // Whatever they wrote, it can be printed and leaves room for the rest.
    let huge = "x\u{1b}[2Jé\u{202e} ".repeat(6_000);
    let message = stopped(&input, at(3), Some(&huge), Some(&huge));
    assert!(
        message.ends_with(end) && message.contains("cell 3 of 12") && message.contains("this cause: xé"),
        "{message}"
    );
    assert!(message.chars().count() < 2_000 && !message.chars().any(reveille_domain::shown::is_hidden), "{message}");
}

/// Nobody gives such an execution a report, because its input names no instance.
#[test]
fn an_execution_without_an_instance_that_a_person_stops_is_aborted_too() {
    let message = stopped(&json!({"instance": "no/instance"}), None, Some("RunTimedOut"), Some("a mistake"));
    assert!(
        message.starts_with("Execution x was stopped by a person. They gave the error \"RunTimedOut\""),
        "{message}"
    );
}

/// A notebook may put a report into the folder of an attempt that never was, and so much else that a list does not show the
/// outcome: an execution that failed keeps its one outcome and its one event.
#[test]
fn an_attempt_that_a_notebook_made_up_is_not_concluded() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let run = execution.run();
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    let conclude = json!({
        "execution": execution, "input": input, "attempt": 1,
        "error": {"state": "CheckInstance", "error": "NotebookFailed", "cause": ""},
    });
    block_on(conclude_run(&stack(), &world, serde_json::from_value(conclude).unwrap())).unwrap_err();
    for attempt in ["2", "3", "101", "4294967295"] {
        let report = json!({"run": run, "attempt": 2, "by": "runner", "outputs": {}, "endedAt": now()});
        world.put(&format!("runs/nightly/{run}/{attempt}/report.json"), &report);
    }
    for number in 0..3_000 {
        world.put(&format!("runs/nightly/{run}/0/{number:04}/claim.json"), &json!({}));
    }
    for (status, error) in [(ExecutionStatus::Failed, "NotebookFailed"), (ExecutionStatus::Aborted, "")] {
        let error = Some(error.to_owned()).filter(|error| !error.is_empty());
        let execution = execution.clone();
        world.only(ExecutionSeen { status, execution, input: (&input).into(), error, cause: None });
        block_on(sweep(&stack(), &world, SweepInput { execution_arn: Some("arn:x".to_owned()) })).unwrap();
        let objects = world.objects.borrow();
        let outcomes: Vec<_> = objects.keys().filter(|key| key.ends_with("/outcome.json")).collect();
        assert_eq!(outcomes, [&format!("runs/nightly/{run}/1/outcome.json")], "{status:?}");
        assert_eq!(world.events.get(), 1, "{status:?}");
    }
}

/// An input that no reader of JSON holds is filed under the instance that it names, as ConcludeRun would file it.
#[test]
fn an_execution_whose_input_cannot_be_read_is_concluded_under_its_instance() {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    for value in ["1e400", r#""\ud800""#, "NaN", &deep] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        world.only(ExecutionSeen {
            status: ExecutionStatus::Aborted,
            execution: Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 },
            input: InputText::new(format!(r#"{{"parameters": {{"x": {value}}}, "instance": "nightly"}}"#)),
            error: None,
            cause: None,
        });
        let announced = SweepInput { execution_arn: Some("arn:x".to_owned()) };
        assert_eq!(block_on(sweep(&stack(), &world, announced)).unwrap().concluded, 1, "{value:.20}");
        let objects = world.objects.borrow();
        let key = objects.keys().find(|key| key.ends_with("/1/outcome.json")).expect("an outcome");
        assert!(key.contains("runs/nightly/"), "{value:.20}: {key}");
    }
}

/// The execution of a run whose notebook had ended, which a person stops before it knows: its own result counts.
#[test]
fn a_result_that_was_reported_before_the_abort_is_the_outcome() {
    for (code, status) in [(None, "SUCCEEDED"), (Some("NotebookFailed"), "FAILED"), (Some("Cancelled"), "ABORTED")] {
        let world = StepWorld::answering(Ok(StartAnswer::Accepted));
        let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
        let run = execution.run();
        let failure = code.map(|code| json!({"code": code, "message": "It ended."}));
        let report =
            json!({"run": run, "attempt": 1, "by": "runner", "outputs": {}, "endedAt": now(), "failure": failure});
        world.put(&format!("runs/nightly/{run}/1/report.json"), &report);
        world.only(ExecutionSeen {
            status: ExecutionStatus::Aborted,
            execution,
            input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
            error: None,
            cause: None,
        });
        for _ in 0..2 {
            block_on(sweep(&stack(), &world, SweepInput { execution_arn: Some("arn:x".to_owned()) })).unwrap();
        }
        let key = format!("runs/nightly/{run}/1/outcome.json");
        let outcome: Value = serde_json::from_slice(&world.objects.borrow()[&key]).unwrap();
        assert_eq!((&outcome["status"], &outcome["code"]), (&json!(status), &json!(code)));
        assert_eq!(world.events.get(), 1, "the second sweep finds the outcome, and publishes nothing");
    }
}

/// An execution that failed, with these records of its attempts; the keys of its outcomes afterwards, and its events.
fn failed(error: &str, redrive_count: u32, records: &[(&str, Value)]) -> (Vec<String>, u32) {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count };
    let folder = format!("runs/nightly/{}/", execution.run());
    for (key, record) in records {
        world.put(&(folder.clone() + key), record);
    }
    world.only(ExecutionSeen {
        status: ExecutionStatus::Failed,
        execution,
        input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
        error: Some(error.to_owned()),
        cause: None,
    });
    block_on(sweep(&stack(), &world, SweepInput { execution_arn: Some("arn:x".to_owned()) })).unwrap();
    let objects = world.objects.borrow();
    let outcomes =
        objects.keys().filter_map(|key| key.strip_prefix(&folder)).filter(|key| key.ends_with("outcome.json"));
    (outcomes.map(str::to_owned).collect(), world.events.get())
}

/// ConcludeRun met the same record, published the event and named the record. An outcome that somebody removed is made anew.
#[test]
fn an_execution_that_was_concluded_has_its_event_already() {
    let garbage = ("1/outcome.json", json!("garbage"));
    assert_eq!(failed("NotebookFailed", 0, std::slice::from_ref(&garbage)), (vec!["1/outcome.json".to_owned()], 0));
    assert_eq!(failed("States.Runtime", 0, &[garbage]).1, 1, "no step concluded it");
    assert_eq!(failed("NotebookFailed", 0, &[]), (vec!["1/outcome.json".to_owned()], 1));
}

/// A redriven run whose second attempt was under way when an error that no step catches ended its execution.
#[test]
fn the_attempt_that_an_execution_had_come_to_gets_its_outcome() {
    let run = RunId::of("x", "arn:x", now());
    let first = json!({"run": run, "attempt": 1, "status": "FAILED", "code": "NotebookFailed", "outputs": {}, "phases": {},
        "instance": "nightly", "instanceAfter": "atRest", "executionArn": "arn:x", "redriveCount": 0, "concludedAt": now()});
    let claim = json!({"by": "runner", "nonce": "n", "at": now(), "attempt": {"instance": "nightly", "run": run, "attempt": 2}});
    let both = ["1/outcome.json".to_owned(), "2/outcome.json".to_owned()];
    let records = [("1/outcome.json", first.clone()), ("2/claim.json", claim)];
    assert_eq!(failed("States.Runtime", 1, &records), (both.to_vec(), 1));
    // It came to no second one.
    assert_eq!(failed("States.Runtime", 1, &records[..1]), (both[..1].to_vec(), 0));
    assert_eq!(failed("NotebookFailed", 1, &records), (both[..1].to_vec(), 0), "it was concluded with the first");
}

/// The timer sees an execution for an hour. What has its outputs costs no more reads.
#[test]
fn an_outcome_that_names_its_outputs_is_not_completed_again() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let folder = format!("runs/nightly/{}/1/", execution.run());
    let uri = stack().layout.uri(&(folder.clone() + "output.ipynb"));
    let outcome = |outputs: Value, sha256: Value| {
        json!({"run": execution.run(), "attempt": 1, "status": "ABORTED", "code": "Cancelled", "outputs": outputs, "phases": {},
            "instance": "nightly", "instanceAfter": "atRest", "executionArn": "arn:x", "redriveCount": 0,
            "concludedAt": now(), "sourceSha256": sha256})
    };
    world.only(ExecutionSeen {
        status: ExecutionStatus::Aborted,
        execution: execution.clone(),
        input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
        error: None,
        cause: None,
    });
    for (outputs, sha256, is_read) in [
        (json!({}), Value::Null, true),
        (json!({}), json!("ab"), false),
        (json!({"notebook": uri}), Value::Null, false),
        (json!({"notebook": uri}), json!("ab"), false),
    ] {
        world.put(&(folder.clone() + "outcome.json"), &outcome(outputs.clone(), sha256.clone()));
        let kind = CallErrorKind::AccessDenied;
        let fault = StepFault { action: "s3:GetObject", key_end: "/1/report.json", kind, times: 1 };
        *world.faults.borrow_mut() = vec![fault];
        block_on(sweep(&stack(), &world, SweepInput { execution_arn: Some("arn:x".to_owned()) })).unwrap();
        assert_eq!(world.faults.borrow()[0].times == 0, is_read, "{outputs} {sha256}");
    }
}
