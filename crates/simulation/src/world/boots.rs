//! A boot: one time that an instance's machine is up, and what lives on it.

use std::cell::{Cell, RefCell};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use reveille_asl::simulated::AbortHandle;
use reveille_domain::ports::{Jupyter, PersonSeen};
use reveille_instance_model::BootNumber;
use tokio::sync::Notify;

use super::process::{AskedProcesses, NotebookRun, RunnerProcess};
use super::time;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Reveille: a function or a runner.
    Us,
    /// A person, by hand.
    Person,
}

/// What can be known of who started a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Whose Start it was.
    Known,
    /// A person's, after a boot of ours whose rest nobody saw: only the boot's own runner can tell.
    KnownToItsRunner,
    /// A person's, after a boot of ours that no runner ever bound, or after a start of ours that AWS accepted and did not
    /// carry out: it is taken for that one.
    MistakenForOurs,
    /// A start of ours was unresolved when it came up.
    Unresolved,
}

/// A time at which a person works, from and to, in milliseconds since 1970.
pub type Session = (i64, i64);

/// One boot.
pub struct Boot {
    /// Its number.
    pub number: BootNumber,
    /// The kernel's boot id.
    pub id: String,
    /// Its instance.
    pub instance: String,
    /// Whose Start brought it up.
    pub started_by: By,
    /// What can be known of that.
    pub origin: Origin,
    /// When the machine came up.
    pub since_ms: i64,
    /// When it was last seen to come into service: before that, nothing can stop it.
    pub in_service_ms: Cell<Option<i64>>,
    /// When its processes died.
    pub ended_ms: Cell<Option<i64>>,
    /// When it was last asked to stop.
    pub stopping_ms: Cell<Option<i64>>,
    /// Whether a runner ever knew whose it is.
    pub bound: Cell<bool>,
    /// Until when nothing that its runner sends arrives.
    pub cut_off_until_ms: Cell<i64>,
    /// Until when its Jupyter does not answer.
    pub jupyter_silent_until_ms: Cell<i64>,
    /// When its runner died for good, or would have come.
    pub runner_lost_ms: Cell<Option<i64>>,
    /// When its runner was started again.
    pub restarts_ms: RefCell<Vec<i64>>,
    /// Whether a start of ours since the boot before had no answer.
    pub start_unanswered: bool,
    /// A person's activity that its runner was shown while it reached AWS: since when without a pause, and the last of it.
    pub shown_ms: Cell<Option<(i64, i64)>>,
    /// Until when no Jupyter server runs on it.
    pub jupyter_gone_until_ms: Cell<i64>,
    /// Until when its role may not stop it.
    pub may_not_stop_until_ms: Cell<i64>,
    /// Whether its runner came only after it was in service.
    pub bound_late: Cell<bool>,
    /// Whether AWS refused its runner to stop it.
    pub denied: Cell<bool>,
    /// How far its clock is from true time, in milliseconds.
    pub skew_ms: i64,
    /// Whether its machine asked its processes to end.
    pub(super) asked: AskedProcesses,
    /// Rung when its runner's process has ended for that.
    pub(super) left: Notify,
    /// When people work on it.
    pub sessions: RefCell<Vec<Session>>,
    /// The notebooks that were begun on it.
    pub(super) notebooks: RefCell<Vec<Rc<NotebookRun>>>,
    /// The runner's process.
    pub(super) runner: RefCell<Option<RunnerProcess>>,
    /// Everything else that lives on it.
    pub(super) tasks: RefCell<Vec<AbortHandle>>,
}

impl Boot {
    /// Whether its machine is up.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.ended_ms.get().is_none()
    }

    /// Whether a person works on it at this moment, and has for `at_least_ms`.
    #[must_use]
    pub fn person_works(&self, now_ms: i64, at_least_ms: i64) -> bool {
        self.sessions.borrow().iter().any(|(from, to)| {
            // Nobody sees anyone while no server runs.
            (*from).max(self.jupyter_gone_until_ms.get()) + at_least_ms <= now_ms && now_ms < *to
        })
    }

    /// When a person was last seen working on it, up to now.
    #[must_use]
    pub fn last_active_ms(&self, now_ms: i64) -> Option<i64> {
        let sessions = self.sessions.borrow();
        sessions.iter().filter(|(from, _)| *from <= now_ms).map(|(_, to)| now_ms.min(*to)).max()
    }

    /// What is seen of a person. Half of the time that one works, a kernel is busy; and whoever leaves shuts it down, so that
    /// only what was seen before tells of them.
    #[must_use]
    pub fn person_seen(&self, now_ms: i64) -> PersonSeen {
        let nothing = PersonSeen { busy: false, last_active: None, ahead: None, jupyter: Jupyter::Answered };
        if now_ms < self.jupyter_silent_until_ms.get() {
            return PersonSeen { jupyter: Jupyter::Silent, ..nothing };
        }
        if now_ms < self.jupyter_gone_until_ms.get() {
            return PersonSeen { jupyter: Jupyter::NoServer, ..nothing };
        }
        if !self.person_works(now_ms, 0) {
            return nothing;
        }
        if self.runner_is_well(now_ms) {
            let before = self.shown_ms.get().filter(|(_, last)| now_ms - last < 60_000);
            self.shown_ms.set(Some((before.map_or(now_ms, |(since, _)| since), now_ms)));
        }
        let last_active = self.last_active_ms(now_ms).map(|ms| time(ms + self.skew_ms));
        PersonSeen { busy: now_ms / 60_000 % 2 == 0, last_active, ..nothing }
    }

    /// Whether its runner's process lives and reaches AWS.
    #[must_use]
    pub fn runner_is_well(&self, now_ms: i64) -> bool {
        self.runner.borrow().is_some() && now_ms >= self.cut_off_until_ms.get()
    }

    /// Whether its runner was dead, or reached nobody, at some time from `from` to `end`.
    #[must_use]
    pub fn runner_lost_during(&self, from: i64, end: i64) -> bool {
        self.runner_lost_ms.get().is_some_and(|at| at <= end) || self.cut_off_until_ms.get() > from
    }

    /// Whether a notebook was ever begun on it.
    #[must_use]
    pub fn served_any(&self) -> bool {
        !self.notebooks.borrow().is_empty()
    }

    /// Adds what of it may change what comes next to a state's number.
    pub(crate) fn tell(&self, hasher: &mut impl Hasher) {
        let times = [self.ended_ms.get(), self.stopping_ms.get(), self.in_service_ms.get(), self.runner_lost_ms.get()];
        (self.number, times, self.bound.get(), self.bound_late.get(), self.asked.is_asked()).hash(hasher);
        (self.runner.borrow().is_some(), &*self.sessions.borrow(), self.shown_ms.get()).hash(hasher);
        for notebook in self.notebooks.borrow().iter() {
            (notebook.executes(), notebook.began_ms, notebook.result.borrow().is_some()).hash(hasher);
        }
    }

    /// The notebook that executes on it now.
    pub(super) fn executing(&self) -> Option<Rc<NotebookRun>> {
        self.notebooks.borrow().iter().find(|notebook| notebook.executes()).cloned()
    }

    /// Returns when no process of the runner is left that was asked to end.
    pub(super) async fn runner_ended(&self) {
        while self.runner.borrow().is_some() {
            self.left.notified().await;
        }
    }

    /// Its runner's process ends by itself.
    pub(super) fn runner_leaves(&self) {
        self.runner.take();
        self.left.notify_one();
    }

    /// The last notebook that was begun on it.
    pub(super) fn last_notebook(&self) -> Option<Rc<NotebookRun>> {
        self.notebooks.borrow().last().cloned()
    }

    /// Ends everything on it.
    pub(super) fn kill(&self, now_ms: i64) {
        self.ended_ms.set(Some(now_ms));
        if let Some(runner) = self.runner.take() {
            runner.handle.abort();
        }
        for task in self.tasks.take() {
            task.abort();
        }
        self.end_notebooks();
    }

    /// Ends every notebook on it.
    pub(super) fn end_notebooks(&self) {
        for notebook in self.notebooks.borrow().iter() {
            notebook.end();
        }
    }
}
