//! The records in S3, as JSON. Names of fields are part of the product: people and tools read them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Code, Failure};
use crate::ids::{InstanceName, RunId};
use crate::input::{Html, Limits, NotebookSource, OnRunnerLost, WhenBusy};

mod lease;
mod report;

pub use lease::{Closer, Lease, LeaseState};
pub use report::{Report, Reporter};

/// An execution of the state machine, as the context object tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// The execution's ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// When it started.
    pub start_time: DateTime<Utc>,
    /// How often it was redriven; absent in engines that do not tell, and then 0.
    #[serde(default)]
    pub redrive_count: u32,
}

impl Execution {
    /// The run of this execution.
    #[must_use]
    pub fn run(&self) -> RunId {
        RunId::of(&self.name, &self.arn, self.start_time)
    }
}

/// `triggers/<key>.json`: the execution that answers an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRecord {
    /// The execution.
    pub execution_arn: String,
    /// When it started.
    pub start_time: DateTime<Utc>,
    /// Its run.
    pub run: RunId,
}

/// `request.json`: what the run was asked for, placeholders filled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// The run.
    pub run: RunId,
    /// The execution that asked.
    pub execution_arn: String,
    /// When it was admitted.
    pub admitted_at: DateTime<Utc>,
    /// The instance.
    pub instance: InstanceName,
    /// The notebook.
    pub notebook: NotebookSource,
    /// The parameters, placeholders filled.
    pub parameters: Map<String, Value>,
    /// The kernel, if not the notebook's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// What its page is, if not the usual one. Absent in requests that an earlier version recorded.
    #[serde(default, skip_serializing_if = "Html::is_full")]
    pub html: Html,
    /// The limits.
    pub limits: Limits,
    /// What to do when the instance is busy.
    pub when_busy: WhenBusy,
    /// What to do when the runner is lost.
    pub on_runner_lost: OnRunnerLost,
}

/// What the state machine carries of an admitted run: enough for every step, nothing of the parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRef {
    /// The run.
    pub id: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The instance.
    pub instance: InstanceName,
    /// When the run was admitted.
    pub admitted_at: DateTime<Utc>,
    /// The limits.
    pub limits: Limits,
    /// What to do when the instance is busy.
    pub when_busy: WhenBusy,
    /// What to do when the runner is lost.
    pub on_runner_lost: OnRunnerLost,
    /// SHA-256 of `request.json` as AdmitRun left it, lower-case hex: the state machine's memory, which nobody who writes
    /// into the bucket reaches. Absent in executions that an earlier version admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_sha256: Option<String>,
}

impl RunRef {
    /// The name of this attempt's records.
    #[must_use]
    pub fn at(&self) -> crate::layout::AttemptRef {
        crate::layout::AttemptRef { instance: self.instance.to_string(), run: self.id.clone(), attempt: self.attempt }
    }
}

/// `inbox/<instance>/<run>`: a run's place in the queue. Holds the current task token: a capability, never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ticket {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// The instance. A ticket that was copied into another's inbox is nobody's there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// The execution that waits.
    pub execution_arn: String,
    /// When the run was admitted: the queue's order.
    pub admitted_at: DateTime<Utc>,
    /// When the attempt first entered the queue: queueSeconds counts from here.
    pub queued_at: DateTime<Utc>,
    /// The silence after which the waiting state gives up; the runner beats several times within it.
    pub heartbeat_seconds: u32,
    /// Limit of the wait.
    pub queue_seconds: u32,
    /// The pause between two uploads of what the notebook has printed, at least; 0, and absent: it is uploaded at the end only.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub live_output_seconds: u32,
    /// SHA-256 of the `request.json` that is to be executed. Absent in tickets that an earlier version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_sha256: Option<String>,
    /// The waiting state's token.
    pub task_token: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field by reference")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ticket({} attempt {})", self.run, self.attempt)
    }
}

/// Who owns an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Claimant {
    /// A runner, before the notebook starts.
    Runner,
    /// Whoever gives the attempt up: VerifyStopped, or the sweeper.
    Release,
}

/// `claim.json`, put once: the fence of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Who claimed.
    pub by: Claimant,
    /// Fresh for each runner process, so that a runner knows its own claim when the answer was lost.
    pub nonce: String,
    /// The boot on which the notebook runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// When.
    pub at: DateTime<Utc>,
    /// The attempt that is claimed; absent in claims of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<crate::layout::AttemptRef>,
    /// The runner's version; absent where no runner claimed, and in claims of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<String>,
}

impl Claim {
    /// A claim of now.
    #[must_use]
    pub fn of(at: &crate::layout::AttemptRef, by: Claimant, nonce: String, now: DateTime<Utc>) -> Self {
        let runner_version = (by == Claimant::Runner).then(|| crate::VERSION.to_owned());
        Self { by, nonce, boot_id: None, at: now, attempt: Some(at.clone()), runner_version }
    }
}

/// `progress.json`: overwritten while the notebook runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The cell that runs, from 1; 0 before the first.
    pub cell: u32,
    /// Cells of the notebook.
    pub cells: u32,
    /// The runner's last beat.
    pub at: DateTime<Utc>,
    /// Since when this cell runs, to some seconds; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Cells that are completed; absent in records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<u32>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// The notebook ran to its end and its outputs are kept.
    Succeeded,
    /// Anything else.
    Failed,
    /// The instance was busy and the request said `whenBusy: skip`.
    Skipped,
    /// A person stopped the execution.
    Aborted,
}

/// How far a run is that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Progressed {
    /// It waits on its instance, which is on.
    Queued,
    /// A runner has taken it.
    Running,
}

/// A phase of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Phase {
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Seconds between, with milliseconds.
    pub seconds: f64,
}

impl Phase {
    /// A phase between two times; a clock that ran backwards gives 0 seconds.
    #[must_use]
    pub fn between(started_at: DateTime<Utc>, ended_at: DateTime<Utc>) -> Self {
        let seconds = (ended_at - started_at).as_seconds_f64().max(0.0);
        Self { started_at, ended_at, seconds: (seconds * 1_000.0).round() / 1_000.0 }
    }
}

/// The phases of a run that took place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Phases {
    /// Until the instance was seen `InService` first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starting: Option<Phase>,
    /// In the queue: until the runner took the run, or it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Phase>,
    /// The notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<Phase>,
    /// Until the instance was seen to have stopped, or was left to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopping: Option<Phase>,
}

/// What became of the instance after the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Rest {
    /// Stopped, Failed or gone was observed.
    AtRest,
    /// Other runs hold it; the last of them stops it.
    HandedOver,
    /// A person started it, or works on it.
    LeftRunning,
    /// It was never touched by this run.
    NotTouched,
    /// It was not seen to stop in time; the sweeper goes on.
    NotConfirmed,
}

/// `outcome.json`, put once, and the output of a succeeded execution. Outputs that came later are added.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// How it ended.
    pub status: RunStatus,
    /// The failure's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Code>,
    /// The failure, with its evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The instance, if the input named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// The notebook, if the input was valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notebook: Option<NotebookSource>,
    /// SHA-256 of the notebook that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// The version of the runner that reported, if one did; absent in outcomes of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<String>,
    /// Name to S3 URI of each output.
    pub outputs: BTreeMap<String, String>,
    /// Why there is no page (`html`), where there is an output notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_error: Option<String>,
    /// The phases with their seconds.
    pub phases: Phases,
    /// What became of the instance.
    pub instance_after: Rest,
    /// The execution.
    pub execution_arn: String,
    /// The redrive under which this outcome was written.
    pub redrive_count: u32,
    /// When the run was admitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted_at: Option<DateTime<Utc>>,
    /// When this was concluded.
    pub concluded_at: DateTime<Utc>,
}

#[cfg(test)]
mod tests;
