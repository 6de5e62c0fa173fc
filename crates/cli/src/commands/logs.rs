//! `reveille logs`: what papermill and the cells of a run wrote, even while it is running, and of a run that was lost as far as it was
//! uploaded.

use chrono::{DateTime, Utc};

use super::{open::key, partial::live};
use crate::{
    arguments::LogsArguments,
    clients::{Account, Ending, Run, Uploaded},
    error::CliError,
    exit::Exit,
    ui::{terminal::Terminal, times},
};

mod cell;
mod follow;
mod printed;

use cell::Cell;
use printed::Printed;

/// The runner keeps the first and the last MiB of a log, and a line between them.
pub(super) const MAX_LOG: i64 = 3 * 1024 * 1024;
/// The largest notebook that is executed has 64 MiB, and as much as 32 MiB of outputs, each in a form that may take more.
const MAX_NOTEBOOK: i64 = 256 * 1024 * 1024;

pub(crate) async fn run(terminal: &Terminal, arguments: &LogsArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    if arguments.follow {
        let execution = account.find(&arguments.run).await?;
        return follow::follow(terminal, &account, &execution).await;
    }
    let run = account.run_named(&arguments.run).await?;
    match arguments.cell {
        Some(number) => tell_cell(terminal, &account, &run, number).await?,
        None => tell(terminal, &account, &run).await?,
    }
    Ok(Exit::Done)
}

/// The final log; without one, what was uploaded before the notebook's end.
async fn tell(terminal: &Terminal, account: &Account, run: &Run) -> Result<(), CliError> {
    if let Some(key) = account.key_of(run, "log") {
        let Some(log) = account.object(key, MAX_LOG).await? else {
            return Err(CliError::NotThere(format!(
                "the log of {} was deleted from {}",
                run.id, account.layout.bucket
            )));
        };
        terminal.verbatim(&String::from_utf8_lossy(&log));
        return Ok(());
    }
    let pieces = match live(account, run).await? {
        Some(at) => account.pieces(at, None).await?,
        None => Vec::new(),
    };
    let Some(newest) = pieces.last().map(|piece| piece.at) else { return Err(nothing(account, run, "log")) };
    let mut printed = Printed::default();
    let text: Vec<u8> = pieces.iter().flat_map(|piece| printed.piece(piece)).collect();
    terminal.verbatim(&String::from_utf8_lossy(&text));
    terminal.note(&so_far(run, newest));
    Ok(())
}

/// What one cell printed, as the final notebook tells it, or the one that was uploaded before its end.
async fn tell_cell(terminal: &Terminal, account: &Account, run: &Run, number: u32) -> Result<(), CliError> {
    let kept = account.key_of(run, "notebook").map(str::to_owned);
    let (key, at) = match (kept, live(account, run).await?) {
        (Some(key), _) => (key, None),
        (None, Some(at)) => match account.partial_notebook(at).await? {
            Some(Uploaded { key, at }) => (key, Some(at)),
            None => return Err(nothing(account, run, "notebook")),
        },
        (None, None) => return Err(nothing(account, run, "notebook")),
    };
    let Some(notebook) = account.object(&key, MAX_NOTEBOOK).await? else {
        return Err(CliError::NotThere(format!(
            "the notebook of {} was deleted from {}",
            run.id, account.layout.bucket
        )));
    };
    let notebook = serde_json::from_slice(&notebook);
    let notebook = notebook.map_err(|error| CliError::Record { key, problem: error.to_string() })?;
    match cell::of(&notebook, number) {
        Cell::Text(text) => terminal.verbatim(&text),
        Cell::Silent if at.is_some() => terminal.note(&format!("cell {number} has printed nothing so far")),
        Cell::Silent => terminal.note(&format!("cell {number} printed nothing")),
        Cell::Words => terminal.note(&format!("cell {number} is a text cell, which prints nothing")),
        Cell::Missing { cells } => {
            let why =
                if number == 0 { "no parameters were passed".to_owned() } else { format!("it has {cells} cells") };
            return Err(CliError::NotThere(format!("the notebook of {} has no cell {number}: {why}", run.id)));
        }
    }
    if let Some(at) = at {
        terminal.note(&so_far(run, at));
    }
    Ok(())
}

/// That this is not all, and why.
fn so_far(run: &Run, at: DateTime<Utc>) -> String {
    let (id, when) = (&run.id, times::clock(at));
    if run.ending == Ending::Running {
        format!("so far, as of {when}; follow it with: reveille logs -f {id}")
    } else {
        format!("{id} ended without its outputs. This is what it had uploaded by {when}; what came later is missing")
    }
}

/// Why there is nothing.
fn nothing(account: &Account, run: &Run, output: &'static str) -> CliError {
    let id = &run.id;
    if run.ending != Ending::Running {
        return key(account, run, output).err().unwrap_or_else(|| CliError::NotThere(format!("{id} kept no {output}")));
    }
    let why = if account.shows_nothing_live() {
        format!(
            "it is uploaded when the notebook ends (the stack's LiveOutputSeconds is 0, or the stack's version is too old for it); follow its cells with: reveille watch {id}"
        )
    } else {
        format!("its notebook has not begun, or has printed nothing; follow it with: reveille logs -f {id}")
    };
    CliError::NotThere(format!("{id} has no {output} yet: {why}"))
}
