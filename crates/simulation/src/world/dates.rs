//! Milliseconds as dates.

use std::cell::Cell;

use chrono::{DateTime, Utc};

/// A time from milliseconds since 1970.
#[must_use]
pub fn time(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::UNIX_EPOCH)
}

/// What a clock showed last, as a date: it is asked many times a moment.
#[derive(Debug, Default)]
pub(super) struct Shown(Cell<(i64, DateTime<Utc>)>);

impl Shown {
    /// The date of a time.
    pub(super) fn of(&self, now_ms: i64) -> DateTime<Utc> {
        let (known_ms, known) = self.0.get();
        if known_ms == now_ms {
            return known;
        }
        let now = time(now_ms);
        self.0.set((now_ms, now));
        now
    }
}
