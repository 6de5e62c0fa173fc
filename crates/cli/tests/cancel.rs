//! `reveille cancel` of several runs, and what it and others do with an execution that is none of the stack's.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall, fault};

const A: &str = "arn:aws:states:us-east-1:1:execution:m:a";
const B: &str = "arn:aws:states:us-east-1:1:execution:m:b";

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Two runs that go on until they are stopped, each on the instance of its name. Then their outcomes are there, though nobody can read them.
fn answer(call: &StubCall<'_>) -> (u16, String) {
    let asked: Value = serde_json::from_str(call.body).unwrap_or_default();
    let answer = match call.action {
        "DescribeExecution" => {
            let arn = asked["executionArn"].as_str().unwrap();
            let name = arn.rsplit(':').next().unwrap();
            let is_stopped = call.before.iter().any(|it| it.starts_with("StopExecution") && it.contains(arn));
            let status = if is_stopped { "ABORTED" } else { "RUNNING" };
            let stopped = if is_stopped { json!(2) } else { Value::Null };
            let input = json!({"instance": format!("nb-{name}"), "notebook": "daily.ipynb"}).to_string();
            json!({"executionArn": arn, "stateMachineArn": MACHINE, "name": name, "status": status, "startDate": 1,
                "stopDate": stopped, "input": input})
        }
        "StopExecution" => json!({"stopDate": 2}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "Stopped"}),
        _ if call.first.contains("/1/outcome.json") || call.first.contains("leases/") => json!("nonsense"),
        _ => return bucket::answer(call.first, &[]).unwrap_or_else(|| (200, STACK.to_owned())),
    };
    (200, answer.to_string())
}

/// The first one's instance stops only when the second one's has been looked at, and that one is on with nobody to stop it.
#[test]
fn runs_are_waited_for_together_and_the_worst_end_counts() {
    let stub = Stub::start(|call| {
        let of_second = |it: &String| it.starts_with("DescribeNotebookInstance") && it.contains("nb-b");
        Some(match call.action {
            "DescribeNotebookInstance" if call.body.contains("nb-b") => {
                (200, json!({"NotebookInstanceStatus": "InService"}).to_string())
            }
            "DescribeNotebookInstance" if !call.before.iter().any(of_second) => {
                (200, json!({"NotebookInstanceStatus": "Stopping"}).to_string())
            }
            _ => answer(call),
        })
    });
    let output = stub.reveille(&["cancel", A, B]);
    let said = words(&output.stdout);
    assert_eq!(output.status.code(), Some(12), "{output:?}");
    assert!(said.contains("nb-a was seen stopped") && said.contains("nb-b is on, and nobody stops it"), "{said}");
}

#[test]
fn a_run_that_cannot_be_stopped_keeps_no_other_one_on() {
    let stub = Stub::start(|call| {
        Some(match call.action {
            "StopExecution" if call.body.contains(A) => fault("AccessDeniedException"),
            _ => answer(call),
        })
    });
    let output = stub.reveille(&["cancel", A, B]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(words(&output.stdout).contains("nb-b was seen stopped"), "{output:?}");
    assert!(words(&output.stderr).contains("AWS refused to stop a-"), "{output:?}");
}

/// A look that fails for a reason that passes is no end of the wait.
#[test]
fn a_wait_outlasts_a_lost_connection() {
    let stub = Stub::start(|call| {
        let looks = call.before.iter().filter(|it| it.starts_with("DescribeNotebookInstance")).count();
        // The SDK asks three times before it gives up.
        if call.action == "DescribeNotebookInstance" && looks < 3 { None } else { Some(answer(call)) }
    });
    let output = stub.reveille(&["cancel", A]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(words(&output.stdout).contains("nb-a was seen stopped"), "{output:?}");
}

#[test]
fn an_execution_of_another_state_machine_is_not_touched() {
    for arn in [
        "arn:aws:states:us-east-1:1:execution:payments:x",
        "arn:aws:states:us-east-1:1:execution:m2:x",
        "arn:aws:states:us-east-1:2:execution:m:x",
        "arn:aws:states:eu-west-1:1:execution:m:x",
        "arn:aws-cn:states:us-east-1:1:execution:m:x",
    ] {
        let all = [
            &["cancel"][..],
            &["rerun"],
            &["rerun", "--new"],
            &["watch"],
            &["show"],
            &["logs"],
            &["logs", "-f"],
            &["open"],
            &["explain"],
        ];
        for verb in if arn.ends_with("payments:x") { &all[..] } else { &all[..1] } {
            let stub = Stub::start(|call| Some(answer(call)));
            let output = stub.reveille(&[*verb, &[arn]].concat());
            let said = words(&output.stderr);
            assert_eq!(output.status.code(), Some(5), "{verb:?} {arn}: {said}");
            assert!(said.contains(&format!("{arn} is no run of the stack reveille")), "{said}");
            for call in ["DescribeExecution", "StopExecution", "RedriveExecution", "StartExecution"] {
                assert_eq!(stub.asked(call), [""; 0], "{verb:?}");
            }
        }
    }
    // None is stopped, if one of them is not ours.
    let stub = Stub::start(|call| Some(answer(call)));
    let output = stub.reveille(&["cancel", A, "arn:aws:states:us-east-1:1:execution:payments:x"]);
    assert_eq!((output.status.code(), stub.asked("StopExecution").len()), (Some(5), 0), "{output:?}");
}
