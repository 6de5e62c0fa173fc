//! Executions of the state machine: the list, and one by whatever name a person gives it.

use aws_sdk_sfn::types::{ExecutionListItem, ExecutionStatus, HistoryEventType, StateEnteredEventDetails};
use chrono::{DateTime, Utc};
use reveille_domain::RunId;

use super::Account;
use crate::error::CliError;

/// Executions of one page: the most that ListExecutions gives.
const PAGE: i32 = 1_000;
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
}

impl Execution {
    /// Its run.
    pub(crate) fn run(&self) -> RunId {
        RunId::of(&self.name, &self.arn, self.started)
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
    /// Calls back for each execution, the newest first, until the callback has enough or the limit of the search is reached.
    pub(crate) async fn executions(
        &self,
        status: Option<ExecutionStatus>,
        mut enough: impl FnMut(Execution) -> bool,
    ) -> Result<(), CliError> {
        let mut token = None;
        let mut told = 0;
        loop {
            let call = self.sfn.list_executions().state_machine_arn(&self.state_machine).max_results(PAGE);
            let listed = call.set_status_filter(status.clone()).set_next_token(token.take()).send().await;
            let listed = listed
                .map_err(|error| CliError::asked(format!("list the executions of {}", self.state_machine), &error))?;
            told += listed.executions.len();
            for item in listed.executions {
                if enough(execution(item)) {
                    return Ok(());
                }
            }
            match listed.next_token {
                Some(next) if told < MOST => token = Some(next),
                _ => return Ok(()),
            }
        }
    }

    /// The state that an execution entered last, if that can be told.
    pub(crate) async fn state(&self, arn: &str) -> Result<Option<String>, CliError> {
        let call = self.sfn.get_execution_history().execution_arn(arn).reverse_order(true).max_results(LAST_EVENTS);
        let history = call.send().await;
        let history = history.map_err(|error| CliError::asked(format!("read the history of {arn}"), &error))?;
        Ok(history.events.iter().find_map(|event| match event.r#type {
            HistoryEventType::ExecutionStarted => Some("Prepare".to_owned()),
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

    /// The execution of a run.
    pub(crate) async fn find(&self, name: &RunName) -> Result<Execution, CliError> {
        let nothing = |what: &str| CliError::NoRun { what: what.to_owned() };
        match name {
            RunName::Last => {
                self.newest(None, 1).await?.pop().ok_or_else(|| {
                    nothing("there are no runs yet; start one with: reveille run NOTEBOOK --on INSTANCE")
                })
            }
            RunName::LastFailed => {
                let failed = self.newest(Some(ExecutionStatus::Failed), 1).await?.pop();
                failed.ok_or_else(|| nothing("no run has failed; to list runs: reveille runs"))
            }
            RunName::Arn(arn) => Ok(self.described(arn).await?.0),
            RunName::Start(start) => self.beginning_with(start).await,
        }
    }

    async fn beginning_with(&self, start: &str) -> Result<Execution, CliError> {
        let mut found: Vec<Execution> = Vec::new();
        let look = |execution: Execution| {
            let id = execution.run();
            let exact = id.as_str() == start || execution.name == start;
            if exact {
                found.clear();
            }
            if exact || id.as_str().starts_with(start) {
                found.push(execution);
            }
            exact
        };
        self.executions(None, look).await?;
        let others: Vec<String> = found.iter().skip(1).map(|execution| execution.run().to_string()).collect();
        match found.into_iter().next() {
            None => {
                Err(CliError::NoRun { what: format!("no run's id begins with {start}; to list runs: reveille runs") })
            }
            Some(only) if others.is_empty() => Ok(only),
            Some(first) => Err(CliError::Ambiguous {
                start: start.to_owned(),
                first: first.run().to_string(),
                second: others[0].clone(),
                count: others.len() + 1,
            }),
        }
    }
}

fn execution(item: ExecutionListItem) -> Execution {
    Execution {
        arn: item.execution_arn,
        name: item.name,
        status: item.status,
        started: time(item.start_date),
        stopped: item.stop_date.map(time),
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
