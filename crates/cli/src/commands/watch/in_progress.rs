//! Which run is followed where a person names none: the one in progress, or the one of them that they choose.

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};

use crate::{
    clients::{Account, Run, RunName, WantedRuns},
    commands::stop::Stop,
    error::CliError,
    ui::{
        question,
        table::{self, Cell, Column},
        terminal::{Terminal, Tone},
        text::or_none,
        times,
    },
};

/// Runs to choose from: as many as fit a usual screen.
const MOST: usize = 20;
/// Answers that name none of them before the command gives up.
const TRIES: usize = 3;

const COLUMNS: [Column; 5] = [
    Column { title: "#", rank: 0, least: 2 },
    Column { title: "NOTEBOOK", rank: 0, least: 12 },
    Column { title: "INSTANCE", rank: 1, least: 8 },
    Column { title: "RUN", rank: 0, least: 12 },
    Column { title: "AGE", rank: 0, least: 4 },
];

/// The run in progress. Where there is none, the newest; where there are more, the newest too, unless somebody can choose.
pub(super) async fn in_progress(terminal: &Terminal, account: &Account) -> Result<Run, CliError> {
    let wanted = WantedRuns { status: Some(ExecutionStatus::Running), most: MOST, ..WantedRuns::default() };
    let mut runs = account.runs(&wanted).await?.runs;
    match runs.len() {
        0 => {
            let newest = account.run_named(&RunName::Last).await?;
            terminal.note(&format!("no run is in progress; showing the newest, {}", newest.id));
            Ok(newest)
        }
        1 => {
            // On a pipe each line has the run.
            if terminal.moves() {
                terminal.note(&format!("following {}", runs[0].id));
            }
            Ok(runs.remove(0))
        }
        _ if terminal.moves() && question::can_be_answered() => {
            let number = chosen(terminal, &runs).await?;
            Ok(runs.remove(number))
        }
        count => {
            let count = if count < MOST { count.to_string() } else { format!("{MOST} or more") };
            let newest = runs.remove(0);
            terminal.note(&format!(
                "{count} runs are in progress; following the newest, {}. To list them: reveille runs --status running",
                newest.id
            ));
            Ok(newest)
        }
    }
}

/// The place of the run that a person chooses.
async fn chosen(terminal: &Terminal, runs: &[Run]) -> Result<usize, CliError> {
    let now = Utc::now();
    let rows: Vec<Vec<Cell>> = runs.iter().enumerate().map(|(place, run)| row(place, run, now)).collect();
    table::show(terminal, &table::telling_apart(terminal, COLUMNS, "RUN", &rows), &rows);
    let (stop, count) = (Stop::listening(), runs.len());
    if count == MOST {
        terminal
            .note(&format!("these are the newest {MOST}; to list more: reveille runs --status running --limit 100"));
    }
    for _ in 0..TRIES {
        let question = format!("Which run? [1-{count}, or Enter for 1]");
        let typed = stop.unless_asked(move || question::typed(&question)).await?;
        match typed.as_deref() {
            // The terminal has ended.
            None | Some("") => break,
            Some(text) => match place(text, count) {
                Some(place) => return Ok(place),
                None => terminal.note(&format!("type a number from 1 to {count}")),
            },
        }
    }
    Err(CliError::NotNow("no run was chosen; to name one: reveille watch RUN".to_owned()))
}

/// The place that a line says; an empty one says the first.
fn place(line: &str, count: usize) -> Option<usize> {
    let line = line.trim();
    let number: usize = if line.is_empty() { 1 } else { line.parse().ok()? };
    number.checked_sub(1).filter(|place| *place < count)
}

fn row(place: usize, run: &Run, now: DateTime<Utc>) -> Vec<Cell> {
    vec![
        ((place + 1).to_string(), Tone::Strong),
        (or_none(run.notebook.as_deref()), Tone::Plain),
        (or_none(run.instance.as_deref()), Tone::Plain),
        (run.id.to_string(), Tone::Plain),
        (times::age(run.execution.started, now), Tone::Quiet),
    ]
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn a_number_names_a_run_and_enter_the_newest() {
        assert_eq!([place("\n", 3), place(" 1 \n", 3), place("3", 3)], [Some(0), Some(0), Some(2)]);
        for none in ["0", "4", "-1", "x", "1.0", "99999999999999999999999"] {
            assert_eq!(place(none, 3), None, "{none}");
        }
    }
}
