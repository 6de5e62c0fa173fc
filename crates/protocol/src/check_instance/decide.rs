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
    /// The run's report stands: nothing is left to do but to see the instance at rest.
    Reported,
}

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct InstanceSeen<'a> {
    /// The instance's name, for messages.
    pub instance: &'a InstanceName,
    /// What Describe showed; `None` if there is no such instance.
    pub observation: Option<&'a Observation>,
    /// The lease, if one stands.
    pub lease: Option<&'a Lease>,
    /// Its key, for messages.
    pub lease_key: &'a str,
    /// The run's limits.
    pub limits: &'a Limits,
    /// Now.
    pub now: DateTime<Utc>,
}

/// Decides.
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
        waiting.ready_at = Some(seen.now);
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
                "Notebook instance {instance} is busy: another run starts it, or is queued or running on it, and the request said \"whenBusy\": \"fail\". Start again later, or use \"queue\"."
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
                "The lifecycle script of notebook instance {instance} failed or took over five minutes: {words}. AWS gives the same text for both; the log tells: CloudWatch group /aws/sagemaker/NotebookInstances, stream {instance}/LifecycleConfigOnStart."
            ),
        )),
        FailureCause::Other => Err(Failure::new(
            Code::InstanceUnavailable,
            format!(
                "Notebook instance {instance} failed to start: {words}. Fix the cause (the SageMaker console shows it on the instance's page), then run again."
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
            "Notebook instance {instance} has no lifecycle configuration, so no runner would start on it. Attach the one from infra/instance.yaml (the instance must be stopped), then run again."
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
                "AWS had no capacity for notebook instance {instance} within {limit} s (limits.startSeconds), after {} start(s): {reason} Run again later, raise the limit, or change the instance type.",
                waiting.starts
            ),
        );
    }
    if observation.status == InstanceStatus::InService {
        let since = seen.lease.map(|lease| seconds(lease.at)).unwrap_or_default();
        return Failure::new(
            Code::StartNotConfirmed,
            format!(
                "Notebook instance {instance} was being stopped for {limit} s (limits.startSeconds) and is still up, so no run could be put on it. The record {} has said so since {since}. Look at the instance in the SageMaker console, and stop it there.",
                seen.lease_key
            ),
        );
    }
    Failure::new(
        Code::StartNotConfirmed,
        format!(
            "Notebook instance {instance} was not InService within {limit} s (limits.startSeconds); it is {:?} now. Look at it in the SageMaker console; raise the limit if it only is slow.",
            observation.status
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use reveille_domain::input;
    use reveille_domain::records::Closer;

    const FULL: &str = "Insufficient notebook instance capacity. Retry later or with a different instance type.";
    const SCRIPT: &str = "Notebook Instance Lifecycle Config 'arn' for Notebook Instance 'arn' took longer than 5 minutes. Please check your CloudWatch logs for more details.";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn observed(status: InstanceStatus) -> Observation {
        Observation {
            status,
            failure_reason: None,
            last_modified: Some(at(0)),
            lifecycle_config: Some("reveille".into()),
        }
    }

    fn limits() -> Limits {
        input::parse(&serde_json::json!({"instance": "a", "notebook": "a.ipynb"})).unwrap().limits
    }

    fn run(
        observation: Option<&Observation>,
        lease: Option<&Lease>,
        waiting: &mut Waiting,
        now: DateTime<Utc>,
    ) -> Result<Check, Code> {
        let instance = InstanceName::parse("nightly").unwrap();
        let limits = limits();
        let seen = InstanceSeen {
            instance: &instance,
            observation,
            lease,
            lease_key: "leases/nightly.json",
            limits: &limits,
            now,
        };
        check(&seen, waiting).map_err(|failure| failure.code)
    }

    fn fresh() -> Waiting {
        Waiting::at_look(None, 0, at(0))
    }

    fn started() -> Waiting {
        Waiting { starts: 1, sent_at: Some(at(1)), seen_before_start: Some(at(0)), ..fresh() }
    }

    #[test]
    fn every_status_has_its_answer_at_the_first_look() {
        use InstanceStatus as S;
        let cases = [
            (S::InService, Ok(Check::Ready)),
            (S::Stopped, Ok(Check::Start)),
            (S::Failed, Ok(Check::Start)),
            (S::Pending, Ok(Check::Wait)),
            (S::Stopping, Ok(Check::Wait)),
            (S::Updating, Ok(Check::Wait)),
            (S::PendingMaintenance, Ok(Check::Wait)),
            (S::InMaintenance, Ok(Check::Wait)),
            (S::Deleting, Err(Code::InstanceUnavailable)),
            (S::Unknown, Ok(Check::Wait)),
        ];
        for (status, expected) in cases {
            assert_eq!(run(Some(&observed(status)), None, &mut fresh(), at(1)), expected, "{status:?}");
        }
        assert_eq!(run(None, None, &mut fresh(), at(1)), Err(Code::InstanceNotFound));
    }

    #[test]
    fn every_waiting_status_ends_at_the_start_limit() {
        use InstanceStatus as S;
        let late = at(i64::from(limits().start_seconds));
        for status in [S::Stopped, S::Pending, S::Stopping, S::Updating, S::PendingMaintenance, S::InMaintenance] {
            assert_eq!(
                run(Some(&observed(status)), None, &mut fresh(), late),
                Err(Code::StartNotConfirmed),
                "{status:?}"
            );
        }
        assert_eq!(run(Some(&observed(S::InService)), None, &mut fresh(), late), Ok(Check::Ready));
    }

    #[test]
    fn a_failed_start_is_judged_by_its_cause() {
        let failed = |reason: &str| Observation {
            failure_reason: Some(reason.into()),
            last_modified: Some(at(50)),
            ..observed(InstanceStatus::Failed)
        };
        assert_eq!(run(Some(&failed(SCRIPT)), None, &mut started(), at(60)), Err(Code::LifecycleFailed));
        assert_eq!(run(Some(&failed("Disk broke.")), None, &mut started(), at(60)), Err(Code::InstanceUnavailable));
        let mut waiting = started();
        assert_eq!(run(Some(&failed(FULL)), None, &mut waiting, at(60)), Ok(Check::Start));
        let late = at(i64::from(limits().start_seconds));
        assert_eq!(run(Some(&failed(FULL)), None, &mut waiting, late), Err(Code::CapacityUnavailable));
    }

    /// Whatever users call their things, AWS's sentence decides.
    #[test]
    fn a_name_is_no_cause() {
        let cause = |reason: &str| match failure_cause(reason) {
            FailureCause::Capacity => "capacity",
            FailureCause::Lifecycle => "lifecycle",
            FailureCause::Other => "other",
        };
        for name in [
            "capacity",
            "Insufficient-Capacity",
            "insufficient-notebook-instance-capacity",
            "lifecycle-config",
            "Lifecycle",
            "CapacityError",
            "limit",
            "stopped",
        ] {
            let arn = |kind: &str| format!("arn:aws:sagemaker:eu-west-1:123456789012:{kind}/{name}");
            let (config, instance) = (arn("notebook-instance-lifecycle-config"), arn("notebook-instance"));
            let script = format!(
                "Notebook Instance Lifecycle Config '{config}' for Notebook Instance '{instance}' took longer than 5 minutes. Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
            );
            assert_eq!(cause(&script), "lifecycle", "{name}");
            for other in [
                format!("Notebook Instance '{instance}' failed to start."),
                format!("{name} failed to start."),
                format!("Unable to assume the role of {name}: capacity"),
                format!("Subnet {name} has no free addresses."),
                format!("Unable to describe Notebook Instance Lifecycle Config '{config}'."),
            ] {
                assert_eq!(cause(&other), "other", "{other}");
            }
        }
        assert_eq!(cause(FULL), "capacity");
        assert_eq!(cause(&FULL.to_uppercase()), "capacity");
        assert_eq!(cause("CapacityError: Unable to provision requested ML compute capacity."), "capacity");
    }

    #[test]
    fn an_observation_from_before_the_start_is_not_believed_for_a_while() {
        let stale = Observation { failure_reason: Some(SCRIPT.into()), ..observed(InstanceStatus::Failed) };
        assert_eq!(run(Some(&stale), None, &mut started(), at(30)), Ok(Check::Wait));
        assert_eq!(run(Some(&stale), None, &mut started(), at(120)), Err(Code::LifecycleFailed));
        let stopped = observed(InstanceStatus::Stopped);
        assert_eq!(run(Some(&stopped), None, &mut started(), at(30)), Ok(Check::Wait));
        assert_eq!(run(Some(&stopped), None, &mut started(), at(120)), Ok(Check::Start));
    }

    #[test]
    fn a_boot_that_is_closing_is_waited_out() {
        let lease = Lease {
            instance: None,
            state: LeaseState::Closing,
            nonce: "n".into(),
            at: at(0),
            started_by: RunId::from_key("r"),
            started_attempt: 1,
            certain: true,
            seen_before_start: None,
            boot_id: None,
            seen_up: false,
            cannot_stop_itself: false,
            busy: None,
            person_at: None,
            jupyter_silent_since: None,
            closer: Some(Closer::Runner),
            unresolved: false,
            ended: false,
        };
        let up =
            |lease: &Lease, now| run(Some(&observed(InstanceStatus::InService)), Some(lease), &mut fresh(), at(now));
        assert_eq!(up(&lease, 1), Ok(Check::Wait));
        assert_eq!(up(&lease, 99), Ok(Check::Wait));
        let ended = lease.with_its_boot_ended("m".into());
        assert_eq!(up(&ended, 59), Ok(Check::Wait), "a stop may still arrive");
        assert_eq!(up(&ended, 60), Ok(Check::Ready), "a later boot");
    }

    /// Whatever becomes of the lease afterwards, or became of it before.
    #[test]
    fn the_boot_that_is_ready_is_remembered() {
        let up = observed(InstanceStatus::InService);
        let bound = |certain| Lease {
            state: LeaseState::Open,
            certain,
            boot_id: Some("boot".into()),
            ..Lease::starting(&RunId::from_key("r"), "n".into(), None, at(0))
        };
        let remembered = |before: Waiting, lease: Option<&Lease>| {
            let mut waiting = before;
            assert_eq!(run(Some(&up), lease, &mut waiting, at(99)), Ok(Check::Ready));
            (waiting.own_boot, waiting.own_certain)
        };
        assert_eq!(remembered(started(), Some(&bound(true))), (Some(at(0)), true));
        assert_eq!(remembered(started(), Some(&bound(false))), (Some(at(0)), false));
        assert_eq!(remembered(started(), None), (Some(at(0)), false), "its lease was removed before it was ready");
        assert_eq!(remembered(fresh(), Some(&bound(true))), (Some(at(0)), true), "another run started it");
        assert_eq!(remembered(fresh(), Some(&bound(false))), (None, false));
        assert_eq!(remembered(fresh(), None), (None, false), "a person's");
        let before = Waiting { own_boot: Some(at(0)), own_certain: true, ..fresh() };
        assert_eq!(remembered(before.clone(), None), (Some(at(0)), true), "the same boot, after a silence");
        let earlier = Waiting { own_boot: Some(at(-500)), ..before };
        assert_eq!(remembered(earlier, None), (None, false), "a later boot");
    }

    #[test]
    fn a_run_that_is_starting_the_instance_holds_it() {
        let mine = Lease::starting(&RunId::from_key("me"), "n".into(), None, at(0));
        let other = Lease::starting(&RunId::from_key("other"), "n".into(), None, at(0));
        let held = |lease: Option<&Lease>, status, now| {
            is_started_by_another(Some(&observed(status)), lease, &RunId::from_key("me"), at(now))
        };
        assert!(held(Some(&other), InstanceStatus::Pending, 999));
        assert!(held(Some(&other), InstanceStatus::Stopped, 59));
        assert!(!held(Some(&other), InstanceStatus::Stopped, 60), "a lease of a start that came to nothing");
        assert!(!held(Some(&other), InstanceStatus::InService, 1), "the inbox tells");
        assert!(!held(Some(&mine), InstanceStatus::Pending, 1));
        assert!(!held(None, InstanceStatus::Pending, 1));
    }

    #[test]
    fn an_instance_without_a_lifecycle_config_is_never_started() {
        let bare = Observation { lifecycle_config: None, ..observed(InstanceStatus::Stopped) };
        assert_eq!(run(Some(&bare), None, &mut fresh(), at(1)), Err(Code::LifecycleConfigMissing));
    }

    #[test]
    fn a_silence_begins_the_wait_anew() {
        let waiting = Waiting { starts: 3, ..fresh() };
        assert_eq!(Waiting::at_look(Some(waiting.clone()), 0, at(9)), waiting);
        assert_eq!(Waiting::at_look(Some(waiting.clone()), 0, at(1_200)).patience, 2, "looked at less often");
        let anew = Waiting::at_look(Some(waiting), 1, at(9));
        assert_eq!((anew.first_at, anew.since, anew.starts), (at(0), at(9), 0));
    }

    #[test]
    fn a_busy_instance_is_answered_as_asked() {
        let instance = InstanceName::parse("nightly").unwrap();
        assert_eq!(when_busy(&instance, WhenBusy::Queue, true), Ok(None));
        assert_eq!(when_busy(&instance, WhenBusy::Skip, true), Ok(Some(Check::Skip)));
        assert_eq!(when_busy(&instance, WhenBusy::Skip, false), Ok(None));
        assert_eq!(when_busy(&instance, WhenBusy::Fail, true).unwrap_err().code, Code::Busy);
        assert_eq!(when_busy(&instance, WhenBusy::Fail, false), Ok(None));
    }
}
