//! How often, and how much, is uploaded of a notebook that executes.
//!
//! A day's notebook that prints all the time costs a bounded number of requests and bytes: uploads become rarer as it goes on, a
//! slow network makes them rarer still, and what is too much is left out. The final outputs are complete all the same.

use std::time::Duration;

use chrono::TimeDelta;

/// An upload comes after a sixtieth of the time that the notebook has gone on...
const SHARE_OF_AGE: u32 = 60;
/// ... and, however long that is, after this: nobody who watches waits longer. A longer pause is the stack's own wish.
const RAREST: Duration = Duration::from_mins(1);
/// After an upload, ten times what it took: the rest of the network is the notebook's.
const SHARE_OF_NETWORK: u32 = 10;
/// The whole notebook is sent anew each time, so it is sent more rarely than the growth of the log.
const SAVED_AFTER: u32 = 3;

/// So much of the log is shown in full; the final log keeps as much of its beginning.
const LOG_HEAD: u64 = 1 << 20;
/// Beyond it, so much of each piece: the newest lines.
const LOG_PIECE: usize = 32 << 10;

/// A run's notebooks may take so many bytes at any time: all but the very largest are shown at once...
const SAVED_AT_ONCE: u64 = 64 << 20;
/// ... and so many more for each second.
const SAVED_A_SECOND: u64 = 4 << 10;

/// The pause after a piece of the log. `gone_on`: how long the notebook has; `took`: how long the upload took.
#[must_use]
pub fn printed_every(base: Duration, gone_on: TimeDelta, took: Duration) -> Duration {
    at_its_age(base, gone_on).max(took.saturating_mul(SHARE_OF_NETWORK))
}

/// The pause after the notebook.
#[must_use]
pub fn saved_every(base: Duration, gone_on: TimeDelta, took: Duration) -> Duration {
    at_its_age(base, gone_on).saturating_mul(SAVED_AFTER).max(took.saturating_mul(SHARE_OF_NETWORK))
}

fn at_its_age(base: Duration, gone_on: TimeDelta) -> Duration {
    let share = gone_on.to_std().unwrap_or_default() / SHARE_OF_AGE;
    base.max(share.min(RAREST))
}

/// How much of the log is taken at a place.
#[must_use]
pub fn room(from: u64) -> usize {
    if from < LOG_HEAD { usize::try_from(LOG_HEAD).unwrap_or(usize::MAX) } else { LOG_PIECE }
}

/// What a run's notebooks have taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spent(u64);

impl Spent {
    /// One more was sent.
    pub fn add(&mut self, bytes: u64) {
        self.0 = self.0.saturating_add(bytes);
    }
}

/// Whether one more notebook may be sent by now.
#[must_use]
pub fn fits(bytes: u64, spent: Spent, gone_on: TimeDelta) -> bool {
    let seconds = u64::try_from(gone_on.num_seconds()).unwrap_or_default();
    let allowed = SAVED_AT_ONCE.saturating_add(seconds.saturating_mul(SAVED_A_SECOND));
    spent.0.saturating_add(bytes) <= allowed
}

#[cfg(test)]
mod tests {
    use reveille_domain::limits::{LIVE_OUTPUT_SECONDS, RUN_SECONDS};

    use super::*;

    const QUICK: Duration = Duration::ZERO;
    const HOUR: Duration = Duration::from_hours(1);

    fn base() -> Duration {
        Duration::from_secs(LIVE_OUTPUT_SECONDS.default.into())
    }

    /// How many uploads there are within a time, where there is always something new.
    fn uploads(within: Duration, every: fn(Duration, TimeDelta, Duration) -> Duration) -> u32 {
        let (mut gone_on, mut count) = (Duration::ZERO, 0);
        while gone_on < within {
            count += 1;
            gone_on += every(base(), TimeDelta::from_std(gone_on).unwrap(), QUICK);
        }
        count
    }

    /// docs/cost.md: "at most 290 more PUT in the first hour, and 80 in each later one"
    #[test]
    fn a_run_makes_a_bounded_number_of_requests() {
        let both = |within| uploads(within, printed_every) + uploads(within, saved_every);
        let day = Duration::from_secs(RUN_SECONDS.max.into());
        assert!((270..=290).contains(&both(HOUR)), "{}", both(HOUR));
        let later = f64::from(both(day) - both(HOUR)) / 23.0;
        assert!((70.0..=80.0).contains(&later), "{later}");
    }

    /// docs/output.md: "at most 55 MiB of the log and 402 MiB of notebooks in a day"
    #[test]
    fn a_run_uploads_a_bounded_number_of_bytes() {
        let day = Duration::from_secs(RUN_SECONDS.max.into());
        let pieces = u64::from(uploads(day, printed_every));
        // The piece that begins before the head's end may be as large as the head.
        let log = 2 * LOG_HEAD + pieces * LOG_PIECE as u64;
        assert!((50..=55).contains(&(log >> 20)), "{}", log >> 20);
        assert_eq!((room(0), room(LOG_HEAD - 1), room(LOG_HEAD)), (1 << 20, 1 << 20, 32 << 10));

        let (mut spent, mut total) = (Spent::default(), 0);
        let notebook = 10 << 20;
        for second in 0..RUN_SECONDS.max {
            if fits(notebook, spent, TimeDelta::seconds(second.into())) {
                spent.add(notebook);
                total += notebook;
            }
        }
        assert!((390..=402).contains(&(total >> 20)), "{}", total >> 20);
        assert!(fits(64 << 20, Spent::default(), TimeDelta::zero()));
        assert!(!fits(65 << 20, Spent::default(), TimeDelta::zero()));
    }

    /// docs/output.md: "A slow network also makes them rarer"
    #[test]
    fn uploads_become_rarer_with_the_runs_age_and_with_the_time_that_they_take() {
        let after = |gone_on, took| printed_every(base(), TimeDelta::seconds(gone_on), Duration::from_secs(took));
        for (gone_on, took, seconds) in
            [(0, 0, 5), (299, 0, 5), (600, 0, 10), (86_400, 0, 60), (0, 30, 300), (-5, 0, 5)]
        {
            assert_eq!(after(gone_on, took), Duration::from_secs(seconds), "{gone_on} {took}");
        }
        assert_eq!(saved_every(base(), TimeDelta::seconds(600), QUICK), Duration::from_secs(30));
        assert_eq!(saved_every(base(), TimeDelta::seconds(600), Duration::from_mins(1)), Duration::from_mins(10));
        // What the stack asks for is never cut short.
        assert_eq!(printed_every(HOUR, TimeDelta::zero(), QUICK), HOUR);
    }
}
