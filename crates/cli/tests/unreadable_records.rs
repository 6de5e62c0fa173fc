//! Commands where a record in the stack's bucket is damaged: what can be read is told, and the record that cannot is named.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

/// One run on an instance that is on. What ends with `damaged` is nonsense, and all other records are missing.
fn answer(call: &StubCall<'_>, status: &str, damaged: &str) -> (u16, String) {
    let path = call.first.split_whitespace().nth(1).unwrap();
    let ended = if status == "RUNNING" { Value::Null } else { json!(2) };
    let input = json!({"instance": "nightly", "notebook": "daily.ipynb"}).to_string();
    let answer = match call.action {
        "DescribeExecution" => json!({"executionArn": ARN, "stateMachineArn": "m", "name": "daily", "status": status,
            "startDate": 1, "stopDate": ended, "input": input, "error": "Internal", "cause": "it failed"}),
        "GetExecutionHistory" => json!({"events": [{"id": 1, "type": "TaskStateEntered", "timestamp": 1,
            "stateEnteredEventDetails": {"name": "AwaitRun"}}]}),
        "ListExecutions" => json!({"executions": []}),
        "StopExecution" => json!({"stopDate": 2}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "InService"}),
        _ if path.contains("list-type=2") => return (200, attempts(path)),
        _ if path.split('?').next().unwrap().ends_with(damaged) => json!("nonsense"),
        _ if path.contains(".json") => return (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

/// The run has one attempt.
fn attempts(path: &str) -> String {
    let prefix = path.split("prefix=").nth(1).unwrap().split('&').next().unwrap().replace("%2F", "/");
    let one = format!("<ListBucketResult><Contents><Key>{prefix}claim.json</Key></Contents></ListBucketResult>");
    if prefix.ends_with("/1/") { one } else { EMPTY.to_owned() }
}

fn stub(status: &'static str, damaged: &'static str) -> Stub {
    Stub::start(move |call| Some(answer(call, status, damaged)))
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_run_is_shown_without_the_record_that_cannot_be_read() {
    for (status, damaged) in [("FAILED", "/1/outcome.json"), ("FAILED", "/request.json"), ("RUNNING", "/request.json")]
    {
        let output = stub(status, damaged).reveille(&["show", ARN]);
        let said = words(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(said.contains("daily.ipynb on nightly") && said.contains("unreadable runs/nightly/"), "{said}");
        assert!(said.contains(&format!("{damaged}: ")) && said.contains("reveille explain Internal"), "{said}");
    }
    for (damaged, now) in [
        ("/1/progress.json", "progress.json, how far it is, cannot be read"),
        ("/claim.json", "starting the kernel"),
        ("/1/outcome.json", "waiting for its turn on nightly"),
    ] {
        let output = stub("RUNNING", damaged).reveille(&["show", ARN]);
        assert!(words(&output.stdout).contains(now), "{output:?}");
    }
    let output = stub("FAILED", "/1/outcome.json").reveille(&["show", ARN, "--output", "json"]);
    let shown: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(shown["unreadableRecords"][0].as_str().unwrap().ends_with("/1/outcome.json"), "{shown}");
    // Nobody knows that its instance was seen stopped.
    let output = stub("FAILED", "/1/outcome.json").reveille(&["watch", ARN]);
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    let output = stub("FAILED", "/1/outcome.json").reveille(&["open", ARN]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(words(&output.stderr).contains("/1/outcome.json cannot be read"), "{output:?}");
}

#[test]
fn a_run_that_its_arn_names_is_described_once() {
    let stub = stub("FAILED", "/none");
    assert_eq!(stub.reveille(&["show", ARN]).status.code(), Some(0));
    assert_eq!(stub.asked("DescribeExecution").len(), 1);
}

#[test]
fn nobody_stops_an_instance_whose_lease_cannot_be_read() {
    let damaged = "leases/nightly.json";
    let queue = stub("RUNNING", damaged).reveille(&["queue", "nightly"]);
    let said = words(&queue.stderr);
    assert_eq!(queue.status.code(), Some(1), "{said}");
    assert!(
        said.contains("its lease leases/nightly.json cannot be read") && said.contains("explain Internal"),
        "{said}"
    );
    // The run is stopped, and has an outcome, though nobody can read it.
    let stopping = Stub::start(move |call| {
        let stopped = call.before.iter().any(|asked| asked.starts_with("StopExecution"));
        let path = call.first.split_whitespace().nth(1).unwrap();
        let damaged = if path.contains("leases/") { damaged } else { "/1/outcome.json" };
        Some(answer(call, if stopped { "ABORTED" } else { "RUNNING" }, damaged))
    });
    let cancel = stopping.reveille(&["cancel", ARN]);
    assert_eq!(cancel.status.code(), Some(12), "{cancel:?}");
    let said = words(&cancel.stdout);
    assert!(said.contains("nightly is on, and nobody stops it") && said.contains("explain Internal"), "{said}");
}
