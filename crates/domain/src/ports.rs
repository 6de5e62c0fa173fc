//! What the protocol asks of the outside: one trait an action, as narrow as the IAM statement that grants it.
//!
//! A step's bounds are therefore its policy. Adapters (`crates/aws`, `crates/runner`) and the simulation implement
//! them; nothing here says how.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::error::{Code, Failure, RETRIED};
use crate::ids::InstanceName;
use crate::shown;

mod instance;
mod live;

pub use crate::observation::{InstanceStatus, Observation};
pub use instance::{
    AskedToEnd, Cells, ExecuteNotebook, ExecutedNotebook, FindLeftNotebook, Jupyter, KillLeftovers, LeftNotebook, Log,
    OutputFile, PersonSeen, RunningNotebook, SeePerson, UploadFile,
};
pub use live::{LiveBody, LiveOutput, Printed, SavedNotebook, UploadLive};

/// Why a call to the outside did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// Refused for the rate; it had no effect.
    Throttled,
    /// Refused for lack of permission; it had no effect.
    AccessDenied,
    /// A server error or no answer: the effect is unknown.
    NoAnswer,
    /// Refused for another reason; it had no effect.
    Refused,
}

/// A call that failed: which, on what, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// Why.
    pub kind: CallErrorKind,
    /// The IAM action, e.g. `sagemaker:StartNotebookInstance`.
    pub action: &'static str,
    /// The thing it was called on.
    pub resource: String,
    /// The service's own words.
    pub message: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}: {}", self.action, self.resource, self.message)
    }
}

impl std::error::Error for CallError {}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let CallError { kind, action, resource, message } = &error;
        // AWS's sentences end with a full stop, or do not; and they may quote what a user named.
        let (resource, message) = (shown::thing(resource), shown::phrase(message));
        match kind {
            CallErrorKind::Throttled => {
                Self::new(Code::Throttled, format!("{action} on {resource} was throttled: {message}. {RETRIED}"))
            }
            CallErrorKind::AccessDenied => Self::new(
                Code::AccessDenied,
                format!(
                    "{action} on {resource} was denied: {message}. Grant the missing permission ({action}, or the one that the message names, such as an action of KMS) to the role that made the call."
                ),
            ),
            CallErrorKind::NoAnswer => Self::new(
                Code::ServiceUnavailable,
                format!("{action} on {resource} got no usable answer: {message}. {RETRIED}"),
            ),
            CallErrorKind::Refused => Self::new(
                Code::Internal,
                format!(
                    "{action} on {resource} was refused: {message}. This is not expected; report it with the execution's ARN."
                ),
            ),
        }
    }
}

/// The answer of a call.
pub type Call<T> = Result<T, CallError>;

/// The time.
pub trait Clock {
    /// Now, UTC.
    fn now(&self) -> DateTime<Utc>;
}

/// Letting time pass.
pub trait Sleep {
    /// Returns after the duration.
    async fn sleep(&self, duration: Duration);
}

/// Fresh values.
pub trait Nonces {
    /// A value that was never given before.
    fn nonce(&self) -> String;
}

/// `sagemaker:DescribeNotebookInstance`.
pub trait DescribeNotebookInstance {
    /// The instance as it is shown now, or `None` if there is none of that name.
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>>;
}

/// What StartNotebookInstance answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartAnswer {
    /// The instance is starting, by this call.
    Accepted,
    /// The instance's status does not allow a start; the service's words.
    WrongStatus(String),
    /// A quota does not allow it; the service's words.
    QuotaExceeded(String),
    /// There is no such instance.
    NotFound,
}

/// `sagemaker:StartNotebookInstance`. Never retried inside: a second send could start a boot that a person ended.
pub trait StartNotebookInstance {
    /// Starts it.
    async fn start_notebook_instance(&self, name: &InstanceName) -> Call<StartAnswer>;
}

/// What StopNotebookInstance answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopAnswer {
    /// The instance is stopping.
    Accepted,
    /// The instance's status does not allow a stop; the service's words.
    WrongStatus(String),
    /// There is no such instance.
    NotFound,
}

/// `sagemaker:StopNotebookInstance`. Never retried inside: a late second send could end a person's boot.
pub trait StopNotebookInstance {
    /// Stops it.
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer>;
}

/// An object with its entity tag.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    /// The body.
    pub body: Vec<u8>,
    /// The entity tag, for `If-Match`.
    pub etag: String,
}

/// What is under a key.
#[derive(Clone, PartialEq, Eq)]
pub enum GetAnswer {
    /// No object.
    Nothing,
    /// An object.
    Object(Object),
    /// An object of more than [`MAX_RECORD_BYTES`](crate::limits::MAX_RECORD_BYTES), which was not read.
    TooLarge {
        /// Its entity tag.
        etag: String,
    },
}

/// `s3:GetObject` on the stack's records.
pub trait GetObject {
    /// What is under the key. Strongly consistent, as S3 is.
    async fn get_object(&self, key: &str) -> Call<GetAnswer>;
}

/// A condition of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutCondition {
    /// None: overwrite.
    Always,
    /// `If-None-Match: *`: only if there is no object.
    IfAbsent,
    /// `If-Match`: only if this very object is there.
    IfMatch(String),
}

/// What a conditional write answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutAnswer {
    /// It was written, under this entity tag.
    Written(String),
    /// The condition did not hold; nothing changed.
    ConditionFailed,
}

/// `s3:PutObject` on the stack's records.
pub trait PutObject {
    /// Writes an object under a condition.
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer>;
}

/// `s3:DeleteObject` on the stack's records.
pub trait DeleteObject {
    /// Removes the object if it is this very one. `false`: it is another one, or gone.
    async fn delete_object(&self, key: &str, etag: &str) -> Call<bool>;
}

/// `s3:ListBucket` below the stack's prefix.
pub trait ListObjects {
    /// Keys that start with the prefix, in S3's order, at most `limit`.
    async fn list_objects(&self, prefix: &str, limit: usize) -> Call<Vec<String>> {
        self.list_objects_after(prefix, None, limit).await
    }

    /// The same, from behind a key on.
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>>;
}

/// What a callback on a task token answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAnswer {
    /// Taken.
    Accepted,
    /// Nobody waits under this token: the state timed out, was answered, or its execution ended.
    Gone,
}

/// `states:SendTaskSuccess` and `states:SendTaskFailure`: the wake-up of a waiting execution.
pub trait AnswerTask {
    /// The run's report is a success; `output` is what the waiting state gets.
    async fn send_task_success(&self, token: &str, output: &serde_json::Value) -> Call<TokenAnswer>;
    /// The run's report is a failure.
    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer>;
}

/// `states:SendTaskHeartbeat`.
pub trait SendTaskHeartbeat {
    /// The run is alive.
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer>;
}

/// `states:DescribeExecution`.
pub trait DescribeExecution {
    /// Whether the execution runs. `false` when it ended, or is so old that it is forgotten.
    async fn is_running(&self, execution_arn: &str) -> Call<bool>;
}

/// How an execution is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionStatus {
    /// It runs, or is about to be redriven.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// Its own timeout ended it; no Catch ran.
    TimedOut,
    /// A person stopped it; no Catch ran.
    Aborted,
}

/// An execution, as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionSeen {
    /// How it is.
    pub status: ExecutionStatus,
    /// The execution, as the context object of its states tells it; redrives included.
    pub execution: crate::records::Execution,
    /// Its input, as it was given.
    pub input: crate::text::InputText,
    /// The error it ended with.
    pub error: Option<String>,
    /// Its cause.
    pub cause: Option<String>,
}

/// `states:DescribeExecution`, whole.
pub trait DescribeWholeExecution {
    /// The execution, or `None` if it is forgotten.
    async fn describe_whole_execution(&self, execution_arn: &str) -> Call<Option<ExecutionSeen>>;
}

/// How an execution ended without success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionEnding {
    /// A person stopped it.
    Aborted,
    /// Its own timeout ended it.
    TimedOut,
    /// It failed.
    Failed,
}

/// A list of ended executions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedList {
    /// How they ended.
    pub ending: ExecutionEnding,
    /// Only those that were redriven, which may have started weeks ago. Otherwise all.
    pub redriven: bool,
}

impl EndedList {
    /// Every list.
    pub const ALL: [Self; 6] = [
        Self { ending: ExecutionEnding::Aborted, redriven: false },
        Self { ending: ExecutionEnding::TimedOut, redriven: false },
        Self { ending: ExecutionEnding::Failed, redriven: false },
        Self { ending: ExecutionEnding::Aborted, redriven: true },
        Self { ending: ExecutionEnding::TimedOut, redriven: true },
        Self { ending: ExecutionEnding::Failed, redriven: true },
    ];
}

/// An execution in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedExecution {
    /// Its ARN.
    pub arn: String,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// When it ended, if the list tells.
    pub ended_at: Option<DateTime<Utc>>,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedPage {
    /// Its executions, newest start first.
    pub executions: Vec<EndedExecution>,
    /// The next page.
    pub next: Option<String>,
}

/// `states:ListExecutions` of the stack's state machine.
pub trait ListEndedExecutions {
    /// A page of a list, of at most `size` executions; without `page` the first. `None`: there is no such page any more.
    async fn list_ended_executions(&self, list: EndedList, page: Option<&str>, size: usize) -> Call<Option<EndedPage>>;
    /// The same of all executions, however they ended: one that runs has no end. `redriven`: only those that were.
    async fn list_executions(&self, redriven: bool, page: Option<&str>, size: usize) -> Call<Option<EndedPage>>;
}

/// `events:PutEvents`.
pub trait PublishEvent {
    /// Publishes one event of Reveille's.
    async fn publish_event(&self, detail_type: &str, detail: &serde_json::Value) -> Call<()>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_failed_is_told_with_what_it_was_called_on() {
        let error = |kind| CallError { kind, action: "s3:GetObject", resource: "a".into(), message: "No.".into() };
        assert_eq!(error(CallErrorKind::Refused).to_string(), "s3:GetObject on a: No.");
        for (kind, code, told) in [
            (CallErrorKind::Throttled, Code::Throttled, "s3:GetObject on a was throttled: No. "),
            (CallErrorKind::AccessDenied, Code::AccessDenied, "s3:GetObject on a was denied: No. "),
            (CallErrorKind::NoAnswer, Code::ServiceUnavailable, "s3:GetObject on a got no usable answer: No. "),
            (CallErrorKind::Refused, Code::Internal, "s3:GetObject on a was refused: No. "),
        ] {
            let failure = Failure::from(error(kind));
            assert_eq!(failure.code, code);
            assert!(failure.message.starts_with(told), "{}", failure.message);
        }
    }
}
