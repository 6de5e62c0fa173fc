use super::*;
use reveille_domain::ids::RunId;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

fn observed(status: InstanceStatus) -> Observation {
    Observation { status, failure_reason: None, last_modified: Some(at(5)), lifecycle_config: None }
}

/// A boot that is certainly ours, bound, last heard of at 0.
fn ours() -> Lease {
    let mut lease = Lease::starting(&RunId::from_key("r"), "n".into(), Some(at(-100)), at(0));
    lease.state = LeaseState::Open;
    lease.certain = true;
    lease.boot_id = Some("boot".into());
    lease
}

fn decide(status: InstanceStatus, lease: Option<&Lease>, other: bool, now: i64) -> RestAction {
    let observation = observed(status);
    action(&BootSeen {
        observation: Some(&observation),
        lease,
        other_live_run: other,
        busy_reported_at: None,
        heartbeat_seconds: 300,
        now: at(now),
    })
}

const REMOVED: RestAction = RestAction::AtRest { lease: LeaseAfter::Remove };
const ENDED: RestAction = RestAction::AtRest { lease: LeaseAfter::Ended };
const KEPT: RestAction = RestAction::AtRest { lease: LeaseAfter::Keep };

#[test]
fn every_status_has_its_answer() {
    use InstanceStatus as S;
    let lease = ours();
    for status in [S::Stopped, S::Failed] {
        assert_eq!(decide(status, Some(&lease), false, 400), REMOVED, "{status:?}");
    }
    for status in
        [S::Pending, S::Stopping, S::Deleting, S::Updating, S::PendingMaintenance, S::InMaintenance, S::Unknown]
    {
        assert_eq!(decide(status, Some(&lease), false, 400), RestAction::Wait, "{status:?}");
    }
    assert_eq!(decide(S::InService, Some(&lease), false, 400), RestAction::Stop);
    let gone = BootSeen {
        observation: None,
        lease: None,
        other_live_run: false,
        busy_reported_at: None,
        heartbeat_seconds: 300,
        now: at(0),
    };
    assert_eq!(action(&gone), KEPT);
}

#[test]
fn a_boot_that_is_not_ours_is_never_stopped() {
    assert_eq!(decide(InstanceStatus::InService, None, false, 9_999), RestAction::Leave(Rest::LeftRunning));
}

#[test]
fn a_person_who_works_on_our_boot_is_left_alone_until_they_were_quiet() {
    for (certain, quiet) in [(true, 900), (false, 1_800)] {
        // The runner may be dead since: nobody has seen more of the person than the lease tells.
        let lease = Lease { person_at: Some(at(8_990)), at: at(9_000), certain, ..ours() };
        for now in [9_000, 9_299, 9_301, 8_989 + quiet] {
            let action = decide(InstanceStatus::InService, Some(&lease), false, now);
            assert_eq!(action, RestAction::Leave(Rest::LeftRunning), "{certain} {now}");
        }
        let quiet_and_unsure = 9_000 + quiet;
        assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, quiet_and_unsure), RestAction::Stop);
    }
}

#[test]
fn a_sign_from_the_future_is_as_old_as_its_lease() {
    let lease = Lease { person_at: Some(at(999_999)), ..ours() };
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 899), RestAction::Leave(Rest::LeftRunning));
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 900), RestAction::Stop);
}

/// A wrong clock, or a lie: it holds nothing up.
#[test]
fn a_lease_of_the_future_is_infinitely_old() {
    for (ahead, waits) in [(300, true), (301, false), (2_300_000_000, false)] {
        for state in [LeaseState::Open, LeaseState::Busy, LeaseState::Starting, LeaseState::Closing] {
            for certain in [true, false] {
                let boot_id = Some("boot".to_owned());
                let lease = Lease { state, certain, boot_id, at: at(ahead), ..ours() };
                let action = decide(InstanceStatus::InService, Some(&lease), false, 0);
                assert_eq!(action != RestAction::Stop, waits, "{lease:?}");
                let person = Lease { person_at: Some(at(ahead)), jupyter_silent_since: Some(at(ahead)), ..lease };
                let action = decide(InstanceStatus::InService, Some(&person), false, 0);
                assert_eq!(action != RestAction::Stop, waits, "{person:?}");
            }
        }
        let lease = Lease { at: at(ahead), ..ours() };
        assert_eq!(at_rest(&lease, 5, 0) == REMOVED, !waits, "{ahead}");
    }
    // Neither is a change of the instance in the future a proof of anything.
    let open = Lease { boot_id: None, ..ours() };
    assert_eq!(at_rest(&open, 999, 1), RestAction::Wait);
}

#[test]
fn a_jupyter_that_fell_silent_may_hide_a_person_for_a_while() {
    let lease = Lease { jupyter_silent_since: Some(at(-10)), ..ours() };
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 300), RestAction::Leave(Rest::LeftRunning));
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 600), RestAction::Stop);
}

#[test]
fn a_lease_that_stayed_busy_is_an_open_one() {
    let busy = Lease { state: LeaseState::Busy, ..ours() };
    assert_eq!(decide(InstanceStatus::InService, Some(&busy), false, 299), RestAction::Wait, "its runner lives");
    assert_eq!(decide(InstanceStatus::InService, Some(&busy), false, 300), RestAction::Stop);
    assert_eq!(decide(InstanceStatus::InService, Some(&busy), true, 9_999), RestAction::Leave(Rest::HandedOver));
    // A runner that beats its lease, and never says that the attempt is over.
    let beaten = Lease { at: at(9_999), ..busy };
    let observation = observed(InstanceStatus::InService);
    let seen = |reported: Option<i64>| BootSeen {
        observation: Some(&observation),
        lease: Some(&beaten),
        other_live_run: false,
        busy_reported_at: reported.map(at),
        heartbeat_seconds: 300,
        now: at(10_000),
    };
    assert_eq!(action(&seen(None)), RestAction::Wait);
    assert_eq!(action(&seen(Some(9_701))), RestAction::Wait, "it was reported a moment ago");
    assert_eq!(action(&seen(Some(9_700))), RestAction::Stop);
}

#[test]
fn other_runs_take_the_boot_over() {
    assert_eq!(decide(InstanceStatus::InService, Some(&ours()), true, 9_999), RestAction::Leave(Rest::HandedOver));
}

#[test]
fn a_living_runner_closes_its_boot_itself() {
    let mut lease = ours();
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 299), RestAction::Wait);
    lease.boot_id = None;
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 299), RestAction::Wait, "its runner may be late");
    assert_eq!(
        decide(InstanceStatus::InService, Some(&lease), false, 300),
        RestAction::Stop,
        "no runner ever bound it"
    );
    lease = ours();
    lease.cannot_stop_itself = true;
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 1), RestAction::Stop, "it asked in vain");
}

#[test]
fn another_stop_is_waited_for_and_then_sent_again() {
    let lease = ours().closing(Closer::Function, "m".into(), at(0));
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 59), RestAction::Wait);
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 60), RestAction::Stop);
    let helpless = Lease { cannot_stop_itself: true, certain: false, state: LeaseState::Open, ..lease.clone() };
    assert_eq!(
        decide(InstanceStatus::InService, Some(&helpless), false, 1),
        RestAction::Stop,
        "its runner asked for it"
    );
    let of_unknown_origin = Lease { certain: false, ..lease };
    assert_eq!(
        decide(InstanceStatus::InService, Some(&of_unknown_origin), false, 60),
        RestAction::Stop,
        "its quiet is over"
    );
}

#[test]
fn a_stop_of_ours_that_is_done_never_hits_a_later_boot() {
    let mut lease = ours().closing(Closer::Function, "m".into(), at(0));
    lease.boot_id = None;
    let up = |seconds| Observation { last_modified: Some(at(seconds)), ..observed(InstanceStatus::InService) };
    let decide = |observation: &Observation| {
        let lease = Some(&lease);
        action(&BootSeen {
            observation: Some(observation),
            lease,
            other_live_run: false,
            busy_reported_at: None,
            heartbeat_seconds: 300,
            now: at(999),
        })
    };
    assert_eq!(decide(&up(60)), RestAction::Forget);
    assert_eq!(decide(&up(-9)), RestAction::Stop, "the boot that was being closed");
    let bound = Lease { boot_id: Some("boot".into()), ..lease.clone() };
    let after_maintenance = up(60);
    let seen = BootSeen {
        observation: Some(&after_maintenance),
        lease: Some(&bound),
        other_live_run: false,
        busy_reported_at: None,
        heartbeat_seconds: 300,
        now: at(999),
    };
    assert_eq!(action(&seen), RestAction::Stop, "the same boot, after a maintenance");
}

#[test]
fn a_boot_of_unknown_origin_is_stopped_only_after_a_quiet_while() {
    let mut lease = ours();
    lease.certain = false;
    for age in [1, 299, 300, 1_799] {
        assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, age), RestAction::Leave(Rest::LeftRunning));
    }
    assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 1_800), RestAction::Stop);
}

/// At rest, `rested` seconds after the lease was written.
fn at_rest(lease: &Lease, rested: i64, now: i64) -> RestAction {
    let observation = Observation { last_modified: Some(at(rested)), ..observed(InstanceStatus::Failed) };
    let (observation, lease) = (Some(&observation), Some(lease));
    action(&BootSeen {
        observation,
        lease,
        other_live_run: false,
        busy_reported_at: None,
        heartbeat_seconds: 300,
        now: at(now),
    })
}

#[test]
fn a_young_lease_is_never_removed_unless_its_runner_closed_it() {
    let lease = ours();
    assert_eq!(at_rest(&lease, 5, 59), ENDED);
    assert_eq!(at_rest(&lease, 5, 60), REMOVED);
    let closed = lease.closing(Closer::Runner, "m".into(), at(50));
    assert_eq!(at_rest(&closed, 51, 52), REMOVED);
    let closed = lease.closing(Closer::Function, "m".into(), at(50));
    assert_eq!(at_rest(&closed, 51, 52), ENDED, "its stop may have been sent twice");
}

#[test]
fn a_rest_is_done_only_when_the_lease_can_take_no_later_boot_for_ours() {
    let unbound = Lease { boot_id: None, ..ours() };
    assert_eq!(at_rest(&unbound, 20, 21), ENDED, "the start failed at once");
    assert_eq!(at_rest(&unbound.with_its_boot_ended("m".into()), 20, 30), KEPT, "it is said already");
    assert_eq!(at_rest(&unbound.with_its_boot_ended("m".into()), 20, 60), REMOVED);
    let unresolved = Lease { unresolved: true, ..unbound.clone() };
    for may_still_arrive in [
        unresolved.clone(),
        Lease { state: LeaseState::Unsure, ..unbound.clone() },
        Lease { state: LeaseState::Starting, ..unbound.clone() },
    ] {
        assert_eq!(at_rest(&may_still_arrive, 20, 59), RestAction::Wait, "{may_still_arrive:?}");
        assert_eq!(at_rest(&may_still_arrive, 20, 60), REMOVED);
    }
    let bound = Lease { boot_id: Some("boot".into()), ..unresolved };
    assert_eq!(at_rest(&bound, 20, 21), ENDED, "its boot came up, and ended");
    assert_eq!(at_rest(&bound, -50, 21), RestAction::Wait, "Describe lags: its runner wrote after that rest");
    let gone = BootSeen {
        observation: None,
        lease: Some(&unbound),
        other_live_run: false,
        busy_reported_at: None,
        heartbeat_seconds: 300,
        now: at(1),
    };
    assert_eq!(action(&gone), ENDED, "an instance of the same name may be made anew");
}

#[test]
fn whatever_comes_up_after_a_boot_that_ended_is_left_alone() {
    for state in [LeaseState::Open, LeaseState::Closing] {
        for boot_id in [None, Some("boot".to_owned())] {
            let lease =
                Lease { state, boot_id, closer: Some(Closer::Function), ..ours() }.with_its_boot_ended("m".into());
            let left = RestAction::Leave(Rest::LeftRunning);
            assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 59), left, "{lease:?}");
            assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 60), RestAction::Forget, "{lease:?}");
        }
    }
}

#[test]
fn a_rest_from_before_our_start_is_no_rest() {
    let mut lease = ours();
    lease.boot_id = None;
    lease.seen_before_start = Some(at(5));
    assert_eq!(decide(InstanceStatus::Stopped, Some(&lease), false, 59), RestAction::Wait);
    assert_eq!(decide(InstanceStatus::Stopped, Some(&lease), false, 60), REMOVED);
    lease.seen_before_start = Some(at(4));
    assert_eq!(decide(InstanceStatus::Failed, Some(&lease), false, 30), ENDED);
}

/// Another's stop is waited for: a runner's for a heartbeat, a function's for as long as it may be under way.
#[test]
fn a_closing_boot_is_stopped_again_after_a_while() {
    for (closer, patience) in [(Some(Closer::Runner), 300), (Some(Closer::Function), 60), (None, 60)] {
        let lease = Lease { state: LeaseState::Closing, closer, ..ours() };
        assert_eq!(
            decide(InstanceStatus::InService, Some(&lease), false, patience - 1),
            RestAction::Wait,
            "{closer:?}"
        );
        assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, patience), RestAction::Stop, "{closer:?}");
    }
}

/// Of a boot that may be a person's the runner is relied on for a heartbeat, which may be longer than every quiet.
#[test]
fn an_uncertain_boot_is_left_alone_for_as_long_as_its_runner_may_live() {
    let observation = observed(InstanceStatus::InService);
    let lease = Lease { certain: false, ..ours() };
    for (now, expected) in [
        (1_800, RestAction::Leave(Rest::LeftRunning)),
        (3_599, RestAction::Leave(Rest::LeftRunning)),
        (3_600, RestAction::Stop),
    ] {
        let seen = BootSeen {
            observation: Some(&observation),
            lease: Some(&lease),
            other_live_run: false,
            busy_reported_at: None,
            heartbeat_seconds: 3_600,
            now: at(now),
        };
        assert_eq!(action(&seen), expected, "{now}");
    }
}

/// Its start may have been sent just now, and not have shown.
#[test]
fn a_boot_that_is_starting_is_waited_for_while_its_start_may_be_under_way() {
    for (certain, later) in [(true, RestAction::Stop), (false, RestAction::Leave(Rest::LeftRunning))] {
        let lease = Lease { state: LeaseState::Starting, certain, ..ours() };
        assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 59), RestAction::Wait, "{certain}");
        assert_eq!(decide(InstanceStatus::InService, Some(&lease), false, 60), later, "{certain}");
    }
}
