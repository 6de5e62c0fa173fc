//! When the stack's schedules were to start runs, as far as that can be known: what a schedule was before its last change, nobody can tell.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    clients::{Account, MAX_AGE_SECONDS, Schedule},
    error::CliError,
    overview::expected::Due,
    schedules::When,
};

/// The times of all schedules that are on. What is not known is noted.
pub(super) async fn all(
    account: &Account,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    notes: &mut Vec<String>,
) -> Result<Vec<Due>, CliError> {
    let mut due: Vec<Due> = own(account, from, until).into_iter().collect();
    match account.schedules(None).await {
        Ok(schedules) => {
            for schedule in schedules.iter().filter(|schedule| schedule.enabled) {
                match of(schedule, from, until) {
                    Some(found) => due.push(found),
                    None => notes.push(format!(
                        "When the schedule {} was due is not known: this command cannot read {} in {}.",
                        schedule.name, schedule.expression, schedule.zone
                    )),
                }
            }
        }
        Err(error) if error.is_denied() => {
            notes.push(format!("Which runs were expected is not known: {error}."));
        }
        Err(error) => return Err(error),
    }
    Ok(due)
}

fn of(schedule: &Schedule, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Due> {
    let when = When::read(&schedule.expression).ok()?;
    let zone = schedule.zone.parse::<Tz>().ok()?;
    let text = |field: &str| schedule.input[field].as_str().map(str::to_owned);
    let since = schedule.start.unwrap_or(schedule.created);
    let until = schedule.end.map_or(until, |end| end.min(until));
    Some(Due {
        schedule: schedule.name.clone(),
        notebook: text("notebook")?,
        instance: text("instance")?,
        times: when.between(zone, since, from.max(schedule.unchanged_since()), until),
        may_be_late: schedule.may_be_late(),
    })
}

/// The stack's own schedule, a rule of EventBridge in UTC. When a rate of such a rule began is not known.
fn own(account: &Account, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<Due> {
    let parameter = |name| account.parameter(name).filter(|value| !value.is_empty());
    let when = When::read(&parameter("ScheduleExpression")?).ok().filter(|when| matches!(when, When::Cron(..)))?;
    let since = account.stack_changed()?;
    Some(Due {
        schedule: "of the stack".to_owned(),
        notebook: parameter("ScheduleNotebook")?,
        instance: parameter("ScheduleInstance")?,
        times: when.between(Tz::UTC, since, from.max(since), until),
        may_be_late: TimeDelta::seconds(MAX_AGE_SECONDS.into()),
    })
}
