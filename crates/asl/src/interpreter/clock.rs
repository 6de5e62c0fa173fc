//! Time as executions see it: the simulated clock, with a date for its beginning.

use crate::simulated::Instant;
use chrono::{DateTime, SecondsFormat};

/// Tells the date. The passing of time is the simulation's.
#[derive(Debug, Clone, Copy)]
pub struct ExecutionClock {
    origin: Instant,
    origin_ms: i64,
}

impl ExecutionClock {
    /// A clock that shows `unix_ms` (milliseconds since 1970-01-01T00:00:00Z) now.
    #[must_use]
    pub fn starting_at(unix_ms: i64) -> Self {
        Self { origin: Instant::now(), origin_ms: unix_ms }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let passed = Instant::now().duration_since(self.origin).as_millis();
        self.origin_ms.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    /// The instant at which this clock shows `unix_ms`; now when that has passed.
    pub(crate) fn instant_of(&self, unix_ms: i64) -> Instant {
        let ahead = unix_ms.saturating_sub(self.now_ms()).max(0);
        Instant::now() + std::time::Duration::from_millis(ahead.unsigned_abs())
    }
}

/// ISO 8601 with milliseconds and `Z`, as the context object has it.
pub(crate) fn iso(unix_ms: i64) -> String {
    DateTime::from_timestamp_millis(unix_ms)
        .unwrap_or(DateTime::UNIX_EPOCH)
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The milliseconds of an ISO 8601 timestamp with an offset.
pub(crate) fn parse_iso(text: &str) -> Option<i64> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_millis())
}

/// Sleeps until `deadline`, for ever when there is none.
pub(crate) async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => crate::simulated::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_go_both_ways() {
        let text = "2026-11-23T17:00:46.619Z";
        let ms = parse_iso(text).unwrap();
        assert_eq!(iso(ms), text);
        assert_eq!(parse_iso("2026-11-23T18:00:46.619+01:00"), Some(ms));
        assert_eq!(parse_iso("tomorrow"), None);
    }
}
