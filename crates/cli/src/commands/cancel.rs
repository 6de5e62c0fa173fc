//! `reveille cancel`: stops runs, and stays until each has its outcome and its instance needs nobody's attention.

use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use reveille_domain::InstanceName;
use tokio::time::{Instant, sleep};

use super::local::interrupt;
use crate::{
    arguments::CancelArguments,
    clients::{Account, Execution, Run},
    error::CliError,
    exit::Exit,
    ui::terminal::{Terminal, Tone},
};

const LOOK: Duration = Duration::from_secs(2);
/// The sweeper is called at once, and again every five minutes; an instance takes some minutes to stop.
const PATIENCE: Duration = Duration::from_mins(20);
/// What the outcome says was given as the reason.
const ERROR: &str = "Cancelled";
const CAUSE: &str = "stopped with `reveille cancel`";

pub(crate) async fn run(terminal: &Terminal, arguments: &CancelArguments) -> Result<Exit, CliError> {
    let account = Account::of(&arguments.stack).await?;
    // All names are looked up before anything is stopped.
    let mut executions = Vec::new();
    for name in &arguments.runs {
        let execution = account.find(name).await?;
        if executions.iter().all(|other: &Execution| other.arn != execution.arn) {
            executions.push(execution);
        }
    }
    let mut stopped = Vec::new();
    for execution in executions {
        let id = execution.run();
        if !execution.is_running() {
            terminal.lines(&format!("{id} had already ended: {}", execution.status.as_str()));
            continue;
        }
        let call = account.sfn.stop_execution().execution_arn(&execution.arn).error(ERROR).cause(CAUSE);
        call.send().await.map_err(|error| {
            let maybe = format!("{id} may have been stopped");
            CliError::changing(format!("stop {id}"), &error, maybe, format!("reveille show {id}"))
        })?;
        terminal.lines(&format!("{id} is stopped; waiting until its notebook has ended and its outcome is recorded"));
        stopped.push(execution);
    }
    let mut exit = Exit::Done;
    for execution in &stopped {
        let id = execution.run();
        tokio::select! {
            ended = wait(terminal, &account, execution) => {
                let ended = ended.map_err(|error| CliError::Afterwards {
                    done: format!("{id} stays stopped"),
                    error: Box::new(error),
                    next: format!("reveille show {id}"),
                });
                match ended? {
                    Some(Settled::Well(sentence)) => terminal.marked(Tone::Good, "✓", &format!("{id}: {sentence}")),
                    Some(Settled::LeftOn(sentence)) => {
                        terminal.marked(Tone::Bad, "✗", &format!("{id}: {sentence}"));
                        exit = Exit::NotStopped;
                    }
                    None => {
                        let minutes = PATIENCE.as_secs() / 60;
                        terminal.note(&format!("{id}: it has no outcome, or its instance is still on, after {minutes} minutes; see `reveille instances`"));
                        return Ok(Exit::Waiting);
                    }
                }
            }
            () = interrupt() => {
                let show = terminal.command(&format!("reveille show {id}"));
                terminal.note(&format!("{id} stays stopped; see what became of it with: {show}"));
                return Err(CliError::Detached);
            }
        }
    }
    Ok(exit)
}

/// What became of the instance of a run that was stopped.
enum Settled {
    /// It needs nobody's attention.
    Well(String),
    /// It is on, and nobody stops it.
    LeftOn(String),
}

/// Waits until a run has its outcome and its instance is stopped or somebody else's; `None`: it took too long.
async fn wait(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Option<Settled>, CliError> {
    let deadline = Instant::now() + PATIENCE;
    let mut run = account.run(execution).await?;
    while Instant::now() < deadline {
        if run.is_concluded()
            && let Some(settled) = instance_after(account, &run).await?
        {
            terminal.clear();
            return Ok(Some(settled));
        }
        let what = if run.is_concluded() { "waits for its instance to stop" } else { "waits for its outcome" };
        terminal.passing(Tone::Moving, &format!("  {}  {what}", run.id));
        sleep(LOOK).await;
        if !run.is_concluded() {
            run = account.run(execution).await?;
        }
    }
    Ok(None)
}

/// What became of the instance, once that is settled.
async fn instance_after(account: &Account, run: &Run) -> Result<Option<Settled>, CliError> {
    let well = |sentence: String| Ok(Some(Settled::Well(sentence)));
    let Some(name) = run.instance.as_deref().and_then(|name| InstanceName::parse(name).ok()) else {
        return well("its outcome is recorded".to_owned());
    };
    match account.status(name.as_str()).await? {
        None => return well(format!("{name} does not exist any more")),
        Some(Status::Stopped | Status::Failed) => return well(format!("{name} was seen stopped")),
        Some(Status::InService) => {}
        Some(_) => return Ok(None),
    }
    let lease = match account.believed_lease(&name).await {
        Err(CliError::Record { key, .. }) => {
            return Ok(Some(Settled::LeftOn(format!(
                "{name} is on, and nobody stops it, because its lease {key} cannot be read; what to do: reveille explain Internal"
            ))));
        }
        lease => lease?,
    };
    match lease {
        None => {
            well(format!("{name} is on and no run holds it: a person started it, or it is not certain whose it is"))
        }
        Some(lease) => match lease.busy {
            Some(at) if at.run != run.id => well(format!("{name} goes on with {}", at.run)),
            _ if lease.person_at.is_some() => well(format!("{name} is left to a person who works on it")),
            _ => Ok(None),
        },
    }
}
