//! Is a person working on the boot? From every sign that is known, and from nothing else.
//!
//! No answer of Jupyter, an empty one and a refused connection are absence of evidence, not evidence of absence: a person
//! who shut a kernel down, or who restarts Jupyter, is still there. Quiet therefore always counts from the last sign.

use chrono::{DateTime, Utc};

use crate::age::{age, believed};
use crate::limits::{JUPYTER_UNKNOWN, PERSON_QUIET, SIGN_APART, UNSURE_QUIET};
use crate::ports::{Jupyter, PersonSeen};
use crate::records::Lease;

/// The signs of a person on one boot: what was seen now, earlier, and by an earlier runner process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signs {
    /// The last sign; never ahead of the clock that it was taken with.
    pub last: Option<DateTime<Utc>>,
    /// Since when Jupyter has not answered usably.
    pub silent_since: Option<DateTime<Utc>>,
    /// The last activity ahead of the clock that was taken for a sign: it is one only when it is new.
    ahead: Option<DateTime<Utc>>,
}

impl Signs {
    /// The signs that a lease tells of. None of them is later than the lease's own time.
    #[must_use]
    pub fn in_lease(lease: &Lease) -> Self {
        let known = |at: Option<DateTime<Utc>>| at.map(|at| at.min(lease.at));
        Self { last: known(lease.person_at), silent_since: known(lease.jupyter_silent_since), ahead: None }
    }

    /// What a runner's process begins with: the signs that an earlier process of its boot wrote into the lease. A silence that it met goes
    /// on; one that ends is met with the first look.
    #[must_use]
    pub fn of_earlier_process(lease: &Lease, now: DateTime<Utc>) -> Self {
        let told = Self::in_lease(lease);
        // One far ahead is a lie or a wrong clock, and no sign at all: as one of this moment it would hold the boot anew at each look.
        let by_now = |at: Option<DateTime<Utc>>| at.and_then(|at| believed(at, now)).map(|at| at.min(now));
        Self { last: by_now(told.last), silent_since: by_now(told.silent_since), ahead: None }
    }

    /// Adds what a lease tells, by this clock: an earlier runner process of this boot may have seen more.
    pub fn remember(&mut self, lease: &Lease, now: DateTime<Utc>) {
        self.last = self.last.max(Self::of_earlier_process(lease, now).last);
    }

    /// Adds what was seen just now.
    pub fn see(&mut self, seen: &PersonSeen, now: DateTime<Utc>) {
        // A time ahead of the clock cannot be compared with it. When it is new, something happened since the last look; the
        // same again is nothing new, or it would keep the boot until the clock caught up.
        let is_new_ahead = seen.ahead.is_some() && seen.ahead != self.ahead;
        if is_new_ahead {
            self.ahead = seen.ahead;
        }
        let seen_at = if seen.busy || is_new_ahead { Some(now) } else { seen.last_active.map(|at| at.min(now)) };
        // A clock that was set back must not make a sign last longer.
        self.last = self.last.max(seen_at).map(|at| at.min(now));
        self.silent_since = match seen.jupyter {
            Jupyter::Answered | Jupyter::NoServer => None,
            Jupyter::Silent => Some(self.silent_since.map_or(now, |since| since.min(now))),
        };
    }

    /// Whether these signs say something that those which others were told of do not: a person who came, or went on for a while, or a
    /// silence that began or ended.
    #[must_use]
    pub fn is_news_to(&self, told: &Self) -> bool {
        let newer = match (self.last, told.last) {
            (Some(last), Some(told)) => last - told >= SIGN_APART,
            (last, told) => last.is_some() && told.is_none(),
        };
        newer || self.silent_since.is_some() != told.silent_since.is_some()
    }

    /// Whether a person may be working: their last sign is recent, or Jupyter has been silent for a short while only.
    /// `certain`: whether the boot is certainly ours; otherwise it may be theirs, and more quiet is due.
    #[must_use]
    pub fn may_be_working(&self, certain: bool, now: DateTime<Utc>) -> bool {
        let quiet = if certain { PERSON_QUIET } else { UNSURE_QUIET };
        self.last.is_some_and(|last| age(last, now) < quiet)
            || self.silent_since.is_some_and(|since| age(since, now) < JUPYTER_UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::RunId;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn seen(busy: bool, last_active: Option<i64>, jupyter: Jupyter) -> PersonSeen {
        PersonSeen { busy, last_active: last_active.map(at), ahead: None, jupyter }
    }

    const NOTHING: [Jupyter; 3] = [Jupyter::Answered, Jupyter::NoServer, Jupyter::Silent];

    #[test]
    fn quiet_counts_from_the_last_sign_whatever_jupyter_tells_afterwards() {
        for (certain, quiet) in [(true, 900), (false, 1_800)] {
            for jupyter in NOTHING {
                for sign in [seen(true, None, Jupyter::Answered), seen(false, Some(1_000), Jupyter::Answered)] {
                    let mut signs = Signs::default();
                    signs.see(&sign, at(1_000));
                    for now in (1_010..1_000 + quiet).step_by(10) {
                        signs.see(&seen(false, None, jupyter), at(now));
                        assert!(signs.may_be_working(certain, at(now)), "{jupyter:?} {now}");
                    }
                    signs.see(&seen(false, None, jupyter), at(1_000 + quiet));
                    assert!(!signs.may_be_working(certain, at(1_000 + quiet)), "{jupyter:?}");
                }
            }
        }
    }

    #[test]
    fn without_any_sign_nobody_works_but_a_silence_is_waited_for() {
        for jupyter in NOTHING {
            let mut signs = Signs::default();
            signs.see(&seen(false, None, jupyter), at(0));
            assert_eq!(signs.may_be_working(true, at(599)), jupyter == Jupyter::Silent, "{jupyter:?}");
            assert!(!signs.may_be_working(true, at(600)), "{jupyter:?}");
        }
        let mut signs = Signs::default();
        signs.see(&seen(false, None, Jupyter::Silent), at(0));
        signs.see(&seen(false, None, Jupyter::Answered), at(500));
        signs.see(&seen(false, None, Jupyter::Silent), at(700));
        assert!(signs.may_be_working(true, at(1_299)), "another silence");
    }

    /// The lease is written anew for news only: a person who goes on is told of once in a while.
    #[test]
    fn a_person_who_came_or_went_on_and_a_silence_that_changed_are_news() {
        let signs = |last: Option<i64>, silent: Option<i64>| Signs {
            last: last.map(at),
            silent_since: silent.map(at),
            ahead: None,
        };
        for (now, told, is_news) in [
            (signs(None, None), signs(None, None), false),
            (signs(Some(0), None), signs(None, None), true),
            (signs(None, None), signs(Some(0), None), false),
            (signs(Some(100), None), signs(Some(100), None), false),
            (signs(Some(159), None), signs(Some(100), None), false),
            (signs(Some(160), None), signs(Some(100), None), true),
            (signs(Some(100), None), signs(Some(160), None), false),
            (signs(None, Some(5)), signs(None, None), true),
            (signs(None, None), signs(None, Some(5)), true),
            (signs(None, Some(9)), signs(None, Some(5)), false),
            (signs(Some(100), Some(9)), signs(Some(100), None), true),
        ] {
            assert_eq!(now.is_news_to(&told), is_news, "{now:?} {told:?}");
        }
    }

    #[test]
    fn an_older_activity_takes_no_sign_back() {
        let mut signs = Signs::default();
        signs.see(&seen(false, Some(900), Jupyter::Answered), at(1_000));
        signs.see(&seen(false, Some(100), Jupyter::Answered), at(1_001));
        assert_eq!(signs.last, Some(at(900)));
    }

    #[test]
    fn an_activity_ahead_of_the_clock_is_a_sign_once() {
        let ahead = |by| PersonSeen { ahead: Some(at(by)), ..seen(false, Some(10), Jupyter::Answered) };
        let mut signs = Signs::default();
        signs.see(&ahead(1_000_000), at(100));
        signs.see(&ahead(1_000_000), at(500));
        assert_eq!(signs.last, Some(at(100)), "as it was seen at first");
        signs.see(&ahead(1_000_001), at(600));
        assert_eq!(signs.last, Some(at(600)), "something happened");
    }

    /// A notebook may date its lease, and the sign in it, 2099.
    #[test]
    fn a_sign_of_the_future_in_a_lease_is_none() {
        let mut lease = Lease::starting(&RunId::from_key("r"), "n".into(), None, at(9_999_999));
        lease.person_at = Some(at(9_999_999));
        let mut signs = Signs::default();
        signs.remember(&lease, at(500));
        assert_eq!(signs.last, None);
    }

    #[test]
    fn a_lease_tells_what_an_earlier_process_saw_and_never_more_than_its_own_time() {
        let mut lease = Lease::starting(&RunId::from_key("r"), "n".into(), None, at(500));
        lease.person_at = Some(at(400));
        let mut signs = Signs::default();
        signs.remember(&lease, at(510));
        assert_eq!(signs.last, Some(at(400)));
        lease.person_at = Some(at(9_999_999));
        assert_eq!(Signs::in_lease(&lease).last, Some(at(500)));
        signs.remember(&lease, at(450));
        assert_eq!(signs.last, Some(at(450)), "nor than this clock's");
        signs.see(&seen(false, Some(1_000), Jupyter::Answered), at(700));
        assert_eq!(signs.last, Some(at(700)));
    }
}
