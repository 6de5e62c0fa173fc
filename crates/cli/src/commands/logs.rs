//! `reveille logs`: what papermill and the cells of a run wrote.

use super::open::key;
use crate::{arguments::OneRunArguments, clients::Account, error::CliError, exit::Exit, ui::terminal::Terminal};

/// The runner keeps the first and the last MiB of a log, and a line between them.
pub(super) const MAX_LOG: i64 = 3 * 1024 * 1024;

pub(crate) async fn run(terminal: &Terminal, arguments: &OneRunArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let run = account.run(&account.find(&arguments.run).await?).await?;
    let Some(log) = account.object(key(&account, &run, "log")?, MAX_LOG).await? else {
        return Err(CliError::NotThere(format!("the log of {} was deleted from {}", run.id, account.layout.bucket)));
    };
    terminal.verbatim(&String::from_utf8_lossy(&log));
    Ok(Exit::Done)
}
