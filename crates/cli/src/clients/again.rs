//! What it takes to run a run again: its input, whether Step Functions can redrive it, and the two calls that do it.

use std::time::Duration;

use aws_sdk_sfn::{
    error::SdkError,
    operation::{
        describe_execution::DescribeExecutionOutput,
        redrive_execution::RedriveExecutionError,
        start_execution::{StartExecutionError, builders::StartExecutionFluentBuilder},
    },
    types::{ExecutionRedriveStatus, ExecutionStatus},
};
use chrono::{DateTime, Utc};
use reveille_domain::records::Request;
use tokio::time::{Instant, sleep};

use super::{
    Account, Execution, Run, RunName,
    eventually::{self, LOOK},
    executions::time,
    past::input_of,
    run::{Named, outline_of},
    unless_forgotten,
};
use crate::error::CliError;

/// DescribeExecution is eventually consistent: right after a redrive it may show the end before it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What an execution says of itself for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Past {
    pub(crate) input: String,
    pub(crate) redrivable: Redrivable,
    redrives: i32,
}

/// Whether Step Functions can redrive an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Redrivable {
    Yes,
    /// Not every engine says why.
    No {
        reason: Option<String>,
    },
}

impl Past {
    /// Whether an execution was redriven since.
    fn is_before(&self, seen: &Execution, described: &DescribeExecutionOutput) -> bool {
        seen.is_running() || described.redrive_count.unwrap_or_default() > self.redrives
    }
}

#[cfg(test)]
impl Past {
    /// One that nobody has redriven.
    pub(crate) fn of_test(not_redrivable: Option<&str>) -> Self {
        let no = |reason: &str| Redrivable::No { reason: Some(reason.to_owned()) };
        Self { input: "{}".to_owned(), redrivable: not_redrivable.map_or(Redrivable::Yes, no), redrives: 0 }
    }
}

impl Account {
    /// A run with all that is known of it, and its past: the run may be told of even where the past cannot be read.
    pub(crate) async fn run_and_past(&self, name: &RunName) -> Result<(Run, Result<Past, CliError>), CliError> {
        match self.described_as(name).await? {
            Named::Known(execution, described) => {
                let run = self.with_records(outline_of(execution, &described)).await?;
                Ok((run, past(*described)))
            }
            Named::Past(recorded) => {
                let run = self.past(&recorded).await?;
                let request = self.request(&recorded.instance, &recorded.run).await;
                Ok((run, request.and_then(forgotten)))
            }
        }
    }

    /// Redrives an execution; the answer says what Step Functions has against it, if it has anything.
    pub(crate) async fn redrive(
        &self,
        execution: &Execution,
        past: &Past,
    ) -> Result<Result<Execution, String>, CliError> {
        let arn = self.own(&execution.arn)?;
        match self.sfn.redrive_execution().execution_arn(arn).send().await {
            Ok(_) => self.redriven(execution, past).await.map(Ok).map_err(|error| CliError::Afterwards {
                done: format!("{} was redriven", execution.run()),
                error: Box::new(error),
                next: format!("reveille watch {}", execution.run()),
            }),
            Err(error) if error.as_service_error().is_some_and(RedriveExecutionError::is_execution_not_redrivable) => {
                // It may be under way already: the first answer was lost and the SDK asked again, or somebody else redrove it. A new run
                // would be a second one.
                let under_way = eventually::shown(async || {
                    let described = unless_forgotten(self.described(&execution.arn).await)?;
                    Ok(described.and_then(|(seen, described)| past.is_before(&seen, &described).then_some(seen)))
                });
                let said = error.as_service_error().and_then(|error| error.meta().message());
                Ok(under_way.await?.ok_or_else(|| said.unwrap_or("Step Functions refused it").to_owned()))
            }
            Err(error) => {
                let id = execution.run();
                let maybe = format!("{id} may have been redriven");
                Err(CliError::changing(format!("redrive {id}"), &error, maybe, format!("reveille show {id}")))
            }
        }
    }

    async fn redriven(&self, execution: &Execution, past: &Past) -> Result<Execution, CliError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_late = Instant::now() > deadline;
            match self.described(&execution.arn).await {
                Ok((seen, described)) if is_late || past.is_before(&seen, &described) => return Ok(seen),
                Err(error) if is_late || !matches!(error, CliError::NoRun { .. }) => return Err(error),
                _ => sleep(LOOK).await,
            }
        }
    }

    /// Starts an execution with an input that was checked.
    pub(crate) async fn start(&self, name: String, input: String) -> Result<Execution, CliError> {
        let started = self.start_call(&name, input).send().await;
        let started = started.map_err(|error| not_started(&name, &error))?;
        let arn = started.execution_arn;
        // Right after the start, DescribeExecution may not know it yet. Then the answer itself says what it is.
        let shown = eventually::shown(async || unless_forgotten(self.described(&arn).await)).await;
        let shown = shown.map_err(|error| CliError::Afterwards {
            done: "the run was started".to_owned(),
            error: Box::new(error),
            next: format!("reveille watch {arn}"),
        })?;
        Ok(shown.map_or_else(|| begun(name, arn, time(started.start_date)), |(execution, _)| execution))
    }

    /// Starts an execution whose name says what it is of, and gives its ARN. Step Functions keeps a name for 90 days, so a second start with it is
    /// none.
    pub(crate) async fn start_once(&self, name: &str, input: String) -> Result<String, CliError> {
        match self.start_call(name, input).send().await {
            Ok(started) => Ok(started.execution_arn),
            // It was started before.
            Err(error) if error.as_service_error().is_some_and(StartExecutionError::is_execution_already_exists) => {
                Ok(format!("{}:{name}", self.state_machine.replacen(":stateMachine:", ":execution:", 1)))
            }
            Err(error) => Err(not_started(name, &error)),
        }
    }

    fn start_call(&self, name: &str, input: String) -> StartExecutionFluentBuilder {
        self.sfn.start_execution().state_machine_arn(&self.state_machine).name(name).input(input)
    }
}

/// An execution that has just begun.
fn begun(name: String, arn: String, started: DateTime<Utc>) -> Execution {
    Execution { arn, name, status: ExecutionStatus::Running, started, stopped: None, recorded: None, redriven: None }
}

/// The past of a run that Step Functions has forgotten: its input is made of what was recorded of it.
fn forgotten(request: Option<Request>) -> Result<Past, CliError> {
    let request = request.ok_or_else(|| CliError::NotThere(
        "Step Functions has forgotten this run, and no request.json is left of it, so its input is not known; start the notebook with `reveille run`".to_owned(),
    ))?;
    let reason = Some("it keeps executions for 90 days".to_owned());
    Ok(Past { input: input_of(&request), redrivable: Redrivable::No { reason }, redrives: 0 })
}

/// A start that Step Functions did not answer with an execution.
fn not_started(name: &str, error: &SdkError<StartExecutionError>) -> CliError {
    let maybe = "the run may have been started";
    CliError::changing(format!("start the execution {name}"), error, maybe, format!("reveille show {name}"))
}

fn past(described: DescribeExecutionOutput) -> Result<Past, CliError> {
    let redrivable = match described.redrive_status() {
        Some(ExecutionRedriveStatus::Redrivable) => Redrivable::Yes,
        _ => Redrivable::No { reason: described.redrive_status_reason().map(str::to_owned) },
    };
    let redrives = described.redrive_count.unwrap_or_default();
    let input = described.input.ok_or_else(|| CliError::Asked {
        action: "read the run's input".into(),
        message: "Step Functions did not return it; check that you may use the key that encrypts it".to_owned(),
    })?;
    Ok(Past { input, redrivable, redrives })
}
