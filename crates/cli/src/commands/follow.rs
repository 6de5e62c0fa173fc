//! What the commands that follow a run have in common. The run does not need them: whoever has seen enough leaves, and the run goes on.

use std::{future::Future, time::Duration};

use chrono::Utc;

use super::{local::interrupt, stage::Stage};
use crate::{
    clients::Run,
    error::CliError,
    ui::{
        terminal::{Terminal, Tone},
        times,
    },
};

/// Between two looks: three to six calls each, far below any quota, and as quick as the notebook's progress is written.
pub(super) const LOOK: Duration = Duration::from_secs(2);
/// The clock.
const CLOCK: usize = 8;

/// The run at its end, unless a person ends the command before. `again` is the command that comes back.
pub(super) async fn unless_left(
    terminal: &Terminal,
    again: &str,
    to_the_end: impl Future<Output = Result<Run, CliError>>,
) -> Result<Run, CliError> {
    tokio::select! {
        ended = to_the_end => ended.map_err(|error| CliError::Afterwards {
            done: "the run does not depend on this command and goes on".to_owned(),
            error: Box::new(error),
            next: again.to_owned(),
        }),
        () = interrupt() => {
            terminal.note(&format!("the run goes on; come back with: {again}"));
            Err(CliError::Detached)
        }
    }
}

/// A line of its own, behind the time since the run's start.
pub(super) fn line(run: &Run, what: &str) -> String {
    format!("{:>CLOCK$}  {what}", times::duration(Utc::now() - run.execution.started))
}

/// The same in place, on a terminal.
pub(super) fn passing(terminal: &Terminal, run: &Run, stage: &Stage, more: &str) {
    // The clock, the gap behind it, and a column that stays free.
    let room = terminal.width().saturating_sub(CLOCK + 2 + 1);
    terminal.passing(Tone::Moving, &line(run, &stage.line(Utc::now(), more, room)));
}
