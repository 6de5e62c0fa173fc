//! What ends a step before it is done: the invocation's deadline, and Lambda's word that the environment is shut down.

use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::LambdaInvocation;

/// Kept back from the invocation's time for its answer, on a busy machine with a fraction of a processor.
pub const ANSWER_TIME: Duration = Duration::from_secs(1);

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepEnded<T> {
    /// By itself.
    Done(T),
    /// It was never begun: the invocation was as good as over.
    TooLate,
    /// Its time was over, after so long.
    OutOfTime(Duration),
    /// Lambda ends the environment.
    ToldToEnd,
}

/// SIGTERM, which Lambda sends before it ends an environment.
#[derive(Debug)]
pub struct Termination {
    signal: Signal,
    came: bool,
}

impl Termination {
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { signal: signal(SignalKind::terminate())?, came: false })
    }

    pub(crate) async fn wait(&mut self) {
        self.signal.recv().await;
        self.came = true;
    }

    pub(crate) const fn came(&self) -> bool {
        self.came
    }

    /// Runs a step for as long as its invocation allows. A step that is given up leaves what a lost answer leaves: its
    /// effects may still take place, and whoever comes next looks first.
    pub async fn bound<T>(&mut self, invocation: &LambdaInvocation, step: impl Future<Output = T>) -> StepEnded<T> {
        let Some(time) = invocation.time_left().checked_sub(ANSWER_TIME).filter(|time| !time.is_zero()) else {
            return StepEnded::TooLate;
        };
        let begun = Instant::now();
        tokio::select! {
            biased;
            done = step => StepEnded::Done(done),
            () = tokio::time::sleep(time) => StepEnded::OutOfTime(begun.elapsed()),
            () = self.wait() => StepEnded::ToldToEnd,
        }
    }
}
