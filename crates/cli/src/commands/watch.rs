//! `reveille watch`: follows a run to its end. The run does not need it.

use std::time::Duration;

use chrono::Utc;
use tokio::time::sleep;

use super::{local::interrupt, show, stage::stage};
use crate::{
    arguments::OneRunArguments,
    clients::{Account, Execution, Run},
    error::CliError,
    exit::Exit,
    ui::{
        terminal::{Terminal, Tone},
        times,
    },
};

/// Between two looks: three to six calls each, far below any quota, and as quick as the notebook's progress is written.
const LOOK: Duration = Duration::from_secs(2);

pub(crate) async fn run(terminal: &Terminal, arguments: &OneRunArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let execution = account.find(&arguments.run).await?;
    follow(terminal, &account, &execution).await
}

/// Follows an execution until it ends, or until a person has seen enough.
pub(crate) async fn follow(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Exit, CliError> {
    tokio::select! {
        ended = to_the_end(terminal, account, execution) => {
            let run = ended.map_err(|error| CliError::Afterwards {
                done: "the run does not depend on this command and goes on".to_owned(),
                error: Box::new(error),
                next: format!("reveille watch {}", execution.run()),
            })?;
            show::tell(terminal, account, &run).await?;
            Ok(Exit::of(&run))
        }
        () = interrupt() => {
            terminal.note(&format!("the run goes on; come back with: reveille watch {}", execution.run()));
            Err(CliError::Detached)
        }
    }
}

async fn to_the_end(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Run, CliError> {
    let mut told = String::new();
    loop {
        let run = account.run(execution).await?;
        if !run.execution.is_running() {
            terminal.clear();
            return Ok(run);
        }
        let stage = stage(account, &run).await?;
        let clock = times::duration(Utc::now() - run.execution.started);
        if terminal.moves() {
            terminal.passing(Tone::Moving, &format!("{clock:>8}  {stage}"));
        } else if stage != told {
            terminal.line(&format!("{clock:>8}  {stage}"));
            told = stage;
        }
        sleep(LOOK).await;
    }
}
