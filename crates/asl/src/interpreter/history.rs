//! The events of an execution, numbered as AWS numbers them.

use std::fmt;
use std::rc::Rc;

/// An execution that comes to this event fails with it ("Step Functions service quotas").
pub const HISTORY_LIMIT: u64 = 25_000;

/// What happened: the names of AWS's `HistoryEventType`, for a Task `Lambda...` only by the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "AWS's own names (API Reference, HistoryEvent)")]
pub enum EventKind {
    ExecutionStarted,
    ExecutionSucceeded,
    ExecutionFailed,
    ExecutionTimedOut,
    ExecutionAborted,
    ExecutionRedriven,
    PassStateEntered,
    PassStateExited,
    SucceedStateEntered,
    SucceedStateExited,
    FailStateEntered,
    ChoiceStateEntered,
    ChoiceStateExited,
    WaitStateEntered,
    WaitStateExited,
    TaskStateEntered,
    TaskStateExited,
    TaskScheduled,
    TaskStarted,
    TaskSubmitted,
    TaskSucceeded,
    TaskFailed,
    TaskTimedOut,
    LambdaFunctionScheduled,
    LambdaFunctionStarted,
    LambdaFunctionSucceeded,
    LambdaFunctionFailed,
    LambdaFunctionTimedOut,
    ParallelStateEntered,
    ParallelStateStarted,
    ParallelStateSucceeded,
    ParallelStateFailed,
    ParallelStateExited,
    EvaluationFailed,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEvent {
    /// From 1; each event one more.
    pub id: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: i64,
    /// What happened.
    pub kind: EventKind,
    /// The state it happened in; `None` for the execution itself.
    pub state: Option<Rc<str>>,
    /// The error and its cause, where one was reported. Never a payload or a token.
    pub detail: Option<Box<str>>,
}

impl fmt::Display for HistoryEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, at_ms, kind, state, detail } = self;
        write!(formatter, "#{id} {} {kind:?}", super::clock::iso(*at_ms))?;
        if let Some(state) = state {
            write!(formatter, " {state}")?;
        }
        match detail {
            Some(detail) => write!(formatter, ": {detail}"),
            None => Ok(()),
        }
    }
}
