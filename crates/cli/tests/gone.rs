//! Lists of things of which one goes between the list and a look at it, and runs that are not shown yet: neither fails a command.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use chrono::Utc;
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall, fault};

fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:1:execution:m:{name}")
}

/// A run that ended a minute ago, or goes on.
fn execution(name: &str, status: &str) -> Value {
    let started = Utc::now().timestamp() - 60;
    let input = json!({"instance": "nightly", "notebook": "daily.ipynb"}).to_string();
    let mut all = json!({"executionArn": arn(name), "stateMachineArn": MACHINE, "name": name, "status": status,
        "startDate": started, "input": input});
    if status != "RUNNING" {
        all["stopDate"] = (started + 30).into();
    }
    all
}

/// Three executions are listed, and the one in the middle is gone.
fn answer(call: &StubCall<'_>) -> (u16, String) {
    let asked: Value = serde_json::from_str(call.body).unwrap_or_default();
    let status = if asked["statusFilter"] == "RUNNING" { "RUNNING" } else { "SUCCEEDED" };
    let target = json!({"Arn": MACHINE, "RoleArn": "r", "Input": "{}"});
    let answer = match call.action {
        "ListExecutions" => {
            let all = ["third", "gone", "first"].map(|name| execution(name, status));
            json!({"executions": all})
        }
        "DescribeExecution" if call.body.contains(":gone") => return fault("ExecutionDoesNotExist"),
        "DescribeExecution" => {
            execution(asked["executionArn"].as_str().unwrap().rsplit(':').next().unwrap(), "SUCCEEDED")
        }
        "StartExecution" => json!({"executionArn": arn("third"), "startDate": 1}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceName": "nightly", "NotebookInstanceStatus": "InService"}),
        "ListNotebookInstances" => json!({"NotebookInstances": []}),
        _ if call.first.starts_with("GET /schedules?") => {
            let listed = |name: &str| json!({"Name": name, "Target": {"Arn": MACHINE}});
            let all = ["nightly", "gone", "weekly"].map(listed);
            json!({"Schedules": all})
        }
        _ if call.first.starts_with("GET /schedules/gone") => return (404, fault("ResourceNotFoundException").1),
        _ if call.first.starts_with("GET /schedules/") => {
            let name = call.first.split(['/', '?', ' ']).nth(3).unwrap();
            json!({"Name": name, "State": "ENABLED", "ScheduleExpression": "rate(1 day)", "Target": target,
                "FlexibleTimeWindow": {"Mode": "OFF"}})
        }
        _ => return bucket::answer(call.first, &[]).unwrap_or_else(|| (200, STACK.to_owned())),
    };
    (200, answer.to_string())
}

fn names(listed: &Value, field: &str) -> Vec<String> {
    listed.as_array().unwrap().iter().map(|one| one[field].as_str().unwrap().to_owned()).collect()
}

#[test]
fn one_that_is_gone_fails_no_list() {
    let stub = Stub::start(|call| Some(answer(call)));
    for filter in [&[][..], &["--instance", "nightly"], &["--notebook", "daily"], &["--status", "succeeded"]] {
        let output = stub.reveille(&[&["runs", "--since", "1d", "--output", "json"], filter].concat());
        assert_eq!(output.status.code(), Some(0), "{filter:?}: {output:?}");
        let listed = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(names(&listed, "executionArn"), [arn("third"), arn("first")], "{filter:?}");
    }
    let output = stub.reveille(&["schedule", "list", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(names(&serde_json::from_slice(&output.stdout).unwrap(), "name"), ["nightly", "weekly"]);
    for arguments in [&["queue", "nightly"][..], &["report", "--out", "-"]] {
        assert_eq!(stub.reveille(arguments).status.code(), Some(0), "{arguments:?}");
    }
}

/// They are listed as running, and had ended when they were looked at.
#[test]
fn what_has_another_status_by_now_is_not_listed() {
    let stub = Stub::start(|call| Some(answer(call)));
    let output = stub.reveille(&["runs", "--status", "running"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0), "{output:?}");
}

/// DescribeExecution is eventually consistent.
#[test]
fn a_run_that_is_not_shown_yet_was_started_all_the_same() {
    for (hidden, name) in [(2, "third-"), (usize::MAX, "daily-20")] {
        let stub = Stub::start(move |call| {
            let looked = call.before.iter().filter(|it| it.starts_with("DescribeExecution")).count();
            let is_hidden = call.action == "DescribeExecution" && looked < hidden;
            Some(if is_hidden { fault("ExecutionDoesNotExist") } else { answer(call) })
        });
        let output = stub.reveille(&["run", "daily.ipynb", "--on", "nightly", "--detach"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(String::from_utf8(output.stdout).unwrap().starts_with(name));
        assert_eq!(stub.asked("StartExecution").len(), 1);
    }
}

/// The SDK asks three times before it gives up.
#[test]
fn a_list_waits_where_aws_is_asked_too_often() {
    for throttled in ["DescribeExecution", "ListExecutions"] {
        let stub = Stub::start(move |call| {
            let before = call.before.iter().filter(|it| it.starts_with(throttled)).count();
            let is_throttled = call.action == throttled && before < 8;
            Some(if is_throttled { fault("ThrottlingException") } else { answer(call) })
        });
        let output = stub.reveille(&["runs", "--since", "1d", "--output", "json"]);
        assert_eq!(output.status.code(), Some(0), "{throttled}: {output:?}");
        assert_eq!(
            names(&serde_json::from_slice(&output.stdout).unwrap(), "executionArn"),
            [arn("third"), arn("first")]
        );
    }
}
