//! How old a time is that somebody else wrote. The only place where such a time is compared with a clock.
//!
//! Leases, tickets, claims, reports, a person's last sign, `sweeper.json` and `LastModifiedTime` come from other machines,
//! and some of them from a machine that a notebook controls. A time far ahead of the clock is a wrong clock or a lie. If it
//! counted as "just now", a lease dated 2099 would hold its instance until 2099. So it counts as infinitely old: whatever
//! waits for it to age waits no longer.
//!
//! A clock that is behind makes a time look older than it is, by as much as the clock is off. That AWS refuses requests that
//! are signed with a wrong time bounds nothing: S3 takes up to 15 minutes, and SDKs correct what they sign with. So the
//! writers of records take AWS's own time from its answers (`reveille_aws`), and [`CLOCK_SKEW`] is what is left for others.

use chrono::{DateTime, TimeDelta, Utc};

/// How far the times of two writers may differ. An honest one is off by seconds, since its times are AWS's; the rest is what
/// Signature Version 4 grants a clock: five minutes ahead or behind (AWS General Reference).
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(300);

/// How far an event's own time may be ahead of the execution that it started. Both times are AWS's own, and an event starts
/// nothing before it happened.
pub const EVENT_SKEW: TimeDelta = TimeDelta::seconds(2);

/// Whether a time lies further ahead than clocks differ, so that it says nothing.
#[must_use]
pub fn is_ahead(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    at - now > CLOCK_SKEW
}

/// How long ago a time was. Slightly ahead is zero; further ahead than clocks differ is infinitely long ago.
///
/// Only to be compared: nothing can be added to an infinite age.
#[must_use]
pub fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> TimeDelta {
    if is_ahead(at, now) { TimeDelta::MAX } else { (now - at).max(TimeDelta::zero()) }
}

/// A time in a message.
#[must_use]
pub fn seconds(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The time, unless it is too far ahead to say anything.
#[must_use]
pub fn believed(at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    (!is_ahead(at, now)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// A record's time as any writer may put it: another offset, more digits, a leap second, the ends of what can be written.
    #[test]
    fn a_time_far_ahead_is_infinitely_old_however_it_is_written() {
        let now: DateTime<Utc> = "2026-11-26T12:00:00Z".parse().unwrap();
        let read = |text: &str| serde_json::from_value::<DateTime<Utc>>(serde_json::json!(text)).unwrap();
        for ahead in [
            "2026-11-26T12:05:00.000000001Z",
            "2026-11-26T12:05:01Z",
            "2026-11-26T06:05:01-06:00",
            "2026-11-27T02:05:01+14:00",
            "2026-11-26T23:59:60Z",
            "2099-01-01T00:00:00.123456789123Z",
            "9999-12-31T23:59:59-14:00",
            "+262142-12-31T23:59:59Z",
        ] {
            assert_eq!(age(read(ahead), now), TimeDelta::MAX, "{ahead}");
            assert_eq!(believed(read(ahead), now), None, "{ahead}");
        }
        for known in ["2026-11-26T12:05:00Z", "2026-11-26T13:00:00+01:00", "2026-11-26T11:59:59.999999999Z"] {
            assert!(age(read(known), now) < TimeDelta::seconds(1), "{known}");
        }
        for old in ["0000-01-01T00:00:00Z", "-262143-01-01T00:00:00Z"] {
            assert!(age(read(old), now) > TimeDelta::days(365) && !seconds(read(old)).is_empty(), "{old}");
        }
        assert_eq!(age(DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC), TimeDelta::MAX);
        assert!(age(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC) > TimeDelta::days(365));
    }

    #[test]
    fn a_time_far_ahead_is_infinitely_old() {
        assert_eq!(age(at(0), at(90)), TimeDelta::seconds(90));
        assert_eq!(age(at(0), at(0)), TimeDelta::zero());
        assert_eq!(age(at(300), at(0)), TimeDelta::zero(), "clocks differ by so much");
        assert_eq!(age(at(301), at(0)), TimeDelta::MAX);
        assert_eq!(believed(at(300), at(0)), Some(at(300)));
        assert_eq!(believed(at(301), at(0)), None);
        let just_over = at(300) + TimeDelta::nanoseconds(1);
        assert_eq!((age(just_over, at(0)), believed(just_over, at(0))), (TimeDelta::MAX, None));
    }

    #[test]
    fn a_time_in_a_message_is_in_seconds_of_utc() {
        assert_eq!(seconds("2026-11-26T13:00:00.987+01:00".parse().unwrap()), "2026-11-26T12:00:00Z");
    }

    /// Whatever is in a record can be compared: no time in it ends the process.
    #[test]
    fn the_first_and_the_last_time_there_are_can_be_compared() {
        for (first, second) in [(DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC), (at(0), DateTime::<Utc>::MAX_UTC)]
        {
            assert_eq!(age(second, first), TimeDelta::MAX);
            assert!(age(first, second) > TimeDelta::days(365));
        }
    }
}
