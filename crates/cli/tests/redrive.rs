//! `reveille rerun` against a Step Functions that can redrive, which the local AWS cannot: a stub that answers as AWS documents it, and
//! notes what it is asked.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use stub::{STACK, Stub, StubCall, without_records};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

/// What the execution is, and what Step Functions has against a redrive.
#[derive(Clone, Copy)]
struct Story {
    redrivable: &'static str,
    refusal: Option<&'static str>,
    /// Somebody else redrove it: what shows that after so many looks.
    shown_after: Option<usize>,
}

fn stub(story: Story) -> Stub {
    Stub::start(move |call| Some(answer(story, call)))
}

fn answer(story: Story, call: &StubCall<'_>) -> (u16, String) {
    let redrive = call.before.iter().position(|call| call.starts_with("RedriveExecution"));
    let looks = redrive.map(|at| call.before[at..].iter().filter(|call| call.starts_with("DescribeExecution")).count());
    let shown_after = if story.refusal.is_none() { Some(0) } else { story.shown_after };
    let redriven = looks.zip(shown_after).is_some_and(|(looks, after)| looks >= after);
    let described = |status: &str, count: u32| {
        let (redrivable, input) = (story.redrivable, r#"{\"instance\": \"a\", \"notebook\": \"daily.ipynb\"}"#);
        format!(
            r#"{{"executionArn": "{ARN}", "stateMachineArn": "m", "name": "daily", "status": "{status}", "startDate": 1, "stopDate": 2,
            "input": "{input}", "error": "NotebookFailed", "redriveCount": {count}, "redriveStatus": "{redrivable}",
            "redriveStatusReason": "it is older than 14 days."}}"#
        )
    };
    match (call.action, story.refusal) {
        ("DescribeExecution", _) => (200, if redriven { described("RUNNING", 1) } else { described("FAILED", 0) }),
        ("RedriveExecution", None) => (200, r#"{"redriveDate": 3}"#.to_owned()),
        ("RedriveExecution", Some(said)) => (
            400,
            format!(r#"{{"__type": "com.amazonaws.swf.service.v2#ExecutionNotRedrivable", "message": "{said}"}}"#),
        ),
        ("StartExecution", _) => (200, format!(r#"{{"executionArn": "{ARN}", "startDate": 1}}"#)),
        _ if call.first.starts_with("GET ") => without_records(call.first),
        _ => (200, STACK.to_owned()),
    }
}

#[test]
fn a_failed_run_is_redriven_where_nothing_changes() {
    let stub = stub(Story { redrivable: "REDRIVABLE", refusal: None, shown_after: None });
    let output = stub.reveille(&["rerun", ARN, "--detach"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("the same run and input, as its next attempt"), "{said}");
    assert_eq!(stub.asked("RedriveExecution").len(), 1);
    assert!(stub.asked("RedriveExecution")[0].contains(ARN));
    assert_eq!(stub.asked("StartExecution"), Vec::<String>::new());
}

/// DescribeExecution is eventually consistent.
#[test]
fn a_redrive_of_somebody_else_that_shows_late_is_no_reason_for_a_new_run() {
    let refusal = Some("Execution is not redrivable now");
    let stub = stub(Story { redrivable: "REDRIVABLE", refusal, shown_after: Some(2) });
    let output = stub.reveille(&["rerun", ARN, "--detach"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!((stub.asked("RedriveExecution").len(), stub.asked("StartExecution").len()), (1, 0));
}

/// One that an ARN names is known after one look.
#[test]
fn a_run_that_an_arn_names_is_described_once() {
    for (verb, code) in [("watch", 10), ("logs", 5), ("show", 0)] {
        let story = Story { redrivable: "REDRIVABLE", refusal: None, shown_after: None };
        let stub = Stub::start(move |call| {
            Some(match call.action {
                "GetExecutionHistory" => (200, r#"{"events": []}"#.to_owned()),
                _ => answer(story, call),
            })
        });
        let output = stub.reveille(&[verb, ARN]);
        assert_eq!(output.status.code(), Some(code), "{verb}: {output:?}");
        assert_eq!(stub.asked("DescribeExecution").len(), 1, "{verb}");
    }
}

#[test]
fn whatever_cannot_be_redriven_is_a_new_run_and_says_why() {
    let refusal = Some("Execution is not redrivable now");
    for (story, arguments, redrives, why) in [
        (
            Story { redrivable: "NOT_REDRIVABLE", refusal: None, shown_after: None },
            &[][..],
            0,
            "it is older than 14 days",
        ),
        (Story { redrivable: "REDRIVABLE", refusal, shown_after: None }, &[], 1, "Execution is not redrivable now"),
        (
            Story { redrivable: "REDRIVABLE", refusal: None, shown_after: None },
            &["-p", "day", "1"],
            0,
            "its parameters change",
        ),
        (Story { redrivable: "REDRIVABLE", refusal: None, shown_after: None }, &["--new"], 0, "--new asks for one"),
    ] {
        let stub = stub(story);
        let output = stub.reveille(&[&["rerun", ARN, "--detach"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("a new run, because") && said.contains(why), "{said}");
        assert_eq!((stub.asked("RedriveExecution").len(), stub.asked("StartExecution").len()), (redrives, 1), "{why}");
    }
}
