//! What the commands that follow a run have in common. The run does not need them: whoever has seen enough leaves, and the run goes on.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use chrono::Utc;
use tokio::time::sleep;

use super::{local::interrupt, stage::Stage};
use crate::{
    clients::{Account, Execution, Run},
    error::CliError,
    ui::{
        terminal::{Terminal, Tone, is_reader_gone},
        times,
    },
};

/// Between two looks: three to six calls each, far below any quota, and as quick as the notebook's progress is written.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// How long looks may fail for a reason that passes before a command gives up: AWS is asked too often, or a network is away.
const PATIENCE: Duration = Duration::from_mins(1);
/// The clock.
const CLOCK: usize = 8;

/// The run at its end, unless a person ends the command before. `again` is the command that comes back.
pub(super) async fn unless_left(
    terminal: &Terminal,
    again: &str,
    to_the_end: impl Future<Output = Result<Run, CliError>>,
) -> Result<Run, CliError> {
    tokio::select! {
        biased;
        ended = to_the_end => ended.map_err(|error| CliError::Afterwards {
            done: "the run does not depend on this command and goes on".to_owned(),
            error: Box::new(error),
            next: again.to_owned(),
        }),
        () = interrupt() => {
            terminal.note(&format!("the run goes on; come back with: {again}"));
            Err(CliError::Detached)
        }
        () = reader_gone() => Err(CliError::Detached),
    }
}

/// Waits until nobody reads standard output any more: they have seen enough, and need not be told.
pub(super) async fn reader_gone() {
    while !is_reader_gone() {
        sleep(LOOK).await;
    }
}

/// A run as it is now.
///
/// # Errors
/// A call's; or Step Functions still shows the end from before a redrive, as it may for a moment.
pub(super) async fn now(account: &Account, execution: &Execution) -> Result<Run, CliError> {
    let run = account.run(execution).await?;
    if run.execution.began() < execution.began() {
        return Err(CliError::ForNow {
            action: format!("tell how {} goes on", run.id).into(),
            message: "Step Functions still shows how it was before the redrive".to_owned(),
        });
    }
    Ok(run)
}

/// Looks, one after the other, of which some may fail.
pub(super) struct Looks {
    patience: Duration,
    /// When the first look began that failed, since one succeeded.
    failing: Option<Instant>,
}

impl Default for Looks {
    fn default() -> Self {
        Self { patience: PATIENCE, failing: None }
    }
}

impl Looks {
    /// What a look saw that began then; `None`: it failed for a reason that passes, and is worth another.
    ///
    /// # Errors
    /// It failed for good, or looks have been failing for too long.
    pub(super) fn seen<T>(&mut self, began: Instant, look: Result<T, CliError>) -> Result<Option<T>, CliError> {
        match look {
            Ok(seen) => {
                self.failing = None;
                Ok(Some(seen))
            }
            // A run that was just started may not be shown yet.
            Err(CliError::ForNow { .. } | CliError::NoRun { .. })
                if self.failing.get_or_insert(began).elapsed() < self.patience =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}

/// A line of its own, behind the time since the run's start, or since it was redriven.
pub(super) fn line(run: &Run, what: &str) -> String {
    format!("{:>CLOCK$}  {what}", times::duration(Utc::now() - run.execution.began()))
}

/// The same in place, on a terminal.
pub(super) fn passing(terminal: &Terminal, run: &Run, stage: &Stage, more: &str) {
    // The clock, the gap behind it, and a column that stays free.
    let room = terminal.width().saturating_sub(CLOCK + 2 + 1);
    terminal.passing(Tone::Moving, &line(run, &stage.line(Utc::now(), more, room)));
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use chrono::{TimeDelta, Utc};

    use super::{Looks, line};
    use crate::{clients::Run, error::CliError};

    fn fails<T>() -> Result<T, CliError> {
        Err(CliError::ForNow { action: "look".into(), message: "ThrottlingException".to_owned() })
    }

    #[test]
    fn a_look_that_fails_is_repeated_for_a_while() {
        let (mut looks, began) = (Looks::default(), Instant::now());
        assert_eq!(looks.seen(began, fails::<u8>()).unwrap(), None);
        assert_eq!(looks.seen(began, Ok(7)).unwrap(), Some(7));
        assert_eq!(looks.failing, None);
        assert!(looks.seen(began, Err::<u8, _>(CliError::NotNow(String::new()))).is_err(), "it fails for good");
        let mut impatient = Looks { patience: Duration::ZERO, failing: None };
        let said = impatient.seen(began, fails::<u8>()).unwrap_err().to_string();
        assert_eq!(said, "cannot look: ThrottlingException");
    }

    #[test]
    fn the_clock_counts_from_a_redrive() {
        let mut run = Run::of_test("daily.ipynb");
        run.execution.started = Utc::now() - TimeDelta::days(4);
        assert!(line(&run, "waits").trim_start().starts_with("4d"), "{}", line(&run, "waits"));
        run.execution.redriven = Some(Utc::now() - TimeDelta::seconds(90));
        assert!(line(&run, "waits").trim_start().starts_with("1m 3"), "{}", line(&run, "waits"));
    }
}
