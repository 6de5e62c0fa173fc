//! What the service and all its runs share.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::callbacks::Callbacks;
use super::clock::ExecutionClock;
use super::execution::StepFunctionsExecution;
use super::failure::MissedHeartbeat;
use super::functions::Sources;

/// The executions of a service, to be looked up by their ARN.
#[derive(Debug, Clone, Default)]
pub struct Executions(Rc<RefCell<HashMap<Rc<str>, Rc<StepFunctionsExecution>>>>);

impl Executions {
    pub(super) fn insert(&self, execution: &Rc<StepFunctionsExecution>) {
        self.0.borrow_mut().insert(Rc::clone(&execution.arn), Rc::clone(execution));
    }

    #[must_use]
    pub fn get(&self, arn: &str) -> Option<Rc<StepFunctionsExecution>> {
        self.0.borrow().get(arn).cloned()
    }

    /// All executions, in no particular order.
    #[must_use]
    pub fn all(&self) -> Vec<Rc<StepFunctionsExecution>> {
        self.0.borrow().values().cloned().collect()
    }
}

/// What all runs share.
pub(crate) struct Inner<T> {
    pub tasks: T,
    pub clock: ExecutionClock,
    pub sources: Sources,
    pub callbacks: Callbacks,
    pub missed_heartbeat: Cell<MissedHeartbeat>,
    /// Whether each execution draws for itself.
    pub apart: Cell<bool>,
    pub executions: Executions,
}
