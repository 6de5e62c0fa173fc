//! `reveille logs`: what papermill and the cells of a run wrote.

use crate::{
    arguments::LogsArguments,
    clients::{Account, Ending},
    error::CliError,
    exit::Exit,
    ui::terminal::Terminal,
};

/// The runner keeps the first and the last MiB of a log, and a line between them.
const MAX_LOG: i64 = 3 * 1024 * 1024;

pub(crate) async fn run(terminal: &Terminal, arguments: &LogsArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let run = account.run(&account.find(&arguments.run).await?).await?;
    let id = &run.id;
    if run.ending == Ending::Running {
        return Err(CliError::NotThere(format!(
            "{id} has no log yet, because it is uploaded when the notebook ends; follow its cells with: reveille watch {id}"
        )));
    }
    let Some(key) = account.key_of(&run, "log") else {
        return Err(CliError::NotThere(format!("{id} kept no log; see what became of it with: reveille show {id}")));
    };
    let Some(log) = account.object(key, MAX_LOG).await? else {
        return Err(CliError::NotThere(format!("the log of {id} was deleted from {}", account.layout.bucket)));
    };
    terminal.verbatim(&String::from_utf8_lossy(&log));
    Ok(Exit::Done)
}
