//! `reveille logs -f`: prints what a run writes as it comes, and ends with the run. The run does not need it.

use std::time::Instant;

use reveille_domain::layout::AttemptRef;
use tokio::time::sleep;

use super::{MAX_LOG, Printed};
use crate::{
    clients::{Account, Ending, Execution, Run},
    commands::{
        follow::{LOOK, Looks, line, now, passing, unless_left},
        forecast::Forecast,
        partial::live,
        stage::{Stage, stage},
    },
    error::CliError,
    exit::Exit,
    ui::terminal::Terminal,
};

pub(super) async fn follow(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Exit, CliError> {
    let again = terminal.command(&format!("reveille logs -f {}", execution.run()));
    let run = unless_left(terminal, &again, Box::pin(to_the_end(terminal, account, execution))).await?;
    let how = run.code().map_or_else(String::new, |code| format!(" ({code})"));
    let show = terminal.command(&format!("reveille show {}", run.id));
    terminal.note(&format!("{} {}{how}; see: {show}", run.id, run.ending.word()));
    Ok(Exit::of(&run))
}

/// What was printed of one attempt.
#[derive(Default)]
struct Followed {
    at: Option<AttemptRef>,
    printed: Printed,
    /// The place of the piece that was read last.
    last: Option<u64>,
    /// Whether the final log was printed.
    finished: bool,
}

async fn to_the_end(terminal: &Terminal, account: &Account, execution: &Execution) -> Result<Run, CliError> {
    let mut followed = Followed::default();
    let mut told = String::new();
    let (mut forecast, mut looks) = (Forecast::default(), Looks::default());
    if account.shows_nothing_live() {
        terminal.note("this stack uploads what a notebook prints only when it ends (LiveOutputSeconds is 0, or the stack's version is too old for it)");
    }
    loop {
        let began = Instant::now();
        match looks.seen(began, followed.run(terminal, account, execution).await)? {
            Some((run, None)) => return Ok(run),
            Some((run, Some(stage))) => {
                if terminal.moves() {
                    let more = forecast.more(account, &run, &stage).await;
                    passing(terminal, &run, &stage, &more);
                } else if followed.printed.is_nothing() && stage.words() != told {
                    told = stage.words();
                    terminal.note(&line(&run, &told));
                }
            }
            None => {}
        }
        sleep(LOOK).await;
    }
}

impl Followed {
    /// The run, with what is new of it printed, and what it does if it goes on.
    async fn run(
        &mut self,
        terminal: &Terminal,
        account: &Account,
        execution: &Execution,
    ) -> Result<(Run, Option<Stage>), CliError> {
        let run = now(account, execution).await?;
        if let Some(at) = live(account, &run).await? {
            self.look(terminal, account, at).await?;
        }
        if run.execution.is_running() {
            let stage = stage(account, &run).await?;
            return Ok((run, Some(stage)));
        }
        terminal.clear();
        self.finish(terminal, account, &run).await?;
        Ok((run, None))
    }

    /// Prints what is new of an attempt that goes on.
    async fn look(&mut self, terminal: &Terminal, account: &Account, at: &AttemptRef) -> Result<(), CliError> {
        if self.at.as_ref() != Some(at) {
            if self.at.is_some() {
                terminal.note(&format!("attempt {} begins", at.attempt));
            }
            *self = Self { at: Some(at.clone()), ..Self::default() };
        }
        if self.finished {
            return Ok(());
        }
        for piece in account.pieces(at, self.last).await? {
            self.last = Some(piece.from);
            print(terminal, &self.printed.piece(&piece));
        }
        // The final log is there before the run has ended: its instance is still to stop.
        let report = match account.report(at).await {
            Err(CliError::Record { .. }) => None,
            report => report?,
        };
        if report.is_some_and(|report| report.outputs.contains_key("log")) {
            self.rest(terminal, account, &(account.layout.attempt(at) + "log.txt")).await?;
        }
        Ok(())
    }

    /// Prints what the final log has beyond that.
    async fn rest(&mut self, terminal: &Terminal, account: &Account, key: &str) -> Result<(), CliError> {
        if let Some(log) = account.object(key, MAX_LOG).await? {
            print(terminal, &self.printed.rest(&log));
            self.finished = true;
        }
        Ok(())
    }

    /// The end of a run: its log, as far as it was not printed, or that there is none.
    async fn finish(&mut self, terminal: &Terminal, account: &Account, run: &Run) -> Result<(), CliError> {
        if self.finished {
            return Ok(());
        }
        if let Some(key) = account.key_of(run, "log") {
            self.rest(terminal, account, key).await?;
            if !self.finished {
                terminal.note(&format!("the log of {} was deleted from {}", run.id, account.layout.bucket));
            }
            return Ok(());
        }
        let executes = !matches!(run.ending, Ending::Skipped | Ending::Duplicate | Ending::NotSelected);
        if executes && !self.printed.is_nothing() {
            terminal.note("the run ended without its outputs: this is what was uploaded before");
        }
        Ok(())
    }
}

/// Prints a part of a log.
fn print(terminal: &Terminal, text: &[u8]) {
    if !text.is_empty() {
        terminal.clear();
        terminal.verbatim(&String::from_utf8_lossy(text));
    }
}
