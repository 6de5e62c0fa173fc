//! EventBridge's cron expressions: six fields, minutes to year, of which either the day of the month or the day of the week is `?`.

use chrono::{Datelike, NaiveDate, Weekday};

/// A cron expression that EventBridge takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cron {
    pub(super) minutes: Vec<u32>,
    pub(super) hours: Vec<u32>,
    months: Vec<u32>,
    years: Vec<u32>,
    days: Days,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Days {
    OfMonth(Vec<DayOfMonth>),
    OfWeek(Vec<DayOfWeek>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfMonth {
    Is(u32),
    Last,
    /// The working day nearest to it.
    Near(u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DayOfWeek {
    Is(u32),
    /// The last such day of the month.
    LastOf(u32),
    /// The nth such day of the month.
    Nth(u32, u32),
}

/// What a field may hold.
pub(super) struct Field {
    name: &'static str,
    least: u32,
    most: u32,
    words: &'static [&'static str],
}

const MINUTES: Field = Field { name: "minutes", least: 0, most: 59, words: &[] };
const HOURS: Field = Field { name: "hours", least: 0, most: 23, words: &[] };
const DAY_OF_MONTH: Field = Field { name: "day of the month", least: 1, most: 31, words: &[] };
const MONTHS: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    words: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
/// 1 is Sunday.
pub(super) const DAY_OF_WEEK: Field =
    Field { name: "day of the week", least: 1, most: 7, words: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] };
const YEARS: Field = Field { name: "year", least: 1970, most: 2199, words: &[] };

impl Field {
    fn number(&self, text: &str) -> Result<u32, String> {
        let word = self.words.iter().position(|word| *word == text).and_then(|place| u32::try_from(place + 1).ok());
        let number = word.or_else(|| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit())));
        number.filter(|number| (self.least..=self.most).contains(number)).ok_or_else(|| {
            let words = match self.words {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("the {} `{text}`: write {} to {}{words}", self.name, self.least, self.most)
        })
    }

    /// The numbers of an item such as `*`, `3`, `1-5`, `*/15`, `MON-FRI` or `10-20/5`.
    fn item(&self, item: &str) -> Result<Vec<u32>, String> {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => {
                let wrong = || format!("the {} `{item}` needs a whole number above 0 after `/`", self.name);
                (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0).ok_or_else(wrong)?))
            }
            None => (item, None),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (self.least, self.most),
            Some((from, to)) => (self.number(from)?, self.number(to)?),
            None => {
                let from = self.number(range)?;
                (from, if step.is_some() { self.most } else { from })
            }
        };
        if from > to {
            let (least, most) = (self.least, self.most);
            return Err(format!(
                "the {} `{item}` goes backwards; write it as two ranges, such as {from}-{most},{least}-{to}",
                self.name
            ));
        }
        let step = usize::try_from(step.unwrap_or(1)).unwrap_or(usize::MAX);
        Ok((from..=to).step_by(step).collect())
    }

    /// The name of one, from 0.
    pub(super) fn word(&self, place: usize) -> Option<String> {
        self.words.get(place).map(|word| (*word).to_owned())
    }

    fn list(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut numbers = Vec::new();
        for item in text.split(',') {
            numbers.extend(self.item(item)?);
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }
}

impl Cron {
    /// Reads six fields in upper case.
    ///
    /// # Errors
    /// A sentence that says which field is wrong.
    pub(super) fn of(fields: &[&str]) -> Result<Self, String> {
        let [minutes, hours, of_month, months, of_week, years] = fields else {
            let (count, s) = (fields.len(), if fields.len() == 1 { "" } else { "s" });
            return Err(format!("it has {count} field{s}; EventBridge's cron has six"));
        };
        let days = match (*of_month, *of_week) {
            ("?", "?") => return Err("the day of the month and the day of the week are both `?`".to_owned()),
            (of_month, "?") => Days::OfMonth(days_of_month(of_month)?),
            ("?", of_week) => Days::OfWeek(days_of_week(of_week)?),
            _ => return Err("neither the day of the month nor the day of the week is `?`".to_owned()),
        };
        Ok(Self {
            minutes: MINUTES.list(minutes)?,
            hours: HOURS.list(hours)?,
            months: MONTHS.list(months)?,
            years: YEARS.list(years)?,
            days,
        })
    }

    /// Whether anything starts on that day of one of its years.
    fn is_on(&self, day: NaiveDate) -> bool {
        self.months.contains(&day.month()) && self.days.are(day)
    }

    /// The days on which anything starts, from this one on and to the end of its last year.
    pub(super) fn days_from(&self, first: NaiveDate) -> impl Iterator<Item = NaiveDate> {
        let years = self.years.iter().filter_map(|year| i32::try_from(*year).ok());
        let begins = years.filter(move |year| *year >= first.year()).filter_map(|year| NaiveDate::from_yo_opt(year, 1));
        let days = begins.flat_map(|begin| begin.iter_days().take_while(move |day| day.year() == begin.year()));
        days.filter(move |day| *day >= first && self.is_on(*day))
    }
}

impl Days {
    fn are(&self, day: NaiveDate) -> bool {
        match self {
            Self::OfMonth(days) => days.iter().any(|of_month| match of_month {
                DayOfMonth::Is(number) => day.day() == *number,
                DayOfMonth::Last => day.day() == u32::from(day.num_days_in_month()),
                DayOfMonth::Near(number) => day.day() == working_day_near(day, *number),
            }),
            Self::OfWeek(days) => days.iter().any(|of_week| match of_week {
                DayOfWeek::Is(number) => number_of(day) == *number,
                DayOfWeek::LastOf(number) => {
                    number_of(day) == *number && day.day() + 7 > u32::from(day.num_days_in_month())
                }
                DayOfWeek::Nth(number, nth) => number_of(day) == *number && (day.day() - 1) / 7 + 1 == *nth,
            }),
        }
    }
}

/// 1 is Sunday, as EventBridge has it.
fn number_of(day: NaiveDate) -> u32 {
    day.weekday().num_days_from_sunday() + 1
}

/// The working day of the month that is nearest to a day of it, never of another month.
fn working_day_near(day: NaiveDate, number: u32) -> u32 {
    let last = u32::from(day.num_days_in_month());
    let wanted = number.min(last);
    match day.with_day(wanted).map(|day| day.weekday()) {
        Some(Weekday::Sat) => {
            if wanted == 1 {
                3
            } else {
                wanted - 1
            }
        }
        Some(Weekday::Sun) => {
            if wanted == last {
                wanted - 2
            } else {
                wanted + 1
            }
        }
        _ => wanted,
    }
}

fn days_of_month(text: &str) -> Result<Vec<DayOfMonth>, String> {
    let mut days = Vec::new();
    for item in text.split(',') {
        match (item, item.strip_suffix('W')) {
            ("L", _) => days.push(DayOfMonth::Last),
            _ if item.starts_with("LW") || item.starts_with("L-") => {
                return Err(format!(
                    "the day of the month `{item}`: AWS documents no such day; L is the last day of the month, and 28W the working day nearest to the 28th"
                ));
            }
            (_, Some(number)) => days.push(DayOfMonth::Near(DAY_OF_MONTH.number(number)?)),
            _ => days.extend(DAY_OF_MONTH.item(item)?.into_iter().map(DayOfMonth::Is)),
        }
    }
    Ok(days)
}

fn days_of_week(text: &str) -> Result<Vec<DayOfWeek>, String> {
    if text.contains('#') && text.contains(',') {
        return Err(format!("the day of the week `{text}`: a day with `#` stands alone"));
    }
    let mut days = Vec::new();
    for item in text.split(',') {
        if item == "L" {
            days.push(DayOfWeek::Is(DAY_OF_WEEK.most));
        } else if let Some(number) = item.strip_suffix('L') {
            days.push(DayOfWeek::LastOf(DAY_OF_WEEK.number(number)?));
        } else if let Some((number, nth)) = item.split_once('#') {
            let nth = nth.parse().ok().filter(|nth| (1..=5).contains(nth));
            let nth =
                nth.ok_or_else(|| format!("the day of the week `{item}` needs a number from 1 to 5 after `#`"))?;
            days.push(DayOfWeek::Nth(DAY_OF_WEEK.number(number)?, nth));
        } else {
            days.extend(DAY_OF_WEEK.item(item)?.into_iter().map(DayOfWeek::Is));
        }
    }
    Ok(days)
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::Cron;

    fn days(expression: &str, month: u32) -> Vec<u32> {
        let fields: Vec<&str> = expression.split(' ').collect();
        let cron = Cron::of(&fields).unwrap();
        let first = NaiveDate::from_ymd_opt(2026, month, 1).unwrap();
        cron.days_from(first)
            .take_while(|day| day.year() == 2026 && day.month() == month)
            .map(|day| day.day())
            .collect()
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        // November 2026 begins on a Sunday.
        assert_eq!(
            days("0 8 ? * MON-FRI *", 11),
            [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 23, 24, 25, 26, 27, 30]
        );
        assert_eq!(days("0 8 ? * 1 *", 11), [1, 8, 15, 22, 29], "1 is Sunday");
        assert_eq!(days("0 8 ? * L *", 11), [7, 14, 21, 28], "the last day of the week");
        assert_eq!(days("0 8 ? * 6L *", 11), [27], "the last Friday");
        assert_eq!(days("0 8 ? * MON#1 *", 11), [2]);
        assert_eq!(days("0 8 ? * 3#5 *", 11), Vec::<u32>::new(), "there is no fifth Tuesday");
        assert_eq!(days("0 8 L * ? *", 2), [28]);
        assert_eq!(
            days("0 8 1W,15W,31W * ? *", 11),
            [2, 16, 30],
            "the first is a Sunday, so is the 15th, and there is no 31st"
        );
        assert_eq!(days("0 8 1W * ? *", 8), [3], "the first is a Saturday");
        assert_eq!(days("0 8 */10 JAN,FEB ? 2026", 1), [1, 11, 21, 31]);
        assert_eq!(days("0 8 * * ? 2027-2030", 1), Vec::<u32>::new());
    }

    #[test]
    fn what_eventbridge_refuses_is_refused_by_field() {
        for (expression, said) in [
            ("60 8 * * ? *", "the minutes `60`"),
            ("0 24 * * ? *", "the hours `24`"),
            ("0 8 32 * ? *", "day of the month `32`"),
            ("0 8 * FOO ? *", "JAN to DEC"),
            ("0 8 ? * 8 *", "SUN to SAT"),
            ("0 8 * * ? 1969", "the year `1969`"),
            ("0 22-2 * * ? *", "22-23,0-2"),
            ("*/0 8 * * ? *", "above 0 after `/`"),
            ("*/x 8 * * ? *", "above 0 after `/`"),
            ("+5 8 * * ? *", "the minutes `+5`"),
            ("0 8 ? * 2#6 *", "1 to 5"),
            ("0 8 ? * MON#1,FRI#3 *", "`MON#1,FRI#3`: a day with `#` stands alone"),
            ("0 8 ? * MON,6#3 *", "stands alone"),
            ("0 8 LW * ? *", "L is the last day of the month"),
            ("0 8 L-3 * ? *", "the day of the month `L-3`: AWS documents no such day"),
            ("0 8 * * ? 2200", "the year `2200`"),
            ("0 8 * * ? 2027-2026", "goes backwards"),
            ("? 8 * * ? *", "the minutes `?`"),
            ("0 8 ? * ? *", "both `?`"),
            ("0 8 1 * MON *", "neither"),
            (", 8 * * ? *", "the minutes ``"),
            ("0 8 * * ?", "it has 5 fields"),
            ("-1 8 * * ? *", "the minutes ``"),
        ] {
            let said_of_it = Cron::of(&expression.split(' ').collect::<Vec<_>>()).unwrap_err();
            assert!(said_of_it.contains(said), "{expression}: {said_of_it}");
        }
    }
}
