//! The machine asks this process to end, as it does before it powers off: nothing is begun any more, the notebook at hand is
//! ended, and what there is of it is uploaded and reported. All of it is bounded: nobody knows how long the machine waits, and
//! what is not done by then is as if the process had been killed.

use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::RUNNER_END;
use reveille_domain::ports::{AskedToEnd, Cells, ExecutedNotebook, Log, RunningNotebook, Sleep};
use reveille_domain::{Code, Failure};

use super::{Runner, RunnerPorts};
use crate::lost;

/// Left to the end of the process itself, before the unit's own limit kills it in the middle of a call.
const MARGIN: Duration = Duration::from_secs(5);
/// Of the time that is left, what uploads may take: the notebook's end comes before, and the report and the answer after them.
const UPLOADS_TAKE: Duration = Duration::from_secs(20);

impl<P: RunnerPorts> Runner<'_, P> {
    /// Returns when this process may end: asked to, and with nothing of an attempt left to do, or no time left for it.
    pub(super) async fn leave(&self) {
        self.ports.asked_to_end().await;
        self.leaving.set(true);
        self.ports.log("this machine asked the runner to end");
        tokio::select! {
            biased;
            () = self.nothing_is_served() => {}
            () = self.ports.sleep(RUNNER_END.saturating_sub(MARGIN)) => {
                self.ports.log("there was no time to keep all of the notebook that ran");
            }
        }
    }

    async fn nothing_is_served(&self) {
        while self.held.borrow().is_some() {
            self.served_all.notified().await;
        }
    }

    /// Returns when uploads must end, because the machine is about to go.
    pub(super) async fn uploads_are_late(&self) {
        self.ports.asked_to_end().await;
        self.ports.sleep(UPLOADS_TAKE).await;
    }

    /// Ends the notebook for a machine that is about to go.
    pub(super) async fn end_for_the_machine(&self, at: &AttemptRef, running: impl RunningNotebook) -> ExecutedNotebook {
        self.ports.log(&format!("run {} attempt {}: its notebook is ended", at.run, at.attempt));
        let left = running.end_soon().await;
        let failure = left.failure.map(|failure| verdict(failure, at, self.cells.get()));
        ExecutedNotebook { failure, ..left }
    }
}

/// What may be said of a notebook that ended while its machine was about to go. What its cells raised is its own. That it was
/// cut off, or that its kernel or its driver died, may be the machine's doing: of that only the loss is certain.
fn verdict(failure: Failure, at: &AttemptRef, cells: Cells) -> Failure {
    let cut_off = matches!(failure.code, Code::Cancelled | Code::KernelDied | Code::Internal | Code::RunTimedOut);
    if cut_off { lost(at, cells) } else { failure }
}

fn lost(at: &AttemptRef, cells: Cells) -> Failure {
    let place = lost::place(cells.cell, cells.cells);
    Failure::new(
        Code::RunnerLost,
        format!(
            "Notebook instance {} was stopped while the notebook ran{place}, for example by a person in the console. Its runner was told to end, ended the notebook, and kept its outputs so far. (The same happens if somebody ends only the runner.) {}",
            at.instance,
            lost::advice("")
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "this is a test")]
mod tests {
    use super::*;
    use reveille_domain::RunId;

    #[test]
    fn of_a_notebook_that_was_cut_off_only_the_loss_is_told_and_what_its_cells_raised_stays() {
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r"), attempt: 1 };
        let of = |code| verdict(Failure::new(code, "as it was"), &at, Cells { cell: 2, cells: 5, done: 1 });
        for cut in [Code::Cancelled, Code::KernelDied, Code::Internal, Code::RunTimedOut] {
            let lost = of(cut);
            assert_eq!(lost.code, Code::RunnerLost, "{cut}");
            assert!(lost.message.contains("nightly was stopped while the notebook ran, at cell 2 of 5"), "{lost}");
        }
        for own in [Code::NotebookFailed, Code::OutputNotSaved, Code::NotebookNotFound, Code::KernelNotFound] {
            assert_eq!(of(own).message, "as it was", "{own}");
        }
    }
}
