//! Cron as other programs have it, and what EventBridge would want instead.

use super::cron::{Cron, DAY_OF_WEEK};

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
    let problem = match Cron::of(&fields) {
        Ok(cron) => return Ok((fields.join(" "), cron)),
        Err(problem) => problem,
    };
    match meant(&fields).as_slice() {
        [] => Err(format!("{problem}. The fields are: minutes, hours, day of the month, month, day of the week, year")),
        [meant] => Err(format!("{problem}; write: --cron '{meant}'")),
        several => Err(format!(
            "{problem}. It takes a day of the month or a day of the week, not both. Make two schedules: --cron '{}'",
            several.join("' and --cron '")
        )),
    }
}

/// The expressions that were meant, if they can be told.
fn meant(fields: &[&str]) -> Vec<String> {
    match fields {
        // Seconds first, as Quartz and Spring have it.
        [_, rest @ ..] if fields.len() == 7 => valid(&with_mark(rest)),
        // A crontab's: no year, and Sunday is 0.
        [rest @ .., of_week] if fields.len() == 5 => {
            let of_week = day_of_crontab(of_week);
            let mut fields: Vec<&str> = rest.to_vec();
            fields.extend([of_week.as_str(), "*"]);
            valid(&with_mark(&fields))
        }
        [minutes, hours, of_month, months, of_week, years] => {
            let fixed = valid(&with_mark(fields));
            if !fixed.is_empty() {
                return fixed;
            }
            let zero = day_of_crontab(of_week);
            let fixed = valid(&with_mark(&[minutes, hours, of_month, months, &zero, years]));
            // Seconds first, and no year.
            if fixed.is_empty() { valid(&with_mark(&[hours, of_month, months, of_week, years, "*"])) } else { fixed }
        }
        _ => Vec::new(),
    }
}

/// The fields with a `?` where one belongs; where both days are given, once with each of them.
fn with_mark(fields: &[&str]) -> Vec<Vec<String>> {
    let [minutes, hours, of_month, months, of_week, years] = fields else { return Vec::new() };
    let with =
        |of_month: &str, of_week: &str| [minutes, hours, of_month, months, of_week, years].map(str::to_owned).to_vec();
    match (*of_month, *of_week) {
        ("?" | "*", "?" | "*") => vec![with("*", "?")],
        (of_month, "?" | "*") => vec![with(of_month, "?")],
        ("?" | "*", of_week) => vec![with("?", of_week)],
        (of_month, of_week) => vec![with(of_month, "?"), with("?", of_week)],
    }
}

/// All of them, or none.
fn valid(candidates: &[Vec<String>]) -> Vec<String> {
    let read = |fields: &Vec<String>| Cron::of(&fields.iter().map(String::as_str).collect::<Vec<_>>()).is_ok();
    if candidates.iter().all(read) { candidates.iter().map(|fields| fields.join(" ")).collect() } else { Vec::new() }
}

/// A crontab's days of the week, in which 0 and 7 are Sunday, by their names. What is no such thing stays as it is.
fn day_of_crontab(text: &str) -> String {
    let name = |number: &str| -> Option<String> {
        let number: usize = number.parse().ok().filter(|number| *number <= 7)?;
        DAY_OF_WEEK.word(number % 7)
    };
    let item = |item: &str| match item.split_once('-') {
        Some((from, to)) => match (name(from), name(to)) {
            // From Sunday to Sunday, as crontabs write every day.
            (Some(from), Some(to)) if from == to => "*".to_owned(),
            (Some(from), Some(to)) if from != "SUN" && to == "SUN" => format!("{from}-SAT,SUN"),
            (Some(from), Some(to)) => format!("{from}-{to}"),
            _ => item.to_owned(),
        },
        None => name(item).unwrap_or_else(|| item.to_owned()),
    };
    text.split(',').map(item).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::read;

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
            ("0 8 * * * *", "'0 8 * * ? *'"),
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
