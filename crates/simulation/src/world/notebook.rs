//! A notebook that executes: time passes, then it has ended in one of its ways. Its process is the boot's, not the
//! runner's: it lives on when the runner dies.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use reveille_asl::simulated;
use reveille_domain::error::{Evidence, FailedCell};
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Cells, ExecutedNotebook, OutputFile, RunningNotebook};
use reveille_domain::records::Request;
use reveille_domain::{Code, Failure};
use tokio::sync::Notify;

use super::actor::Actor;
use super::boots::Boot;
use super::printing::Printing;
use super::process::NotebookRun;
use super::{World, pass_ms};
use crate::fault::Fault;
use crate::hostility::REPLACED_NOTEBOOK;

/// Cells of every simulated notebook.
const CELLS: u32 = 5;
/// A notebook that never ends by itself ends here; larger than every `runSeconds`.
const ENDLESS: Duration = Duration::from_hours(48);

/// The longest that the end of a notebook takes for a machine that is about to go.
const ENDS_WITHIN_MS: u64 = 27_000;

/// The runner's handle on it.
pub struct Running {
    run: Rc<NotebookRun>,
    world: Rc<World>,
    runner: Rc<Actor>,
}

impl Drop for Running {
    /// A runner that gives a notebook up ends its process; a runner that is killed leaves it behind.
    fn drop(&mut self) {
        if !self.runner.killed.get() {
            self.run.end();
        }
    }
}

impl RunningNotebook for Running {
    type Live = Printing;

    fn cells(&self) -> Cells {
        let minutes = (self.world.now_ms() - self.run.began_ms) / 60_000;
        let cell = u32::try_from(minutes).unwrap_or(CELLS).min(CELLS);
        Cells { cell, cells: CELLS, done: cell.saturating_sub(1) }
    }

    fn live(&self) -> Printing {
        Printing::default()
    }

    async fn finish(&mut self) -> ExecutedNotebook {
        loop {
            if let Some(execution) = self.run.result.borrow().clone() {
                return execution;
            }
            self.run.bell.notified().await;
        }
    }

    async fn end_soon(self) -> ExecutedNotebook {
        // It had ended by itself, and only its page was still made.
        let ended = self.run.result.borrow().clone();
        self.run.end();
        pass_ms(self.world.pick(0, ENDS_WITHIN_MS)).await;
        ended.unwrap_or_else(|| execution(Some(Failure::new(Code::Cancelled, "The notebook was ended."))))
    }

    async fn end(self) -> ExecutedNotebook {
        self.run.end();
        execution(Some(Failure::new(Code::Cancelled, "The notebook was ended.")))
    }
}

impl World {
    /// Starts a notebook on a boot.
    pub(super) fn execute(
        self: &Rc<Self>,
        runner: &Rc<Actor>,
        boot: &Rc<Boot>,
        request: &Request,
        attempt: u32,
    ) -> Running {
        let number = self.ledger.notebook_begins(self, boot, request, attempt);
        if request.notebook.to_string() == REPLACED_NOTEBOOK {
            let what = format!("{} executes what nobody asked for: its request was replaced", request.run);
            self.ledger.violation("G2", self.now_ms(), what);
        }
        let limit = Duration::from_secs(request.limits.run_seconds.into());
        let (takes, failure) = self.draw_ending(limit);
        let me = AttemptRef { instance: boot.instance.clone(), run: request.run.clone(), attempt };
        let run = Rc::new(NotebookRun {
            at: me.clone(),
            began_ms: self.now_ms(),
            ended: Cell::new(false),
            result: RefCell::new(None),
            bell: Notify::new(),
            process: RefCell::new(None),
        });
        boot.notebooks.borrow_mut().push(Rc::clone(&run));
        self.turn_hostile(boot, &me);
        let (world, process) = (Rc::clone(self), Rc::clone(&run));
        let handle = simulated::spawn(async move {
            simulated::sleep(takes).await;
            process.ended.set(true);
            world.ledger.notebook_ends(number, failure.as_ref().map(|failure| failure.code));
            process.result.replace(Some(execution(failure)));
            process.bell.notify_one();
        });
        run.process.replace(Some(handle));
        Running { run, world: Rc::clone(self), runner: Rc::clone(runner) }
    }

    /// How long it takes, and how it fails, if it does.
    fn draw_ending(&self, limit: Duration) -> (Duration, Option<Failure>) {
        let plan = self.schedule.notebooks;
        let takes =
            Duration::from_millis(self.pick(u64::from(plan.least) * 1_000 + 313, u64::from(plan.most) * 1_000 + 313));
        let (takes, failure) = if self.chance(plan.endless) {
            (ENDLESS, None)
        } else if self.chance(plan.dies) {
            self.fired(Fault::KernelDies, "");
            (takes / 2, Some(Failure::new(Code::KernelDied, "The kernel died.")))
        } else if self.chance(plan.fails) {
            self.fired(Fault::NotebookFails, "");
            (takes / 2, Some(cell_failure()))
        } else {
            (takes, None)
        };
        if takes < limit {
            return (takes, failure);
        }
        self.fired(Fault::NotebookTooLong, "");
        (limit, Some(Failure::new(Code::RunTimedOut, "The notebook ran over its limit.")))
    }
}

fn cell_failure() -> Failure {
    let cell = FailedCell {
        number: 3,
        error_name: "ValueError".into(),
        error_value: "no rows".into(),
        traceback_tail: vec!["ValueError: no rows".into()],
    };
    let evidence = Evidence { cell: Some(cell), log_tail: Vec::new() };
    Failure::new(Code::NotebookFailed, "Cell 3 raised ValueError: no rows.").with_evidence(evidence)
}

/// What a notebook leaves on the disk of its instance.
pub(super) fn files() -> Vec<OutputFile> {
    execution(None).files
}

fn execution(failure: Option<Failure>) -> ExecutedNotebook {
    let file = |name, file_name: &'static str, content_type| OutputFile {
        name,
        file_name,
        path: PathBuf::from(file_name),
        content_type,
    };
    ExecutedNotebook {
        failure,
        files: vec![file("notebook", "output.ipynb", "application/x-ipynb+json"), file("log", "log.txt", "text/plain")],
        source_sha256: Some("0".repeat(64)),
        html_error: None,
    }
}
