//! The card: what a person reads on a phone of how a run ended, or how far it is. It is part of the event, so that a rule can hand it to a mail
//! without a function in between.
//!
//! Owns its words and its lines. Never holds a parameter's value. EventBridge puts lines into a text as they are, each between
//! quotation marks, and knows no list there: so a card is named lines, and none has a character that would end such a text.

use std::collections::BTreeMap;

use crate::error::Failure;
use crate::input::NotebookSource;
use crate::records::{Outcome, Progressed, Rest, RunStatus};
use crate::shown;

/// Lines of a card, in the rule's template too; lines that it does not need are empty.
pub const LINES: usize = 14;
/// Lines of a traceback or a log: its end says what happened.
const TAIL_LINES: usize = 6;
/// Characters of a line: some four lines of a phone.
const LINE_CHARS: usize = 160;
/// Characters of the sentence, and of what must stay whole to be of use, a URI or a command: S3's longest key, and some more.
const SENTENCE_CHARS: usize = 600;
const WHOLE_CHARS: usize = 1_400;

/// The card of an outcome, by the names of its lines: `line01` and on.
#[must_use]
pub fn card(outcome: &Outcome, instance: &str, execution_arn: &str) -> BTreeMap<String, String> {
    let mut lines = vec![title(outcome, instance)];
    if let Some(failure) = &outcome.failure {
        lines.extend(what_happened(failure));
    }
    lines.extend(after(outcome.status, outcome.instance_after, instance));
    lines.extend(outputs(outcome));
    lines.extend(again(outcome.status, execution_arn));
    named(lines)
}

/// The card of a run that has not ended.
#[must_use]
pub fn of_progress(
    progressed: Progressed,
    notebook: &NotebookSource,
    instance: &str,
    execution_arn: &str,
) -> BTreeMap<String, String> {
    let status = match progressed {
        Progressed::Queued => "QUEUED",
        Progressed::Running => "RUNNING",
    };
    let title = safe(&format!("{status}: {notebook} on {instance}"), SENTENCE_CHARS);
    named([title].into_iter().chain(execution(&safe(execution_arn, WHOLE_CHARS))).collect())
}

fn named(mut lines: Vec<String>) -> BTreeMap<String, String> {
    lines.resize(LINES, String::new());
    lines.into_iter().enumerate().map(|(number, line)| (name(number), line)).collect()
}

/// The name of a line.
#[must_use]
pub fn name(number: usize) -> String {
    format!("line{:02}", number + 1)
}

/// A text on a line: without what ends a JSON string in a template that escapes nothing.
fn safe(text: &str, chars: usize) -> String {
    let line = shown::line(text).replace('"', "'").replace('\\', "/");
    shown::bounded(&line, chars)
}

fn title(outcome: &Outcome, instance: &str) -> String {
    let status = match outcome.status {
        RunStatus::Succeeded => "SUCCEEDED",
        RunStatus::Failed => "FAILED",
        RunStatus::Skipped => "SKIPPED",
        RunStatus::Aborted => "STOPPED BY A PERSON",
    };
    let notebook = outcome.notebook.as_ref().map_or_else(|| "a run".to_owned(), ToString::to_string);
    let code = outcome.code.map(|code| format!(" ({code})")).unwrap_or_default();
    safe(&format!("{status}: {notebook} on {instance}{code}"), SENTENCE_CHARS)
}

fn what_happened(failure: &Failure) -> Vec<String> {
    let mut lines = vec![safe(&failure.message, SENTENCE_CHARS)];
    let Some(evidence) = &failure.evidence else { return lines };
    let mut tail: &[String] = &evidence.log_tail;
    if let Some(cell) = &evidence.cell {
        let raised = format!("Cell {}: {}: {}", cell.number, cell.error_name, cell.error_value);
        lines.push(safe(&raised, LINE_CHARS * 2));
        tail = &cell.traceback_tail;
    }
    let told = tail.iter().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>();
    lines.extend(
        told.iter().skip(told.len().saturating_sub(TAIL_LINES)).map(|line| format!("| {}", safe(line, LINE_CHARS))),
    );
    lines
}

/// What became of the instance, where somebody should look.
fn after(status: RunStatus, rest: Rest, instance: &str) -> Option<String> {
    let line = match rest {
        Rest::AtRest | Rest::HandedOver | Rest::NotTouched => return None,
        Rest::LeftRunning => format!("The instance {instance} was left running: a person uses it, or started it."),
        // Its outcome is written before anybody could see the instance stop: an alarm with each of them would be ignored.
        Rest::NotConfirmed if status == RunStatus::Aborted => {
            format!("Reveille is stopping the instance {instance}, unless other runs or a person use it.")
        }
        Rest::NotConfirmed => {
            format!("LOOK AT THE INSTANCE {instance}: it was not seen to stop, and may still cost money.")
        }
    };
    Some(safe(&line, SENTENCE_CHARS))
}

fn outputs(outcome: &Outcome) -> Vec<String> {
    let page =
        outcome.outputs.get("html").or_else(|| outcome.outputs.get("notebook")).or_else(|| outcome.outputs.get("log"));
    let Some(page) = page else { return vec!["No output was kept so far.".to_owned()] };
    vec![
        format!("Output: {}", safe(page, WHOLE_CHARS)),
        format!("To see it: aws s3 cp '{}' .", safe(page, WHOLE_CHARS).replace('\'', "")),
    ]
}

fn again(status: RunStatus, execution_arn: &str) -> Vec<String> {
    let arn = safe(execution_arn, WHOLE_CHARS);
    let command = match status {
        RunStatus::Failed | RunStatus::Aborted => Some(format!(
            "To run it again: Redrive there, or: aws stepfunctions redrive-execution --execution-arn '{arn}'"
        )),
        RunStatus::Succeeded | RunStatus::Skipped => None,
    };
    execution(&arn).into_iter().chain(command).collect()
}

fn execution(arn: &str) -> Option<String> {
    console(arn).map(|link| format!("The execution: {link}"))
}

/// The page of an execution in the console of its partition. `None`: we do not know that console's address, or
/// the ARN is no plain one.
#[must_use]
pub fn console(arn: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(1);
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let host = match partition {
        "aws" => format!("{region}.console.aws.amazon.com"),
        "aws-cn" => format!("{region}.console.amazonaws.cn"),
        "aws-us-gov" => format!("{region}.console.amazonaws-us-gov.com"),
        _ => return None,
    };
    let plain = arn.chars().all(|c| c.is_ascii_alphanumeric() || "-_.:".contains(c));
    (service == "states" && plain)
        .then(|| format!("https://{host}/states/home?region={region}#/v2/executions/details/{arn}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Code, Evidence, FailedCell};
    use crate::ids::RunId;
    use crate::input::NotebookSource;
    use crate::records::Phases;

    const ARN: &str = "arn:aws:states:eu-west-1:111122223333:execution:NotebookRun:daily";

    fn outcome(status: RunStatus, failure: Option<Failure>) -> Outcome {
        Outcome {
            run: RunId::from_key("daily-0123456789"),
            attempt: 1,
            status,
            code: failure.as_ref().map(|failure| failure.code),
            failure,
            instance: None,
            notebook: NotebookSource::parse("reports/daily.ipynb").ok(),
            source_sha256: None,
            runner_version: None,
            outputs: [("html".to_owned(), "s3://b/runs/nightly/daily-0123456789/1/output.html".to_owned())].into(),
            html_error: None,
            phases: Phases::default(),
            instance_after: Rest::AtRest,
            execution_arn: ARN.into(),
            redrive_count: 0,
            admitted_at: None,
            concluded_at: "2026-11-23T10:00:00Z".parse().unwrap(),
        }
    }

    fn raised(value: &str, tail: Vec<String>) -> Failure {
        let cell = FailedCell { number: 3, error_name: value.into(), error_value: value.into(), traceback_tail: tail };
        Failure::new(Code::NotebookFailed, value).with_evidence(Evidence { cell: Some(cell), log_tail: Vec::new() })
    }

    #[test]
    fn a_failure_says_where_what_and_what_to_do() {
        let tail = (1..=20).map(|number| format!("line {number} of the traceback")).collect();
        let card = card(&outcome(RunStatus::Failed, Some(raised("no column amount", tail))), "nightly", ARN);
        let text = card.into_values().collect::<Vec<_>>().join("\n");
        for part in [
            "FAILED: reports/daily.ipynb on nightly (NotebookFailed)",
            "Cell 3: no column amount: no column amount",
            "| line 15 of the traceback\n",
            "| line 20 of the traceback\n",
            "Output: s3://b/runs/nightly/daily-0123456789/1/output.html",
            "aws s3 cp 's3://b/runs/nightly/daily-0123456789/1/output.html' .",
            "https://eu-west-1.console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/arn:aws:states:eu-west-1:111122223333:execution:NotebookRun:daily",
            "aws stepfunctions redrive-execution --execution-arn 'arn:aws:states:eu-west-1:111122223333:execution:NotebookRun:daily'",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert!(!text.contains("line 14"), "the end of it only");
    }

    /// The error has twice the room of a line of its traceback.
    #[test]
    fn a_long_error_is_cut_and_so_is_each_line_of_its_traceback() {
        let card = card(&outcome(RunStatus::Failed, Some(raised("x", vec!["y".repeat(350)]))), "nightly", ARN);
        assert_eq!(card["line04"], format!("| {}…", "y".repeat(160)));
        let long = raised(&"é".repeat(200), Vec::new());
        let card = super::card(&outcome(RunStatus::Failed, Some(long)), "nightly", ARN);
        assert_eq!(card["line03"].chars().count(), 321, "{}", card["line03"]);
    }

    /// A notebook's error is anybody's text, and a template of EventBridge's escapes nothing.
    #[test]
    fn no_text_leaves_its_line_or_ends_the_json() {
        let hostile =
            "\"}\n{\"a\": 1} \\ \u{1b}[31m red \u{202e} \r\n SUCCEEDED <aws.events.event.json> $(id)".repeat(500);
        let mut outcome = outcome(RunStatus::Failed, Some(raised(&hostile, vec![hostile.clone(); 40])));
        outcome.outputs = [("html".to_owned(), hostile.clone())].into();
        outcome.instance_after = Rest::NotConfirmed;
        let card = card(&outcome, &hostile, &hostile);
        assert_eq!(card.len(), LINES);
        for line in card.values() {
            assert!(!line.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '\u{202e}')), "{line}");
            assert!(line.chars().count() <= WHOLE_CHARS + 100, "{}", line.len());
        }
        assert!(!card.values().any(|line| line.contains("https://")), "no link that somebody else wrote");
        assert!(serde_json::to_string(&card).unwrap().len() < 32 * 1024);
    }

    /// However much there is to say, what to do is not pushed out.
    ///
    /// docs/output.md: "`card` says the same in plain sentences, for emails, in `line01` to `line14`"
    #[test]
    fn the_longest_card_has_all_its_lines() {
        let tail = vec!["x".repeat(4_000); 40];
        let mut outcome = outcome(RunStatus::Failed, Some(raised("x", tail)));
        outcome.instance_after = Rest::NotConfirmed;
        let card = card(&outcome, "nightly", ARN);
        assert_eq!(card.len(), LINES);
        assert!(card["line14"].starts_with("To run it again"), "{card:#?}");
    }

    #[test]
    fn a_success_is_short_and_an_instance_that_may_be_on_is_told() {
        let mut outcome = outcome(RunStatus::Succeeded, None);
        let short = card(&outcome, "nightly", ARN);
        assert_eq!(short["line01"], "SUCCEEDED: reports/daily.ipynb on nightly");
        assert!(!short.values().any(|line| line.contains("redrive")));
        outcome.instance_after = Rest::NotConfirmed;
        assert!(card(&outcome, "nightly", ARN)["line02"].starts_with("LOOK AT THE INSTANCE nightly"));
        outcome.status = RunStatus::Aborted;
        assert!(card(&outcome, "nightly", ARN)["line02"].starts_with("Reveille is stopping the instance nightly"));
    }

    #[test]
    fn a_run_that_has_not_ended_says_how_far_it_is_and_where_to_look() {
        let notebook = NotebookSource::parse("reports/daily.ipynb").unwrap();
        for (progressed, title) in [(Progressed::Queued, "QUEUED"), (Progressed::Running, "RUNNING")] {
            let card = of_progress(progressed, &notebook, "nightly", ARN);
            assert_eq!(card.len(), LINES);
            assert_eq!(card["line01"], format!("{title}: reports/daily.ipynb on nightly"));
            assert!(card["line02"].starts_with("The execution: https://eu-west-1."), "{card:?}");
            assert_eq!(card["line03"], "");
        }
    }

    #[test]
    fn the_console_is_that_of_the_partition() {
        for (partition, host) in
            [("aws-cn", "cn-north-1.console.amazonaws.cn"), ("aws-us-gov", "cn-north-1.console.amazonaws-us-gov.com")]
        {
            let link = console(&format!("arn:{partition}:states:cn-north-1:1:execution:a:b")).unwrap();
            assert!(link.starts_with(&format!("https://{host}/")), "{link}");
        }
        for arn in ["arn:other:states:r:1:execution:a:b", "arn:aws:s3:r:1:x", "", "arn:aws:states:r:1:execution:a:b c"]
        {
            assert_eq!(console(arn), None, "{arn}");
        }
    }
}
