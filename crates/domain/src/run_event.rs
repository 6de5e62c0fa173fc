//! The event that tells of a run: of its outcome, and if the stack is asked to, of its progress. A rule of somebody else's matches it, so its
//! names never change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::card;
use crate::error::{Code, Evidence};
pub use crate::event::SOURCE;
use crate::input::NotebookSource;
use crate::layout::{AttemptRef, Layout};
use crate::records::{Outcome, Progressed, Request, Rest, RunStatus};
use crate::{InstanceName, RunId};

/// The event's `detail-type`.
pub const DETAIL_TYPE: &str = "Notebook Run Status Change";

/// What the event tells: how far the run is, or how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventStatus {
    /// As [`Progressed::Queued`].
    Queued,
    /// As [`Progressed::Running`].
    Running,
    /// As [`RunStatus::Succeeded`].
    Succeeded,
    /// As [`RunStatus::Failed`].
    Failed,
    /// As [`RunStatus::Skipped`].
    Skipped,
    /// As [`RunStatus::Aborted`].
    Aborted,
}

impl From<RunStatus> for EventStatus {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Succeeded => Self::Succeeded,
            RunStatus::Failed => Self::Failed,
            RunStatus::Skipped => Self::Skipped,
            RunStatus::Aborted => Self::Aborted,
        }
    }
}

impl From<Progressed> for EventStatus {
    fn from(progressed: Progressed) -> Self {
        match progressed {
            Progressed::Queued => Self::Queued,
            Progressed::Running => Self::Running,
        }
    }
}

/// The event's `detail`. A field without a value is null, because a rule can match null and cannot match what is absent.
/// It holds no parameters: they may hold what only the notebook should see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunEvent {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// How far it is, or how it ended.
    pub status: EventStatus,
    /// The failure's code.
    pub code: Option<Code>,
    /// The failure's sentence.
    pub message: Option<String>,
    /// The failure's evidence.
    pub evidence: Option<Evidence>,
    /// The instance, if the input named one.
    pub instance: Option<InstanceName>,
    /// What became of the instance, if the run ended.
    pub instance_after: Option<Rest>,
    /// The notebook, if the input was valid.
    pub notebook: Option<NotebookSource>,
    /// Name to S3 URI of each output.
    pub outputs: BTreeMap<String, String>,
    /// Why there is no page (`html`), where there is an output notebook.
    pub html_error: Option<String>,
    /// The S3 URI of the outcome, if the run ended.
    pub outcome: Option<String>,
    /// The execution.
    pub execution_arn: String,
    /// The same for a person, line by line: what a mail shows.
    pub card: BTreeMap<String, String>,
}

impl RunEvent {
    /// The event of an outcome. Whose it is, the caller says: the record itself may name another run.
    #[must_use]
    pub fn of(outcome: &Outcome, at: &AttemptRef, execution_arn: &str, layout: &Layout) -> Self {
        let failure = outcome.failure.as_ref();
        Self {
            run: at.run.clone(),
            attempt: at.attempt,
            status: outcome.status.into(),
            code: outcome.code,
            message: failure.map(|failure| failure.message.clone()),
            evidence: failure.and_then(|failure| failure.evidence.as_deref().cloned()),
            // The folder of runs without a valid instance has no instance's name.
            instance: InstanceName::parse(&at.instance).ok(),
            instance_after: Some(outcome.instance_after),
            notebook: outcome.notebook.clone(),
            outputs: outcome.outputs.clone(),
            html_error: outcome.html_error.clone(),
            outcome: Some(layout.uri(&layout.outcome(at))),
            execution_arn: execution_arn.to_owned(),
            card: card::card(outcome, &at.instance, execution_arn),
        }
    }

    /// The event of an attempt that has not ended, of the run that was asked for.
    #[must_use]
    pub fn of_progress(progressed: Progressed, request: &Request, attempt: u32) -> Self {
        Self {
            run: request.run.clone(),
            attempt,
            status: progressed.into(),
            code: None,
            message: None,
            evidence: None,
            instance: Some(request.instance.clone()),
            instance_after: None,
            notebook: Some(request.notebook.clone()),
            outputs: BTreeMap::new(),
            html_error: None,
            outcome: None,
            execution_arn: request.execution_arn.clone(),
            card: card::of_progress(progressed, &request.notebook, request.instance.as_str(), &request.execution_arn),
        }
    }
}
