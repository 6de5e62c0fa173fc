//! `reveille watch`: follows a run to its end. The run does not need it.

use std::time::Duration;

use aws_sdk_sfn::types::{HistoryEventType, StateEnteredEventDetails};
use chrono::Utc;
use reveille_domain::records::Progress;
use tokio::time::sleep;

use super::{local::interrupt, show};
use crate::{
    arguments::WatchArguments,
    clients::{Account, Execution, Run},
    error::CliError,
    exit::Exit,
    ui::{
        terminal::{Terminal, Tone},
        times,
    },
};

/// Between two looks: four calls each, far below any quota, and as quick as the notebook's progress is written.
const LOOK: Duration = Duration::from_secs(2);
/// Events that are looked at to find the present state: a state has no more than ten.
const LAST_EVENTS: i32 = 20;
const BAR: usize = 24;

pub(crate) async fn run(terminal: &Terminal, arguments: &WatchArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    let execution = account.find(&arguments.run).await?;
    follow(terminal, &account, &execution).await
}

/// Follows an execution until it ends, or until a person has seen enough.
pub(crate) async fn follow(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Exit, CliError> {
    tokio::select! {
        ended = to_the_end(terminal, account, execution) => {
            let run = ended?;
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

/// What a run does now, in a few words.
pub(super) async fn stage(account: &Account, run: &Run) -> Result<String, CliError> {
    let call = account.sfn.get_execution_history().execution_arn(&run.execution.arn).reverse_order(true);
    let history = call.max_results(LAST_EVENTS).send().await;
    let history = history.map_err(|error| CliError::asked("read the execution's history", &error))?;
    let entered = history.events.iter().find_map(|event| match event.r#type {
        HistoryEventType::ExecutionStarted => Some("Prepare"),
        _ => event.state_entered_event_details().map(StateEnteredEventDetails::name),
    });
    let instance = run.instance.as_deref().unwrap_or("the instance");
    Ok(match entered {
        Some("CheckInstance" | "IsReady" | "StartInstance" | "WaitForInstance") => format!("starting {instance}"),
        Some("AwaitRun") => in_the_queue_or_running(account, run, instance).await?,
        Some("VerifyStopped" | "IsStopped" | "WaitForStop") => format!("stopping {instance}"),
        Some("ConcludeRun" | "IsConcluded") => "recording the outcome".to_owned(),
        _ => "checking the input".to_owned(),
    })
}

async fn in_the_queue_or_running(account: &Account, run: &Run, instance: &str) -> Result<String, CliError> {
    let Some(at) = &run.at else { return Ok(format!("waiting for its turn on {instance}")) };
    if account.claim(at).await?.is_none() {
        return Ok(format!("waiting for its turn on {instance}"));
    }
    Ok(match account.progress(at).await? {
        Some(progress) if progress.cells > 0 => cells(&progress),
        _ => "starting the kernel".to_owned(),
    })
}

fn cells(progress: &Progress) -> String {
    let done = usize::try_from(progress.cell).unwrap_or_default();
    let all = usize::try_from(progress.cells).unwrap_or_default().max(1);
    let full = (done * BAR / all).min(BAR);
    format!("{}{}  cell {done} of {all}", "█".repeat(full), "░".repeat(BAR - full))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use reveille_domain::records::Progress;

    use super::cells;

    #[test]
    fn a_bar_is_as_long_as_it_is() {
        for (cell, cells_of_it, full) in [(0, 4, 0), (2, 4, 12), (4, 4, 24), (9, 4, 24), (1, 0, 24)] {
            let text = cells(&Progress { cell, cells: cells_of_it, at: Utc::now() });
            assert_eq!(text.chars().filter(|sign| *sign == '█').count(), full, "{text}");
            assert_eq!(text.chars().filter(|sign| "█░".contains(*sign)).count(), 24);
        }
    }
}
