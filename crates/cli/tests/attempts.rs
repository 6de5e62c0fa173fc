//! Which attempt of a run the command tells of: what a notebook puts into its run's folder hides nothing, and nothing is looked at without end.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use chrono::DateTime;
use reveille_domain::{
    RunId,
    layout::{AttemptRef, Layout},
};
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

fn at(attempt: u32) -> AttemptRef {
    let run = RunId::of("daily", ARN, DateTime::from_timestamp(1, 0).unwrap());
    AttemptRef { instance: "nightly".into(), run, attempt }
}

fn layout() -> Layout {
    Layout { bucket: "b".into(), prefix: String::new() }
}

/// What ConcludeRun, or the sweeper, recorded of an attempt.
fn outcome(attempt: u32, status: &str, redrives: u32) -> (String, String) {
    let at = at(attempt);
    let message = format!("Cell {attempt} raised KeyError.");
    let code = if status == "ABORTED" { "Cancelled" } else { "NotebookFailed" };
    let outcome = json!({"run": at.run, "attempt": attempt, "status": status, "code": code,
        "failure": {"code": code, "message": message}, "instance": "nightly", "notebook": "daily.ipynb", "phases": {},
        "instanceAfter": "atRest", "outputs": {}, "executionArn": ARN, "redriveCount": redrives,
        "admittedAt": "1970-01-01T00:00:01Z", "concludedAt": "1970-01-01T00:00:02Z"});
    (layout().outcome(&at), outcome.to_string())
}

fn progress(attempt: u32, cell: u32) -> (String, String) {
    let progress = json!({"cell": cell, "cells": 9, "at": "1970-01-01T00:00:02Z"});
    (layout().progress(&at(attempt)), progress.to_string())
}

/// What the instance's role may put: claims of attempts that never were.
fn planted() -> Vec<(String, String)> {
    let run = layout().run("nightly", &at(1).run);
    let folders = ["2", "3", "00002", "101", "4294967295", "99999999999", "abc"];
    folders.map(|folder| (format!("{run}{folder}/claim.json"), "{}".to_owned())).into()
}

fn answer(call: &StubCall<'_>, status: &str, redrives: u32, objects: &[(String, String)]) -> (u16, String) {
    let answer = match call.action {
        "DescribeExecution" => {
            let mut all = json!({"executionArn": ARN, "stateMachineArn": MACHINE, "name": "daily", "status": status,
                "startDate": 1, "redriveCount": redrives,
                "input": json!({"instance": "nightly", "notebook": "daily.ipynb"}).to_string()});
            if status != "RUNNING" {
                all["stopDate"] = 2.into();
            }
            if status == "FAILED" {
                all["error"] = "NotebookFailed".into();
            }
            all
        }
        "GetExecutionHistory" => json!({"events": [{"id": 1, "type": "TaskStateEntered", "timestamp": 1,
            "stateEnteredEventDetails": {"name": "AwaitRun"}}]}),
        "ListExecutions" => json!({"executions": []}),
        "StopExecution" => json!({"stopDate": 2}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "Stopped"}),
        _ => return bucket::answer(call.first, objects).unwrap_or_else(|| (200, STACK.to_owned())),
    };
    (200, answer.to_string())
}

fn stub(status: &'static str, redrives: u32, objects: Vec<(String, String)>) -> Stub {
    Stub::start(move |call| Some(answer(call, status, redrives, &objects)))
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn what_a_notebook_put_into_its_runs_folder_hides_no_failure() {
    let objects = || planted().into_iter().chain([outcome(1, "FAILED", 0)]).collect();
    for (verb, code) in [("show", 0), ("watch", 10), ("explain", 0)] {
        let stub = stub("FAILED", 0, objects());
        let output = stub.reveille(&[verb, ARN]);
        assert_eq!(output.status.code(), Some(code), "{verb}: {output:?}");
        assert!(words(&output.stdout).contains("Cell 1 raised KeyError."), "{verb}: {output:?}");
        assert!(stub.asked("GET ").len() < 20, "{verb}: {:#?}", stub.asked("GET "));
    }
}

/// Without a bound, `cancel` would wait for the outcome of an attempt that never was.
#[test]
fn what_a_notebook_put_into_its_runs_folder_holds_up_no_cancel() {
    let stub = Stub::start(|call| {
        let is_stopped = call.before.iter().any(|asked| asked.starts_with("StopExecution"));
        let mut objects = planted();
        objects.extend(is_stopped.then(|| outcome(1, "ABORTED", 0)));
        Some(answer(call, if is_stopped { "ABORTED" } else { "RUNNING" }, 0, &objects))
    });
    let output = stub.reveille(&["cancel", ARN]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(words(&output.stdout).contains("nightly was seen stopped"), "{output:?}");
}

#[test]
fn the_attempts_that_an_execution_came_to_count() {
    // Redriven, and ended again.
    let objects = planted().into_iter().chain([outcome(1, "FAILED", 0), outcome(2, "FAILED", 1)]).collect();
    let output = stub("FAILED", 1, objects).reveille(&["show", ARN]);
    let shown = words(&output.stdout);
    assert!(shown.contains("Cell 2 raised KeyError.") && shown.contains("attempt 2"), "{shown}");
    // Redriven, and at its second attempt.
    let objects = [outcome(1, "FAILED", 0), progress(2, 4), progress(3, 8)];
    let output = stub("RUNNING", 1, planted().into_iter().chain(objects).collect()).reveille(&["show", ARN]);
    assert!(words(&output.stdout).contains("cell 4 of 9"), "{output:?}");
    // Its first attempt goes on.
    let objects = planted().into_iter().chain([progress(1, 3), progress(2, 4)]).collect();
    let output = stub("RUNNING", 0, objects).reveille(&["show", ARN]);
    assert!(words(&output.stdout).contains("cell 3 of 9"), "{output:?}");
}

/// An outcome of another execution is somebody else's writing.
#[test]
fn an_outcome_of_another_execution_is_none() {
    let (key, body) = outcome(1, "FAILED", 0);
    let objects = vec![(key, body.replace(":m:daily", ":m:weekly"))];
    let output = stub("FAILED", 0, objects).reveille(&["show", ARN, "--output", "json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(!shown.to_string().contains("raised KeyError"), "{shown}");
}
