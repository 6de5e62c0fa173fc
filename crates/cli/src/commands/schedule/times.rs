//! When a new schedule fires, as a person typed it. What EventBridge Scheduler would refuse, and what would never fire, is refused before it is
//! asked, with a value that works.

use chrono::{DateTime, Days, NaiveDateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use super::fires;
use crate::{
    arguments::ScheduleAddArguments,
    error::CliError,
    schedules::{self, When, after_the_gap, on_clock, words},
};

/// As long as somebody may take to read an answer and to type what it says.
const TO_TYPE: TimeDelta = TimeDelta::minutes(5);

/// When it fires.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) when: When,
    pub(super) zone: Tz,
    pub(super) start: Option<DateTime<Utc>>,
    pub(super) end: Option<DateTime<Utc>>,
}

impl Times {
    /// # Errors
    /// A time that does not exist, has passed, or is none.
    pub(super) fn read(arguments: &ScheduleAddArguments, now: DateTime<Utc>) -> Result<Self, CliError> {
        let zone = arguments.zone;
        let limit =
            |flag: &str, text: &Option<String>| text.as_deref().map(|text| moment(flag, text, zone)).transpose();
        let when = when(arguments)?;
        let (start, end) = (limit("--start", &arguments.start)?, limit("--end", &arguments.end)?);
        let times = Self { when, zone, start, end };
        match times.problem(now) {
            None => Ok(times),
            Some(problem) => Err(CliError::Usage(format!("{problem}; no schedule was made"))),
        }
    }

    /// The next ones, at most so many.
    pub(super) fn next(&self, now: DateTime<Utc>, count: usize) -> Vec<DateTime<Tz>> {
        fires(&self.when, self.zone, self.start.unwrap_or(now).max(now), self.end, now, count)
    }

    /// What is wrong with it: what is at fault is named first.
    pub(super) fn problem(&self, now: DateTime<Utc>) -> Option<String> {
        let told = |at: DateTime<Utc>| words(&at.with_timezone(&self.zone));
        let first = self.first(now);
        let later = || self.later_end(first);
        match (self.start, self.end, first) {
            (Some(start), Some(end), _) if end < start => {
                Some(format!("--end: {} is before --start, {}{}", told(end), told(start), later()))
            }
            (Some(start), _, first) if start < now => {
                Some(format!("--start: {} has passed{}", told(start), self.other_start(start, first, now)))
            }
            _ if !self.next(now, 1).is_empty() => None,
            (_, Some(end), _) if end <= now => Some(format!("--end: {} has passed{}", told(end), later())),
            (_, Some(end), Some(first)) => {
                let expression = self.when.expression();
                Some(format!("--end: {} is before {expression} fires first, {}{}", told(end), words(&first), later()))
            }
            _ => Some(self.never(now)),
        }
    }

    /// When it would fire first if it had no end.
    fn first(&self, now: DateTime<Utc>) -> Option<DateTime<Tz>> {
        self.when.next(self.zone, self.start.unwrap_or(now).max(now), now, 1).into_iter().next()
    }

    /// An end that comes after a first time.
    fn later_end(&self, first: Option<DateTime<Tz>>) -> String {
        let end = first.and_then(|first| self.written(first.checked_add_signed(TimeDelta::days(1))?));
        end.map_or_else(String::new, |end| format!("; leave it out, or give a later one, such as --end {end}"))
    }

    /// A start in place of one that has passed.
    fn other_start(&self, start: DateTime<Utc>, first: Option<DateTime<Tz>>, now: DateTime<Utc>) -> String {
        if let When::Rate(..) = self.when {
            // Some of them a clock shows twice, and the other one is meant by what it shows.
            let rhythm = self.when.next(self.zone, start, now + TO_TYPE, 64);
            let next = rhythm.into_iter().find_map(|at| self.written(at));
            return next
                .map_or_else(String::new, |next| format!("; write: --start {next}, the next time in the same rhythm"));
        }
        let expression = self.when.expression();
        first.map_or_else(
            || format!(", and {expression} has no time in the future"),
            |first| format!("; leave it out: {expression} then fires first {}", words(&first)),
        )
    }

    /// Why it has no time at all.
    fn never(&self, now: DateTime<Utc>) -> String {
        let Self { when, zone, .. } = self;
        let When::At(at) = when else { return format!("{} has no time in the future in {zone}", when.expression()) };
        let passed = on_clock(*zone, *at).map_or_else(|| shown(*at), |at| words(&at));
        let today = now.with_timezone(zone).date_naive();
        let days = (0..=2).filter_map(|days| today.checked_add_days(Days::new(days)));
        let mut later = days.filter_map(|day| on_clock(*zone, day.and_time(at.time())));
        let value = later.find(|at| *at > now + TO_TYPE).and_then(|at| self.written(at));
        let value = value.map_or_else(String::new, |at| format!("; give a time in the future, such as --at {at}"));
        format!("--at: {passed} has passed{value}")
    }

    /// A time as it is typed; `None`: what the clock shows then means another time.
    fn written(&self, at: DateTime<Tz>) -> Option<String> {
        let local = at.naive_local();
        (on_clock(self.zone, local) == Some(at)).then(|| shown(local))
    }
}

fn shown(at: NaiveDateTime) -> String {
    let text = at.format("%Y-%m-%dT%H:%M:%S").to_string();
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

fn when(arguments: &ScheduleAddArguments) -> Result<When, CliError> {
    let wrong = |flag: &'static str| move |problem: String| CliError::Usage(format!("{flag}: {problem}"));
    match (&arguments.cron, &arguments.rate, &arguments.at) {
        (Some(cron), _, _) => When::cron(cron).map_err(wrong("--cron")),
        (_, Some(rate), _) => When::rate(rate).map_err(wrong("--rate")),
        (_, _, Some(at)) => {
            moment("--at", at, arguments.zone)?;
            When::at(at).map_err(wrong("--at"))
        }
        // The grammar asks for one of the three.
        (None, None, None) => Err(CliError::Usage("give --cron, --rate or --at".to_owned())),
    }
}

/// A time on the zone's clock.
pub(super) fn moment(flag: &str, text: &str, zone: Tz) -> Result<DateTime<Utc>, CliError> {
    let wrong = |problem: &str| CliError::Usage(format!("{flag}: {problem}"));
    let at = schedules::moment(text).map_err(|problem| wrong(&problem.replace("--at", flag)))?;
    let on_clock = on_clock(zone, at).ok_or_else(|| {
        let next = after_the_gap(zone, at).map_or_else(String::new, |next| format!("; write: {flag} {}", shown(next)));
        wrong(&format!("{text} does not exist in {zone}, because the clocks go forward then{next}"))
    })?;
    Ok(on_clock.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use chrono_tz::Tz;

    use super::{Times, When, moment};

    fn now() -> DateTime<Utc> {
        "2026-11-26T12:00:00Z".parse().unwrap()
    }

    fn after(hours: i64) -> DateTime<Utc> {
        now() + TimeDelta::hours(hours)
    }

    fn times(when: When, start: Option<DateTime<Utc>>, end: Option<DateTime<Utc>>) -> Times {
        Times { when, zone: Tz::UTC, start, end }
    }

    fn daily() -> When {
        When::cron("0 8 * * ? *").unwrap()
    }

    #[test]
    fn a_moment_is_on_the_zones_clock() {
        let berlin = Tz::Europe__Berlin;
        assert_eq!(moment("--start", "2027-07-01T00:00", berlin).unwrap().to_rfc3339(), "2027-06-30T22:00:00+00:00");
        for (wrong, said) in [
            ("2027-03-28T02:30", "because the clocks go forward then; write: --start 2027-03-28T03:00"),
            ("2027-01-01T00:00:00Z", "--start 2027-01-01T00:00:00 --zone UTC"),
        ] {
            let problem = moment("--start", wrong, berlin).unwrap_err();
            assert_eq!(problem.exit_code(), 2);
            assert!(problem.to_string().contains(said), "{problem}");
        }
    }

    #[test]
    fn a_schedule_that_never_fires_says_which_option_is_at_fault() {
        let said = |when: When, start, end| times(when, start, end).problem(now()).unwrap();
        let before_start = said(daily(), Some(after(48)), Some(after(24)));
        assert!(
            before_start
                .starts_with("--end: Fri 27 Nov 2026, 12:00 UTC is before --start, Sat 28 Nov 2026, 12:00 UTC;"),
            "{before_start}"
        );
        assert!(said(daily(), Some(after(-48)), Some(after(-72))).contains("is before --start"));
        assert!(said(daily(), None, Some(after(-1))).starts_with("--end: Thu 26 Nov 2026, 11:00 UTC has passed;"));
        let too_early = said(daily(), None, Some(after(1)));
        let first = "is before cron(0 8 * * ? *) fires first, Fri 27 Nov 2026, 08:00 UTC";
        assert!(too_early.contains(first), "{too_early}");
        assert!(
            too_early.ends_with("; leave it out, or give a later one, such as --end 2026-11-28T08:00"),
            "{too_early}"
        );
        let never = said(When::cron("0 8 30 2 ? *").unwrap(), None, None);
        assert_eq!(never, "cron(0 8 30 2 ? *) has no time in the future in UTC");
        assert_eq!(times(daily(), Some(after(1)), Some(after(24))).problem(now()), None);
    }

    #[test]
    fn what_has_passed_is_answered_with_a_value_that_works() {
        let said = |when: When, start| times(when, start, None).problem(now()).unwrap();
        let every = || When::rate("90 minutes").unwrap();
        // Of 00:00, 01:30 and so on, 12:00 is now, and nobody can type it in time.
        let rate = said(every(), Some(after(-12)));
        assert_eq!(
            rate,
            "--start: Thu 26 Nov 2026, 00:00 UTC has passed; write: --start 2026-11-26T13:30, the next time in the same rhythm"
        );
        assert_eq!(times(every(), Some(after(1)), None).problem(now()), None);
        let cron = said(daily(), Some(after(-12)));
        let leave = "has passed; leave it out: cron(0 8 * * ? *) then fires first Fri 27 Nov 2026, 08:00 UTC";
        assert!(cron.ends_with(leave), "{cron}");
        let at = said(When::at("2026-11-26T08:00").unwrap(), None);
        assert_eq!(
            at,
            "--at: Thu 26 Nov 2026, 08:00 UTC has passed; give a time in the future, such as --at 2026-11-27T08:00"
        );
        let long_ago = said(When::at("2001-01-01T20:00").unwrap(), None);
        assert!(long_ago.ends_with("such as --at 2026-11-26T20:00"), "{long_ago}");
    }

    /// The hour between 02:00 and 03:00 is there twice, and a written time means the first.
    #[test]
    fn a_value_is_the_time_that_it_is_read_as() {
        let now: DateTime<Utc> = "2026-10-25T01:10:00Z".parse().unwrap();
        let start: DateTime<Utc> = "2026-10-25T00:00:00Z".parse().unwrap();
        let zone = Tz::Europe__Berlin;
        let every = Times { when: When::rate("30 minutes").unwrap(), zone, start: Some(start), end: None };
        let said = every.problem(now).unwrap();
        assert!(said.contains("write: --start 2026-10-25T03:00,"), "{said}");
        assert_eq!(moment("--start", "2026-10-25T03:00", zone).unwrap().to_rfc3339(), "2026-10-25T02:00:00+00:00");
    }
}
