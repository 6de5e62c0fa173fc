//! Cron as other programs have it, and what EventBridge would want instead.

use super::{
    cron::Cron,
    weekdays::{self, Numbering},
};

/// What crontabs call them, and EventBridge's fields for it.
const NAMED: [(&str, &str); 7] = [
    ("@YEARLY", "0 0 1 1 ? *"),
    ("@ANNUALLY", "0 0 1 1 ? *"),
    ("@MONTHLY", "0 0 1 * ? *"),
    ("@WEEKLY", "0 0 ? * SUN *"),
    ("@DAILY", "0 0 * * ? *"),
    ("@MIDNIGHT", "0 0 * * ? *"),
    ("@HOURLY", "0 * * * ? *"),
];

/// More than any expression that EventBridge takes.
const MOST: usize = 256;

/// The order of EventBridge's fields.
const FIELDS: &str = "The fields are: minutes, hours, day of the month, month, day of the week, year";
/// What helps where nobody can tell which days are meant.
const NAME_THEM: &str = "It is not certain which days the numbers mean: EventBridge counts from Sunday, which is 1, and in a crontab 1 is Monday. Name the days, such as MON-FRI";

/// What was meant by an expression that EventBridge does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Meant {
    Unknown,
    /// These together: one expression says it, or each needs a schedule.
    These(Vec<String>),
    /// It depends on what the first field is.
    MinutesOrSeconds(Vec<String>, Vec<String>),
    /// It depends on who numbered the days of the week.
    ByNumbering,
    /// Days on which both fields agree: EventBridge has no such expression.
    BothDays,
}

/// What a day of the month and a day of the week mean together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Both {
    /// Days that are one of the two, as in a crontab.
    Either,
    /// Days that are both, as in Spring. Quartz takes no such expression.
    And,
}

/// Reads a cron expression, with or without `cron(...)` around it; gives its fields as EventBridge wants them, too.
///
/// # Errors
/// A sentence that says what is wrong, and where it can be told, the expression that was meant.
pub(crate) fn read(text: &str) -> Result<(String, Cron), String> {
    let written = text.trim();
    if written.len() > MOST {
        return Err(format!("a cron expression has at most {MOST} characters"));
    }
    let upper = written.to_ascii_uppercase();
    let inner = upper.strip_prefix("CRON(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(&upper);
    if let Some((_, meant)) = NAMED.iter().find(|(name, _)| *name == inner) {
        return Err(format!("EventBridge does not know {}; write: --cron '{meant}'", inner.to_ascii_lowercase()));
    }
    let fields: Vec<&str> = inner.split_whitespace().collect();
    match Cron::of(&fields) {
        Ok(cron) => Ok((fields.join(" "), cron)),
        Err(problem) => Err(answer(&problem, &fields)),
    }
}

/// The same for what a person types: it holds nothing of which AWS's reference does not say what it means.
///
/// # Errors
/// As of [`read`].
pub(crate) fn typed(text: &str) -> Result<(String, Cron), String> {
    let (whole, cron) = read(text)?;
    let of_week = whole.split(' ').nth(4).filter(|of_week| of_week.contains('/'));
    let Some(days) = of_week.and_then(|of_week| weekdays::meant(of_week, Numbering::EventBridge)) else {
        return Ok((whole, cron));
    };
    let days = days.join(",");
    let fields = whole.split(' ').enumerate().map(|(place, field)| if place == 4 { days.as_str() } else { field });
    let meant = fields.collect::<Vec<_>>().join(" ");
    Err(format!("AWS documents no `/` for the day of the week; write: --cron '{meant}'"))
}

/// The problem with these fields, and what was meant.
fn answer(problem: &str, fields: &[&str]) -> String {
    match meant(fields) {
        Meant::Unknown if fields.len() == 6 => problem.to_owned(),
        Meant::Unknown => format!("{problem}{}. {FIELDS}", wrong_day(fields)),
        Meant::ByNumbering => format!("{problem}. {NAME_THEM}. {FIELDS}"),
        Meant::BothDays => format!(
            "{problem}. EventBridge has no days that are both a day of the month and a day of the week. Give one of them, and let the notebook look at the other"
        ),
        Meant::These(these) => match these.as_slice() {
            [one] => format!("{problem}; write: --cron '{one}'{}", counted(&these)),
            several => format!(
                "{problem}. One expression cannot say that. Make {} schedules: {}{}",
                counts(several.len()),
                options(several),
                counted(several)
            ),
        },
        Meant::MinutesOrSeconds(minutes, seconds) => format!(
            "{problem}. If the first field is the minutes, write: {}; if it is the seconds, write: {}",
            options(&minutes),
            options(&seconds)
        ),
    }
}

/// What is wrong with a crontab's day of the month besides.
fn wrong_day(fields: &[&str]) -> String {
    let &[_, _, of_month, _, _] = fields else { return String::new() };
    let problem = Cron::of(&["0", "0", of_month, "*", "?", "*"]).err().filter(|_| of_month != "?");
    problem.map_or_else(String::new, |problem| format!("; {problem}"))
}

fn options(expressions: &[String]) -> String {
    format!("--cron '{}'", expressions.join("' and --cron '"))
}

fn counts(count: usize) -> String {
    if count == 2 { "two".to_owned() } else { count.to_string() }
}

/// What the numbers mean in `6#1` and `6L`, for which AWS documents no names.
fn counted(expressions: &[String]) -> &'static str {
    let has = |expression: &String| {
        expression.split(' ').nth(4).is_some_and(|of_week| of_week.contains('#') || of_week.ends_with('L'))
    };
    if expressions.iter().any(has) { " (EventBridge counts the days from Sunday, which is 1)" } else { "" }
}

/// What was meant, if it can be told.
fn meant(fields: &[&str]) -> Meant {
    let has_mark = fields.contains(&"?");
    match fields {
        // Seconds first, and a year, as Quartz has it; it asks for a `?`.
        [_, rest @ ..] if fields.len() == 7 => {
            of_eventbridge(rest, if has_mark { Numbering::EventBridge } else { Numbering::Unknown }, Both::And)
        }
        // A crontab's: no year.
        [_, _, _, _, _] => of_eventbridge(&[fields, &["*"]].concat(), Numbering::Crontab, Both::Either),
        [_, rest @ ..] if fields.len() == 6 => {
            // EventBridge's own, or nearly. Without its `?` nobody knows where it comes from.
            let numbering = if has_mark { Numbering::EventBridge } else { Numbering::Unknown };
            let minutes = of_eventbridge(fields, numbering, Both::Either);
            // Seconds first, and no year: Spring's, or with a `?` perhaps Quartz's, which numbers the days otherwise.
            let numbering = if has_mark { Numbering::Unknown } else { Numbering::Crontab };
            let seconds = of_eventbridge(&[rest, &["*"]].concat(), numbering, Both::And);
            match (minutes, seconds) {
                (Meant::Unknown, seconds) => seconds,
                (Meant::These(minutes), Meant::These(seconds)) if minutes != seconds => {
                    Meant::MinutesOrSeconds(minutes, seconds)
                }
                (minutes, _) => minutes,
            }
        }
        _ => Meant::Unknown,
    }
}

/// What these six fields, in EventBridge's order, would be on EventBridge.
fn of_eventbridge(fields: &[&str], numbering: Numbering, both: Both) -> Meant {
    let &[minutes, hours, of_month, months, of_week, years] = fields else { return Meant::Unknown };
    let Some(named) = weekdays::meant(of_week, numbering) else {
        // Any day of the week stands for it: whether the rest is right.
        let rest = [minutes, hours, "?", months, "MON", years];
        let rest_fits = Cron::of(&rest).is_ok() && is_day_of_month(of_month);
        let is_doubtful = rest_fits && weekdays::depends_on_numbering(of_week);
        return if is_doubtful { Meant::ByNumbering } else { Meant::Unknown };
    };
    let is_any = |day: &str| ["?", "*"].contains(&day);
    let days: Vec<(&str, &str)> = match (of_month, named.as_slice()) {
        (_, [days]) if is_any(days) => vec![(if of_month == "?" { "*" } else { of_month }, "?")],
        (_, named) if is_any(of_month) => named.iter().map(|days| ("?", days.as_str())).collect(),
        // A crontab means days that are both if one of the fields begins with an asterisk.
        _ if both == Both::And || of_month.starts_with('*') || of_week.starts_with('*') => {
            return if is_day_of_month(of_month) { Meant::BothDays } else { Meant::Unknown };
        }
        (_, named) => [(of_month, "?")].into_iter().chain(named.iter().map(|days| ("?", days.as_str()))).collect(),
    };
    let all = days.iter().map(|(of_month, of_week)| [minutes, hours, *of_month, months, *of_week, years]);
    if all.clone().all(|fields| Cron::of(&fields).is_ok()) {
        Meant::These(all.map(|fields| fields.join(" ")).collect())
    } else {
        Meant::Unknown
    }
}

/// Whether EventBridge takes it as such.
fn is_day_of_month(text: &str) -> bool {
    text == "?" || Cron::of(&["0", "0", text, "*", "?", "*"]).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{read, typed};

    #[test]
    fn a_mistake_is_answered_with_what_was_meant() {
        for (typed, meant) in [
            ("0 8 * * *", "'0 8 * * ? *'"),
            ("0 8 * * 1-5", "'0 8 ? * MON-FRI *'"),
            ("0 8 * * 0", "'0 8 ? * SUN *'"),
            ("0 8 * * 7", "'0 8 ? * SUN *'"),
            ("0 8 * * 0,6", "'0 8 ? * SUN,SAT *'"),
            ("0 8 * * 5-7", "'0 8 ? * FRI-SAT,SUN *'"),
            ("0 8 * * mon-fri", "'0 8 ? * MON-FRI *'"),
            ("0 8 1 * *", "'0 8 1 * ? *'"),
            ("0 8 1 * 1", "'0 8 1 * ? *' and --cron '0 8 ? * MON *'"),
            ("*/15 * * * *", "'*/15 * * * ? *'"),
            ("0 8 * * 1-5/2", "'0 8 ? * MON,WED,FRI *'"),
            ("0 8 * * */2", "'0 8 ? * SUN,TUE,THU,SAT *'"),
            ("0 8 * * 5#1", "'0 8 ? * 6#1 *'"),
            ("0 8 * * 5L", "'0 8 ? * 6L *'"),
            ("0 8 * * 1#1,5#3", "'0 8 ? * 2#1 *' and --cron '0 8 ? * 6#3 *'"),
            ("0 8 ? * MON#1,FRI#3 *", "'0 8 ? * 2#1 *' and --cron '0 8 ? * 6#3 *'"),
            ("0 8 ? * 2#1,6#3 *", "'0 8 ? * 2#1 *' and --cron '0 8 ? * 6#3 *'"),
            ("0 8 1 * 1,5#3", "'0 8 1 * ? *' and --cron '0 8 ? * MON *' and --cron '0 8 ? * 6#3 *'"),
            // Spring's: no `?`, no year, and Monday is 1.
            ("0 0 8 * * 1-5", "'0 8 ? * MON-FRI *'"),
            ("0 0 8 * * 5L", "'0 8 ? * 6L *'"),
            ("0 0 8 * * 0", "'0 8 ? * SUN *'"),
            // Quartz's, in which Monday is 2.
            ("0 0 8 ? * 2-6 *", "'0 8 ? * MON-FRI *'"),
            ("0 0 8 ? * 6#3 2027", "'0 8 ? * 6#3 2027'"),
            ("0 8 * * * *", "'0 8 * * ? *'; if it is the seconds, write: --cron '8 * * * ? *'"),
            ("0 0 8 * * *", "'0 0 8 * ? *'; if it is the seconds, write: --cron '0 8 * * ? *'"),
            ("0 8 ? * 0 *", "'0 8 ? * SUN *'"),
            ("0 8 * * 0-6 *", "'0 8 ? * SUN-SAT *'"),
            ("0 8 ? * ? *", "'0 8 * * ? *'"),
            ("0 8 1 * MON *", "'0 8 1 * ? *' and --cron '0 8 ? * MON *'"),
            ("0 0 8 ? * MON-FRI", "'0 8 ? * MON-FRI *'"),
            ("0 0 8 * * ? *", "'0 8 * * ? *'"),
            ("@daily", "'0 0 * * ? *'"),
            ("cron(0 8 * * *)", "'0 8 * * ? *'"),
        ] {
            let said = read(typed).unwrap_err();
            assert!(said.contains(&format!("--cron {meant}")), "{typed}: {said}");
            for corrected in said.split("--cron '").skip(1) {
                let (corrected, _) = corrected.split_once('\'').unwrap();
                assert!(read(corrected).is_ok(), "{corrected} is one that EventBridge takes");
            }
        }
    }

    /// A number is another day to another program.
    #[test]
    fn what_may_mean_other_days_is_answered_without_an_expression() {
        for (typed, said) in [
            ("0 8 * * 1-5 *", "counts from Sunday, which is 1"),
            ("0 8 * * 7 *", "Name the days"),
            ("0 8 * * 5#1 *", "Name the days"),
            ("0 0 8 ? * 2-6", "Name the days"),
            ("0 0 8 * * 2-6 *", "Name the days"),
            ("0 8 * * 1/2", "Name the days"),
            ("0 8 1 * */2", "both a day of the month and a day of the week"),
            ("0 8 */2 * 1", "both a day of the month"),
            ("0 0 8 1 * MON", "both a day of the month"),
            ("0 8 * * L", "it has 5 fields"),
            ("0 8 LW * ? *", "AWS documents no such day"),
            ("0 8 L-3 * *", "EventBridge's cron has six; the day of the month `L-3`: AWS documents no such day"),
        ] {
            let answer = read(typed).unwrap_err();
            assert!(answer.contains(said), "{typed}: {answer}");
            assert!(!answer.contains("--cron"), "{typed}: {answer}");
        }
    }

    #[test]
    fn a_step_of_days_of_the_week_is_typed_as_their_names() {
        for (expression, meant) in [
            ("0 8 ? * 2-6/2 *", "'0 8 ? * MON,WED,FRI *'"),
            ("0 8 ? * mon/2 *", "'0 8 ? * MON,WED,FRI *'"),
            ("0 8 ? * */3 2027", "'0 8 ? * SUN,WED,SAT 2027'"),
        ] {
            let said = typed(expression).unwrap_err();
            assert!(said.ends_with(&format!("no `/` for the day of the week; write: --cron {meant}")), "{said}");
            assert!(read(expression).is_ok(), "one that somebody else made is read");
        }
        assert_eq!(typed("0/15 8 ? * MON *").unwrap().0, "0/15 8 ? * MON *");
    }

    #[test]
    fn what_is_right_is_taken_as_it_is() {
        for (typed, taken) in [
            ("cron(0 8 * * ? *)", "0 8 * * ? *"),
            ("  0  8 ? * mon-fri * ", "0 8 ? * MON-FRI *"),
            ("0/15 8-17 L * ? 2026-2030", "0/15 8-17 L * ? 2026-2030"),
        ] {
            assert_eq!(read(typed).unwrap().0, taken);
        }
    }

    #[test]
    fn what_nobody_can_guess_is_told_by_field() {
        for (typed, said) in [
            ("", "it has 0 fields"),
            ("tomorrow", "it has 1 field;"),
            ("61 8 * * ? *", "the minutes `61`"),
            ("61 8 * * *", "it has 5 fields"),
            ("0 8 * * ? * * *", "it has 8 fields"),
            (&"9".repeat(300), "at most 256"),
            ("é 8 * * ? *", "the minutes `É`"),
        ] {
            let answer = read(typed).unwrap_err();
            assert!(answer.to_lowercase().contains(&said.to_lowercase()), "{typed}: {answer}");
            assert!(!answer.contains("write:"), "{answer}");
        }
    }
}
