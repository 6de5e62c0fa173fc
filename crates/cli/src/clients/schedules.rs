//! Schedules of EventBridge Scheduler whose target is the stack's state machine, whoever made them.

use aws_sdk_scheduler::{
    Client,
    operation::{
        create_schedule::{CreateScheduleError, builders::CreateScheduleInputBuilder},
        delete_schedule::DeleteScheduleError,
        get_schedule::{GetScheduleError, GetScheduleOutput},
        update_schedule::UpdateScheduleError,
    },
    types::{DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, RetryPolicy, ScheduleState, Target},
};
use aws_smithy_types::DateTime as AwsTime;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;

use super::{AT_ONCE, Account, eventually, executions::time, target::TargetSettings};
use crate::error::CliError;

/// The most that ListSchedules gives in a page.
const PAGE: i32 = 100;
/// How long EventBridge and its Scheduler try: the window in which a second start for one event is a duplicate, as in the templates of triggers.
pub(crate) const MAX_AGE_SECONDS: i32 = 900;
pub(crate) const MAX_ATTEMPTS: i32 = 185;

/// A schedule.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) zone: String,
    pub(crate) enabled: bool,
    pub(crate) created: DateTime<Utc>,
    pub(crate) start: Option<DateTime<Utc>>,
    pub(crate) end: Option<DateTime<Utc>>,
    /// The input of its runs, as far as it is JSON.
    pub(crate) input: Value,
    whole: GetScheduleOutput,
}

/// What a new schedule needs.
#[derive(Clone, Debug)]
pub(crate) struct NewSchedule {
    pub(crate) name: String,
    pub(crate) expression: String,
    pub(crate) zone: String,
    pub(crate) start: Option<DateTime<Utc>>,
    pub(crate) end: Option<DateTime<Utc>>,
    pub(crate) flexible_minutes: Option<i32>,
    pub(crate) input: String,
}

/// What became of a schedule that was asked for.
#[derive(Clone, Debug)]
pub(crate) enum Added {
    New(Schedule),
    /// One that does all that was asked for: an earlier try was cut off after it had made it.
    WasThere(Schedule),
}

impl Account {
    fn scheduler(&self) -> Client {
        Client::new(&self.config)
    }

    /// The stack's schedules, in the order of their names; those of one name only, if one is given.
    pub(crate) async fn schedules(&self, name: Option<&str>) -> Result<Vec<Schedule>, CliError> {
        let client = self.scheduler();
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = client.list_schedules().max_results(PAGE).set_name_prefix(name.map(str::to_owned));
            let listed = call.set_next_token(token.take()).send().await;
            let listed = listed.map_err(|error| CliError::asked("list the schedules", &error))?;
            found.extend(listed.schedules.into_iter().filter_map(|schedule| {
                let ours = schedule.target.is_some_and(|target| target.arn == self.state_machine);
                let named = schedule.name.filter(|found| ours && name.is_none_or(|name| name == found))?;
                Some((named, schedule.group_name))
            }));
            match listed.next_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        found.sort();
        let client = &client;
        let get = async |(name, group): (String, Option<String>)| self.got(client, name, group).await;
        stream::iter(found).map(get).buffered(AT_ONCE).try_filter_map(async |schedule| Ok(schedule)).try_collect().await
    }

    /// `None`: it is not there, or was removed since it was listed.
    async fn got(&self, client: &Client, name: String, group: Option<String>) -> Result<Option<Schedule>, CliError> {
        let action = format!("read the schedule {name}");
        match client.get_schedule().name(name).set_group_name(group).send().await {
            Ok(got) => Ok(Some(schedule(got))),
            Err(error) if error.as_service_error().is_some_and(GetScheduleError::is_resource_not_found_exception) => {
                Ok(None)
            }
            Err(error) => Err(CliError::asked(action, &error)),
        }
    }

    /// One that was just made. It may show a moment later.
    async fn made(&self, client: &Client, name: &str) -> Result<Schedule, CliError> {
        let shown = eventually::shown(async || self.got(client, name.to_owned(), None).await).await?;
        shown.ok_or_else(|| CliError::NotThere(format!("EventBridge Scheduler does not show the schedule {name} yet")))
    }

    /// A schedule of the stack by its name.
    pub(crate) async fn schedule(&self, name: &str) -> Result<Schedule, CliError> {
        let found = self.schedules(Some(name)).await?.into_iter().next();
        found.ok_or_else(|| {
            CliError::NotThere(format!("this stack has no schedule {name}; to list them: reveille schedule list"))
        })
    }

    /// Makes one that is on, and reads it back. The same again changes nothing, and is no mistake.
    pub(crate) async fn add_schedule(&self, new: NewSchedule) -> Result<Added, CliError> {
        let window = match new.flexible_minutes {
            Some(minutes) => {
                FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Flexible).maximum_window_in_minutes(minutes)
            }
            None => FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off),
        };
        let target = Target::builder()
            .arn(&self.state_machine)
            .role_arn(self.output("SchedulerRoleArn")?)
            .dead_letter_config(DeadLetterConfig::builder().arn(self.output("UndeliveredEventsArn")?).build())
            .retry_policy(
                RetryPolicy::builder()
                    .maximum_event_age_in_seconds(MAX_AGE_SECONDS)
                    .maximum_retry_attempts(MAX_ATTEMPTS)
                    .build(),
            )
            .input(new.input);
        let incomplete = |error: aws_smithy_types::error::operation::BuildError| CliError::Asked {
            action: "make the schedule".into(),
            message: error.to_string(),
        };
        let client = self.scheduler();
        let call = client.create_schedule();
        let call = call.name(&new.name).description("Starts a run on a schedule.").state(ScheduleState::Enabled);
        let call = call.schedule_expression(new.expression).schedule_expression_timezone(new.zone);
        let call = call.flexible_time_window(window.build().map_err(incomplete)?);
        let call = call.set_start_date(new.start.map(aws_time)).set_end_date(new.end.map(aws_time));
        let call = call.target(target.build().map_err(incomplete)?);
        let asked = call.as_input().clone();
        match call.send().await {
            Ok(_) => self.made(&client, &new.name).await.map(Added::New).map_err(|error| CliError::Afterwards {
                done: format!("the schedule {} was made", new.name),
                error: Box::new(error),
                next: list(&new.name),
            }),
            Err(error) if error.as_service_error().is_some_and(CreateScheduleError::is_conflict_exception) => {
                let found = self.got(&client, new.name.clone(), None).await.ok().flatten();
                if let Some(found) = found.filter(|found| is_as_asked(&found.whole, &asked)) {
                    return Ok(Added::WasThere(found));
                }
                Err(CliError::Usage(format!(
                    "a schedule {0} already exists; give another --name, or remove it first: reveille schedule remove {0}",
                    new.name
                )))
            }
            Err(error) => Err(CliError::changing(
                format!("make the schedule {}", new.name),
                &error,
                format!("the schedule {} may have been made", new.name),
                list(&new.name),
            )),
        }
    }

    /// Turns one on or off, and gives what it is then: all else stays as it is, except for a start that has passed.
    pub(crate) async fn enable_schedule(&self, schedule: Schedule, enabled: bool) -> Result<Schedule, CliError> {
        let whole = schedule.whole.clone();
        let start = to_come(schedule.start, Utc::now());
        let call = self.scheduler().update_schedule();
        let call = call.set_name(whole.name).set_group_name(whole.group_name).set_description(whole.description);
        let call = call.set_schedule_expression(whole.schedule_expression);
        let call = call.set_schedule_expression_timezone(whole.schedule_expression_timezone);
        let call = call.set_flexible_time_window(whole.flexible_time_window).set_target(whole.target);
        let call = call.set_start_date(whole.start_date.filter(|_| start.is_some())).set_end_date(whole.end_date);
        let call = call.set_kms_key_arn(whole.kms_key_arn).set_action_after_completion(whole.action_after_completion);
        let state = if enabled { ScheduleState::Enabled } else { ScheduleState::Disabled };
        match call.state(state).send().await {
            Ok(_) => Ok(Schedule { enabled, start, ..schedule }),
            Err(error)
                if error.as_service_error().is_some_and(UpdateScheduleError::is_resource_not_found_exception) =>
            {
                Err(CliError::NotThere(format!("somebody else has just removed the schedule {}", schedule.name)))
            }
            Err(error) => Err(CliError::changing(
                format!("change the schedule {}", schedule.name),
                &error,
                format!("the schedule {} may have been {}", schedule.name, if enabled { "resumed" } else { "paused" }),
                list(&schedule.name),
            )),
        }
    }

    pub(crate) async fn remove_schedule(&self, schedule: &Schedule) -> Result<(), CliError> {
        let call = self.scheduler().delete_schedule().name(&schedule.name);
        match call.set_group_name(schedule.whole.group_name.clone()).send().await {
            Ok(_) => Ok(()),
            // It was there a moment ago: the first answer was lost and the SDK asked again, or somebody else removed it.
            Err(error)
                if error.as_service_error().is_some_and(DeleteScheduleError::is_resource_not_found_exception) =>
            {
                Ok(())
            }
            Err(error) => Err(CliError::changing(
                format!("remove the schedule {}", schedule.name),
                &error,
                format!("the schedule {} may have been removed", schedule.name),
                list(&schedule.name),
            )),
        }
    }
}

impl Schedule {
    /// One that is on, and is as it is for long.
    #[cfg(test)]
    pub(crate) fn of_test(expression: &str, input: &Value) -> Self {
        let target = Target::builder().arn("m").role_arn("r").input(input.to_string()).build().ok();
        let whole = GetScheduleOutput::builder().name("daily").schedule_expression(expression);
        schedule(whole.state(ScheduleState::Enabled).set_target(target).build())
    }

    /// Since when it is what it is now: what it was before, nobody can tell.
    pub(crate) fn unchanged_since(&self) -> DateTime<Utc> {
        self.whole.last_modification_date.map(time).unwrap_or_default().max(self.created)
    }

    /// How long after its time a run may start: within its flexible window, and as long as EventBridge Scheduler tries.
    pub(crate) fn may_be_late(&self) -> TimeDelta {
        let window = self.whole.flexible_time_window().and_then(FlexibleTimeWindow::maximum_window_in_minutes);
        let tries = self.starts().age_seconds.unwrap_or(MAX_AGE_SECONDS);
        TimeDelta::minutes(window.unwrap_or_default().into()) + TimeDelta::seconds(tries.into())
    }

    /// How its target starts the runs.
    pub(crate) fn starts(&self) -> TargetSettings {
        let Some(target) = &self.whole.target else { return TargetSettings::default() };
        TargetSettings {
            role: Some(target.role_arn.clone()),
            dead_letters: target.dead_letter_config().and_then(DeadLetterConfig::arn).map(str::to_owned),
            age_seconds: target.retry_policy().and_then(RetryPolicy::maximum_event_age_in_seconds),
        }
    }
}

/// Whether a schedule does what another would do that is asked for.
fn is_as_asked(found: &GetScheduleOutput, asked: &CreateScheduleInputBuilder) -> bool {
    found.state == *asked.get_state()
        && found.schedule_expression == *asked.get_schedule_expression()
        && found.schedule_expression_timezone == *asked.get_schedule_expression_timezone()
        && found.start_date == *asked.get_start_date()
        && found.end_date == *asked.get_end_date()
        && found.flexible_time_window == *asked.get_flexible_time_window()
        && found.target == *asked.get_target()
}

/// The command that tells whether there is a schedule, and whether it is on.
fn list(name: &str) -> String {
    format!("reveille schedule list {name}")
}

/// A start, unless it has passed: EventBridge Scheduler is reported to refuse one that lies five minutes back, even if it does not change.
fn to_come(start: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    start.filter(|at| *at > now)
}

fn schedule(whole: GetScheduleOutput) -> Schedule {
    let input = whole.target.as_ref().and_then(|target| target.input.as_deref()).unwrap_or_default();
    Schedule {
        name: whole.name.clone().unwrap_or_default(),
        expression: whole.schedule_expression.clone().unwrap_or_default(),
        zone: whole.schedule_expression_timezone.clone().unwrap_or_else(|| "UTC".to_owned()),
        enabled: whole.state == Some(ScheduleState::Enabled),
        created: whole.creation_date.map(time).unwrap_or_default(),
        start: whole.start_date.map(time),
        end: whole.end_date.map(time),
        input: serde_json::from_str(input).unwrap_or_default(),
        whole,
    }
}

fn aws_time(at: DateTime<Utc>) -> AwsTime {
    AwsTime::from_secs(at.timestamp())
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::to_come;

    #[test]
    fn a_start_that_has_passed_is_not_sent_again() {
        let now = Utc::now();
        let (before, after) = (now - TimeDelta::seconds(1), now + TimeDelta::seconds(1));
        assert_eq!(
            [Some(before), Some(now), Some(after), None].map(|at| to_come(at, now)),
            [None, None, Some(after), None]
        );
    }
}
