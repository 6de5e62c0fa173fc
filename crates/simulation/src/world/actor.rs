//! Who calls: an invocation of a step, or a process of a runner.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::{Mutex, Notify};

use super::World;
use super::boots::Boot;
use super::dates::Shown;
use crate::schedule::{Caller, Cut};

/// Who calls.
pub struct Actor {
    /// The step, or the runner.
    pub caller: Caller,
    /// For the timeline.
    pub label: String,
    /// Whose memory it shares: its execution's, its boot's, or its own.
    pub stream: String,
    /// The boot that a runner lives on.
    pub boot: Option<Rc<Boot>>,
    /// How far its clock is from true time, in milliseconds.
    pub skew_ms: i64,
    /// What its clock showed last.
    pub(super) shown: Shown,
    /// Where its process ends.
    pub cut: Option<Cut>,
    /// Rung when its process died at a call.
    pub died: Notify,
    pub(super) calls: Cell<u32>,
    /// Whether its next look at the clock is a day late, where it lies.
    pub(super) late: Cell<bool>,
    /// Whose turn it is to call, where it makes one call after another.
    pub(super) turn: Mutex<()>,
    /// Its calls about the history, which is the last thing that it does.
    pub(super) history_calls: Cell<u64>,
    /// Whether its process was killed from outside.
    pub(super) killed: Rc<Cell<bool>>,
}

impl Actor {
    /// An actor.
    #[must_use]
    pub fn new(
        caller: Caller,
        (label, stream): (String, String),
        boot: Option<Rc<Boot>>,
        skew_ms: i64,
        cut: Option<Cut>,
    ) -> Rc<Self> {
        Rc::new(Self {
            caller,
            label,
            stream,
            boot,
            skew_ms,
            shown: Shown::default(),
            cut,
            died: Notify::new(),
            calls: Cell::new(0),
            late: Cell::new(false),
            turn: Mutex::new(()),
            history_calls: Cell::new(0),
            killed: Rc::default(),
        })
    }

    /// Whether nothing that it sends arrives.
    pub(super) fn cut_off(&self, world: &World) -> bool {
        self.boot.as_ref().is_some_and(|boot| world.now_ms() < boot.cut_off_until_ms.get())
    }
}
