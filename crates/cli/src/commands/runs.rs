//! `reveille runs`: recent runs, the newest first.

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use reveille_domain::{Code, records::Rest};

use crate::{
    arguments::{Format, RunsArguments, StatusFilter},
    clients::{Account, Ending, ListedRuns, Run, WantedRuns},
    error::CliError,
    exit::Exit,
    ui::{
        json,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        text::or_none,
        times,
    },
};

const COLUMNS: [Column; 8] = [
    Column { title: "STATUS", rank: 0, least: 9 },
    Column { title: "NOTEBOOK", rank: 0, least: 12 },
    Column { title: "INSTANCE", rank: 3, least: 8 },
    Column { title: "TRIGGER", rank: 4, least: 10 },
    Column { title: "RUN", rank: 0, least: 12 },
    Column { title: "TOOK", rank: 1, least: 7 },
    Column { title: "AGE", rank: 0, least: 4 },
    Column { title: "AFTERWARDS", rank: 2, least: 11 },
];

pub(crate) async fn run(terminal: &Terminal, arguments: &RunsArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let ListedRuns { runs, bound } = account.runs(&wanted(arguments, Utc::now())).await?;
    if let Some(bound) = bound {
        terminal.note(&bound);
    }
    if arguments.format.output == Format::Json {
        Terminal::result(&json::runs(&runs));
        return Ok(Exit::Done);
    }
    if runs.is_empty() {
        terminal.note("no runs were found; `reveille run NOTEBOOK --on INSTANCE` starts one");
        return Ok(Exit::Done);
    }
    let now = Utc::now();
    let rows: Vec<Vec<Cell>> = runs.iter().map(|run| row(run, now)).collect();
    table::show(terminal, &table::telling_apart(terminal, COLUMNS, "RUN", &rows), &rows);
    Ok(Exit::Done)
}

/// What the arguments ask for.
fn wanted(arguments: &RunsArguments, now: DateTime<Utc>) -> WantedRuns {
    WantedRuns {
        status: arguments.status.map(status),
        instance: arguments.instance.clone(),
        notebook: arguments.notebook.clone(),
        since: arguments.since.map(|span| now - span),
        most: usize::from(arguments.limit),
    }
}

const fn status(filter: StatusFilter) -> ExecutionStatus {
    match filter {
        StatusFilter::Running => ExecutionStatus::Running,
        StatusFilter::Succeeded => ExecutionStatus::Succeeded,
        StatusFilter::Failed => ExecutionStatus::Failed,
        StatusFilter::Aborted => ExecutionStatus::Aborted,
    }
}

fn row(run: &Run, now: DateTime<Utc>) -> Vec<Cell> {
    let quiet = |text: String| (text, Tone::Quiet);
    let plain = |text: String| (text, Tone::Plain);
    let took = run.execution.stopped.unwrap_or(now) - run.execution.began();
    vec![
        (run.ending.word().to_owned(), tone(run.ending)),
        (or_none(run.notebook.as_deref()), Tone::Strong),
        plain(or_none(run.instance.as_deref())),
        quiet(run.trigger.clone()),
        plain(run.id.to_string()),
        plain(times::duration(took)),
        quiet(times::age(run.execution.started, now)),
        afterwards(run),
    ]
}

pub(super) const fn tone(ending: Ending) -> Tone {
    match ending {
        Ending::Running => Tone::Moving,
        Ending::Succeeded => Tone::Good,
        Ending::Failed | Ending::TimedOut => Tone::Bad,
        Ending::Skipped | Ending::Duplicate | Ending::NotSelected | Ending::Aborted => Tone::Quiet,
    }
}

/// What became of the instance, in a word or two.
fn afterwards(run: &Run) -> Cell {
    match run.outcome.as_ref().map(|outcome| outcome.instance_after) {
        None if run.is_concluded() => ("unreadable".to_owned(), Tone::Bad),
        None => (String::new(), Tone::Plain),
        Some(_) if run.code() == Some(Code::InstanceNotFound) => ("no instance".to_owned(), Tone::Quiet),
        Some(Rest::AtRest) => ("stopped".to_owned(), Tone::Plain),
        Some(Rest::HandedOver) => ("next run".to_owned(), Tone::Quiet),
        Some(Rest::LeftRunning) => ("left running".to_owned(), Tone::Moving),
        Some(Rest::NotTouched) => ("not touched".to_owned(), Tone::Quiet),
        // The sweeper writes the outcome of an aborted run before it stops the instance.
        Some(Rest::NotConfirmed) if run.ending == Ending::Aborted => ("see instance".to_owned(), Tone::Quiet),
        Some(Rest::NotConfirmed) => ("NOT STOPPED?".to_owned(), Tone::Bad),
    }
}

#[cfg(test)]
mod tests {
    use reveille_domain::records::{Outcome, Rest};
    use serde_json::json;

    use super::afterwards;
    use crate::clients::{Damaged, Run};

    fn ended(code: &str, after: Rest) -> Run {
        let outcome = json!({"run": "daily-1", "attempt": 1, "status": "FAILED", "code": code, "instanceAfter": after,
            "executionArn": "a", "outputs": {}, "phases": {}, "redriveCount": 0, "concludedAt": "2026-11-26T08:00:00Z"});
        let outcome: Outcome = serde_json::from_value(outcome).unwrap();
        Run { outcome: Some(outcome), ..Run::of_test("daily.ipynb") }
    }

    #[test]
    fn what_became_of_the_instance_is_said_only_of_one_that_there_is() {
        assert_eq!(afterwards(&ended("NotebookFailed", Rest::AtRest)).0, "stopped");
        assert_eq!(afterwards(&ended("InstanceNotFound", Rest::AtRest)).0, "no instance");
        let key = "runs/nightly/daily-1/1/outcome.json".to_owned();
        let damaged = Run { damaged: vec![Damaged { key, problem: "p".to_owned() }], ..Run::of_test("daily.ipynb") };
        assert_eq!(afterwards(&damaged).0, "unreadable");
        assert_eq!(afterwards(&Run::of_test("daily.ipynb")).0, "");
    }
}
