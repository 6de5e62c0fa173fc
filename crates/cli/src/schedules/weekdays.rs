//! Days of the week as other programs number them, in EventBridge's words. A name means the same day everywhere, and a number does not: where
//! it is not certain who numbered them, there is no answer.

use super::cron::DAY_OF_WEEK;

/// From which day the numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// A crontab's and Spring's: 0 is Sunday, and so is 7.
    Crontab,
    /// EventBridge's and Quartz's: 1 is Sunday.
    EventBridge,
    /// Nobody can tell.
    Unknown,
}

/// One item of a list.
enum Item {
    /// It may stand beside others.
    Days(String),
    /// With `#` or `L`: AWS documents it only alone.
    Alone(String),
}

/// The field as EventBridge takes it, with names for numbers. More than one: each needs a schedule of its own. `None`: which days are meant
/// cannot be told.
pub(super) fn meant(text: &str, numbering: Numbering) -> Option<Vec<String>> {
    if ["*", "?"].contains(&text) {
        return Some(vec![text.to_owned()]);
    }
    // Only those that count from 0 write it.
    let numbering = if has_zero(text) { Numbering::Crontab } else { numbering };
    let (mut days, mut alone) = (Vec::new(), Vec::new());
    for item in text.split(',') {
        match read(item, numbering)? {
            Item::Days(item) => days.push(item),
            Item::Alone(item) => alone.push(item),
        }
    }
    let days = if days.iter().any(|item| item == "*") { "*".to_owned() } else { days.join(",") };
    Some(Some(days).filter(|days| !days.is_empty()).into_iter().chain(alone).collect())
}

/// Whether it would be known if it were known from which day the numbers count.
pub(super) fn depends_on_numbering(text: &str) -> bool {
    meant(text, Numbering::Unknown).is_none()
        && [Numbering::Crontab, Numbering::EventBridge].iter().any(|numbering| meant(text, *numbering).is_some())
}

fn has_zero(text: &str) -> bool {
    let days = text.split(',').map(|item| item.split(['/', '#']).next().unwrap_or_default());
    days.flat_map(|days| days.split('-')).any(|day| day == "0")
}

fn read(item: &str, numbering: Numbering) -> Option<Item> {
    if let Some((day, nth)) = item.split_once('#') {
        return Some(Item::Alone(format!("{}#{nth}", number_of(place(day, numbering)?))));
    }
    if let Some(day) = item.strip_suffix('L').filter(|day| !day.is_empty()) {
        return Some(Item::Alone(format!("{}L", number_of(place(day, numbering)?))));
    }
    let (days, step) = match item.split_once('/') {
        Some((days, step)) => (days, Some(step.parse::<usize>().ok().filter(|step| *step > 0)?)),
        None => (item, None),
    };
    let (from, to) = match days.split_once('-') {
        _ if days == "*" => (0, 6),
        // The same day twice is that day.
        Some((from, to)) if from == to => (place(from, numbering)? % 7, place(to, numbering)? % 7),
        Some((from, to)) => {
            let (from, to) = (place(from, numbering)? % 7, place(to, numbering)?);
            (from, if to < from { to + 7 } else { to })
        }
        // From that day on, to those who document it; others read it as the day alone.
        None if step.is_some() && numbering != Numbering::EventBridge => return None,
        None => {
            let day = place(days, numbering)? % 7;
            (day, if step.is_some() { 6 } else { day })
        }
    };
    match step {
        Some(step) => {
            let mut days: Vec<usize> = (from..=to).step_by(step).map(|day| day % 7).collect();
            days.sort_unstable();
            days.dedup();
            Some(Item::Days(days.into_iter().map(name).collect::<Vec<_>>().join(",")))
        }
        None => Some(Item::Days(range(from, to))),
    }
}

/// From Sunday, which is 0. A 7 stays one: it ends a range.
fn place(day: &str, numbering: Numbering) -> Option<usize> {
    if let Some(place) = (0..7).find(|place| name(*place) == day) {
        return Some(place);
    }
    let number: usize = day.parse().ok().filter(|_| day.len() == 1)?;
    match numbering {
        Numbering::Crontab => Some(number).filter(|number| *number <= 7),
        Numbering::EventBridge => number.checked_sub(1).filter(|place| *place < 7),
        Numbering::Unknown => None,
    }
}

fn name(place: usize) -> String {
    DAY_OF_WEEK.word(place).unwrap_or_default()
}

/// As EventBridge numbers it: with `#` and `L`, AWS documents no names.
const fn number_of(place: usize) -> usize {
    place % 7 + 1
}

/// In words, as two where it goes over the end of the week.
fn range(from: usize, to: usize) -> String {
    let part = |from: usize, to: usize| {
        if from == to { name(from) } else { format!("{}-{}", name(from), name(to)) }
    };
    match to.checked_sub(7) {
        None => part(from, to),
        Some(_) if to - from >= 6 => "*".to_owned(),
        Some(rest) => format!("{},{}", part(from, 6), part(0, rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::{Numbering, depends_on_numbering, meant};

    #[test]
    fn the_same_days_are_meant_in_names() {
        for (text, crontab, eventbridge) in [
            ("1-5/2", Some("MON,WED,FRI"), Some("SUN,TUE,THU")),
            ("1-5", Some("MON-FRI"), Some("SUN-THU")),
            ("5#1", Some("6#1"), Some("5#1")),
            ("5L", Some("6L"), Some("5L")),
            ("FRIL", Some("6L"), Some("6L")),
            ("MON#2", Some("2#2"), Some("2#2")),
            ("*/2", Some("SUN,TUE,THU,SAT"), Some("SUN,TUE,THU,SAT")),
            ("MON-FRI/2", Some("MON,WED,FRI"), Some("MON,WED,FRI")),
            ("2/2", None, Some("MON,WED,FRI")),
            ("1,3,5", Some("MON,WED,FRI"), Some("SUN,TUE,THU")),
            ("7", Some("SUN"), Some("SAT")),
            ("5-7", Some("FRI-SAT,SUN"), Some("THU-SAT")),
            ("5-7/2", Some("SUN,FRI"), Some("THU,SAT")),
            ("5-1", Some("FRI-SAT,SUN-MON"), Some("THU-SAT,SUN")),
            ("MON-SUN", Some("*"), Some("*")),
            ("0-7", Some("*"), Some("*")),
            ("7-2", Some("SUN-TUE"), Some("SAT,SUN-MON")),
            ("0-6/3", Some("SUN,WED,SAT"), Some("SUN,WED,SAT")),
            ("0,6", Some("SUN,SAT"), Some("SUN,SAT")),
            ("1-1", Some("MON"), Some("SUN")),
            ("L", None, None),
            ("8", None, None),
            ("1-5/0", None, None),
            ("FOO", None, None),
            ("", None, None),
            ("?", Some("?"), Some("?")),
        ] {
            let one = |numbering| meant(text, numbering).map(|fields| fields.join(" and "));
            assert_eq!(one(Numbering::Crontab).as_deref(), crontab, "{text}");
            assert_eq!(one(Numbering::EventBridge).as_deref(), eventbridge, "{text}");
        }
        let several = meant("MON,1#1,5#3,WED", Numbering::Crontab).unwrap();
        assert_eq!(several, ["MON,WED", "2#1", "6#3"], "each with a number of its own needs a schedule");
    }

    #[test]
    fn a_number_of_which_nobody_knows_who_wrote_it_is_no_day() {
        for text in ["1-5", "7", "5#1", "5L", "MON,3", "2/2"] {
            assert!(depends_on_numbering(text), "{text}");
        }
        for text in ["MON-FRI", "0-6", "*/2", "*", "?", "FOO", "8", ""] {
            assert!(!depends_on_numbering(text), "{text}");
        }
    }
}
