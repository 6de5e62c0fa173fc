//! CheckInstance's decision: from what Describe shows, start it, wait, go on, or refuse.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use reveille_domain::age::{age, seconds};
use reveille_domain::error::{Code, Failure};
use reveille_domain::ids::{InstanceName, RunId};
use reveille_domain::input::{Limits, WhenBusy};
use reveille_domain::limits::IN_FLIGHT;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{InstanceStatus, Observation};
use reveille_domain::records::{Lease, LeaseState};

pub mod silence;

/// What to do about the instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Check {
    /// Start it.
    Start,
    /// Look again after the poll interval.
    Wait,
    /// It is up: put the run before the runner.
    Ready,
    /// It is busy and the request said to skip: end without a run.
    Skip,
    /// The run has its report: nothing is left to do but to see the instance stopped.
    Reported,
}

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct InstanceSeen<'a> {
    /// The instance's name, for messages.
    pub instance: &'a InstanceName,
    /// What Describe showed; `None` if there is no such instance.
    pub observation: Option<&'a Observation>,
    /// The lease, if there is one.
    pub lease: Option<&'a Lease>,
    /// Its key, for messages.
    pub lease_key: &'a str,
    /// The run's limits.
    pub limits: &'a Limits,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What comes next for a run, from what was seen of its instance.
///
/// # Errors
/// The failure that ends the run.
pub fn check(seen: &InstanceSeen<'_>, waiting: &mut Waiting) -> Result<Check, Failure> {
    let Some(observation) = seen.observation else { return Err(seen.instance.not_found()) };
    if observation.lifecycle_config.is_none() {
        return Err(no_lifecycle_config(seen.instance));
    }
    let step = match observation.status {
        InstanceStatus::InService if is_closing(seen.lease, seen.now) => Check::Wait,
        InstanceStatus::InService => Check::Ready,
        InstanceStatus::Stopped | InstanceStatus::Failed if is_from_before(observation, waiting, seen.now) => {
            Check::Wait
        }
        InstanceStatus::Stopped => Check::Start,
        InstanceStatus::Failed => after_failed(seen, observation, waiting)?,
        InstanceStatus::Deleting => return Err(deleting(seen.instance)),
        InstanceStatus::Pending
        | InstanceStatus::Stopping
        | InstanceStatus::Updating
        | InstanceStatus::PendingMaintenance
        | InstanceStatus::InMaintenance
        | InstanceStatus::Unknown => Check::Wait,
    };
    if step == Check::Ready {
        waiting.note_ready(seen.now);
        waiting.remember_boot(seen.lease, observation.last_modified);
        return Ok(step);
    }
    if waiting.expired(seen.limits, seen.now) {
        return Err(not_in_time(seen, observation, waiting));
    }
    Ok(step)
}

/// Whether other runs on the instance end this one, before anything was touched.
///
/// # Errors
/// `Busy` when the request said to fail.
pub fn when_busy(instance: &InstanceName, asked: WhenBusy, busy: bool) -> Result<Option<Check>, Failure> {
    match asked {
        WhenBusy::Fail if busy => Err(Failure::new(
            Code::Busy,
            format!(
                "Notebook instance {instance} is busy: another run is starting it, or is queued or running on it, and the input says \"whenBusy\": \"fail\". Redrive the execution later, or use \"queue\"."
            ),
        )),
        WhenBusy::Skip if busy => Ok(Some(Check::Skip)),
        WhenBusy::Queue | WhenBusy::Skip | WhenBusy::Fail => Ok(None),
    }
}

/// Whether another run is starting the instance right now. Its ticket comes only when the instance is up, so the inbox
/// does not show it yet.
#[must_use]
pub fn is_started_by_another(
    observation: Option<&Observation>,
    lease: Option<&Lease>,
    me: &RunId,
    now: DateTime<Utc>,
) -> bool {
    let Some(lease) = lease.filter(|lease| lease.started_by != *me) else { return false };
    match observation.map(|seen| seen.status) {
        Some(InstanceStatus::Pending) => true,
        Some(InstanceStatus::Stopped | InstanceStatus::Failed) => {
            lease.state != LeaseState::Closing && !lease.ended && age(lease.at, now) < IN_FLIGHT
        }
        _ => false,
    }
}

/// A boot that is closing takes no more runs; the next one will. When the boot that was closed has ended, only its stop is
/// waited for, which may still arrive.
fn is_closing(lease: Option<&Lease>, now: DateTime<Utc>) -> bool {
    lease.is_some_and(|lease| lease.state == LeaseState::Closing && !(lease.ended && age(lease.at, now) >= IN_FLIGHT))
}

/// Describe lags: an observation that is not newer than the one before our start says nothing of it, for a while.
fn is_from_before(observation: &Observation, waiting: &Waiting, now: DateTime<Utc>) -> bool {
    waiting.sent_at.is_some_and(|sent| {
        age(sent, now) < IN_FLIGHT
            && waiting.seen_before_start.is_some()
            && observation.last_modified <= waiting.seen_before_start
    })
}

/// Failed before we started it: starting is legal. Failed after: by cause.
fn after_failed(seen: &InstanceSeen<'_>, observation: &Observation, waiting: &mut Waiting) -> Result<Check, Failure> {
    if waiting.starts == 0 {
        return Ok(Check::Start);
    }
    let reason = observation.failure_reason.as_deref().unwrap_or("no reason was given");
    let instance = seen.instance;
    let words = reason.trim_end_matches('.');
    match failure_cause(reason) {
        FailureCause::Capacity => {
            waiting.no_capacity = Some(reason.to_owned());
            Ok(Check::Start)
        }
        FailureCause::Lifecycle => Err(Failure::new(
            Code::LifecycleFailed,
            format!(
                "The lifecycle script of notebook instance {instance} failed or took over five minutes: {words}. AWS gives the same text for both; the log says which: CloudWatch group /aws/sagemaker/NotebookInstances, stream {instance}/LifecycleConfigOnStart."
            ),
        )),
        FailureCause::Other => Err(Failure::new(
            Code::InstanceUnavailable,
            format!(
                "Notebook instance {instance} failed to start: {words}. Fix the cause (the SageMaker console shows it on the instance's page), then redrive the execution."
            ),
        )),
    }
}

enum FailureCause {
    Capacity,
    Lifecycle,
    Other,
}

/// How AWS's sentences for missing capacity begin: of notebook instances, and of SageMaker's other machines (see the
/// facts in `docs/aws.md`).
const NO_CAPACITY: [&str; 4] = [
    "insufficient notebook instance capacity",
    "insufficient capacity",
    "capacityerror:",
    "ec2insufficientcapacityerror:",
];
/// How its sentence for a lifecycle script begins.
const LIFECYCLE: [&str; 1] = ["notebook instance lifecycle config '"];

/// Reads AWS's sentence; there is no code beside it (`FailureReason` of DescribeNotebookInstance). Only its beginning: the
/// rest holds the names that users gave, and those may say anything.
fn failure_cause(reason: &str) -> FailureCause {
    let reason = reason.trim_start().to_ascii_lowercase();
    let begins = |known: &[&str]| known.iter().any(|beginning| reason.starts_with(beginning));
    if begins(&NO_CAPACITY) {
        FailureCause::Capacity
    } else if begins(&LIFECYCLE) {
        FailureCause::Lifecycle
    } else {
        FailureCause::Other
    }
}

fn no_lifecycle_config(instance: &InstanceName) -> Failure {
    Failure::new(
        Code::LifecycleConfigMissing,
        format!(
            "Notebook instance {instance} has no lifecycle configuration, so no runner would start on it. Attach the one from infra/instance.yaml (the instance must be stopped), then redrive the execution."
        ),
    )
}

fn deleting(instance: &InstanceName) -> Failure {
    Failure::new(
        Code::InstanceUnavailable,
        format!("Notebook instance {instance} is being deleted. Create it again, or name another instance."),
    )
}

fn not_in_time(seen: &InstanceSeen<'_>, observation: &Observation, waiting: &Waiting) -> Failure {
    let (instance, limit) = (seen.instance, seen.limits.start_seconds);
    if let Some(reason) = &waiting.no_capacity {
        return Failure::new(
            Code::CapacityUnavailable,
            format!(
                "AWS had no capacity for notebook instance {instance} within {limit} s (limits.startSeconds), after {} start(s): {reason} Redrive the execution later, raise the limit, or change the instance type.",
                waiting.starts
            ),
        );
    }
    if observation.status == InstanceStatus::InService {
        let since = seen.lease.map(|lease| seconds(lease.at)).unwrap_or_default();
        return Failure::new(
            Code::StartNotConfirmed,
            format!(
                "Notebook instance {instance} was being stopped for {limit} s (limits.startSeconds) and is still up, so no run could be started on it. The record {} has said so since {since}. Look at the instance in the SageMaker console, and stop it there.",
                seen.lease_key
            ),
        );
    }
    Failure::new(
        Code::StartNotConfirmed,
        format!(
            "Notebook instance {instance} was not InService within {limit} s (limits.startSeconds); it is {:?} now. Look at it in the SageMaker console, or raise the limit if it is only slow.",
            observation.status
        ),
    )
}

#[cfg(test)]
mod tests;
