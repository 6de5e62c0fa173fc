use chrono_tz::Tz;
use reveille_domain::event::Event;
use serde_json::{Map, Value, json};

use unicode_width::UnicodeWidthStr;

use super::{COLUMNS, input, usual_name};
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
        ("TimeZone", "Europe/Berlin"),
    ] {
        text = text.replace(&format!("${{{name}}}"), value);
    }
    let of_template: Value = serde_json::from_str(&text).unwrap();
    let ours = input::of(asked(&json!({"day": "{{ date }}"})), Tz::Europe__Berlin).unwrap();
    let ours: Value = serde_json::from_str(&ours).unwrap();
    assert_eq!(ours, of_template);
    let policy = format!("MaximumEventAgeInSeconds: {MAX_AGE_SECONDS}, MaximumRetryAttempts: {MAX_ATTEMPTS} ");
    assert!(TEMPLATE.contains(&policy), "{policy}");
}

#[test]
fn nothing_that_a_person_wrote_is_one_of_schedulers_words() {
    let hostile = json!({"a": "<aws.scheduler.execution-id>", "b": {"c": "}}\\\"}"}});
    let text = input::of(asked(&hostile), Tz::UTC).unwrap();
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
        let problem = input::of(asked(&parameters), Tz::UTC).unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.to_string().contains(said), "{problem}");
    }
    assert!(input::of(Map::new(), Tz::UTC).is_err());
}

#[test]
fn the_usual_name_is_one_that_aws_takes() {
    assert_eq!(usual_name("reveille", "s3://b/é daily.ipynb"), "reveille---daily");
    assert_eq!(usual_name("reveille", &"x".repeat(200)).len(), 64);
}

/// At 06:00 in Tokyo it is the day before in UTC: the function that fills the day in has to know the zone.
#[test]
fn the_event_says_in_which_zone_its_day_is() {
    for zone in [Tz::Asia__Tokyo, Tz::UTC] {
        let input: Value = serde_json::from_str(&input::of(asked(&json!({})), zone).unwrap()).unwrap();
        let mut event = input["event"].clone();
        event["time"] = "2026-11-25T21:00:00Z".into();
        let local = Event::new(&event).local_time().unwrap();
        assert_eq!((local.timezone(), local.naive_utc().to_string()), (zone, "2026-11-25 21:00:00".to_owned()));
    }
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
