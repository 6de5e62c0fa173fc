//! `reveille watch`: follows a run to its end. The run does not need it.

use std::time::Instant;

use tokio::time::sleep;

mod in_progress;

use in_progress::in_progress;

use super::{
    follow::{LOOK, Looks, line, now, passing, unless_left},
    forecast::Forecast,
    show,
    stage::{Stage, stage},
};
use crate::{
    arguments::WatchArguments,
    clients::{Account, Execution, Run},
    error::CliError,
    exit::Exit,
    prices::Prices,
    ui::terminal::Terminal,
};

pub(crate) async fn run(terminal: &Terminal, arguments: &WatchArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let run = match &arguments.run {
        Some(name) => account.run_named(name).await?,
        None => in_progress(terminal, &account).await?,
    };
    let execution = run.execution.clone();
    follow(terminal, &account, &execution, Some(run)).await
}

/// Follows an execution until it ends, or until a person has seen enough; `seen` is what is known of it already.
pub(crate) async fn follow(
    terminal: &Terminal,
    account: &Account,
    execution: &Execution,
    seen: Option<Run>,
) -> Result<Exit, CliError> {
    let again = terminal.command(&format!("reveille watch {}", execution.run()));
    // The run is there, whatever is wrong with a file of prices: it is followed without.
    let prices = Prices::chosen(None).or_else(|error| {
        terminal.note(&error.to_string());
        Prices::of(None)
    })?;
    let run = unless_left(terminal, &again, Box::pin(to_the_end(terminal, account, execution, seen))).await?;
    show::tell(terminal, account, &run, &prices).await?;
    Ok(Exit::of(&run))
}

async fn to_the_end(
    terminal: &Terminal,
    account: &Account,
    execution: &Execution,
    mut seen: Option<Run>,
) -> Result<Run, CliError> {
    let mut told = String::new();
    let (mut forecast, mut looks) = (Forecast::default(), Looks::default());
    loop {
        let began = Instant::now();
        match looks.seen(began, look(account, execution, seen.take()).await)? {
            Some((run, None)) => {
                terminal.clear();
                return Ok(run);
            }
            Some((run, Some(stage))) => {
                let more = forecast.more(account, &run, &stage).await;
                if terminal.moves() {
                    passing(terminal, &run, &stage, &more);
                } else if stage.words() != told {
                    told = stage.words();
                    terminal.line(&line(&run, &format!("{told}{more}")));
                }
            }
            None => {}
        }
        sleep(LOOK).await;
    }
}

/// The run, and what it does if it goes on.
async fn look(account: &Account, execution: &Execution, seen: Option<Run>) -> Result<(Run, Option<Stage>), CliError> {
    let run = match seen {
        Some(run) => run,
        None => now(account, execution).await?,
    };
    let stage = if run.execution.is_running() { Some(stage(account, &run).await?) } else { None };
    Ok((run, stage))
}
