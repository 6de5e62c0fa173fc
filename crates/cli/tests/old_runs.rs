//! Runs that Step Functions has forgotten: what their records in the bucket still say of them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bucket;
mod stub;

use reveille_domain::{
    RunId,
    layout::{AttemptRef, Layout},
};
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";
const ADMITTED: &str = "2026-03-01T06:00:00Z";

/// The last attempt of the run.
fn at() -> AttemptRef {
    AttemptRef { instance: "nightly".into(), run: RunId::of("daily", ARN, ADMITTED.parse().unwrap()), attempt: 2 }
}

fn layout() -> Layout {
    Layout { bucket: "b".into(), prefix: String::new() }
}

/// The bucket's objects: of the run, and of another one whose name begins alike.
fn objects() -> Vec<(String, String)> {
    let (at, layout) = (at(), layout());
    let limits = json!({"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60});
    let request = json!({"run": at.run, "executionArn": ARN, "admittedAt": ADMITTED, "instance": "nightly",
        "notebook": "reports/daily.ipynb", "parameters": {"day": "monday"}, "kernel": "python3", "html": "sanitized",
        "limits": limits, "whenBusy": "skip", "onRunnerLost": "rerun"});
    let failure = json!({"code": "NotebookFailed", "message": "Cell 3 raised KeyError."});
    let outcome = json!({"run": at.run, "attempt": 2, "status": "FAILED", "code": "NotebookFailed", "failure": failure,
        "instance": "nightly", "notebook": "reports/daily.ipynb", "phases": {}, "instanceAfter": "atRest",
        "outputs": {"log": format!("s3://b/{}log.txt", layout.attempt(&at))}, "executionArn": ARN, "redriveCount": 1,
        "admittedAt": ADMITTED, "concludedAt": "2026-03-01T06:10:00Z"});
    let first = AttemptRef { attempt: 1, ..at.clone() };
    vec![
        (layout.request("nightly", &at.run), request.to_string()),
        (layout.outcome(&first), "{}".to_owned()),
        (layout.outcome(&at), outcome.to_string()),
        (layout.attempt(&at) + "log.txt", "what it printed\n".to_owned()),
        ("runs/nightly/weekly-0123456789/request.json".to_owned(), "{}".to_owned()),
    ]
}

fn answer(call: &StubCall<'_>) -> (u16, String) {
    answer_with(call, &objects())
}

fn answer_with(call: &StubCall<'_>, objects: &[(String, String)]) -> (u16, String) {
    match call.action {
        "ListExecutions" => (200, json!({"executions": []}).to_string()),
        "DescribeExecution" if call.body.contains("execution:m:daily") => {
            (400, json!({"__type": "ExecutionDoesNotExist", "message": "Execution Does Not Exist"}).to_string())
        }
        "DescribeExecution" => (200, started()),
        "StartExecution" => (200, json!({"executionArn": ARN.replace("daily", "new"), "startDate": 1}).to_string()),
        _ => bucket::answer(call.first, objects).unwrap_or_else(|| (200, STACK.to_owned())),
    }
}

/// The new run.
fn started() -> String {
    json!({"executionArn": ARN.replace("daily", "new"), "stateMachineArn": MACHINE, "name": "new", "status": "RUNNING",
        "startDate": 1, "input": "{}"})
    .to_string()
}

fn stub() -> Stub {
    Stub::start(|call| Some(answer(call)))
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// docs/cli.md: "`show`, `logs`, `open` and `explain` report what the records say".
#[test]
fn a_run_that_step_functions_has_forgotten_is_told_from_its_records() {
    let stub = stub();
    let told = |arguments: &[&str]| {
        let output = stub.reveille(arguments);
        (output.status.code(), words(&output.stdout), words(&output.stderr))
    };
    let whole = at().run.to_string();
    let (code, shown, problem) = told(&["show", &whole]);
    assert_eq!(code, Some(0), "{problem}");
    for part in [
        "FAILED reports/daily.ipynb on nightly",
        "Cell 3 raised KeyError.",
        "attempt 2",
        "not known any more",
        "90 days",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    for name in ["daily", "dai", ARN] {
        assert_eq!(told(&["show", name]), (Some(0), shown.clone(), String::new()), "{name}");
    }
    assert_eq!(told(&["logs", "daily"]), (Some(0), "what it printed".to_owned(), String::new()));
    let (code, explained, problem) = told(&["explain", "daily"]);
    assert!(code == Some(0) && explained.contains("NotebookFailed"), "{explained} {problem}");
    let (code, link, problem) = told(&["open", "daily", "--log"]);
    assert!(code == Some(0) && link.contains("/2/log.txt"), "{problem}");
    let (code, _, problem) = told(&["open", "daily", "--console"]);
    assert!(code == Some(5) && problem.contains("keeps executions for 90 days"), "{problem}");
    let (code, _, problem) = told(&["show", "monthly"]);
    assert!(code == Some(5) && problem.contains("no run's id begins with monthly"), "{problem}");
}

#[test]
fn a_run_that_step_functions_has_forgotten_is_run_again_from_what_was_recorded() {
    let stub = stub();
    let output = stub.reveille(&["rerun", "daily", "--detach"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        words(&output.stderr).contains("a new run, because Step Functions cannot redrive the old one"),
        "{output:?}"
    );
    assert_eq!(stub.asked("RedriveExecution"), [""; 0]);
    let started = stub.asked("StartExecution");
    let body: Value = serde_json::from_str(started[0].split_once(' ').unwrap().1).unwrap();
    let input: Value = serde_json::from_str(body["input"].as_str().unwrap()).unwrap();
    assert_eq!(
        input,
        json!({"instance": "nightly", "notebook": "reports/daily.ipynb", "parameters": {"day": "monday"}, "kernel": "python3",
            "html": "sanitized", "whenBusy": "skip", "onRunnerLost": "rerun",
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60}})
    );
}

/// Nothing is left of what was asked for.
#[test]
fn without_its_request_a_forgotten_run_is_not_run_again_and_it_says_why() {
    let stub = Stub::start(|call| {
        let path = call.first.split_whitespace().nth(1).unwrap();
        let gone = path.contains("daily") && path.contains("request.json");
        Some(if gone { (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()) } else { answer(call) })
    });
    let output = stub.reveille(&["rerun", "daily"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(words(&output.stderr).contains("no request.json is left of it"), "{output:?}");
    assert_eq!(stub.asked("StartExecution"), [""; 0]);
}

/// The first attempts of a run expire first. Only functions write outcomes, so that no other folder counts.
#[test]
fn a_run_whose_first_attempt_has_expired_is_told_by_its_last() {
    let stub = Stub::start(|call| {
        let mut objects = objects();
        objects.retain(|(key, _)| !key.contains("/1/"));
        let run = layout().run("nightly", &at().run);
        for planted in ["3", "99", "00004", "abc", "4294967295"] {
            objects.push((format!("{run}{planted}/claim.json"), "{}".to_owned()));
        }
        Some(answer_with(call, &objects))
    });
    let output = stub.reveille(&["show", "daily"]);
    let shown = words(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(shown.contains("Cell 3 raised KeyError.") && shown.contains("attempt 2"), "{shown}");
    assert!(stub.asked("GET ").len() < 20, "{:#?}", stub.asked("GET "));
}
