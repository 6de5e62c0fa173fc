//! docs/mails.md: what a mail says, by the code that makes the card and the template that hands it on.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reveille_domain::card;
use reveille_domain::error::{Code, Evidence, FailedCell, Failure};
use reveille_domain::input::NotebookSource;
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::records::{Outcome, Phases, Rest, RunStatus};
use reveille_domain::run_event::RunEvent;
use reveille_domain::{InstanceName, RunId};
use serde_json::Value;

use crate::{read, template};

/// Where the page is.
pub const PAGE: &str = "docs/mails.md";

/// An outcome with nothing in it that the examples do not set.
///
/// # Panics
/// Never: its texts are valid.
#[must_use]
pub fn outcome(status: RunStatus, failure: Option<Failure>) -> Outcome {
    let place = |name: &str| format!("s3://reveille-runsbucket-1/runs/nightly/daily-2026-11-24-0b1f6f3c55/1/{name}");
    Outcome {
        run: RunId::from_key("daily-2026-11-24-0b1f6f3c55"),
        attempt: 1,
        status,
        code: failure.as_ref().map(|failure| failure.code),
        failure,
        instance: InstanceName::parse("nightly").ok(),
        notebook: NotebookSource::parse("reports/daily.ipynb").ok(),
        source_sha256: None,
        runner_version: None,
        outputs: [("html", "output.html"), ("notebook", "output.ipynb")]
            .map(|(name, file)| (name.to_owned(), place(file)))
            .into(),
        html_error: None,
        phases: Phases::default(),
        instance_after: Rest::AtRest,
        execution_arn: "arn:aws:states:us-east-1:111122223333:execution:NotebookRun:daily-2026-11-24".to_owned(),
        redrive_count: 0,
        admitted_at: None,
        concluded_at: "2026-11-24T06:07:11Z".parse().expect("a time"),
    }
}

/// The detail of an outcome's event.
#[must_use]
pub fn detail(outcome: &Outcome) -> Value {
    let at = AttemptRef { instance: "nightly".into(), run: outcome.run.clone(), attempt: outcome.attempt };
    let layout = Layout { bucket: "reveille-runsbucket-1".into(), prefix: String::new() };
    serde_json::to_value(RunEvent::of(outcome, &at, &outcome.execution_arn, &layout)).expect("an event")
}

/// What the rule's target gets of an event's detail.
///
/// # Panics
/// The template names what the event has not.
#[must_use]
pub fn rendered(detail: &Value) -> String {
    let template = template("infra/template.yaml");
    let transformer = &template["Resources"]["NotifyRule"]["Properties"]["Targets"][0]["InputTransformer"];
    let paths: BTreeMap<String, String> = serde_json::from_value(transformer["InputPathsMap"].clone()).expect("paths");
    let text = transformer["InputTemplate"].as_str().expect("a template").to_owned();
    assert_eq!(paths.len(), card::LINES, "a path for each line");
    paths.iter().fold(text, |text, (name, path)| {
        let pointer = path.replacen("$.detail", "", 1).replace('.', "/");
        let value =
            detail.pointer(&pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("the event has no {path}"));
        text.replace(&format!("<{name}>"), value)
    })
}

fn raised() -> Failure {
    let text = "the file lacks the column amount";
    let tail = [
        "----> 3     raise ValueError(f\"{source} lacks the column {', '.join(sorted(missing))}\")",
        "",
        "ValueError: the file lacks the column amount",
    ];
    let cell = FailedCell {
        number: 3,
        error_name: "ValueError".to_owned(),
        error_value: text.to_owned(),
        traceback_tail: tail.map(str::to_owned).into(),
    };
    let message =
        format!("Cell 3 of reports/daily.ipynb raised ValueError: {text}. The output notebook shows how far it came.");
    Failure::new(Code::NotebookFailed, message).with_evidence(Evidence { cell: Some(cell), log_tail: Vec::new() })
}

/// A failure with the message that its page shows.
fn documented(code: Code) -> Failure {
    let page = read(&format!("docs/errors/{code}.md"));
    let message = page.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("a message");
    Failure::new(code, message)
}

/// Each example: what it is of, and its outcome.
#[must_use]
pub fn examples() -> Vec<(&'static str, Outcome)> {
    let mut not_stopped = outcome(RunStatus::Succeeded, Some(documented(Code::StopNotConfirmed)));
    not_stopped.instance_after = Rest::NotConfirmed;
    let mut aborted = outcome(RunStatus::Aborted, Some(documented(Code::Cancelled)));
    aborted.outputs.clear();
    aborted.instance_after = Rest::NotConfirmed;
    vec![
        ("A cell raised", outcome(RunStatus::Failed, Some(raised()))),
        ("The notebook succeeded, and its instance was not seen to stop", not_stopped),
        ("A person stopped the execution", aborted),
    ]
}

#[must_use]
pub fn page() -> String {
    let mut text = read("tests/contract/src/mails.head.txt");
    for (title, outcome) in examples() {
        write!(text, "\n## {title}\n\n```text\n{}```\n", rendered(&detail(&outcome))).expect("a text takes all");
    }
    text
}
