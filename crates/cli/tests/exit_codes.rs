//! The exit codes of `reveille watch`, by runs that ended in every way, against the table of docs/cli.md.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use chrono::DateTime;
use reveille_domain::{
    Code, RunId,
    layout::{AttemptRef, Layout},
};
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

/// How an execution ended, what its output is, and its outcome, if one was written.
struct End {
    execution: &'static str,
    output: Value,
    status: Option<&'static str>,
    code: Option<Code>,
    instance_after: &'static str,
}

/// The exit code of a command that followed the run to this end.
fn exit_code(end: &End) -> i32 {
    let run = RunId::of("daily", ARN, DateTime::from_timestamp(1, 0).unwrap());
    let at = AttemptRef { instance: "nightly".into(), run, attempt: 1 };
    let key = Layout { bucket: "b".into(), prefix: String::new() }.outcome(&at);
    let outcome = end.status.map(|status| {
        json!({"run": at.run, "attempt": 1, "status": status, "code": end.code, "instanceAfter": end.instance_after,
            "executionArn": ARN, "outputs": {}, "phases": {}, "redriveCount": 0, "concludedAt": "1970-01-01T00:00:02Z"})
    });
    // As ConcludeRun answers.
    let answered = outcome.clone().unwrap_or_else(|| end.output.clone());
    let objects: Vec<(String, String)> = outcome.map(|outcome| (key, outcome.to_string())).into_iter().collect();
    let mut described = json!({"executionArn": ARN, "stateMachineArn": MACHINE, "name": "daily", "status": end.execution,
        "startDate": 1, "stopDate": 2, "input": r#"{"instance": "nightly", "notebook": "a.ipynb"}"#});
    match end.execution {
        "SUCCEEDED" => described["output"] = answered.to_string().into(),
        _ => described["error"] = json!(end.code),
    }
    let stub = Stub::start(move |call| {
        Some(match call.action {
            "DescribeExecution" => (200, described.to_string()),
            "GetExecutionHistory" => (200, r#"{"events": []}"#.to_owned()),
            _ => bucket::answer(call.first, &objects).unwrap_or_else(|| (200, STACK.to_owned())),
        })
    });
    let output = stub.reveille(&["watch", ARN]);
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

/// A run that ended with this code, and whose instance was seen stopped.
fn failed(code: Code) -> End {
    End { execution: "FAILED", output: Value::Null, status: Some("FAILED"), code: Some(code), instance_after: "atRest" }
}

/// What the page says of an exit code.
fn row(number: i32) -> String {
    let page = include_str!("../../../docs/cli.md");
    let start = format!("| {number} | ");
    page.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{number}")).to_owned()
}

#[test]
fn a_run_that_failed_ends_its_follower_with_the_code_that_the_page_says() {
    let notebooks = row(10);
    for code in Code::ALL {
        let expected = match code {
            Code::StopNotConfirmed => 12,
            Code::InstanceNotFound => 5,
            Code::Cancelled => 13,
            _ if notebooks.contains(&format!("`{code}`")) => 10,
            _ => 11,
        };
        assert_eq!(exit_code(&failed(code)), expected, "{code}");
        // What costs money goes first.
        let on = exit_code(&End { instance_after: "notConfirmed", ..failed(code) });
        assert_eq!(on, 12, "{code}, and its instance was not seen stopped");
    }
    assert!(
        row(5).contains("InstanceNotFound") && row(13).contains("cancelled") && row(12).contains("not seen stopped")
    );
}

#[test]
fn a_run_that_did_not_fail_does_too() {
    let succeeded = |status, decision: Option<&str>| End {
        execution: "SUCCEEDED",
        output: decision.map_or(Value::Null, |decision| json!({"decision": decision})),
        status,
        code: None,
        instance_after: "atRest",
    };
    let aborted = |instance_after| End {
        execution: "ABORTED",
        status: Some("ABORTED"),
        code: Some(Code::Cancelled),
        output: Value::Null,
        instance_after,
    };
    for (end, expected) in [
        (succeeded(Some("SUCCEEDED"), None), 0),
        (End { instance_after: "leftRunning", ..succeeded(Some("SUCCEEDED"), None) }, 0),
        (End { instance_after: "notConfirmed", ..succeeded(Some("SUCCEEDED"), None) }, 12),
        (succeeded(Some("SKIPPED"), None), 14),
        (succeeded(None, Some("duplicate")), 14),
        (succeeded(None, Some("folder")), 14),
        (aborted("notConfirmed"), 13),
        (aborted("atRest"), 13),
    ] {
        let words = format!("{} {:?} {}", end.execution, end.status, end.output);
        assert_eq!(exit_code(&end), expected, "{words}");
    }
    assert!(row(14).contains("no notebook ran"));
}
