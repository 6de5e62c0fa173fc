//! The runner's decisions: whose boot this is, which run is next, and when the boot may be closed.

use std::cmp::Ordering;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use reveille_domain::age::{age, is_ahead, seconds};
use reveille_domain::error::{Code, Failure};
use reveille_domain::limits::{BEATS_PER_HEARTBEAT, BOOT_GRACE, GIVEN_UP_GRACE, IN_FLIGHT, UNSURE_QUIET};
use reveille_domain::person::Signs;
use reveille_domain::records::{Lease, LeaseState, Ticket};

/// Whose boot this is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is written at once")]
pub enum Bind {
    /// Ours: write this lease over the one that is there, by compare-and-swap.
    Ours(Lease),
    /// Ours, bound before by an earlier runner process of this very boot.
    Again,
    /// A person's.
    Persons {
        /// The lease that is there is of a boot that ended: remove it, so that nobody takes this boot for ours.
        remove_lease: bool,
    },
}

/// Decides at the start of the runner, before the instance is `InService`.
#[must_use]
pub fn bind(lease: Option<&Lease>, boot_id: &str, nonce: String, now: DateTime<Utc>) -> Bind {
    let Some(lease) = lease else { return Bind::Persons { remove_lease: false } };
    match (lease.boot_id.as_deref(), lease.state) {
        (Some(bound), _) if bound == boot_id => Bind::Again,
        // Whoever ended the boot that the lease names saw it stopped.
        _ if lease.ended => Bind::Persons { remove_lease: age(lease.at, now) >= IN_FLIGHT },
        (Some(_), _) => Bind::Persons { remove_lease: true },
        (None, LeaseState::Starting | LeaseState::Open | LeaseState::Unsure) => Bind::Ours(Lease {
            state: LeaseState::Open,
            boot_id: Some(boot_id.to_owned()),
            bound_at: Some(now),
            certain: lease.certain && !lease.seen_up,
            nonce,
            at: now,
            ..lease.clone()
        }),
        // A function's stop of an earlier boot, long done: its lease must not be taken for this boot's.
        (None, LeaseState::Closing) if age(lease.at, now) >= IN_FLIGHT => Bind::Persons { remove_lease: true },
        // A function is about to stop whatever runs here; it is not waited for and not joined.
        (None, LeaseState::Busy | LeaseState::Closing) => Bind::Persons { remove_lease: false },
    }
}

/// The queue's order: by admission, then by run, so that every reader sees the same order.
#[must_use]
pub fn queue_order(a: &Ticket, b: &Ticket) -> Ordering {
    (a.admitted_at, &a.run).cmp(&(b.admitted_at, &b.run))
}

/// The failure of a ticket that waited too long.
#[must_use]
pub fn queue_timeout(ticket: &Ticket, now: DateTime<Utc>) -> Option<Failure> {
    let waited = age(ticket.queued_at, now);
    if waited < TimeDelta::seconds(ticket.queue_seconds.into()) {
        return None;
    }
    let message = if is_ahead(ticket.queued_at, now) {
        format!(
            "The run's ticket in the inbox says that it was queued at {}, and the instance's clock says {}. Clocks differ too much for limits.queueSeconds to be kept: correct the clock of the instance, then redrive the execution.",
            seconds(ticket.queued_at),
            seconds(now)
        )
    } else {
        format!(
            "The run waited {} s for its turn on the instance; limits.queueSeconds is {} s. Raise it, spread out the triggers, or use another instance.",
            waited.num_seconds(),
            ticket.queue_seconds
        )
    };
    Some(Failure::new(Code::QueueTimedOut, message))
}

/// The time between two beats, so that two may be lost within a heartbeat, and each may be a little late.
#[must_use]
pub fn beat_every(heartbeat_seconds: u32) -> Duration {
    // A ticket's heartbeat is what its record says: none would be a beat without a pause.
    Duration::from_secs(heartbeat_seconds.max(1).into()) / BEATS_PER_HEARTBEAT
}

/// What the runner knows when its inbox is empty.
#[derive(Clone, Copy, Debug)]
pub struct Idle {
    /// Whether the boot is certainly ours (Start's answer came).
    pub certain: bool,
    /// Whether a run was served on this boot.
    pub served: bool,
    /// Whether the run that started this boot has given up, so that it never comes.
    pub given_up: bool,
    /// When the boot was bound.
    pub bound_at: DateTime<Utc>,
    /// The signs of a person on it.
    pub person: Signs,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What to do with a boot of ours whose inbox is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleAction {
    /// Close it.
    Close,
    /// A person may be working on it: stay.
    StayForPerson,
    /// Stay a little longer: the execution that started it may be about to submit its run, or it is not certain
    /// who started it.
    Stay,
}

/// What a runner without a ticket does with its boot.
#[must_use]
pub fn idle(idle: &Idle) -> IdleAction {
    let up_for = age(idle.bound_at, idle.now);
    if idle.person.may_be_working(idle.certain, idle.now) {
        return IdleAction::StayForPerson;
    }
    let grace = match (idle.certain, idle.served, idle.given_up) {
        (false, _, _) => UNSURE_QUIET,
        (true, true, _) => TimeDelta::zero(),
        (true, false, true) => GIVEN_UP_GRACE,
        (true, false, false) => BOOT_GRACE,
    };
    if up_for < grace { IdleAction::Stay } else { IdleAction::Close }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reveille_domain::ids::RunId;
    use reveille_domain::records::Closer;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn lease(state: LeaseState, boot: Option<&str>) -> Lease {
        let mut lease = Lease::starting(&RunId::from_key("r"), "n".into(), None, at(0));
        lease.state = state;
        lease.boot_id = boot.map(str::to_owned);
        lease
    }

    fn bound(lease: Option<&Lease>) -> Bind {
        bind(lease, "boot", "m".into(), at(1))
    }

    #[test]
    fn a_boot_is_ours_when_a_start_of_ours_waits_for_it() {
        for state in [LeaseState::Starting, LeaseState::Open, LeaseState::Unsure] {
            let Bind::Ours(lease) = bound(Some(&lease(state, None))) else { panic!("{state:?}") };
            assert_eq!((lease.state, lease.boot_id.as_deref()), (LeaseState::Open, Some("boot")));
            assert_eq!((lease.nonce.as_str(), lease.at, lease.bound_at), ("m", at(1), Some(at(1))));
        }
    }

    #[test]
    fn every_other_boot_is_a_persons() {
        assert_eq!(bound(None), Bind::Persons { remove_lease: false });
        // A person stopped our boot and started it again.
        assert_eq!(bound(Some(&lease(LeaseState::Open, Some("old")))), Bind::Persons { remove_lease: true });
        let closed = lease(LeaseState::Open, Some("old")).closing(Closer::Runner, "x".into(), at(0));
        assert_eq!(bound(Some(&closed)), Bind::Persons { remove_lease: true });
        let closing = lease(LeaseState::Closing, None);
        assert_eq!(bound(Some(&closing)), Bind::Persons { remove_lease: false });
        let later = bind(Some(&closing), "boot", "m".into(), at(60));
        assert_eq!(later, Bind::Persons { remove_lease: true }, "the stop was of an earlier boot");
    }

    #[test]
    fn a_boot_that_came_up_without_a_runner_may_be_anyones_when_one_binds_it() {
        let mut open = lease(LeaseState::Open, None);
        open.certain = true;
        let certain = |lease: &Lease| match bound(Some(lease)) {
            Bind::Ours(lease) => lease.certain,
            other => panic!("{other:?}"),
        };
        assert!(certain(&open));
        open.seen_up = true;
        assert!(!certain(&open));
    }

    #[test]
    fn a_runner_that_restarts_on_its_boot_knows_it() {
        assert_eq!(bound(Some(&lease(LeaseState::Busy, Some("boot")))), Bind::Again);
    }

    fn ticket(run: &str, seconds: i64) -> Ticket {
        Ticket {
            run: RunId::from_key(run),
            attempt: 1,
            instance: None,
            execution_arn: "arn".into(),
            admitted_at: at(seconds),
            queued_at: at(seconds),
            heartbeat_seconds: 300,
            queue_seconds: 100,
            live_output_seconds: 0,
            request_sha256: None,
            task_token: "token".into(),
        }
    }

    #[test]
    fn the_oldest_run_is_first() {
        let mut queue = [ticket("b", 2), ticket("c", 1), ticket("a", 2)];
        queue.sort_by(queue_order);
        let order: Vec<&str> = queue.iter().map(|ticket| ticket.run.as_str()).collect();
        assert_eq!(order, ["c", "a", "b"]);
    }

    #[test]
    fn a_ticket_that_waited_too_long_times_out() {
        assert_eq!(queue_timeout(&ticket("a", 0), at(99)), None);
        assert_eq!(queue_timeout(&ticket("a", 300), at(0)), None, "clocks differ by so much");
        let ahead = queue_timeout(&ticket("a", 301), at(0)).unwrap();
        assert!(ahead.code == Code::QueueTimedOut && ahead.message.contains("clock"), "{ahead}");
        assert_eq!(queue_timeout(&ticket("a", 0), at(100)).unwrap().code, Code::QueueTimedOut);
    }

    #[test]
    fn a_token_is_never_shown() {
        assert!(!format!("{:?}", ticket("a", 0)).contains("token"));
    }

    fn idle_at(certain: bool, served: bool, last_sign: Option<i64>, now: i64) -> IdleAction {
        let mut person = Signs::default();
        person.last = last_sign.map(at);
        idle(&Idle { certain, served, given_up: false, bound_at: at(0), person, now: at(now) })
    }

    #[test]
    fn a_served_boot_closes_at_once_and_an_unserved_one_waits_for_its_run() {
        assert_eq!(idle_at(true, true, None, 1), IdleAction::Close);
        assert_eq!(idle_at(true, false, None, 899), IdleAction::Stay);
        assert_eq!(idle_at(true, false, None, 900), IdleAction::Close);
    }

    #[test]
    fn a_boot_whose_run_gave_up_waits_only_for_those_that_may_wait_for_it() {
        let given_up = |certain, now| {
            let person = Signs::default();
            idle(&Idle { certain, served: false, given_up: true, bound_at: at(0), person, now: at(now) })
        };
        assert_eq!(given_up(true, 149), IdleAction::Stay);
        assert_eq!(given_up(true, 150), IdleAction::Close);
        assert_eq!(given_up(false, 150), IdleAction::Stay, "it may be a person's");
    }

    #[test]
    fn a_boot_that_comes_up_after_the_one_of_the_lease_ended_is_a_persons() {
        for boot in [None, Some("old")] {
            let ended = lease(LeaseState::Open, boot).with_its_boot_ended("m".into());
            assert_eq!(bound(Some(&ended)), Bind::Persons { remove_lease: false });
            let later = bind(Some(&ended), "boot", "m".into(), at(60));
            assert_eq!(later, Bind::Persons { remove_lease: true });
        }
    }

    #[test]
    fn a_person_keeps_the_boot_until_they_were_quiet_for_a_while() {
        assert_eq!(idle_at(true, true, Some(1_000), 1_899), IdleAction::StayForPerson);
        assert_eq!(idle_at(true, true, Some(1_000), 1_900), IdleAction::Close);
        assert_eq!(idle_at(false, true, Some(1_000), 2_799), IdleAction::StayForPerson);
        assert_eq!(idle_at(false, true, Some(1_000), 2_800), IdleAction::Close);
    }

    #[test]
    fn an_uncertain_boot_stays_for_a_quiet_while() {
        assert_eq!(idle_at(false, true, None, 1_799), IdleAction::Stay);
        assert_eq!(idle_at(false, true, None, 1_800), IdleAction::Close);
    }
}
