//! What is carried from look to look, and what begins anew.

use super::*;
use crate::ids::RunId;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Everything is remembered: a field that is forgotten shows.
fn full() -> Waiting {
    Waiting {
        first_at: at(0),
        since: at(10),
        silences: 1,
        starts: 2,
        seen_before_start: Some(at(5)),
        sent_at: Some(at(20)),
        no_capacity: Some("none left".into()),
        patience: 1,
        ready_at: Some(at(30)),
        first_ready_at: Some(at(25)),
        own_boot: Some(at(24)),
        own_certain: true,
        attempt: Some(1),
    }
}

/// What a look begins with that goes on from nothing.
fn anew(now: DateTime<Utc>, attempt: u32, silences: u32) -> Waiting {
    Waiting {
        first_at: now,
        since: now,
        silences,
        starts: 0,
        seen_before_start: None,
        sent_at: None,
        no_capacity: None,
        patience: 1,
        ready_at: None,
        first_ready_at: None,
        own_boot: None,
        own_certain: false,
        attempt: Some(attempt),
    }
}

#[test]
fn a_look_goes_on_with_everything() {
    assert_eq!(Waiting::at_look(Some(full()), 1, 1, at(609)), full());
    let of_earlier_version = Waiting { attempt: None, ..full() };
    assert_eq!(Waiting::at_look(Some(of_earlier_version.clone()), 4, 1, at(609)), of_earlier_version);
}

#[test]
fn patience_grows_with_the_wait() {
    for (waited, polls) in [(0, 1), (599, 1), (600, 2), (1_799, 2), (1_800, 4), (86_400, 4)] {
        assert_eq!(patience(TimeDelta::seconds(waited)), polls, "{waited}");
        assert_eq!(Waiting::at_look(Some(full()), 1, 1, at(10 + waited)).patience, polls, "{waited}");
    }
}

#[test]
fn the_first_look_remembers_nothing() {
    assert_eq!(Waiting::at_look(None, 3, 2, at(7)), anew(at(7), 3, 2));
}

#[test]
fn a_silence_begins_the_wait_anew_and_keeps_the_boot_and_the_first_times() {
    let expected = Waiting {
        first_at: at(0),
        first_ready_at: Some(at(25)),
        own_boot: Some(at(24)),
        own_certain: true,
        ..anew(at(900), 1, 2)
    };
    assert_eq!(Waiting::at_look(Some(full()), 1, 2, at(900)), expected);
}

#[test]
fn another_attempt_keeps_the_boot_alone() {
    let expected = Waiting { own_boot: Some(at(24)), own_certain: true, ..anew(at(900), 2, 1) };
    assert_eq!(Waiting::at_look(Some(full()), 2, 1, at(900)), expected, "also with as many silences");
}

#[test]
fn the_first_time_that_it_was_ready_stays() {
    let mut waiting = anew(at(0), 1, 0);
    waiting.note_ready(at(10));
    waiting.note_ready(at(20));
    assert_eq!((waiting.ready_at, waiting.first_ready_at), (Some(at(20)), Some(at(10))));
}

#[test]
fn a_memory_is_of_its_own_attempt() {
    assert!(full().is_of(1) && !full().is_of(2));
    assert!(Waiting { attempt: None, ..full() }.is_of(2), "an earlier version's was never handed on");
}

#[test]
fn start_seconds_are_over_when_they_are() {
    let limits = Limits { start_seconds: 60, queue_seconds: 1, run_seconds: 1, stop_seconds: 30 };
    assert!(!full().expired(&limits, at(69)));
    assert!(full().expired(&limits, at(70)));
}

/// Of a boot that is certainly ours.
fn lease() -> Lease {
    Lease {
        state: LeaseState::Open,
        certain: true,
        boot_id: Some("b".into()),
        ..Lease::starting(&RunId::from_key("r"), "n".into(), None, at(0))
    }
}

#[test]
fn a_boot_is_remembered_if_its_lease_is_certain_of_it() {
    let remembered = |lease: Option<&Lease>| {
        let mut waiting = Waiting { starts: 0, own_boot: Some(at(1)), own_certain: true, ..full() };
        waiting.remember_boot(lease, Some(at(40)));
        (waiting.own_boot, waiting.own_certain)
    };
    for state in [LeaseState::Open, LeaseState::Busy] {
        assert_eq!(remembered(Some(&Lease { state, ..lease() })), (Some(at(40)), true), "{state:?}");
    }
    for doubtful in [
        Lease { certain: false, ..lease() },
        Lease { boot_id: None, ..lease() },
        Lease { seen_up: true, ..lease() },
        Lease { ended: true, ..lease() },
        Lease { state: LeaseState::Closing, ..lease() },
    ] {
        assert_eq!(remembered(Some(&doubtful)), (None, false), "{doubtful:?}");
    }
    assert_eq!(remembered(None), (None, false));
}

#[test]
fn a_boot_that_this_execution_started_is_remembered_whatever_its_lease_says() {
    for (lease, certain) in [(None, false), (Some(lease()), true), (Some(Lease { certain: false, ..lease() }), false)] {
        let mut waiting = Waiting { starts: 1, own_boot: None, own_certain: !certain, ..full() };
        waiting.remember_boot(lease.as_ref(), Some(at(40)));
        assert_eq!((waiting.own_boot, waiting.own_certain), (Some(at(40)), certain), "{lease:?}");
    }
}

#[test]
fn the_boot_that_was_remembered_stays_so_while_it_is_up() {
    let mut waiting = Waiting { starts: 0, ..full() };
    waiting.remember_boot(None, Some(at(24)));
    assert_eq!((waiting.own_boot, waiting.own_certain), (Some(at(24)), true));
}

#[test]
fn the_boot_that_was_remembered_is_up_with_the_same_time_only() {
    let seen =
        |status, last_modified| Observation { status, failure_reason: None, last_modified, lifecycle_config: None };
    let up = |waiting: &Waiting, seen: Observation| waiting.own_boot_is_up(&seen);
    assert!(up(&full(), seen(InstanceStatus::InService, Some(at(24)))));
    assert!(!up(&full(), seen(InstanceStatus::InService, Some(at(25)))), "a later one");
    assert!(!up(&full(), seen(InstanceStatus::Stopping, Some(at(24)))));
    let nothing = Waiting { own_boot: None, ..full() };
    assert!(!up(&nothing, seen(InstanceStatus::InService, None)), "nothing was remembered");
}
