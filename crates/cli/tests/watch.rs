//! `reveille watch` where nobody names a run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::process::Output;

use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall, without_records};

fn described(name: &str, status: &str) -> Value {
    let arn = format!("arn:aws:states:us-east-1:1:execution:m:{name}");
    let input = json!({"instance": "nightly", "notebook": format!("reports/{name}.ipynb")}).to_string();
    let mut all = json!({"executionArn": arn, "stateMachineArn": MACHINE, "name": name, "status": status, "startDate": 1,
        "input": input});
    if status != "RUNNING" {
        all["stopDate"] = 2.into();
        all["error"] = "NotebookFailed".into();
    }
    all
}

/// These are in progress when they are listed, and each ends while it is followed. One that ended before is the newest of all.
fn answer(call: &StubCall<'_>, in_progress: &[&str]) -> (u16, String) {
    let asked: Value = serde_json::from_str(call.body).unwrap_or_default();
    let running: Vec<Value> = in_progress.iter().map(|name| described(name, "RUNNING")).collect();
    let all: Vec<Value> = std::iter::once(described("ended", "FAILED")).chain(running.clone()).collect();
    let answer = match call.action {
        "ListExecutions" if asked["statusFilter"] == "RUNNING" => json!({"executions": running}),
        "ListExecutions" => json!({"executions": all}),
        "DescribeExecution" => {
            let name = asked["executionArn"].as_str().unwrap().rsplit(':').next().unwrap();
            let looks =
                call.before.iter().filter(|it| it.starts_with("DescribeExecution") && it.contains(name)).count();
            described(name, if name == "ended" || looks > 1 { "FAILED" } else { "RUNNING" })
        }
        "GetExecutionHistory" => json!({"events": [{"id": 1, "type": "TaskStateEntered", "timestamp": 1,
            "stateEnteredEventDetails": {"name": "AwaitRun"}}]}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "InService"}),
        _ if call.first.starts_with("GET ") => return without_records(call.first),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn stub(in_progress: &'static [&str]) -> Stub {
    Stub::start(|call| Some(answer(call, in_progress)))
}

/// Whether the notebook that the answer shows is this one's.
fn shows(output: &Output, name: &str) -> bool {
    words(&output.stdout).contains(&format!("Notebook reports/{name}.ipynb"))
        || words(&output.stdout).contains(&format!("reports/{name}.ipynb on nightly"))
}

#[test]
fn the_only_run_in_progress_is_followed() {
    let output = stub(&["one"]).reveille(&["watch"]);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    assert!(shows(&output, "one") && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn where_none_is_in_progress_the_newest_is_shown_and_that_is_said() {
    let output = stub(&[]).reveille(&["watch"]);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    let said = words(&output.stderr);
    assert!(
        shows(&output, "ended") && said.starts_with("no run is in progress; showing the newest, ended-"),
        "{output:?}"
    );
}

#[test]
fn where_nobody_can_choose_the_newest_in_progress_is_followed_and_the_others_are_told() {
    let output = stub(&["two", "one"]).reveille(&["watch", "--stack", "reveille"]);
    assert_eq!(output.status.code(), Some(10), "{output:?}");
    let said = words(&output.stderr);
    assert!(said.starts_with("2 runs are in progress; following the newest, two-"), "{said}");
    assert!(said.ends_with("reveille runs --status running --stack reveille"), "{said}");
    assert!(shows(&output, "two"), "{output:?}");
}

#[test]
fn a_person_chooses_among_several() {
    for (typed, code, followed) in [
        ("2\n", 10, Some("one")),
        ("\n", 10, Some("two")),
        ("7\nx\n0\n", 1, None),
        ("\u{4}", 1, None),
        ("\u{3}", 130, None),
    ] {
        let stub = stub(&["two", "one"]);
        let output = stub.at_a_terminal("[1-2, or Enter for 1]", typed, &["watch"]);
        let shown = words(&output.stdout);
        assert_eq!(output.status.code(), Some(code), "{typed:?}: {shown}");
        assert!(
            shown.contains("reports/two.ipynb") && shown.contains("reports/one.ipynb"),
            "both are offered: {shown}"
        );
        let asked = |name: &str| stub.asked("DescribeExecution").iter().filter(|call| call.contains(name)).count();
        for name in ["one", "two"] {
            assert_eq!(asked(name) > 1, followed == Some(name), "{typed:?} {name}: {shown}");
        }
        assert!(followed.is_some() || code == 130 || shown.contains("no run was chosen"), "{shown}");
    }
}
