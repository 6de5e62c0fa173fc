//! The processes of a boot: what a notebook or a runner is to the machine that it lives on.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

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
