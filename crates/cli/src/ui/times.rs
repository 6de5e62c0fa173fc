//! Times and durations as people say them.

use chrono::{DateTime, Local, TimeDelta, Utc};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// Longer than anybody looks back; keeps sums of times within the calendar.
const MAX_SPAN_DAYS: i64 = 3_660;

/// `45s`, `12m 05s`, `3h 20m`, `2d 4h`.
pub(crate) fn duration(length: TimeDelta) -> String {
    let seconds = length.num_seconds().max(0);
    match seconds {
        0..MINUTE => format!("{seconds}s"),
        MINUTE..HOUR => format!("{}m {:02}s", seconds / MINUTE, seconds % MINUTE),
        HOUR..DAY => format!("{}h {:02}m", seconds / HOUR, seconds % HOUR / MINUTE),
        _ => format!("{}d {}h", seconds / DAY, seconds % DAY / HOUR),
    }
}

/// The same of seconds in a record.
pub(crate) fn seconds(length: f64) -> String {
    duration(TimeDelta::try_milliseconds(to_millis(length)).unwrap_or_default())
}

/// Whole milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and a phase has far fewer milliseconds")]
pub(crate) fn to_millis(seconds: f64) -> i64 {
    (seconds * 1_000.0) as i64
}

/// How long ago, in the largest unit: `now`, `12m`, `3h`, `2d`.
pub(crate) fn age(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let seconds = (now - at).num_seconds().max(0);
    match seconds {
        0..MINUTE => "now".to_owned(),
        MINUTE..HOUR => format!("{}m", seconds / MINUTE),
        HOUR..DAY => format!("{}h", seconds / HOUR),
        _ => format!("{}d", seconds / DAY),
    }
}

/// A time on the reader's own clock.
pub(crate) fn clock(at: DateTime<Utc>) -> String {
    at.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// Reads `30m`, `12h`, `7d`.
pub(crate) fn span(text: &str) -> Result<TimeDelta, String> {
    let wrong = || "write a whole number and s, m, h or d, such as 12h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => MINUTE,
        'h' => HOUR,
        'd' => DAY,
        _ => return Err(wrong()),
    };
    let count: u32 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let span = TimeDelta::try_seconds(i64::from(count) * seconds).unwrap_or(TimeDelta::MAX);
    if span > TimeDelta::days(MAX_SPAN_DAYS) {
        Err(format!("{text} is more than {MAX_SPAN_DAYS} days"))
    } else {
        Ok(span)
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{age, duration, seconds, span};

    #[test]
    fn durations_have_two_units_at_most() {
        for (length, text) in [(0, "0s"), (59, "59s"), (61, "1m 01s"), (3_600, "1h 00m"), (90_000, "1d 1h"), (-5, "0s")]
        {
            assert_eq!(duration(TimeDelta::seconds(length)), text);
        }
        assert_eq!(seconds(181.36), "3m 01s");
        assert_eq!(seconds(f64::NAN), "0s");
    }

    #[test]
    fn ages_have_one_unit() {
        let now = Utc::now();
        for (ago, text) in [(-10, "now"), (5, "now"), (60, "1m"), (7_300, "2h"), (200_000, "2d")] {
            assert_eq!(age(now - TimeDelta::seconds(ago), now), text);
        }
    }

    #[test]
    fn spans_are_read_and_bounded() {
        assert_eq!(span("12h"), Ok(TimeDelta::hours(12)));
        assert_eq!(span("30m"), Ok(TimeDelta::minutes(30)));
        for wrong in ["", "h", "1", "-1h", "1.5h", "1w", "é", "99999d", "4294967295d"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
