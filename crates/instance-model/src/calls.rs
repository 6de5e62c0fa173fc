//! Who called what, when, and what came of it: tests assert on these.

use std::collections::{BTreeMap, VecDeque};

use crate::{ApiError, Operation, Time};

/// Calls kept per instance; older ones are dropped, their counts stay.
const LOG_LIMIT: usize = 1000;
/// Names that are counted; calls to more names are answered but not recorded, so that a flood of
/// invented names cannot fill the memory.
const NAME_LIMIT: usize = 10_000;

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It took effect and the caller was told so.
    Accepted,
    /// It took effect, but the caller got a server error.
    AnswerLost,
    /// It took no effect.
    Refused {
        /// The error code.
        code: &'static str,
        message: String,
    },
}

/// One call that changes (or would have changed) an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// When.
    pub at: Time,
    /// Who, as the caller of [`crate::Account::apply`] named them.
    pub caller: String,
    /// What.
    pub operation: Operation,
    /// What came of it.
    pub outcome: CallOutcome,
}

/// How often an operation was called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that took effect, also those whose answer was lost.
    pub accepted: u64,
    /// Calls that took none.
    pub refused: u64,
}

/// The calls to one instance's name, also from before it was created and after it was deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceCalls {
    counts: BTreeMap<Operation, Counts>,
    log: VecDeque<RecordedCall>,
}

impl InstanceCalls {
    /// How often this operation was called.
    #[must_use]
    pub fn count(&self, operation: Operation) -> Counts {
        self.counts.get(&operation).copied().unwrap_or_default()
    }

    /// Every operation that was called, with its counts.
    pub fn counts(&self) -> impl Iterator<Item = (Operation, Counts)> {
        self.counts.iter().map(|(operation, counts)| (*operation, *counts))
    }

    /// The newest 1000 calls that change an instance, oldest first; Describe is counted only.
    pub fn log(&self) -> impl Iterator<Item = &RecordedCall> {
        self.log.iter()
    }

    fn record(&mut self, call: RecordedCall) {
        let counts = self.counts.entry(call.operation).or_default();
        match call.outcome {
            CallOutcome::Accepted | CallOutcome::AnswerLost => counts.accepted += 1,
            CallOutcome::Refused { .. } => counts.refused += 1,
        }
        if call.operation.changes_instance() {
            if self.log.len() == LOG_LIMIT {
                self.log.pop_front();
            }
            self.log.push_back(call);
        }
    }
}

/// The calls of the account, by instance name.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallBook {
    by_name: BTreeMap<String, InstanceCalls>,
}

impl CallBook {
    pub(crate) fn record(&mut self, name: &str, call: RecordedCall) {
        if let Some(calls) = self.by_name.get_mut(name) {
            calls.record(call);
        } else if self.by_name.len() < NAME_LIMIT {
            self.by_name.entry(name.to_owned()).or_default().record(call);
        }
    }

    pub(crate) fn of(&self, name: &str) -> Option<&InstanceCalls> {
        self.by_name.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

impl CallOutcome {
    pub(crate) fn refused(error: &ApiError) -> Self {
        Self::Refused { code: error.code(), message: error.to_string() }
    }
}
