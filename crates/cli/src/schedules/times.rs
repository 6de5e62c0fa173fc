//! What a schedule says, and when it fires next, on the clock of its zone.

use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;

use super::{cron::Cron, dialect};

/// When a schedule fires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Cron(String, Cron),
    /// Every so many minutes, hours or days.
    Rate(u32, Unit),
    /// Once, on the zone's clock.
    At(NaiveDateTime),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Minutes,
    Hours,
    Days,
}

impl Unit {
    fn length(self, count: u32) -> TimeDelta {
        let count = i64::from(count);
        match self {
            Self::Minutes => TimeDelta::minutes(count),
            Self::Hours => TimeDelta::hours(count),
            Self::Days => TimeDelta::days(count),
        }
    }

    fn word(self, count: u32) -> &'static str {
        match (self, count) {
            (Self::Minutes, 1) => "minute",
            (Self::Minutes, _) => "minutes",
            (Self::Hours, 1) => "hour",
            (Self::Hours, _) => "hours",
            (Self::Days, 1) => "day",
            (Self::Days, _) => "days",
        }
    }
}

impl When {
    /// Reads what EventBridge Scheduler has as a schedule's expression.
    pub(crate) fn read(expression: &str) -> Result<Self, String> {
        match expression.trim().split_once('(') {
            Some(("rate", _)) => Self::rate(expression),
            Some(("at", _)) => Self::at(expression),
            _ => dialect::read(expression).map(|(fields, cron)| Self::Cron(fields, cron)),
        }
    }

    /// What a person types, held against what AWS documents.
    pub(crate) fn cron(text: &str) -> Result<Self, String> {
        dialect::typed(text).map(|(fields, cron)| Self::Cron(fields, cron))
    }

    /// `5 minutes`, `1 hour`, `5m`, `2h`, `1d`, `rate(5 minutes)`.
    pub(crate) fn rate(text: &str) -> Result<Self, String> {
        let lower = text.trim().to_ascii_lowercase();
        let inner = lower.strip_prefix("rate(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&lower).trim();
        let wrong = || "a rate is a whole number of minutes, hours or days, such as '90 minutes'".to_owned();
        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
        let (count, unit) = inner.split_at(digits);
        let count: u32 = count.parse().map_err(|_| wrong())?;
        let unit = match unit.trim() {
            "m" | "min" | "minute" | "minutes" => Unit::Minutes,
            "h" | "hour" | "hours" => Unit::Hours,
            "d" | "day" | "days" => Unit::Days,
            "s" | "second" | "seconds" => {
                return Err("a schedule fires once a minute at most; write: --rate '1 minute'".to_owned());
            }
            "w" | "week" | "weeks" => {
                return Err(format!("EventBridge has no weeks; write: --rate '{} days'", u64::from(count) * 7));
            }
            _ => return Err(wrong()),
        };
        if count == 0 || count > MOST_UNITS {
            return Err(format!("a rate is 1 to {MOST_UNITS} minutes, hours or days"));
        }
        Ok(Self::Rate(count, unit))
    }

    /// A moment, once.
    pub(crate) fn at(text: &str) -> Result<Self, String> {
        moment(text).map(Self::At)
    }

    /// As EventBridge Scheduler takes it.
    pub(crate) fn expression(&self) -> String {
        match self {
            Self::Cron(fields, _) => format!("cron({fields})"),
            Self::Rate(count, unit) => format!("rate({count} {})", unit.word(*count)),
            Self::At(at) => format!("at({})", at.format("%Y-%m-%dT%H:%M:%S")),
        }
    }

    /// The next times at which it fires. A rate counts from `since`, the schedule's start. A time that the zone's clock skips is none; one
    /// that it shows twice is the first of the two.
    pub(crate) fn next(&self, zone: Tz, since: DateTime<Utc>, now: DateTime<Utc>, count: usize) -> Vec<DateTime<Tz>> {
        let from = since.max(now);
        match self {
            Self::Cron(_, cron) => next_of_cron(cron, zone, from, count),
            Self::Rate(every, unit) => {
                let every = unit.length(*every).num_seconds().max(1);
                let passed = if now > since { (now - since).num_seconds() / every + 1 } else { 0 };
                let at = |turn: usize| {
                    let seconds = every.checked_mul(passed.checked_add(i64::try_from(turn).ok()?)?)?;
                    since.checked_add_signed(TimeDelta::try_seconds(seconds)?)
                };
                (0..count).filter_map(at).map(|at| at.with_timezone(&zone)).collect()
            }
            Self::At(at) => on_clock(zone, *at).filter(|at| *at >= from).into_iter().collect(),
        }
    }

    /// The times behind `from` and up to `until` at which it fired, or would have: some tens of thousands at most.
    pub(crate) fn between(
        &self,
        zone: Tz,
        since: DateTime<Utc>,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Vec<DateTime<Utc>> {
        let mut count = 64;
        loop {
            let times = self.next(zone, since, from, count);
            let is_whole = times.len() < count || times.last().is_some_and(|last| *last > until);
            if is_whole || count >= MOST_BETWEEN {
                return times.iter().map(|at| at.with_timezone(&Utc)).filter(|at| *at > from && *at <= until).collect();
            }
            count *= 4;
        }
    }
}

/// More than a schedule of every minute fires in a month.
const MOST_BETWEEN: usize = 65_536;

/// A schedule that fires once in a thousand years is a mistake; and times stay within the calendar.
const MOST_UNITS: u32 = 100_000;

/// `2026-12-01T08:00`, with seconds or without, with a space for the `T`; `at(2026-12-01T08:00)`.
pub(crate) fn moment(text: &str) -> Result<NaiveDateTime, String> {
    let text = text.trim();
    let inner = text.strip_prefix("at(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(text).trim();
    let inner = inner.replace(' ', "T");
    for form in ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"] {
        if let Ok(at) = NaiveDateTime::parse_from_str(&inner, form) {
            return Ok(at);
        }
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(&inner) {
        let local = at.naive_utc().format("%Y-%m-%dT%H:%M:%S");
        return Err(format!("leave out the offset, because --zone says the zone. Write: --at {local} --zone UTC"));
    }
    Err("a time is written as 2026-12-01T08:00, on the clock of --zone".to_owned())
}

/// A time on a zone's clock, if that shows it.
pub(crate) fn on_clock(zone: Tz, at: NaiveDateTime) -> Option<DateTime<Tz>> {
    zone.from_local_datetime(&at).earliest()
}

/// The first time that a zone's clock shows after one that it skips.
pub(crate) fn after_the_gap(zone: Tz, skipped: NaiveDateTime) -> Option<NaiveDateTime> {
    // A zone that moves over the date line skips a whole day.
    let minutes = (1..=2 * 24 * 60).filter_map(|minutes| skipped.checked_add_signed(TimeDelta::minutes(minutes)));
    minutes.into_iter().find(|at| on_clock(zone, *at).is_some())
}

fn next_of_cron(cron: &Cron, zone: Tz, from: DateTime<Utc>, count: usize) -> Vec<DateTime<Tz>> {
    let first = from.with_timezone(&zone).date_naive();
    let mut found = Vec::new();
    for day in cron.days_from(first) {
        if found.len() >= count {
            break;
        }
        let times = cron.hours.iter().flat_map(|hour| cron.minutes.iter().map(move |minute| (*hour, *minute)));
        let mut today: Vec<DateTime<Tz>> = times
            .filter_map(|(hour, minute)| on_clock(zone, day.and_hms_opt(hour, minute, 0)?))
            .filter(|at| *at > from)
            .collect();
        today.sort();
        found.extend(today);
    }
    found.truncate(count);
    found
}

/// A time in words, on its zone's clock: `Mon 30 Nov 2026, 08:00 CET`.
pub(crate) fn words(at: &DateTime<Tz>) -> String {
    at.format("%a %e %b %Y, %H:%M %Z").to_string().replace("  ", " ")
}

/// A zone of the IANA database.
pub(crate) fn zone(text: &str) -> Result<Tz, String> {
    if let Ok(zone) = text.parse() {
        return Ok(zone);
    }
    let plain = |name: &str| name.to_ascii_lowercase().replace([' ', '_', '-'], "");
    let wanted = plain(text.rsplit('/').next().unwrap_or_default());
    let is_meant =
        |zone: &&Tz| !wanted.is_empty() && plain(zone.name().rsplit('/').next().unwrap_or_default()) == wanted;
    let meant = chrono_tz::TZ_VARIANTS.iter().find(is_meant);
    Err(meant.map_or_else(
        || "there is no such time zone; write one such as Europe/Berlin, America/New_York or UTC".to_owned(),
        |zone| format!("there is no such time zone; write: --zone {}", zone.name()),
    ))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use chrono_tz::Tz;

    use super::{When, words, zone};

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn next(expression: &str, zone: Tz, now: &str) -> Vec<String> {
        let now = time(now);
        When::read(expression).unwrap().next(zone, now, now, 5).iter().map(words).collect()
    }

    #[test]
    fn the_next_five_are_on_the_zones_clock() {
        assert_eq!(
            next("cron(0 8 ? * MON-FRI *)", Tz::Europe__Berlin, "2026-11-26T09:00:00Z"),
            [
                "Fri 27 Nov 2026, 08:00 CET",
                "Mon 30 Nov 2026, 08:00 CET",
                "Tue 1 Dec 2026, 08:00 CET",
                "Wed 2 Dec 2026, 08:00 CET",
                "Thu 3 Dec 2026, 08:00 CET"
            ]
        );
        // The same hour on the clock, before and after its change: another hour in UTC.
        let summer = next("cron(0 8 ? * SUN *)", Tz::Europe__Berlin, "2027-03-20T00:00:00Z");
        assert_eq!(summer[..2], ["Sun 21 Mar 2027, 08:00 CET", "Sun 28 Mar 2027, 08:00 CEST"]);
        assert_eq!(
            next("cron(0 12 29 2 ? *)", Tz::UTC, "2028-03-01T00:00:00Z")[0],
            "Tue 29 Feb 2032, 12:00 UTC".replace("Tue", "Sun")
        );
        assert_eq!(next("cron(0 12 30 2 ? *)", Tz::UTC, "2026-01-01T00:00:00Z"), Vec::<String>::new());
        assert_eq!(next("cron(0 0 1 1 ? 2026)", Tz::UTC, "2026-11-26T00:00:00Z"), Vec::<String>::new());
        for (expression, first) in [
            ("cron(0 8 1 1 ? 2040)", "Sun 1 Jan 2040, 08:00 UTC"),
            ("cron(0 8 29 2 ? 2029-2199)", "Sun 29 Feb 2032, 08:00 UTC"),
            ("cron(0 8 31 12 ? 2199)", "Tue 31 Dec 2199, 08:00 UTC"),
            ("cron(0 8 ? 2 SUN#5 *)", "Sun 29 Feb 2032, 08:00 UTC"),
        ] {
            assert_eq!(next(expression, Tz::UTC, "2026-11-26T00:00:00Z")[0], first, "as far as the year tells");
        }
    }

    #[test]
    fn an_hour_that_the_clock_skips_or_repeats_is_no_surprise() {
        let skipped = next("cron(30 2 * * ? *)", Tz::Europe__Berlin, "2027-03-27T12:00:00Z");
        assert_eq!(skipped[0], "Mon 29 Mar 2027, 02:30 CEST", "on the 28th there is no 02:30");
        let gap =
            |zone, skipped: &str| super::after_the_gap(zone, super::moment(skipped).unwrap()).unwrap().to_string();
        assert_eq!(gap(Tz::Europe__Berlin, "2027-03-28T02:30"), "2027-03-28 03:00:00");
        assert_eq!(gap(Tz::Pacific__Apia, "2011-12-30T08:00"), "2011-12-31 00:00:00", "a whole day");
        let twice = next("cron(30 2 * * ? *)", Tz::Europe__Berlin, "2026-10-24T12:00:00Z");
        assert_eq!(twice[..2], ["Sun 25 Oct 2026, 02:30 CEST", "Mon 26 Oct 2026, 02:30 CET"]);
    }

    #[test]
    fn rates_count_from_their_start() {
        let when = When::rate("90 minutes").unwrap();
        let (since, now) = (time("2026-11-26T00:00:00Z"), time("2026-11-26T04:00:00Z"));
        let times: Vec<_> = when.next(Tz::UTC, since, now, 2).iter().map(words).collect();
        assert_eq!(times, ["Thu 26 Nov 2026, 04:30 UTC", "Thu 26 Nov 2026, 06:00 UTC"]);
        assert_eq!(when.next(Tz::UTC, now, since, 1).len(), 1, "one that starts later");
    }

    /// The past is told like the future.
    #[test]
    fn times_that_passed_are_those_that_were_to_come() {
        let (from, until) = (time("2027-03-20T00:00:00Z"), time("2027-03-29T00:00:00Z"));
        let between = |expression: &str, since| {
            let when = When::read(expression).unwrap();
            when.between(Tz::Europe__Berlin, since, from, until).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(
            between("cron(0 8 ? * SUN *)", from),
            ["2027-03-21 07:00:00 UTC", "2027-03-28 06:00:00 UTC"],
            "the clocks went forward"
        );
        assert_eq!(between("cron(* * * * ? *)", from).len(), 9 * 24 * 60);
        assert_eq!(between("rate(3 days)", time("2027-03-19T12:00:00Z")).len(), 3);
        assert_eq!(
            between("rate(3 days)", until + chrono::TimeDelta::hours(1)),
            Vec::<String>::new(),
            "it began later"
        );
        assert_eq!(between("at(2027-03-21T08:00:00)", from), ["2027-03-21 07:00:00 UTC"]);
        assert_eq!(between("at(2027-04-21T08:00:00)", from), Vec::<String>::new());
    }

    #[test]
    fn rates_and_times_are_read_and_mistakes_answered() {
        for (typed, expression) in [
            ("1 minutes", "rate(1 minute)"),
            ("5m", "rate(5 minutes)"),
            ("RATE(1 Hour)", "rate(1 hour)"),
            ("2 days", "rate(2 days)"),
        ] {
            assert_eq!(When::rate(typed).unwrap().expression(), expression);
        }
        for (typed, said) in [
            ("30 seconds", "'1 minute'"),
            ("2 weeks", "'14 days'"),
            ("0 minutes", "1 to 100000"),
            ("-5 minutes", "whole number"),
            ("1.5h", "whole number"),
            ("99999999999 days", "whole number"),
            ("", "whole number"),
        ] {
            assert!(When::rate(typed).unwrap_err().contains(said), "{typed}");
        }
        for typed in ["2026-12-01T08:00", "2026-12-01 08:00:00", "at(2026-12-01T08:00:00)"] {
            assert_eq!(When::at(typed).unwrap().expression(), "at(2026-12-01T08:00:00)");
        }
        assert!(When::at("2026-12-01T08:00:00+01:00").unwrap_err().contains("--at 2026-12-01T07:00:00 --zone UTC"));
        for wrong in ["tomorrow", "2026-13-01T08:00", "08:00", ""] {
            assert!(When::at(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn zones_are_those_of_the_database() {
        assert_eq!(zone("Europe/Berlin"), Ok(Tz::Europe__Berlin));
        for (typed, meant) in
            [("berlin", "Europe/Berlin"), ("new york", "America/New_York"), ("europe/berlin", "Europe/Berlin")]
        {
            assert!(zone(typed).unwrap_err().ends_with(&format!("--zone {meant}")), "{typed}");
        }
        for wrong in ["", "/", "Mars/Olympus", "+01:00"] {
            assert!(zone(wrong).unwrap_err().contains("such as"), "{wrong}");
        }
    }
}
