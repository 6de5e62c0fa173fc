//! A person who ends a command that holds something: it is known between two steps, so that what is held can be put back. Cuts off no call,
//! unless they ask a second time.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, task, time::sleep};

use crate::{commands::local::interrupt, error::CliError, ui::terminal::complain_in_lines};

/// One wish to end may come as several signals: `timeout` and a terminal that goes away send them to a program and to its group.
const ONE_WISH: Duration = Duration::from_millis(500);

/// Whether a person has asked to end the command.
pub(super) struct Stop(Arc<(AtomicBool, Notify)>);

impl Stop {
    /// From now on, Ctrl-C and its like are noted, and end nothing by themselves. The second ends the program where it is: putting things back
    /// may itself wait for an answer that does not come.
    pub(super) fn listening() -> Self {
        Self::listening_until(|| process::exit(i32::from(CliError::Interrupted.exit_code())))
    }

    fn listening_until(the_second: impl FnOnce() + Send + 'static) -> Self {
        let asked = Arc::<(AtomicBool, Notify)>::default();
        let note = Arc::clone(&asked);
        // The handler is there before the task has its first turn.
        let interrupted = interrupt();
        task::spawn(async move {
            interrupted.await;
            note.0.store(true, Ordering::Relaxed);
            note.1.notify_one();
            sleep(ONE_WISH).await;
            interrupt().await;
            the_second();
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

    /// What a person answers to a question, unless they end the command instead.
    ///
    /// # Errors
    /// They do.
    pub(super) async fn unless_asked<T: Send + 'static>(
        &self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CliError> {
        tokio::select! {
            biased;
            () = self.0.1.notified() => {
                // The cursor is behind the question.
                complain_in_lines("");
                Err(CliError::Interrupted)
            }
            answer = task::spawn_blocking(ask) => answer.map_err(|error| CliError::Runtime(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};
    use tokio::{sync::oneshot, time::interval};

    use super::Stop;
    use crate::error::CliError;

    #[tokio::test]
    async fn a_question_ends_with_its_answer_or_with_ctrl_c_and_the_program_with_the_second() {
        let (ends, ended) = oneshot::channel();
        // Signals are for the whole process: this is the only test that sends any, and it must outlive them.
        let stop = Stop::listening_until(|| ends.send(()).unwrap());
        assert_eq!(stop.unless_asked(|| 7).await.unwrap(), 7);
        assert!(!stop.is_asked());
        kill_process(getpid(), Signal::INT).unwrap();
        // It waits, as for a person, until the test is over.
        let (over, waits) = std::sync::mpsc::channel::<()>();
        assert!(matches!(stop.unless_asked(move || waits.recv().is_ok()).await, Err(CliError::Interrupted)));
        drop(over);
        assert!(stop.is_asked());
        // It is sent until it is heard: a moment after the first it would be the same wish.
        let mut again = interval(Duration::from_millis(100));
        let sends = async {
            loop {
                again.tick().await;
                kill_process(getpid(), Signal::INT).unwrap();
            }
        };
        tokio::select! {
            ended = ended => ended.unwrap(),
            () = sends => {}
        }
    }
}
