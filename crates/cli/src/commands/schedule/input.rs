//! The input of the runs that a schedule starts: what infra/trigger-schedule.yaml writes, from the same facts.

use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use crate::{
    commands::trigger::{check, complete},
    error::CliError,
    triggers::{SCHEDULE_ARN, SCHEDULED_TIME, with_event},
};

/// The time of the event against which an input is checked.
const TIME: &str = "2026-11-26T08:00:00Z";

/// Scheduler sends no event, so this makes one. A schedule and a scheduled time are what two deliveries have in common; the execution id of
/// Scheduler's is not.
///
/// # Errors
/// What a run with this input would fail with.
pub(super) fn of(mut input: Map<String, Value>, zone: Tz) -> Result<String, CliError> {
    complete(&mut input);
    let sample = event("arn:aws:scheduler:us-east-1:111122223333:schedule/default/name", TIME, zone);
    check(&input, &sample, Some("a schedule's runs have `time`, `date`, `run` and `instance`"))?;
    // Nothing that a person wrote is read as one of Scheduler's own words: to JSON this is the same text.
    let person = Value::Object(input).to_string().replace('<', "\\u003c").replace('>', "\\u003e");
    Ok(with_event(&person, &event(SCHEDULE_ARN, SCHEDULED_TIME, zone).to_string()))
}

fn event(schedule: &str, time: &str, zone: Tz) -> Value {
    json!({"source": "aws.scheduler", "detail-type": "Scheduled Event", "time": time, "resources": [schedule],
        "detail": {"timeZone": zone.name()}})
}
