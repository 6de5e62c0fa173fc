//! `reveille watch`: follows a run to its end. The run does not need it.

use std::time::Duration;

use chrono::Utc;
use tokio::time::sleep;

use super::{forecast::Forecast, local::interrupt, show, stage::stage};
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
    let mut forecast = Forecast::default();
    loop {
        let run = account.run(execution).await?;
        if !run.execution.is_running() {
            terminal.clear();
            return Ok(run);
        }
        let stage = stage(account, &run).await?;
        let more = forecast.more(account, &run, &stage).await;
        let now = Utc::now();
        let clock = times::duration(now - run.execution.started);
        if terminal.moves() {
            // The clock, the gap behind it, and a column that stays free.
            let line = stage.line(now, &more, terminal.width().saturating_sub(8 + 2 + 1));
            terminal.passing(Tone::Moving, &format!("{clock:>8}  {line}"));
        } else if stage.words() != told {
            told = stage.words();
            terminal.line(&format!("{clock:>8}  {told}{more}"));
        }
        sleep(LOOK).await;
    }
}
