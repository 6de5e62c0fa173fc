//! Commands that follow a run: who leaves them, what they forgive, and how little they ask.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use std::{
    io::{BufRead, BufReader},
    process::{Output, Stdio},
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{
    InstanceName, RunId,
    layout::{AttemptRef, Layout},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall, fault};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

fn arn(name: &str) -> String {
    format!("arn:aws:states:us-east-1:1:execution:m:{name}")
}

fn run(name: &str) -> RunId {
    RunId::of(name, &arn(name), DateTime::from_timestamp(1, 0).unwrap())
}

fn layout() -> Layout {
    Layout { bucket: "b".into(), prefix: String::new() }
}

/// A run of so many looks, whose notebook has printed a line. Other executions go on, or succeeded.
fn answer(call: &StubCall<'_>, looks: usize, objects: &[(String, String)]) -> (u16, String) {
    let asked: Value = serde_json::from_str(call.body).unwrap_or_default();
    let answer = match call.action {
        "DescribeExecution" => {
            let arn = asked["executionArn"].as_str().unwrap();
            let looked =
                call.before.iter().filter(|it| it.starts_with("DescribeExecution") && it.contains(ARN)).count();
            let status = match arn.rsplit(':').next().unwrap() {
                name if name.starts_with("success") => "SUCCEEDED",
                "daily" if looked >= looks => "FAILED",
                _ => "RUNNING",
            };
            described(arn, status)
        }
        "ListExecutions" if asked["statusFilter"] == "SUCCEEDED" => {
            let all: Vec<Value> =
                (0..6).map(|number| described(&arn(&format!("success-{number}")), "SUCCEEDED")).collect();
            json!({"executions": all})
        }
        "ListExecutions" => json!({"executions": []}),
        "GetExecutionHistory" => json!({"events": [{"id": 1, "type": "TaskStateEntered", "timestamp": 1,
            "stateEnteredEventDetails": {"name": "AwaitRun"}}]}),
        "StartExecution" => json!({"executionArn": ARN, "startDate": 1}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "InService"}),
        _ => return bucket::answer(call.first, objects).unwrap_or_else(|| (200, STACK.to_owned())),
    };
    (200, answer.to_string())
}

fn described(arn: &str, status: &str) -> Value {
    let name = arn.rsplit(':').next().unwrap();
    let input = json!({"instance": "nightly", "notebook": format!("{name}.ipynb")}).to_string();
    let mut all = json!({"executionArn": arn, "stateMachineArn": MACHINE, "name": name, "status": status, "startDate": 1,
        "input": input});
    if status != "RUNNING" {
        all["stopDate"] = 2.into();
    }
    if status == "FAILED" {
        all["error"] = "NotebookFailed".into();
    }
    all
}

fn log() -> Vec<(String, String)> {
    let at = AttemptRef { instance: "nightly".into(), run: run("daily"), attempt: 1 };
    let claim = json!({"by": "runner", "nonce": "n", "at": "1970-01-01T00:00:02Z", "attempt": at});
    vec![(layout().claim(&at), claim.to_string()), (layout().live_log(&at, 0), "read 48,213 orders\n".to_owned())]
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a command says whose reader goes after the first line, as `head -1` does.
fn read_once(stub: &Stub, arguments: &[&str]) -> (String, Output) {
    let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut reader, mut line) = (BufReader::new(child.stdout.take().unwrap()), String::new());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    (line, child.wait_with_output().unwrap())
}

/// The run goes on for many looks, and prints nothing more. A command that followed it to its end would end with 10.
#[test]
fn a_reader_that_has_seen_enough_ends_a_command_that_follows() {
    for (arguments, first) in [(&["watch", ARN][..], "starting the kernel"), (&["logs", "-f", ARN], "48,213")] {
        let stub = Stub::start(|call| Some(answer(call, 20, &log())));
        let (line, output) = read_once(&stub, arguments);
        let said = words(&output.stderr);
        assert!(line.contains(first), "{line}");
        assert_eq!(output.status.code(), Some(130), "{arguments:?}: {said}");
        assert!(!said.contains("come back") && !said.contains("reveille:"), "{said}");
    }
}

/// Nobody knows whether it was started, and its name is known.
#[test]
fn ctrl_c_during_a_start_tells_which_run_may_have_been_started() {
    let (over, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let stub = Stub::start(move |call| {
        if call.action == "StartExecution" {
            // Until the test is over.
            let _ = waits.lock().unwrap().recv();
        }
        Some(answer(call, 1, &[]))
    });
    let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), &["run", "daily.ipynb", "--on", "nightly"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while stub.asked("StartExecution").is_empty() {
        thread::sleep(Duration::from_millis(20));
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(over);
    let said = words(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(said.contains("the run may have been started; to find out: reveille show daily-20"), "{said}");
}

/// Calls that fail, in the middle of the run, for a reason that passes. The SDK asks three times before it gives up.
#[test]
fn a_command_that_follows_outlasts_what_passes() {
    for (verb, lost) in [("watch", true), ("watch", false), ("logs", true)] {
        let stub = Stub::start(move |call| {
            let looked = call.before.iter().filter(|it| it.starts_with("DescribeExecution")).count();
            if call.action != "DescribeExecution" || !(2..6).contains(&looked) {
                return Some(answer(call, 6, &[]));
            }
            if lost { None } else { Some(fault("ThrottlingException")) }
        });
        let follow = if verb == "logs" { &["logs", "-f", ARN][..] } else { &[verb, ARN] };
        let output = stub.reveille(follow);
        assert_eq!(output.status.code(), Some(10), "{verb} {lost}: {output:?}");
    }
}

/// Each look at a queue costs little: what is behind the run is not looked at, and what was learnt is remembered.
#[test]
fn a_run_that_waits_asks_for_each_execution_once() {
    let now = Utc::now();
    let ticket = |(name, before): (&str, i64)| {
        let at = now - TimeDelta::minutes(before);
        let ticket = json!({"run": run(name), "attempt": 1, "instance": "nightly", "executionArn": arn(name),
            "admittedAt": at, "queuedAt": at, "heartbeatSeconds": 300, "queueSeconds": 3_600, "taskToken": "t"});
        (layout().ticket(&InstanceName::parse("nightly").unwrap(), &run(name)), ticket.to_string())
    };
    let tickets: Vec<(String, String)> = [("first", 9), ("daily", 8), ("behind", 7)].map(ticket).into();
    let stub = Stub::start(move |call| {
        // It ends when its place in the queue was looked at twice.
        let looks = call.before.iter().filter(|it| it.contains("prefix=inbox")).count();
        Some(answer(call, if looks < 2 { usize::MAX } else { 0 }, &tickets))
    });
    let output = stub.reveille(&["watch", ARN]);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    assert!(words(&output.stdout).contains("waiting for its turn on nightly, 1 run before it"), "{output:?}");
    let described = |name: &str| {
        let ends = format!("{}\"", arn(name));
        stub.asked("DescribeExecution").iter().filter(|call| call.contains(&ends)).count()
    };
    assert_eq!((described("first"), described("behind")), (1, 0));
    for number in 0..6 {
        assert_eq!(described(&format!("success-{number}")), 1, "success-{number}");
    }
}
