//! What is read from a lease, by every field that it depends on.

use super::*;
use crate::observation::InstanceStatus;

const STATES: [LeaseState; 5] =
    [LeaseState::Starting, LeaseState::Unsure, LeaseState::Open, LeaseState::Busy, LeaseState::Closing];

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Written at second 100.
fn lease(state: LeaseState) -> Lease {
    Lease { state, ..Lease::starting(&RunId::from_key("r"), "n".into(), Some(at(50)), at(100)) }
}

fn seen(last_modified: Option<DateTime<Utc>>) -> Observation {
    Observation { status: InstanceStatus::Stopped, failure_reason: None, last_modified, lifecycle_config: None }
}

#[test]
fn a_starter_is_the_attempt_that_the_lease_names() {
    let instance = InstanceName::parse("nightly").unwrap();
    let lease = Lease { started_attempt: 3, ..lease(LeaseState::Open) };
    let starter = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r"), attempt: 3 };
    assert_eq!(lease.starter(&instance), starter);
}

#[test]
fn a_boot_has_ended_when_the_instance_stopped_after_the_lease_and_no_start_can_arrive() {
    let rests = |lease: &Lease, seconds: i64| lease.its_boot_has_ended(&seen(Some(at(seconds))), at(1_000));
    for state in STATES {
        let answered = !matches!(state, LeaseState::Starting | LeaseState::Unsure);
        let lease = lease(state);
        assert_eq!(rests(&lease, 101), answered, "{state:?}");
        assert!(!rests(&lease, 100), "{state:?}: no later than the lease");
        assert!(!rests(&lease, 99), "{state:?}: before the lease");
        assert!(!lease.its_boot_has_ended(&seen(None), at(1_000)), "{state:?}: nothing is known");
        assert!(!rests(&lease, 1_301), "{state:?}: further ahead than clocks differ");
        assert_eq!(rests(&lease, 1_300), answered, "{state:?}: clocks differ by so much");
        let ended = lease.with_its_boot_ended("n2".into());
        assert!(ended.its_boot_has_ended(&seen(None), at(1_000)), "{state:?}: it says so");
    }
}

#[test]
fn an_unresolved_start_keeps_a_boot_from_having_ended_until_a_runner_bound_it() {
    for state in STATES {
        let unresolved = Lease { unresolved: true, ..lease(state) };
        let bound = Lease { boot_id: Some("b".into()), ..unresolved.clone() };
        let rest = seen(Some(at(101)));
        assert_eq!(unresolved.its_boot_has_ended(&rest, at(1_000)), state == LeaseState::Closing, "{state:?}");
        let is_up = !matches!(state, LeaseState::Starting | LeaseState::Unsure);
        assert_eq!(bound.its_boot_has_ended(&rest, at(1_000)), is_up, "{state:?}");
    }
}

#[test]
fn a_lease_whose_boot_ended_is_as_old_as_before() {
    let before = lease(LeaseState::Busy);
    let ended = before.with_its_boot_ended("n2".into());
    assert_eq!(ended, Lease { ended: true, nonce: "n2".into(), ..before });
}

#[test]
fn what_was_sent_under_a_lease_takes_a_minute_to_arrive_but_a_runners_stop_ends_with_it() {
    for state in STATES {
        assert!(!lease(state).is_over(at(159)), "{state:?}");
        assert!(lease(state).is_over(at(160)), "{state:?}");
        for closer in [Closer::Runner, Closer::Function] {
            let closed = Lease { closer: Some(closer), ..lease(state) };
            let by_runner = state == LeaseState::Closing && closer == Closer::Runner;
            assert_eq!(closed.is_over(at(101)), by_runner, "{state:?} {closer:?}");
        }
    }
}

#[test]
fn a_closing_lease_names_who_closes_and_no_run() {
    let busy = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r"), attempt: 1 };
    let before = Lease { busy: Some(busy), certain: true, boot_id: Some("b".into()), ..lease(LeaseState::Busy) };
    let after = before.closing(Closer::Function, "n2".into(), at(200));
    let expected = Lease {
        state: LeaseState::Closing,
        closer: Some(Closer::Function),
        nonce: "n2".into(),
        at: at(200),
        busy: None,
        ..before
    };
    assert_eq!(after, expected);
}

#[test]
fn a_start_has_not_shown_while_nothing_newer_is_seen_than_before_it() {
    for state in STATES {
        let may_wait = matches!(state, LeaseState::Starting | LeaseState::Unsure | LeaseState::Open);
        let lease = lease(state);
        assert_eq!(lease.its_start_has_not_shown(&seen(Some(at(50)))), may_wait, "{state:?}: the same");
        assert_eq!(lease.its_start_has_not_shown(&seen(Some(at(49)))), may_wait, "{state:?}: older");
        assert!(!lease.its_start_has_not_shown(&seen(Some(at(51)))), "{state:?}: newer");
        let nothing_before = Lease { seen_before_start: None, ..lease.clone() };
        assert_eq!(nothing_before.its_start_has_not_shown(&seen(Some(at(51)))), may_wait, "{state:?}: all is new");
        for shown in [
            Lease { boot_id: Some("b".into()), ..lease.clone() },
            Lease { seen_up: true, ..lease.clone() },
            Lease { ended: true, ..lease.clone() },
        ] {
            assert!(!shown.its_start_has_not_shown(&seen(Some(at(50)))), "{shown:?}");
        }
    }
}

#[test]
fn a_boot_came_up_unbound_only_if_its_lease_is_open_and_says_nothing_else() {
    for state in STATES {
        let lease = lease(state);
        assert_eq!(lease.came_up_unbound(), state == LeaseState::Open, "{state:?}");
        for known in [
            Lease { boot_id: Some("b".into()), ..lease.clone() },
            Lease { seen_up: true, ..lease.clone() },
            Lease { ended: true, ..lease.clone() },
        ] {
            assert!(!known.came_up_unbound(), "{known:?}");
        }
    }
}

#[test]
fn a_state_is_named_as_in_the_record() {
    for state in STATES {
        assert_eq!(serde_json::to_value(state).unwrap(), state.as_str());
    }
}
