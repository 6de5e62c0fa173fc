use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use unicode_width::UnicodeWidthStr;

use super::{COLUMNS, When, input, moment, never, usual_name};
use crate::{
    clients::{MAX_AGE_SECONDS, MAX_ATTEMPTS},
    ui::{
        table,
        terminal::{Terminal, Tone},
    },
};

const TEMPLATE: &str = include_str!("../../../../../infra/trigger-schedule.yaml");

fn asked(parameters: &Value) -> Map<String, Value> {
    let asked = json!({"instance": "nightly", "notebook": "reports/daily.ipynb", "parameters": parameters});
    asked.as_object().unwrap().clone()
}

/// A schedule of the command and one of the small stack start the same run.
#[test]
fn the_input_is_that_of_the_template() {
    let (_, text) = TEMPLATE.split_once("Input: !Sub >-\n").unwrap();
    let (text, _) = text.split_once("\nOutputs:").unwrap();
    let mut text = text.to_owned();
    for (name, value) in [
        ("Instance", "nightly"),
        ("Notebook", "reports/daily.ipynb"),
        ("Parameters", r#"{"day": "{{ date }}"}"#),
        ("WhenBusy", "queue"),
        ("Limits", "{}"),
        ("Html", "full"),
    ] {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    let of_template: Value = serde_json::from_str(&text).unwrap();
    let ours: Value = serde_json::from_str(&input::of(asked(&json!({"day": "{{ date }}"}))).unwrap()).unwrap();
    assert_eq!(ours, of_template);
    let policy = format!("MaximumEventAgeInSeconds: {MAX_AGE_SECONDS}, MaximumRetryAttempts: {MAX_ATTEMPTS} ");
    assert!(TEMPLATE.contains(&policy), "{policy}");
}

#[test]
fn nothing_that_a_person_wrote_is_one_of_schedulers_words() {
    let hostile = json!({"a": "<aws.scheduler.execution-id>", "b": {"c": "}}\\\"}"}});
    let text = input::of(asked(&hostile)).unwrap();
    assert!(!text.contains("execution-id>"), "{text}");
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["parameters"], hostile, "the notebook gets what was written");
    assert_eq!(text.matches("<aws.scheduler.").count(), 2, "{text}");
}

#[test]
fn what_every_run_would_fail_with_is_refused_at_once() {
    for (parameters, said) in [
        (json!({"source": "{{ key }}"}), "parameters.source"),
        (json!({"source": "{{ nonsense }}"}), "nonsense"),
        (json!({"class": 1}), "class"),
    ] {
        let problem = input::of(asked(&parameters)).unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.to_string().contains(said), "{problem}");
    }
    assert!(input::of(Map::new()).is_err());
}

#[test]
fn names_and_moments() {
    assert_eq!(usual_name("reveille", "s3://b/é daily.ipynb"), "reveille---daily");
    assert_eq!(usual_name("reveille", &"x".repeat(200)).len(), 64);
    let berlin = chrono_tz::Tz::Europe__Berlin;
    assert_eq!(moment("--start", "2027-07-01T00:00", berlin).unwrap().to_rfc3339(), "2027-06-30T22:00:00+00:00");
    for (wrong, said) in
        [("2027-03-28T02:30", "does not exist"), ("2027-01-01T00:00:00Z", "--start 2027-01-01T00:00:00 --zone UTC")]
    {
        assert!(moment("--start", wrong, berlin).unwrap_err().to_string().contains(said), "{wrong}");
    }
}

#[test]
fn a_schedule_that_never_fires_says_which_option_is_at_fault() {
    let now = "2026-11-26T12:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let daily = When::cron("0 8 * * ? *").unwrap();
    let after = |hours| Some(now + TimeDelta::hours(hours));
    let said = |when: &When, start, end| {
        let problem = never(when, chrono_tz::Tz::UTC, (start, end), now);
        assert_eq!(problem.exit_code(), 2);
        problem.to_string()
    };
    let before_start = said(&daily, after(48), after(24));
    assert!(
        before_start.starts_with("--end: Fri 27 Nov 2026, 12:00 UTC is before --start, Sat 28 Nov"),
        "{before_start}"
    );
    assert!(said(&daily, after(-48), after(-72)).contains("is before --start"));
    assert!(said(&daily, None, after(-1)).starts_with("--end: Thu 26 Nov 2026, 11:00 UTC has passed;"));
    let too_early = said(&daily, None, after(1));
    assert!(too_early.contains("is before cron(0 8 * * ? *) fires first, Fri 27 Nov 2026, 08:00 UTC"), "{too_early}");
    let at = When::at("2026-11-26T08:00").unwrap();
    assert!(said(&at, None, None).starts_with("--at: 2026-11-26T08:00:00 has passed in UTC;"));
    let over = When::cron("0 8 1 1 ? 2020").unwrap();
    assert!(said(&over, None, None).starts_with("cron(0 8 1 1 ? 2020) has no time in the future in UTC;"));
}

/// A name is what the other commands take.
#[test]
fn a_name_is_shown_whole_in_every_width() {
    let notebook = "reports/monthly/of-the-north.ipynb";
    let shown = |width, row: &Vec<_>| {
        let (terminal, rows) = (Terminal::plain(width), std::slice::from_ref(row));
        table::lines(&terminal, &table::whole(&terminal, COLUMNS, "NAME", rows), rows)
    };
    for name in ["a", "hourly-report-of-the-north", "reveille-report-of-all-orders-of-the-north-2026"] {
        let row =
            [name, "paused", notebook, "nightly", "cron(0 8 ? * MON-FRI *)", "Thu 26 Nov 2026, 20:15 Europe/Berlin"];
        let row = row.map(|text| (text.to_owned(), Tone::Plain)).to_vec();
        for width in [60, 80, 200] {
            let lines = shown(width, &row);
            assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:#?}");
            assert!(lines[1].starts_with(&format!("{name} ")), "{width}: {lines:#?}");
        }
        let usual = shown(80, &row);
        assert!(name.len() > 30 || usual[1].contains("Thu 26 Nov 2026, 20:15"), "{usual:#?}");
    }
}
