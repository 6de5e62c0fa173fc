use super::*;
use reveille_domain::input;
use reveille_domain::records::Closer;

const FULL: &str = "Insufficient notebook instance capacity. Retry later or with a different instance type.";
const SCRIPT: &str = "Notebook Instance Lifecycle Config 'arn' for Notebook Instance 'arn' took longer than 5 minutes. Please check your CloudWatch logs for more details.";

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn observed(status: InstanceStatus) -> Observation {
    Observation { status, failure_reason: None, last_modified: Some(at(0)), lifecycle_config: Some("reveille".into()) }
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
    Waiting::at_look(None, 1, 0, at(0))
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
        assert_eq!(run(Some(&observed(status)), None, &mut fresh(), late), Err(Code::StartNotConfirmed), "{status:?}");
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
        bound_at: None,
        seen_up: false,
        cannot_stop_itself: false,
        busy: None,
        person_at: None,
        jupyter_silent_since: None,
        closer: Some(Closer::Runner),
        unresolved: false,
        ended: false,
    };
    let up = |lease: &Lease, now| run(Some(&observed(InstanceStatus::InService)), Some(lease), &mut fresh(), at(now));
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
    assert_eq!(Waiting::at_look(Some(waiting.clone()), 1, 0, at(9)), waiting);
    assert_eq!(Waiting::at_look(Some(waiting.clone()), 1, 0, at(1_200)).patience, 2, "looked at less often");
    let anew = Waiting::at_look(Some(waiting), 1, 1, at(9));
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

/// The boot of the attempt before may still be up when its lease is lost.
#[test]
fn another_attempt_begins_anew_and_remembers_the_boot() {
    let before = Waiting { own_boot: Some(at(5)), own_certain: true, ready_at: Some(at(6)), ..started() };
    let anew = Waiting::at_look(Some(before.clone()), 2, 0, at(100));
    assert_eq!(anew, Waiting { own_boot: Some(at(5)), own_certain: true, ..Waiting::at_look(None, 2, 0, at(100)) });
    assert!(before.is_of(1) && !before.is_of(2) && anew.is_of(2));
    // The memory of an earlier version was never handed on to another attempt.
    let old = Waiting { attempt: None, ..before };
    assert_eq!(Waiting::at_look(Some(old.clone()), 2, 0, at(7)), old);
}

#[test]
fn an_observation_is_believed_when_the_start_must_have_shown() {
    let seen = observed(InstanceStatus::Stopped);
    assert!(is_from_before(&seen, &started(), at(60)));
    assert!(!is_from_before(&seen, &started(), at(61)), "a minute after it was sent");
    let newer = Observation { last_modified: Some(at(2)), ..seen };
    assert!(!is_from_before(&newer, &started(), at(2)));
}

/// What held it up is not the same for an instance that does not come up and for one that does not go down.
#[test]
fn the_start_limit_says_what_the_instance_was_waited_for() {
    let instance = InstanceName::parse("nightly").unwrap();
    let limits = limits();
    let told = |status| {
        let seen = InstanceSeen {
            instance: &instance,
            observation: None,
            lease: None,
            lease_key: "leases/nightly.json",
            limits: &limits,
            now: at(9_999),
        };
        not_in_time(&seen, &observed(status), &fresh()).message
    };
    let closing = told(InstanceStatus::InService);
    assert!(closing.contains("was being stopped for") && closing.contains("leases/nightly.json"), "{closing}");
    let slow = told(InstanceStatus::Pending);
    assert!(slow.contains("was not InService within") && slow.contains("it is Pending now"), "{slow}");
}
