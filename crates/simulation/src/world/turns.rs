//! What executions came to, and when: what is shown of them may be what was.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use reveille_asl::interpreter::{Description, Status};

/// What an execution came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// When.
    pub(super) at_ms: i64,
    /// Its status since then.
    pub(super) status: Status,
    /// How often it had been redriven.
    pub(super) redrive_count: u32,
    /// Its error and its cause.
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

/// The last of an execution's turns at a time.
fn at(turns: &[Rc<Turn>], at_ms: i64) -> Option<&Rc<Turn>> {
    turns.iter().rev().find(|turn| turn.at_ms <= at_ms)
}

/// What every execution came to, by its ARN.
#[derive(Debug, Default)]
pub(super) struct Turns(RefCell<BTreeMap<Rc<str>, Vec<Rc<Turn>>>>);

impl Turns {
    /// The status of an execution changed.
    pub(super) fn turned(&self, to: &Description, now_ms: i64) {
        let (error, cause) = (to.error.clone(), to.cause.clone());
        let turn = Turn { at_ms: now_ms, status: to.status, redrive_count: to.redrive_count, error, cause };
        self.0.borrow_mut().entry(Rc::clone(&to.execution_arn)).or_default().push(Rc::new(turn));
    }

    /// What an execution was at a time, if it had started.
    pub(super) fn as_of(&self, arn: &str, at_ms: i64) -> Option<Rc<Turn>> {
        self.0.borrow().get(arn).and_then(|turns| at(turns, at_ms)).cloned()
    }

    /// The same of two times.
    pub(super) fn as_of_both(&self, arn: &str, times: [i64; 2]) -> [Option<Rc<Turn>>; 2] {
        let turns = self.0.borrow();
        let own = turns.get(arn);
        times.map(|at_ms| own.and_then(|turns| at(turns, at_ms)).cloned())
    }

    /// Whether the execution of this name had started by a time.
    pub(super) fn began_before(&self, name: &str, at_ms: i64) -> bool {
        let turns = self.0.borrow();
        let known = turns.iter().find(|(arn, _)| arn.rsplit(':').next() == Some(name));
        known.and_then(|(_, turns)| turns.first()).is_some_and(|first| first.at_ms < at_ms)
    }
}
