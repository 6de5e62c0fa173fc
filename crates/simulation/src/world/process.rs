//! The processes of a boot: what a notebook or a runner is to the machine that it lives on.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use reveille_asl::simulated::AbortHandle;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::ExecutedNotebook;
use tokio::sync::Notify;

/// A process of the runner.
pub(super) struct RunnerProcess {
    /// Whether it was killed from outside: its actor, too, knows.
    pub(super) killed: Rc<Cell<bool>>,
    /// What ends it.
    pub(super) handle: AbortHandle,
}

/// Whether a machine asked its processes to end, and who waits for that. A runner looks each time that it goes on, so that a look
/// must cost nearly nothing.
#[derive(Default)]
pub(super) struct AskedProcesses {
    asked: Cell<bool>,
    waits: RefCell<Vec<Waker>>,
}

impl AskedProcesses {
    pub(super) fn ask(&self) {
        self.asked.set(true);
        for waits in self.waits.take() {
            waits.wake();
        }
    }

    pub(super) fn is_asked(&self) -> bool {
        self.asked.get()
    }

    /// Returns when they are asked.
    pub(super) async fn asked(&self) {
        poll_fn(|context| {
            if self.is_asked() {
                return Poll::Ready(());
            }
            let mut waits = self.waits.borrow_mut();
            if !waits.iter().any(|known| known.will_wake(context.waker())) {
                waits.push(context.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

/// One execution of a notebook.
pub(super) struct NotebookRun {
    /// The attempt.
    pub(super) at: AttemptRef,
    pub(super) began_ms: i64,
    pub(super) ended: Cell<bool>,
    pub(super) result: RefCell<Option<ExecutedNotebook>>,
    pub(super) bell: Notify,
    pub(super) process: RefCell<Option<AbortHandle>>,
}

impl NotebookRun {
    /// Whether its process lives.
    pub(super) fn executes(&self) -> bool {
        !self.ended.get()
    }

    /// Kills its process.
    pub(super) fn end(&self) {
        self.ended.set(true);
        if let Some(process) = self.process.take() {
            process.abort();
        }
    }
}
