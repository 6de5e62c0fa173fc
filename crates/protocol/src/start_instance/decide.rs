//! StartInstance's decisions: whether to send Start now, and what the lease is after its answer.
//!
//! The lease says `starting` before Start is sent, so that whatever dies in between, the boot that may follow is known
//! to be possibly ours.

use chrono::{DateTime, Utc};

use reveille_domain::age::age;
use reveille_domain::ids::RunId;
use reveille_domain::limits::IN_FLIGHT;
use reveille_domain::ports::Observation;
use reveille_domain::records::{Closer, Lease, LeaseState};

/// Whether Start may be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Write the intent over what is there (if anything is), then send.
    Send {
        /// An earlier send may have been accepted without our knowing: a refusal for the status is then no proof that
        /// somebody else started the instance.
        unresolved: bool,
    },
    /// Something that was sent or seen may not have shown yet. Look again later.
    Wait(&'static str),
}

/// Decides from the lease that is there, and from the instance, which was observed Stopped or Failed.
#[must_use]
pub fn plan(lease: Option<&Lease>, me: &RunId, seen: &Observation, now: DateTime<Utc>) -> Plan {
    let Some(lease) = lease else { return Plan::Send { unresolved: false } };
    let young = age(lease.at, now) < IN_FLIGHT;
    match lease.state {
        // The start failed at once, and nothing else is under way.
        LeaseState::Open | LeaseState::Busy if lease.its_boot_has_ended(seen, now) => Plan::Send { unresolved: false },
        // The same run: its function died between intent and answer, and the step was tried again.
        LeaseState::Starting if young && lease.started_by != *me => Plan::Wait("another run is starting it"),
        LeaseState::Unsure if young => Plan::Wait("a start whose answer was lost may still show"),
        LeaseState::Starting | LeaseState::Unsure => Plan::Send { unresolved: true },
        LeaseState::Open | LeaseState::Busy if young => Plan::Wait("a start that was accepted has not shown yet"),
        LeaseState::Closing if young && lease.closer == Some(Closer::Function) => {
            Plan::Wait("a stop that was sent may still be under way")
        }
        // AWS may accept a start and not carry it out. It is sent again; the first one may be late instead.
        LeaseState::Open if lease.its_start_has_not_shown(seen) => Plan::Send { unresolved: true },
        // A boot that ended: its lease is free to be taken over.
        LeaseState::Open | LeaseState::Busy | LeaseState::Closing => Plan::Send { unresolved: false },
    }
}

/// How Start ended, as far as the lease cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Accepted: the boot is ours.
    Accepted,
    /// Refused for the status the instance is in: somebody else's boot, unless an earlier send is unresolved.
    WrongStatus,
    /// Refused for another reason: no boot came of this send.
    Refused,
    /// No answer.
    NoAnswer,
}

/// What the lease becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and it is written at once")]
pub enum Settled {
    /// Write this.
    Write(Lease),
    /// Remove it, if it is still ours unchanged.
    Withdraw,
}

/// The lease after Start's answer. `current` is what is there now: the runner may have bound it in between.
#[must_use]
pub fn settle(current: &Lease, sent: Sent, unresolved: bool, nonce: &str, now: DateTime<Utc>) -> Settled {
    let with =
        |state, certain| Settled::Write(Lease { state, certain, nonce: nonce.to_owned(), at: now, ..current.clone() });
    // A runner that has bound it moved it on to open or busy: its state stays.
    let state = |unbound| if current.boot_id.is_some() { current.state } else { unbound };
    match sent {
        Sent::Accepted => with(state(LeaseState::Open), true),
        Sent::NoAnswer => with(state(LeaseState::Unsure), false),
        Sent::WrongStatus | Sent::Refused if unresolved => with(state(LeaseState::Unsure), false),
        Sent::WrongStatus | Sent::Refused => Settled::Withdraw,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn lease(state: LeaseState, run: &str, seconds: i64) -> Lease {
        Lease { state, ..Lease::starting(&RunId::from_key(run), "n".into(), None, at(seconds)) }
    }

    /// At rest since `rested`.
    fn at_rest(rested: i64) -> Observation {
        Observation {
            status: reveille_domain::ports::InstanceStatus::Stopped,
            failure_reason: None,
            last_modified: Some(at(rested)),
            lifecycle_config: None,
        }
    }

    fn sends(lease: &Lease, now: i64) -> Option<bool> {
        sends_after(lease, -1, now)
    }

    fn sends_after(lease: &Lease, rested: i64, now: i64) -> Option<bool> {
        match plan(Some(lease), &RunId::from_key("me"), &at_rest(rested), at(now)) {
            Plan::Send { unresolved } => Some(unresolved),
            Plan::Wait(_) => None,
        }
    }

    #[test]
    fn there_is_no_lease_so_start_is_sent() {
        assert_eq!(plan(None, &RunId::from_key("me"), &at_rest(0), at(0)), Plan::Send { unresolved: false });
    }

    #[test]
    fn only_one_of_two_runs_sends() {
        let other = lease(LeaseState::Starting, "other", 0);
        assert_eq!(sends(&other, 59), None);
        assert_eq!(sends(&other, 60), Some(true), "its function is dead by now, its send may not be");
        assert_eq!(sends(&lease(LeaseState::Starting, "me", 0), 1), Some(true), "our own step, tried again");
    }

    #[test]
    fn a_lease_of_the_future_is_waited_for_by_nobody() {
        for state in [LeaseState::Starting, LeaseState::Unsure, LeaseState::Open, LeaseState::Busy, LeaseState::Closing]
        {
            let lease = Lease { closer: Some(Closer::Function), ..lease(state, "other", 301) };
            assert!(sends(&lease, 0).is_some(), "{state:?}");
        }
    }

    #[test]
    fn what_may_not_have_shown_yet_is_waited_for() {
        for state in [LeaseState::Unsure, LeaseState::Open, LeaseState::Busy] {
            assert_eq!(sends(&lease(state, "other", 0), 59), None, "{state:?}");
        }
        assert_eq!(sends(&lease(LeaseState::Unsure, "other", 0), 60), Some(true));
        assert_eq!(sends_after(&lease(LeaseState::Open, "other", 0), 1, 60), Some(false));
        assert_eq!(sends(&lease(LeaseState::Busy, "other", 0), 60), Some(false));
    }

    #[test]
    fn a_start_that_was_accepted_and_never_shown_may_still_show() {
        let open = Lease { seen_before_start: Some(at(-5)), ..lease(LeaseState::Open, "me", 0) };
        assert_eq!(sends_after(&open, -5, 59), None);
        assert_eq!(sends_after(&open, -5, 60), Some(true), "AWS did not carry it out, or not yet");
        assert_eq!(sends_after(&open, -1, 60), Some(false), "its boot came and went");
    }

    #[test]
    fn a_start_that_failed_at_once_is_repeated_at_once() {
        let open = Lease { seen_before_start: Some(at(-5)), ..lease(LeaseState::Open, "me", 0) };
        assert_eq!(sends_after(&open, 20, 21), Some(false));
        assert_eq!(sends_after(&Lease { ended: true, ..open.clone() }, 20, 21), Some(false));
        assert_eq!(sends_after(&Lease { unresolved: true, ..open }, 20, 21), None, "an earlier one may still arrive");
    }

    #[test]
    fn a_late_stop_of_a_function_cannot_hit_the_next_boot() {
        let mut closing = lease(LeaseState::Closing, "other", 0);
        closing.closer = Some(Closer::Function);
        assert_eq!(sends(&closing, 59), None);
        assert_eq!(sends(&closing, 60), Some(false));
        closing.closer = Some(Closer::Runner);
        assert_eq!(sends(&closing, 1), Some(false), "the runner died with its boot");
    }

    #[test]
    fn the_answer_decides_what_the_lease_becomes() {
        let current = lease(LeaseState::Starting, "me", 0);
        let after = |sent, unresolved| match settle(&current, sent, unresolved, "m", at(1)) {
            Settled::Write(lease) => Some((lease.state, lease.certain)),
            Settled::Withdraw => None,
        };
        assert_eq!(after(Sent::Accepted, false), Some((LeaseState::Open, true)));
        assert_eq!(after(Sent::NoAnswer, false), Some((LeaseState::Unsure, false)));
        assert_eq!(after(Sent::WrongStatus, false), None, "raced: the boot is somebody else's");
        assert_eq!(after(Sent::WrongStatus, true), Some((LeaseState::Unsure, false)), "it may be our own earlier send");
        assert_eq!(after(Sent::Refused, false), None);
        assert_eq!(after(Sent::Refused, true), Some((LeaseState::Unsure, false)));
    }

    #[test]
    fn a_runner_that_bound_before_the_answer_keeps_its_state() {
        let mut bound = lease(LeaseState::Busy, "me", 0);
        bound.boot_id = Some("boot".into());
        let after = Lease { certain: true, nonce: "m".into(), at: at(1), ..bound.clone() };
        assert_eq!(settle(&bound, Sent::Accepted, false, "m", at(1)), Settled::Write(after));
    }
}
