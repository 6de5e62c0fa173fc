//! The input of the runs that a schedule starts: what infra/trigger-schedule.yaml writes, from the same facts.

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use crate::{
    commands::trigger::{check, complete},
    error::CliError,
    schedules::words,
    triggers::{SCHEDULE_ARN, SCHEDULED_TIME, with_event},
};

/// The day and the time of the event against which an input is checked.
const DAY: &str = "2026-11-26";
const TIME: &str = "2026-11-26T08:00:00Z";

/// The target's input.
#[derive(Clone, Debug)]
pub(super) struct ScheduledInput {
    pub(super) text: String,
    /// Whether a parameter has `{{ date }}`.
    has_date: bool,
}

/// Scheduler sends no event, so this makes one. A schedule and a scheduled time are what two deliveries have in common; the execution id of
/// Scheduler's is not.
///
/// # Errors
/// What a run with this input would fail with.
pub(super) fn of(mut input: Map<String, Value>) -> Result<ScheduledInput, CliError> {
    complete(&mut input);
    let sample = event("arn:aws:scheduler:us-east-1:111122223333:schedule/default/name", TIME);
    let filled = check(&input, &sample, Some("a schedule's runs have `time`, `date`, `run` and `instance`"))?;
    let written = input.get("parameters").map_or(0, |parameters| days(&parameters.to_string()));
    let has_date = days(&Value::Object(filled).to_string()) > written;
    // Nothing that a person wrote is read as one of Scheduler's own words: to JSON this is the same text.
    let person = Value::Object(input).to_string().replace('<', "\\u003c").replace('>', "\\u003e");
    Ok(ScheduledInput { text: with_event(&person, &event(SCHEDULE_ARN, SCHEDULED_TIME).to_string()), has_date })
}

/// How often a text has the day without the time.
fn days(text: &str) -> usize {
    text.matches(DAY).count() - text.matches(TIME).count()
}

impl ScheduledInput {
    /// What a person should know whose zone has another day than UTC at one of these times; `None`: nothing.
    pub(super) fn date_note(&self, times: &[DateTime<Tz>]) -> Option<String> {
        let is_other = |at: &&DateTime<Tz>| at.date_naive() != at.naive_utc().date();
        let at = times.iter().find(is_other).filter(|_| self.has_date)?;
        Some(format!(
            "{{{{ date }}}} is the day in UTC: for the run of {} it is {}. If the notebook needs the day in {}, pass it {{{{ time }}}} and convert that there",
            words(at),
            at.naive_utc().date(),
            at.timezone().name()
        ))
    }
}

fn event(schedule: &str, time: &str) -> Value {
    json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": time, "resources": [schedule]})
}
