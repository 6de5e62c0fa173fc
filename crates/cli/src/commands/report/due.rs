//! When the stack's schedules were to start runs, as far as that can be known: what a schedule was before its last change, nobody can tell.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::{
    clients::{Account, MAX_AGE_SECONDS, REMEMBERED, Schedule},
    error::CliError,
    overview::expected::Due,
    schedules::When,
};

/// Since when a run that is not there did not come: of older ones, nobody can tell.
fn remembered(from: DateTime<Utc>, now: DateTime<Utc>, notes: &mut Vec<String>) -> DateTime<Utc> {
    let first = now - REMEMBERED;
    if from < first {
        notes.push(format!(
            "Step Functions forgets a run {} days after its end. So older runs are not on this page, and it cannot say which were expected before {} UTC and did not come.",
            REMEMBERED.num_days(),
            first.format("%-d %b %Y, %H:%M")
        ));
    }
    from.max(first)
}

/// The times of all schedules that are on. What is not known is noted.
pub(super) async fn all(
    account: &Account,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
    notes: &mut Vec<String>,
) -> Result<Vec<Due>, CliError> {
    let from = remembered(from, until, notes);
    let mut due: Vec<Due> = own(account, from, until).into_iter().collect();
    match account.schedules(None).await {
        Ok(schedules) => {
            for schedule in schedules.iter().filter(|schedule| schedule.enabled) {
                match of(schedule, from, until) {
                    Ok(found) => due.push(found),
                    Err(why) => notes
                        .push(format!("Whether all runs of the schedule {} came is not known: {why}.", schedule.name)),
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

/// What the input of a schedule says of where its runs come from: all that tells them from others.
const SOURCE: &str = "aws.scheduler";

fn of(schedule: &Schedule, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Due, String> {
    let unread = || format!("this command cannot read {} in {}", schedule.expression, schedule.zone);
    let when = When::read(&schedule.expression).map_err(|_| unread())?;
    let zone = schedule.zone.parse::<Tz>().map_err(|_| unread())?;
    let text = |field: &str| {
        schedule.input[field].as_str().map(str::to_owned).ok_or_else(|| format!("its input names no {field}"))
    };
    let (notebook, instance) = (text("notebook")?, text("instance")?);
    if schedule.input["event"]["source"] != SOURCE {
        return Err(format!(
            "its input has no event whose source is {SOURCE}, so its runs look like those that a person starts"
        ));
    }
    let since = schedule.start.unwrap_or(schedule.created);
    let until = schedule.end.map_or(until, |end| end.min(until));
    Ok(Due {
        schedule: schedule.name.clone(),
        notebook,
        instance,
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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use serde_json::json;

    use super::{of, remembered};
    use crate::clients::Schedule;

    fn now() -> DateTime<Utc> {
        "2026-11-27T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn no_run_is_missed_that_step_functions_has_forgotten() {
        let mut notes = Vec::new();
        let month = now() - TimeDelta::days(30);
        assert_eq!((remembered(month, now(), &mut notes), notes.len()), (month, 0));
        let year = now() - TimeDelta::days(365);
        assert_eq!(remembered(year, now(), &mut notes), now() - TimeDelta::days(90));
        assert!(notes[0].contains("expected before 29 Aug 2026, 00:00 UTC"), "{notes:?}");
    }

    #[test]
    fn a_schedule_is_expected_only_if_its_runs_can_be_told_and_else_it_is_said_why() {
        let input = json!({"notebook": "daily.ipynb", "instance": "nightly", "event": {"source": "aws.scheduler"}});
        let without = |field: &str| {
            let mut input = input.clone();
            input.as_object_mut().unwrap().remove(field);
            input
        };
        let due = |expression: &str, input: &serde_json::Value| {
            let schedule = Schedule::of_test(expression, input);
            of(&schedule, now() - TimeDelta::days(2), now()).map(|due| due.times.len())
        };
        assert_eq!(due("cron(0 6 * * ? *)", &input), Ok(2));
        for (expression, input, why) in [
            ("cron(0 6 * * ? *)", without("event"), "no event whose source is aws.scheduler"),
            ("cron(0 6 * * ? *)", without("notebook"), "names no notebook"),
            ("cron(0 6 * * ? *)", without("instance"), "names no instance"),
            ("every day", input.clone(), "cannot read every day in UTC"),
        ] {
            let told = due(expression, &input).unwrap_err();
            assert!(told.contains(why), "{told}");
        }
    }
}
