//! Executions of the state machine: the list, and one by whatever name a person gives it.

use aws_sdk_sfn::{
    error::SdkError,
    operation::{get_execution_history::GetExecutionHistoryError, list_executions::ListExecutionsError},
    types::{ExecutionListItem, ExecutionStatus, HistoryEventType, StateEnteredEventDetails},
};
use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::RunId;

use super::{Account, patience::patiently, recorded::Recorded, states};
use crate::error::CliError;

/// Step Functions forgets an execution so long after its end.
pub(crate) const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// As much may this machine's clock be wrong without hiding anything.
const CLOCK: TimeDelta = TimeDelta::days(1);

/// Whether Step Functions may have forgotten executions that were there then.
pub(crate) fn may_be_forgotten(then: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    then < surely_remembered(now)
}

/// What ended later Step Functions knows, even if this machine's clock is a day slow.
pub(super) fn surely_remembered(now: DateTime<Utc>) -> DateTime<Utc> {
    now - (REMEMBERED - CLOCK)
}

/// Executions of one page: the most that ListExecutions gives.
const PAGE: usize = 1_000;
/// As far back as a name is looked for: ten pages, some seconds.
const MOST: usize = 10_000;

/// Events that are looked at to find the present state: a state has no more than ten.
const LAST_EVENTS: i32 = 20;

/// An execution, as it is listed.
#[derive(Clone, Debug)]
pub(crate) struct Execution {
    pub(crate) arn: String,
    pub(crate) name: String,
    pub(crate) status: ExecutionStatus,
    pub(crate) started: DateTime<Utc>,
    pub(crate) stopped: Option<DateTime<Utc>>,
    /// The run's records, where they are all there is: Step Functions was not asked, or has forgotten it.
    pub(crate) recorded: Option<Recorded>,
    /// When it was redriven last, if it ever was.
    pub(crate) redriven: Option<DateTime<Utc>>,
}

impl Execution {
    /// Its run.
    pub(crate) fn run(&self) -> RunId {
        match &self.recorded {
            Some(recorded) => recorded.run.clone(),
            None => RunId::of(&self.name, &self.arn, self.started),
        }
    }

    /// When what runs now, or ran last, began: a redrive goes on with the same execution, days later perhaps.
    pub(crate) fn began(&self) -> DateTime<Utc> {
        self.redriven.unwrap_or(self.started)
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self.status, ExecutionStatus::Running | ExecutionStatus::PendingRedrive)
    }
}

/// How a person names a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RunName {
    /// `@last`.
    Last,
    /// `@last-failed`.
    LastFailed,
    /// The execution's ARN.
    Arn(String),
    /// The run's id, the execution's name, or how either begins.
    Start(String),
}

impl RunName {
    /// Reads it.
    ///
    /// # Errors
    /// A sentence that says what a run can be named by.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "@last" => Ok(Self::Last),
            "@last-failed" => Ok(Self::LastFailed),
            _ if text.starts_with("arn:") => match text.split(':').collect::<Vec<_>>()[..] {
                [_, _, "states", _, _, "execution", _, _] => Ok(Self::Arn(text.to_owned())),
                _ => Err("this is not an execution's ARN".to_owned()),
            },
            _ if text.starts_with('@') || text.trim_end_matches('…').is_empty() => {
                Err("name a run by its id, the start of its id, its execution's ARN, @last or @last-failed".to_owned())
            }
            // What `reveille runs` cuts ends so.
            _ => Ok(Self::Start(text.trim_end_matches('…').to_owned())),
        }
    }
}

impl Account {
    /// Calls back for each execution, the newest first, until the callback has enough or the limit of the search is reached. `true`: that was
    /// reached, and there are more.
    pub(crate) async fn executions(
        &self,
        status: Option<ExecutionStatus>,
        enough: impl FnMut(Execution) -> bool,
    ) -> Result<bool, CliError> {
        self.executions_in_pages(status, PAGE, enough).await
    }

    /// The same in pages of so many, if that is fewer than usual.
    pub(super) async fn executions_in_pages(
        &self,
        status: Option<ExecutionStatus>,
        page: usize,
        mut enough: impl FnMut(Execution) -> bool,
    ) -> Result<bool, CliError> {
        // One more says whether there is more.
        let page = i32::try_from(page.saturating_add(1).min(PAGE)).unwrap_or(i32::MAX);
        let mut token = None;
        let mut told = 0;
        loop {
            let call = self.sfn.list_executions().state_machine_arn(&self.state_machine).max_results(page);
            let call = call.set_status_filter(status.clone()).set_next_token(token.take());
            let listed = patiently(async || call.clone().send().await).await;
            let machine = &self.state_machine;
            let listed = listed.map_err(|error| match error.as_service_error() {
                Some(ListExecutionsError::StateMachineDoesNotExist(_)) => CliError::NotThere(format!(
                    "there is no state machine {machine}, so the stack {} is incomplete; to check it: reveille doctor",
                    self.stack_name()
                )),
                _ => CliError::asked(format!("list the executions of {machine}"), &error),
            })?;
            told += listed.executions.len();
            for item in listed.executions {
                if enough(execution(item)) {
                    return Ok(false);
                }
            }
            match listed.next_token {
                Some(next) if told < MOST => token = Some(next),
                more => return Ok(more.is_some()),
            }
        }
    }

    /// The state that an execution entered last, if that can be told.
    pub(crate) async fn state(&self, arn: &str) -> Result<Option<String>, CliError> {
        let call = self.sfn.get_execution_history().execution_arn(arn).reverse_order(true).max_results(LAST_EVENTS);
        let history = patiently(async || call.clone().send().await).await.map_err(|error| no_history(arn, &error))?;
        Ok(history.events.iter().find_map(|event| match event.r#type {
            HistoryEventType::ExecutionStarted => Some(states::PREPARE.to_owned()),
            _ => event.state_entered_event_details().map(StateEnteredEventDetails::name).map(str::to_owned),
        }))
    }

    /// The newest executions.
    pub(crate) async fn newest(
        &self,
        status: Option<ExecutionStatus>,
        most: usize,
    ) -> Result<Vec<Execution>, CliError> {
        let mut found = Vec::new();
        let take = |execution| {
            found.push(execution);
            found.len() >= most
        };
        self.executions(status, take).await?;
        Ok(found)
    }

    /// The newest executions that are under way: none, where the state machine is gone.
    pub(crate) async fn under_way(&self, most: usize) -> Result<Vec<Execution>, CliError> {
        match self.newest(Some(ExecutionStatus::Running), most).await {
            Err(CliError::NotThere(_)) => Ok(Vec::new()),
            found => found,
        }
    }

    /// The execution of a run.
    pub(crate) async fn find(&self, name: &RunName) -> Result<Execution, CliError> {
        match name {
            RunName::Last => {
                self.last(None, "there are no runs yet; start one with: reveille run NOTEBOOK --on INSTANCE").await
            }
            RunName::LastFailed => {
                self.last(Some(ExecutionStatus::Failed), "no run has failed; to list runs: reveille runs").await
            }
            RunName::Arn(arn) => match self.described(self.own(arn)?).await {
                Err(error @ CliError::NoRun { .. }) => match self.recorded_of(arn).await? {
                    Some(recorded) => Ok(self.past(&recorded).await?.execution),
                    None => Err(error),
                },
                described => Ok(described?.0),
            },
            RunName::Start(start) => self.beginning_with(start).await,
        }
    }

    /// An execution's ARN, if it is one of this stack's state machine: all others are none of our runs, and are not touched.
    ///
    /// # Errors
    /// It is another one's.
    pub(crate) fn own<'a>(&self, arn: &'a str) -> Result<&'a str, CliError> {
        let ours = self.state_machine.replacen(":stateMachine:", ":execution:", 1);
        if arn.strip_prefix(&ours).is_some_and(|rest| rest.starts_with(':')) {
            return Ok(arn);
        }
        Err(CliError::NotThere(format!(
            "{arn} is no run of the stack {}, whose runs are {ours}:...; name its stack with --stack, or its --region and --profile",
            self.stack_name()
        )))
    }

    async fn beginning_with(&self, start: &str) -> Result<Execution, CliError> {
        // A name alone is one, too: what the bucket has begins with the name and a hash.
        let (listed, recorded) = tokio::join!(self.listed_beginning_with(start, PAGE), self.recorded(start));
        let (mut listed, mut is_cut) = listed?;
        if let Some(exact) = listed.iter().find(|execution| is_named(execution, start)) {
            return Ok(exact.clone());
        }
        // Whoever may not list the bucket still finds what is listed here.
        let recorded = if listed.is_empty() { recorded? } else { recorded.unwrap_or_default() };
        if listed.is_empty() && recorded.is_empty() {
            // Executions that ran nothing have no records, and are found as far back as lists are read.
            (listed, is_cut) = self.listed_beginning_with(start, MOST).await?;
        }
        let mut ids: Vec<RunId> = listed.iter().map(Execution::run).collect();
        ids.extend(recorded.iter().map(|recorded| recorded.run.clone()));
        if let Some(exact) = ids.iter().find(|id| id.as_str() == start).cloned() {
            ids = vec![exact];
        }
        ids.sort();
        ids.dedup();
        let among = if is_cut {
            format!(
                ", neither among the recorded runs nor among the newest {MOST} executions; for an older one, give its execution's ARN"
            )
        } else {
            String::new()
        };
        let nothing =
            || CliError::NoRun { what: format!("no run's id begins with {start}{among}; to list runs: reveille runs") };
        let only = ids.first().ok_or_else(nothing)?;
        if let Some(second) = ids.get(1) {
            return Err(CliError::Ambiguous {
                start: start.to_owned(),
                first: only.to_string(),
                second: second.to_string(),
                count: ids.len(),
            });
        }
        if let Some(execution) = listed.iter().find(|execution| execution.run() == *only) {
            return Ok(execution.clone());
        }
        let recorded = recorded.into_iter().find(|recorded| recorded.run == *only);
        self.execution_of(recorded.ok_or_else(nothing)?).await
    }

    /// The executions that are named so or whose run's id begins so, among the newest of so many, and whether there may be older ones.
    async fn listed_beginning_with(&self, start: &str, most: usize) -> Result<(Vec<Execution>, bool), CliError> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let look = |execution: Execution| {
            looked_at += 1;
            let is_exact = is_named(&execution, start);
            if is_exact || execution.run().as_str().starts_with(start) {
                found.push(execution);
            }
            is_exact || looked_at >= most
        };
        self.executions(None, look).await?;
        Ok((found, looked_at >= most))
    }
}

/// Whether a person who gives this means this execution and no other.
fn is_named(execution: &Execution, start: &str) -> bool {
    execution.name == start || execution.run().as_str() == start
}

/// Why there is no history of an execution.
pub(super) fn no_history(arn: &str, error: &SdkError<GetExecutionHistoryError>) -> CliError {
    if error.as_service_error().is_some_and(GetExecutionHistoryError::is_execution_does_not_exist) {
        return CliError::NoRun { what: format!("there is no execution {arn}; to list runs: reveille runs") };
    }
    CliError::asked(format!("read the history of {arn}"), error)
}

fn execution(item: ExecutionListItem) -> Execution {
    Execution {
        arn: item.execution_arn,
        name: item.name,
        status: item.status,
        started: time(item.start_date),
        stopped: item.stop_date.map(time),
        recorded: None,
        redriven: item.redrive_date.map(time),
    }
}

/// AWS's time, read as the functions read it: a run's id is made of it. An impossible time counts as the earliest.
pub(super) fn time(at: aws_smithy_types::DateTime) -> DateTime<Utc> {
    reveille_aws::millis(&at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::RunName;

    #[test]
    fn a_run_has_several_names() {
        let arn = "arn:aws:states:us-east-1:1:execution:m:daily";
        assert_eq!(RunName::parse("@last"), Ok(RunName::Last));
        assert_eq!(RunName::parse("@last-failed"), Ok(RunName::LastFailed));
        assert_eq!(RunName::parse(arn), Ok(RunName::Arn(arn.to_owned())));
        assert_eq!(RunName::parse("dai"), Ok(RunName::Start("dai".to_owned())));
        assert_eq!(RunName::parse("dai…"), Ok(RunName::Start("dai".to_owned())), "as it was shown, cut");
        for wrong in ["", "@latest", "arn:aws:states:us-east-1:1:stateMachine:m"] {
            assert!(RunName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
