//! `reveille cancel`: stops runs, and stays until each has its outcome and its instance needs nobody's attention.

use std::{
    cell::RefCell,
    time::{Duration, Instant},
};

use aws_sdk_sagemaker::types::NotebookInstanceStatus as Status;
use futures_util::{StreamExt, stream};
use reveille_domain::{InstanceName, RunId};
use tokio::time::sleep;

use super::{
    follow::{Looks, now, reader_gone},
    local::interrupt,
};
use crate::{
    arguments::CancelArguments,
    clients::{AT_ONCE, Account, Execution, Run},
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
        account.own(&execution.arn)?;
        if executions.iter().all(|other: &Execution| other.arn != execution.arn) {
            executions.push(execution);
        }
    }
    let asked = RefCell::new(Asked::default());
    tokio::select! {
        biased;
        ended = Box::pin(cancel(terminal, &account, executions, &asked)) => ended,
        () = interrupt() => {
            for note in asked.borrow().notes(terminal) {
                terminal.note(&note);
            }
            Err(CliError::Detached)
        }
        () = reader_gone() => Err(CliError::Detached),
    }
}

/// What was asked of AWS so far, for whoever ends the command.
#[derive(Debug, Default)]
struct Asked {
    /// The run that is being stopped.
    stops: Option<RunId>,
    /// Those that were stopped, and are not settled yet.
    stopped: Vec<RunId>,
}

impl Asked {
    fn notes(&self, terminal: &Terminal) -> Vec<String> {
        let show = |id: &RunId| terminal.command(&format!("reveille show {id}"));
        let find_out = |id: &RunId| format!("see what became of it with: {}", show(id));
        let stops = self.stops.iter().map(|id| format!("{id} may have been stopped; {}", find_out(id)));
        let stopped = self.stopped.iter().map(|id| format!("{id} stays stopped; {}", find_out(id)));
        stopped.chain(stops).collect()
    }
}

/// A run that was stopped, and is waited for.
struct Stopped {
    execution: Execution,
    /// What was seen of it last.
    run: Option<Run>,
    looks: Looks,
}

impl Stopped {
    /// Looks at it.
    async fn look(mut self, account: &Account) -> (Self, Result<Option<Settled>, CliError>) {
        let began = Instant::now();
        let looked = self.settled(account).await;
        let settled = self.looks.seen(began, looked).map(Option::flatten);
        (self, settled)
    }

    /// What became of it; `None`: that is not settled yet.
    async fn settled(&mut self, account: &Account) -> Result<Option<Settled>, CliError> {
        if !self.is_concluded() {
            self.run = Some(now(account, &self.execution).await?);
        }
        match &self.run {
            Some(run) if run.is_concluded() => instance_after(account, run).await,
            _ => Ok(None),
        }
    }

    fn is_concluded(&self) -> bool {
        self.run.as_ref().is_some_and(Run::is_concluded)
    }
}

/// What became of the instance of a run that was stopped.
enum Settled {
    /// It needs nobody's attention.
    Well(String),
    /// It is on, and nobody stops it.
    LeftOn(String),
}

/// Stops the runs, and waits for all of them together.
async fn cancel(
    terminal: &Terminal,
    account: &Account,
    executions: Vec<Execution>,
    asked: &RefCell<Asked>,
) -> Result<Exit, CliError> {
    let (mut waits, mut exit, mut problems) = (Vec::new(), Exit::Done, Vec::new());
    for execution in executions {
        let id = execution.run();
        if !execution.is_running() {
            terminal.lines(&format!("{id} had already ended: {}", execution.status.as_str()));
            continue;
        }
        asked.borrow_mut().stops = Some(id.clone());
        let stopped = stop(account, &execution).await;
        asked.borrow_mut().stops = None;
        if let Err(problem) = stopped {
            problems.push(problem);
            continue;
        }
        terminal.lines(&format!("{id} is stopped; waiting until its notebook has ended and its outcome is recorded"));
        asked.borrow_mut().stopped.push(id);
        waits.push(Stopped { execution, run: None, looks: Looks::default() });
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let looks = stream::iter(waits).map(|one| one.look(account)).buffered(AT_ONCE);
        let looked: Vec<(Stopped, Result<Option<Settled>, CliError>)> = looks.collect().await;
        waits = Vec::new();
        for (one, settled) in looked {
            let id = one.execution.run();
            match settled {
                Ok(None) => {
                    waits.push(one);
                    continue;
                }
                Ok(Some(Settled::Well(sentence))) => terminal.marked(Tone::Good, "✓", &format!("{id}: {sentence}")),
                Ok(Some(Settled::LeftOn(sentence))) => {
                    terminal.marked(Tone::Bad, "✗", &terminal.advice(&format!("{id}: {sentence}")));
                    exit = Exit::NotStopped;
                }
                Err(error) => problems.push(CliError::Afterwards {
                    done: format!("{id} stays stopped"),
                    error: Box::new(error),
                    next: format!("reveille show {id}"),
                }),
            }
            asked.borrow_mut().stopped.retain(|other| *other != id);
        }
        if waits.is_empty() || Instant::now() >= deadline {
            break;
        }
        terminal.passing(Tone::Moving, &format!("  {}", waiting(&waits)));
        sleep(LOOK).await;
    }
    for one in &waits {
        let (id, minutes) = (one.execution.run(), PATIENCE.as_secs() / 60);
        terminal.note(&format!(
            "{id}: it has no outcome, or its instance is still on, after {minutes} minutes; see `reveille instances`"
        ));
    }
    if exit == Exit::Done && !waits.is_empty() {
        exit = Exit::Waiting;
    }
    verdict(terminal, exit, problems)
}

async fn stop(account: &Account, execution: &Execution) -> Result<(), CliError> {
    let id = execution.run();
    let call = account.sfn.stop_execution().execution_arn(&execution.arn).error(ERROR).cause(CAUSE);
    call.send().await.map(drop).map_err(|error| {
        let maybe = format!("{id} may have been stopped");
        CliError::changing(format!("stop {id}"), &error, maybe, format!("reveille show {id}"))
    })
}

/// What is waited for, on one line.
fn waiting(waits: &[Stopped]) -> String {
    let what = |is_concluded| if is_concluded { "its instance to stop" } else { "its outcome" };
    if let [one] = waits {
        return format!("{}  waits for {}", one.execution.run(), what(one.is_concluded()));
    }
    let concluded = waits.iter().filter(|one| one.is_concluded()).count();
    let without = waits.len() - concluded;
    format!("{without} runs wait for their outcomes, {concluded} for their instances to stop")
}

/// How all of it ended: an instance that nobody stops first, because it costs money; then what could not be done; then what was not waited for.
fn verdict(terminal: &Terminal, exit: Exit, problems: Vec<CliError>) -> Result<Exit, CliError> {
    let mut problems = problems.into_iter();
    let first = if exit == Exit::NotStopped { None } else { problems.next() };
    for problem in problems {
        terminal.complain(&problem.to_string());
    }
    first.map_or(Ok(exit), Err)
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

#[cfg(test)]
mod tests {
    use reveille_domain::RunId;

    use super::{Asked, verdict};
    use crate::{error::CliError, exit::Exit, ui::terminal::Terminal};

    #[test]
    fn an_instance_that_nobody_stops_comes_first() {
        let terminal = Terminal::plain(80);
        let problem = || vec![CliError::NotThere("gone".to_owned()), CliError::NotNow("why".to_owned())];
        assert_eq!(verdict(&terminal, Exit::NotStopped, problem()).unwrap(), Exit::NotStopped);
        assert_eq!(verdict(&terminal, Exit::Waiting, problem()).unwrap_err().exit_code(), 5);
        assert_eq!(verdict(&terminal, Exit::Waiting, Vec::new()).unwrap(), Exit::Waiting);
        assert_eq!(verdict(&terminal, Exit::Done, Vec::new()).unwrap(), Exit::Done);
    }

    #[test]
    fn whoever_leaves_is_told_what_was_stopped() {
        let asked = Asked { stops: Some(RunId::from_key("b-2")), stopped: vec![RunId::from_key("a-1")] };
        assert_eq!(
            asked.notes(&Terminal::plain(80)),
            [
                "a-1 stays stopped; see what became of it with: reveille show a-1",
                "b-2 may have been stopped; see what became of it with: reveille show b-2"
            ]
        );
    }
}
