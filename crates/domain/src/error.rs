//! Every way a run can fail: one stable code each, how the state machine retries it, and the sentence for a person.
//!
//! A code's name is the Lambda `errorType`, the ASL `ErrorEquals` name, and the name of its page
//! (`docs/errors/<code>.md`). Contract tests hold the four together.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::shown;

/// The stable code of a failure. Codes are never renamed; a new kind of failure gets a new code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Code {
    /// The execution's input breaks the input contract; the message names the field.
    InvalidRequest,
    /// No notebook instance of that name exists in this account and region.
    InstanceNotFound,
    /// The instance is in a state from which it cannot be started (being deleted, failed for a reason of its own).
    InstanceUnavailable,
    /// The instance has no lifecycle configuration, so no runner would start on it.
    LifecycleConfigMissing,
    /// An account quota refused the start.
    QuotaExceeded,
    /// AWS had no capacity for the instance type until the start limit was over.
    CapacityUnavailable,
    /// The instance's lifecycle configuration script failed or took over five minutes.
    LifecycleFailed,
    /// The instance was not `InService` within `limits.startSeconds`.
    StartNotConfirmed,
    /// Other runs hold the instance and the request said `whenBusy: fail`, or as many wait on it as may.
    Busy,
    /// The run waited in the queue longer than `limits.queueSeconds`.
    QueueTimedOut,
    /// The instance is up but no runner picked the run up.
    RunnerSilent,
    /// A runner claimed the run, then fell silent.
    RunnerLost,
    /// The notebook does not exist, lies outside the notebook folder, or is no notebook.
    NotebookNotFound,
    /// The kernel that the notebook or the request asks for is not installed.
    KernelNotFound,
    /// A cell raised.
    NotebookFailed,
    /// The kernel process died while a cell ran.
    KernelDied,
    /// The notebook ran longer than `limits.runSeconds`.
    RunTimedOut,
    /// The notebook ran, but its outputs could not be written.
    OutputNotSaved,
    /// The instance was not observed to have stopped within `limits.stopSeconds`.
    StopNotConfirmed,
    /// The run was cancelled before its notebook started.
    Cancelled,
    /// AWS refused a call for lack of permission.
    AccessDenied,
    /// AWS throttled a call.
    Throttled,
    /// An AWS service did not answer, or answered with a server error.
    ServiceUnavailable,
    /// ConcludeRun could not record the outcome. Never a run's own code, so that ConcludeRun can be retried for its own
    /// trouble while the run's code ends the execution.
    OutcomeNotRecorded,
    /// A defect in Reveille, or something it has no name for yet.
    Internal,
}

/// How the state machine retries a step that failed with a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryClass {
    /// The same call would fail the same way, or was already repeated inside the step.
    Never,
    /// A passing fault: a few tries, seconds apart.
    ALittle,
    /// A rate limit: more tries, further apart.
    Patiently,
}

impl Code {
    /// Every code, in the order of the protocol.
    pub const ALL: [Self; 25] = [
        Self::InvalidRequest,
        Self::InstanceNotFound,
        Self::InstanceUnavailable,
        Self::LifecycleConfigMissing,
        Self::QuotaExceeded,
        Self::CapacityUnavailable,
        Self::LifecycleFailed,
        Self::StartNotConfirmed,
        Self::Busy,
        Self::QueueTimedOut,
        Self::RunnerSilent,
        Self::RunnerLost,
        Self::NotebookNotFound,
        Self::KernelNotFound,
        Self::NotebookFailed,
        Self::KernelDied,
        Self::RunTimedOut,
        Self::OutputNotSaved,
        Self::StopNotConfirmed,
        Self::Cancelled,
        Self::AccessDenied,
        Self::Throttled,
        Self::ServiceUnavailable,
        Self::OutcomeNotRecorded,
        Self::Internal,
    ];

    /// The code's name, as it appears in ASL, in Lambda errors, in records and in the docs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "InvalidRequest",
            Self::InstanceNotFound => "InstanceNotFound",
            Self::InstanceUnavailable => "InstanceUnavailable",
            Self::LifecycleConfigMissing => "LifecycleConfigMissing",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::CapacityUnavailable => "CapacityUnavailable",
            Self::LifecycleFailed => "LifecycleFailed",
            Self::StartNotConfirmed => "StartNotConfirmed",
            Self::Busy => "Busy",
            Self::QueueTimedOut => "QueueTimedOut",
            Self::RunnerSilent => "RunnerSilent",
            Self::RunnerLost => "RunnerLost",
            Self::NotebookNotFound => "NotebookNotFound",
            Self::KernelNotFound => "KernelNotFound",
            Self::NotebookFailed => "NotebookFailed",
            Self::KernelDied => "KernelDied",
            Self::RunTimedOut => "RunTimedOut",
            Self::OutputNotSaved => "OutputNotSaved",
            Self::StopNotConfirmed => "StopNotConfirmed",
            Self::Cancelled => "Cancelled",
            Self::AccessDenied => "AccessDenied",
            Self::Throttled => "Throttled",
            Self::ServiceUnavailable => "ServiceUnavailable",
            Self::OutcomeNotRecorded => "OutcomeNotRecorded",
            Self::Internal => "Internal",
        }
    }

    /// How the state machine retries a step that failed with this code. Exhaustive on purpose: a new code must
    /// decide, and a contract test holds the ASL's `Retry` lists to the answer.
    #[must_use]
    pub const fn class(self) -> RetryClass {
        match self {
            Self::Throttled | Self::OutcomeNotRecorded => RetryClass::Patiently,
            Self::ServiceUnavailable => RetryClass::ALittle,
            // Missing capacity is retried inside CheckInstance and StartInstance, for as long as startSeconds
            // allows; when it reaches the state machine as an error, that time is over.
            Self::CapacityUnavailable
            | Self::InvalidRequest
            | Self::InstanceNotFound
            | Self::InstanceUnavailable
            | Self::LifecycleConfigMissing
            | Self::QuotaExceeded
            | Self::LifecycleFailed
            | Self::StartNotConfirmed
            | Self::Busy
            | Self::QueueTimedOut
            | Self::RunnerSilent
            | Self::RunnerLost
            | Self::NotebookNotFound
            | Self::KernelNotFound
            | Self::NotebookFailed
            | Self::KernelDied
            | Self::RunTimedOut
            | Self::OutputNotSaved
            | Self::StopNotConfirmed
            | Self::Cancelled
            | Self::AccessDenied
            | Self::Internal => RetryClass::Never,
        }
    }

    /// The code of that name, if there is one.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cell that raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailedCell {
    /// Position in the source notebook, counted from 1 as a person counts (the injected parameters cell not counted; 0
    /// if that one raised).
    pub number: u32,
    /// The exception's class, e.g. `ValueError`.
    pub error_name: String,
    /// The exception's text.
    pub error_value: String,
    /// The last lines of the traceback, without terminal colours.
    pub traceback_tail: Vec<String>,
}

/// What is kept of a failure, beyond its sentence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// The cell that raised, if a cell raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<FailedCell>,
    /// The last lines of the run's log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
}

/// A failure: its code, the sentence a person reads, and the evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// What happened, to which thing, and what to do next.
    pub message: String,
    /// The evidence, where there is some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Box<Evidence>>,
}

/// The end of a message whose code is retried: there is nothing to do yet.
pub const RETRIED: &str = "Reveille retries this automatically.";

/// How to run something again in an execution of its own. With the same event in its input, such an execution is a
/// duplicate unless it says that it is none.
pub const START_ANEW: &str = "start a new execution, with \"rerun\": true if its input has an event";

/// A message is cut here, in its middle, so that what happened and what to do next are left: an ASL `Cause` holds 32,768 characters, an EventBridge entry 256 KiB, and neither is a
/// place for a whole log.
pub const MAX_MESSAGE_CHARS: usize = 2_000;

/// Lines of evidence that are kept: the end of a traceback or a log tells most.
const MAX_LINES: usize = 40;
/// Characters of each.
const MAX_LINE_CHARS: usize = 400;
/// Characters of an exception's class.
const MAX_ERROR_NAME_CHARS: usize = 200;
/// Evidence as JSON, where one character may be six bytes: a quarter of an EventBridge entry.
const MAX_EVIDENCE_BYTES: usize = 64 * 1024;
/// A failure's sentence and tail, as they appear in a JSON string: an ASL `Cause` holds 32,768 characters, the braces and names
/// around them included.
const MAX_CAUSE_CHARS: usize = 30_000;

/// Characters of a text inside a JSON string; one that is not ASCII is counted by its bytes.
fn json_chars(text: &str) -> usize {
    serde_json::to_string(text).map_or(usize::MAX, |json| json.len())
}

impl Evidence {
    /// The evidence, as far as it fits into every place that it is sent to; of lines the last ones are kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        if let Some(cell) = &mut self.cell {
            cell.error_name = shown::bounded(&shown::line(&cell.error_name), MAX_ERROR_NAME_CHARS);
            cell.error_value = shown::bounded(&shown::plain(&cell.error_value), MAX_MESSAGE_CHARS);
            cell.traceback_tail = last_lines(std::mem::take(&mut cell.traceback_tail), MAX_EVIDENCE_BYTES / 2);
        }
        self.log_tail = last_lines(self.log_tail, MAX_EVIDENCE_BYTES / 2);
        self
    }
}

/// The last lines, cut, that are no more than so many bytes of JSON.
fn last_lines(lines: Vec<String>, bytes: usize) -> Vec<String> {
    let mut room = bytes;
    let mut kept: Vec<String> = lines
        .into_iter()
        .rev()
        .take(MAX_LINES)
        .map(|line| shown::bounded(&shown::plain(&line), MAX_LINE_CHARS))
        .take_while(|line| match room.checked_sub(json_chars(line)) {
            Some(left) => {
                room = left;
                true
            }
            None => false,
        })
        .collect();
    kept.reverse();
    kept
}

impl Failure {
    /// The failure, as far as it fits into every place that it is sent to. Records were read before they come here, and may be
    /// larger than anything that was written.
    #[must_use]
    pub fn bounded(self) -> Self {
        let evidence = self.evidence.map(|evidence| Box::new(evidence.bounded()));
        Self { code: self.code, message: printable_message(&self.message), evidence }
    }

    /// A failure with a sentence and no evidence.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: printable_message(&message.into()), evidence: None }
    }

    /// The same failure with one more sentence for its reader. The sentence is kept whole, however long the message is.
    #[must_use]
    pub fn also(mut self, sentence: &str) -> Self {
        let room = MAX_MESSAGE_CHARS.saturating_sub(sentence.chars().count() + 1);
        self.message = printable_message(&format!("{} {sentence}", shown::both_ends(self.message, room)));
        self
    }

    /// The sentence with its evidence below: what a person reads in the console, where there is no report.
    #[must_use]
    pub fn with_tail(&self) -> String {
        let Some(evidence) = &self.evidence else { return self.message.clone() };
        let tail = evidence.cell.as_ref().map_or(&evidence.log_tail, |cell| &cell.traceback_tail);
        let room = MAX_CAUSE_CHARS.saturating_sub(json_chars(&self.message));
        let tail = last_lines(tail.clone(), room);
        if tail.is_empty() { self.message.clone() } else { format!("{}\n\n{}", self.message, tail.join("\n")) }
    }

    /// The failure as the end of a run: what said that it is retried says that it is not any more.
    #[must_use]
    pub fn retries_exhausted(mut self) -> Self {
        if let Some(what) = self.message.strip_suffix(RETRIED) {
            self.message = format!("{what}All retries failed. Redrive the execution to try again.");
        }
        self
    }

    /// The same failure with evidence.
    #[must_use]
    pub fn with_evidence(mut self, evidence: Evidence) -> Self {
        self.evidence = Some(Box::new(evidence.bounded()));
        self
    }
}

/// A message as it is made, whoever wrote what is in it: it can be printed, and it fits.
#[must_use]
pub fn printable_message(text: &str) -> String {
    shown::both_ends(shown::plain(text), MAX_MESSAGE_CHARS)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
