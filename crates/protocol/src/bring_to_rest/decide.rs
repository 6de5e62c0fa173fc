//! What to do about an instance, from what is observed: bring an instance of ours to rest, and touch no one else's.
//!
//! Shared by VerifyStopped, which waits for the answer, and the sweeper, which follows up.

use chrono::{DateTime, TimeDelta, Utc};

use reveille_domain::age::{age, is_ahead};
use reveille_domain::limits::{IN_FLIGHT, UNSURE_QUIET};
use reveille_domain::person::Signs;
use reveille_domain::ports::{InstanceStatus, Observation};
use reveille_domain::records::{Closer, Lease, LeaseState, Rest};

pub mod lost_lease;

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct BootSeen<'a> {
    /// What Describe showed; `None` if the instance is gone.
    pub observation: Option<&'a Observation>,
    /// The lease, if one stands.
    pub lease: Option<&'a Lease>,
    /// Whether another run is live: in the inbox, or the one that the lease is busy with; its execution is running and
    /// it has no report.
    pub other_live_run: bool,
    /// When the verdict was reached on the attempt that the lease is busy with, if it was.
    pub busy_reported_at: Option<DateTime<Utc>>,
    /// The heartbeat: a runner that has not written to its lease for this long is not relied on to stop its boot.
    pub heartbeat_seconds: u32,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestAction {
    /// At rest.
    AtRest {
        /// What becomes of the lease, if it is still the one that was seen.
        lease: LeaseAfter,
    },
    /// Nothing to do now; look again.
    Wait,
    /// Leave it: to other runs, or to a person.
    Leave(Rest),
    /// The lease is of a boot that ended, and what is up is somebody else's: remove the lease and leave the instance.
    Forget,
    /// Compare-and-swap the lease to `closing`, look once more, and stop it.
    Stop,
}

/// What becomes of the lease of an instance at rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAfter {
    /// There is nothing to do about it.
    Keep,
    /// It says that its boot has ended. Something that was sent under it may still arrive, so it stays for a while.
    Ended,
    /// It is removed.
    Remove,
}

/// Decides.
#[must_use]
pub fn action(seen: &BootSeen<'_>) -> RestAction {
    let Some(observation) = seen.observation else { return at_rest(seen) };
    match observation.status {
        InstanceStatus::Stopped | InstanceStatus::Failed if is_from_before_start(seen, observation) => RestAction::Wait,
        InstanceStatus::Stopped | InstanceStatus::Failed => at_rest(seen),
        InstanceStatus::InService if is_a_later_boot(seen, observation) => forget(seen),
        InstanceStatus::InService => in_service(seen),
        InstanceStatus::Pending
        | InstanceStatus::Stopping
        | InstanceStatus::Deleting
        | InstanceStatus::Updating
        | InstanceStatus::PendingMaintenance
        | InstanceStatus::InMaintenance
        | InstanceStatus::Unknown => RestAction::Wait,
    }
}

/// An instance at rest is done only when its lease can take no later boot for ours.
fn at_rest(seen: &BootSeen<'_>) -> RestAction {
    let lease = match seen.lease {
        None => LeaseAfter::Keep,
        Some(lease) if lease.is_over(seen.now) => LeaseAfter::Remove,
        Some(lease) if lease.ended => LeaseAfter::Keep,
        Some(lease) if seen.observation.is_none_or(|rest| lease.its_boot_has_ended(rest, seen.now)) => {
            LeaseAfter::Ended
        }
        // A start of ours may still arrive, or Describe lags.
        Some(_) => return RestAction::Wait,
    };
    RestAction::AtRest { lease }
}

/// Describe lags: a rest that was observed with the time from before our start is the rest before it.
fn is_from_before_start(seen: &BootSeen<'_>, observation: &Observation) -> bool {
    seen.lease.is_some_and(|lease| age(lease.at, seen.now) < IN_FLIGHT && lease.its_start_has_not_shown(observation))
}

/// A boot that was being closed cannot have come up after that: what came up is another. The margin is for clocks that
/// differ; stopping and starting takes longer. Only for a boot that nobody bound: a bound one is told from a later one
/// by the later one's runner, and may come out of a maintenance with a new time.
fn is_a_later_boot(seen: &BootSeen<'_>, observation: &Observation) -> bool {
    seen.lease.is_some_and(|lease| {
        let after_a_stop = lease.state == LeaseState::Closing
            && lease.boot_id.is_none()
            && observation.last_modified.is_some_and(|up| up - lease.at >= IN_FLIGHT && !is_ahead(up, seen.now));
        lease.ended || after_a_stop
    })
}

/// The lease of a boot that ended is forgotten when nothing that was sent under it can still arrive.
fn forget(seen: &BootSeen<'_>) -> RestAction {
    match seen.lease {
        Some(lease) if lease.is_over(seen.now) => RestAction::Forget,
        Some(_) | None => RestAction::Leave(Rest::LeftRunning),
    }
}

fn in_service(seen: &BootSeen<'_>) -> RestAction {
    if seen.other_live_run {
        return RestAction::Leave(Rest::HandedOver);
    }
    let Some(lease) = seen.lease else { return RestAction::Leave(Rest::LeftRunning) };
    let age = age(last_heard(seen, lease), seen.now);
    let heartbeat = TimeDelta::seconds(seen.heartbeat_seconds.into());
    if Signs::in_lease(lease).may_be_working(lease.certain, seen.now) {
        return RestAction::Leave(Rest::LeftRunning);
    }
    match lease.state {
        LeaseState::Closing if age < closing_patience(lease, heartbeat) => RestAction::Wait,
        // Whoever wrote it had waited for every quiet that is due.
        LeaseState::Closing => RestAction::Stop,
        LeaseState::Starting if age < IN_FLIGHT => RestAction::Wait,
        // Its runner waited for every quiet that is due, asked in vain, and would have said if a person were active.
        LeaseState::Open if lease.cannot_stop_itself => RestAction::Stop,
        // Its runner lives, and closes it after a quiet while, which nobody waits for.
        LeaseState::Open | LeaseState::Busy if !lease.certain && lease.boot_id.is_some() && age < heartbeat => {
            RestAction::Leave(Rest::LeftRunning)
        }
        // Its runner closes it: it alone knows whether a person is active. One that is not heard of yet may come.
        LeaseState::Open | LeaseState::Busy if age < heartbeat => RestAction::Wait,
        _ if !lease.certain && age < UNSURE_QUIET => RestAction::Leave(Rest::LeftRunning),
        LeaseState::Starting | LeaseState::Unsure | LeaseState::Open | LeaseState::Busy => RestAction::Stop,
    }
}

/// When the lease's writer was last heard of, as far as that says anything. A runner puts its lease back to open at once
/// after a verdict: one that stays busy with an attempt that has its verdict says nothing of the time since.
fn last_heard(seen: &BootSeen<'_>, lease: &Lease) -> DateTime<Utc> {
    let is_over = seen.busy_reported_at.filter(|_| lease.state == LeaseState::Busy);
    is_over.map_or(lease.at, |reported_at| reported_at.min(lease.at))
}

/// How long another's stop is waited for before it is sent again.
fn closing_patience(lease: &Lease, heartbeat: TimeDelta) -> TimeDelta {
    match lease.closer {
        Some(Closer::Runner) => heartbeat.max(IN_FLIGHT),
        Some(Closer::Function) | None => IN_FLIGHT,
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            decide(InstanceStatus::InService, Some(&lease), false, 299),
            RestAction::Wait,
            "its runner may be late"
        );
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
            assert_eq!(
                decide(InstanceStatus::InService, Some(&lease), false, age),
                RestAction::Leave(Rest::LeftRunning)
            );
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
}
