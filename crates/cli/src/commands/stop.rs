//! A person who ends a command that holds something: it is known between two steps, so that what is held can be put back. Cuts off no call.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{sync::Notify, task};

use crate::{commands::local::interrupt, error::CliError};

/// Whether a person has asked to end the command.
pub(super) struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// From now on, Ctrl-C and its like are noted, and end nothing by themselves.
    pub(super) fn listening() -> Self {
        let asked = Arc::<(AtomicBool, Notify)>::default();
        let note = Arc::clone(&asked);
        // The handler is there before the task has its first turn.
        let interrupted = interrupt();
        task::spawn(async move {
            interrupted.await;
            note.0.store(true, Ordering::Relaxed);
            note.1.notify_one();
        });
        Self(asked)
    }

    /// As after Ctrl-C.
    #[cfg(test)]
    pub(super) fn was_asked() -> Self {
        let asked = Arc::<(AtomicBool, Notify)>::default();
        asked.0.store(true, Ordering::Relaxed);
        asked.1.notify_one();
        Self(asked)
    }

    pub(super) fn is_asked(&self) -> bool {
        self.0.0.load(Ordering::Relaxed)
    }

    /// Waits until they do.
    pub(super) async fn asked(&self) {
        self.0.1.notified().await;
    }

    /// What something says that waits for a person, unless they end the command instead.
    ///
    /// # Errors
    /// They do.
    pub(super) async fn unless_asked<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.0.1.notified() => Err(CliError::Interrupted),
            answer = task::spawn_blocking(ask) => answer.map_err(|error| CliError::Runtime(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::Stop;
    use crate::error::CliError;

    #[tokio::test]
    async fn a_question_ends_with_its_answer_or_with_ctrl_c() {
        let stop = Stop::listening();
        assert_eq!(stop.unless_asked(|| 7).await.unwrap(), 7);
        assert!(!stop.is_asked());
        kill_process(getpid(), Signal::INT).unwrap();
        // It waits, as for a person, until the test is over.
        let (over, waits) = std::sync::mpsc::channel::<()>();
        assert!(matches!(stop.unless_asked(move || waits.recv().is_ok()).await, Err(CliError::Interrupted)));
        drop(over);
        assert!(stop.is_asked());
    }
}
