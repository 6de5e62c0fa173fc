//! One run, put together from its execution and its records.

use aws_sdk_sfn::{
    operation::describe_execution::{DescribeExecutionError, DescribeExecutionOutput},
    types::ExecutionStatus,
};
#[cfg(test)]
use chrono::Utc;
use reveille_domain::{
    Code, RunId,
    layout::{AttemptRef, INVALID_INSTANCE},
    records::{Outcome, RunStatus},
};
use reveille_protocol::last_attempt::decide::ExecutionFacts;
use serde_json::Value;

use super::{
    Account, Execution, RunName,
    executions::time,
    outputs::{self, ToCome, may_lack_outputs},
    patience::{patiently, unless_forgotten},
    recorded::Recorded,
};
use crate::error::CliError;

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) execution: Execution,
    pub(crate) id: RunId,
    /// The instance and the notebook that the input names, if it names any.
    pub(crate) instance: Option<String>,
    pub(crate) notebook: Option<String>,
    /// What started it.
    pub(crate) trigger: String,
    pub(crate) ending: Ending,
    pub(crate) outcome: Option<Outcome>,
    /// Outputs that are not there yet.
    pub(crate) outputs_to_come: Option<ToCome>,
    /// Records that cannot be read: all else is told without them.
    pub(crate) damaged: Vec<Damaged>,
    /// The latest attempt with records, where the execution has not ended well.
    pub(crate) at: Option<AttemptRef>,
    /// What the execution says of itself that tells which attempt it is at.
    pub(crate) facts: ExecutionFacts,
    /// What the execution itself says of its end.
    pub(crate) error: Option<String>,
    pub(crate) cause: Option<String>,
}

/// What a person named.
pub(super) enum Named {
    /// Step Functions knows it.
    Known(Execution, Box<DescribeExecutionOutput>),
    /// Only its records do.
    Past(Recorded),
}

/// A record that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Damaged {
    pub(crate) key: String,
    pub(crate) problem: String,
}

/// How a run ended, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Running,
    Succeeded,
    Failed,
    Skipped,
    /// Another execution answers the event.
    Duplicate,
    /// The event is of an object that the trigger does not ask for.
    NotSelected,
    Aborted,
    TimedOut,
}

impl Ending {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::Skipped => "SKIPPED",
            Self::Duplicate => "DUPLICATE",
            Self::NotSelected => "NOT SELECTED",
            Self::Aborted => "ABORTED",
            Self::TimedOut => "TIMED OUT",
        }
    }
}

impl Run {
    /// What is said of outputs that are to come.
    pub(crate) fn to_come(&self) -> Option<String> {
        Some(match self.outputs_to_come? {
            ToCome::Soon => {
                "nothing yet; what the notebook printed is uploaded once it has been ended, usually within two minutes"
                    .to_owned()
            }
            ToCome::NextStart => format!(
                "nothing yet; {} is off, and what the notebook had saved is uploaded when it starts the next time",
                self.instance.as_deref().unwrap_or("the instance")
            ),
        })
    }

    /// What the execution says of its end. A step's error is JSON with the message in it; a person's cause is text.
    pub(crate) fn message(&self) -> Option<String> {
        let cause = self.cause.as_deref()?;
        let json = serde_json::from_str::<Value>(cause).ok();
        Some(json.and_then(|json| text(&json, "errorMessage")).unwrap_or_else(|| cause.to_owned()))
    }

    /// Whether Step Functions has forgotten its execution, so that only its records tell of it.
    pub(crate) const fn is_past(&self) -> bool {
        self.execution.recorded.is_some()
    }

    /// Whether its outcome is recorded, even if the record cannot be read.
    pub(crate) fn is_concluded(&self) -> bool {
        self.outcome.is_some() || self.damaged.iter().any(|damaged| damaged.key.ends_with("/outcome.json"))
    }

    /// What was read of a record; one that cannot be read is noted, and counts as none.
    pub(super) fn readable<T>(&mut self, read: Result<Option<T>, CliError>) -> Result<Option<T>, CliError> {
        match read {
            Err(CliError::Record { key, problem }) => {
                self.damaged.push(Damaged { key, problem });
                Ok(None)
            }
            read => read,
        }
    }

    /// The failure's code, as far as it is one of ours.
    pub(crate) fn code(&self) -> Option<Code> {
        let recorded = self.outcome.as_ref().and_then(|outcome| outcome.code);
        recorded.or_else(|| Code::parse(self.error.as_deref()?))
    }
}

#[cfg(test)]
impl Run {
    /// One of a notebook that failed.
    pub(crate) fn of_test(notebook: &str) -> Self {
        let arn = "arn:aws:states:us-east-1:1:execution:m:daily".to_owned();
        let (started, status) = (Utc::now(), ExecutionStatus::Failed);
        Self {
            execution: Execution {
                arn,
                name: "daily".to_owned(),
                status,
                started,
                stopped: Some(started),
                recorded: None,
                redriven: None,
            },
            id: RunId::from_key("daily-1"),
            instance: Some("nightly".to_owned()),
            notebook: Some(notebook.to_owned()),
            trigger: "by hand".to_owned(),
            ending: Ending::Failed,
            outcome: None,
            outputs_to_come: None,
            damaged: Vec::new(),
            at: None,
            facts: ExecutionFacts::default(),
            error: None,
            cause: None,
        }
    }
}

impl Account {
    /// A run that a person names, with all that is known of it now.
    pub(crate) async fn run_named(&self, name: &RunName) -> Result<Run, CliError> {
        match self.described_as(name).await? {
            Named::Known(execution, described) => self.with_records(outline_of(execution, &described)).await,
            Named::Past(recorded) => self.past(&recorded).await,
        }
    }

    /// What a person names, described once, also where its ARN names it.
    pub(super) async fn described_as(&self, name: &RunName) -> Result<Named, CliError> {
        let execution = match name {
            RunName::Arn(arn) => match self.described(self.own(arn)?).await {
                Err(error @ CliError::NoRun { .. }) => {
                    return self.recorded_of(arn).await?.map(Named::Past).ok_or(error);
                }
                described => {
                    let (execution, described) = described?;
                    return Ok(Named::Known(execution, Box::new(described)));
                }
            },
            name => Box::pin(self.find(name)).await?,
        };
        if let Some(recorded) = execution.recorded {
            return Ok(Named::Past(recorded));
        }
        let (execution, described) = self.described(&execution.arn).await?;
        Ok(Named::Known(execution, Box::new(described)))
    }

    /// An execution, whole.
    pub(super) async fn described(&self, arn: &str) -> Result<(Execution, DescribeExecutionOutput), CliError> {
        let call = self.sfn.describe_execution().execution_arn(arn);
        let described = match patiently(async || call.clone().send().await).await {
            Ok(described) => described,
            Err(error) if error.as_service_error().is_some_and(DescribeExecutionError::is_execution_does_not_exist) => {
                return Err(CliError::NoRun {
                    what: format!("there is no execution {arn}; to list runs: reveille runs"),
                });
            }
            Err(error) => return Err(CliError::asked(format!("describe the execution {arn}"), &error)),
        };
        let execution = Execution {
            arn: described.execution_arn.clone(),
            name: described.name.clone().unwrap_or_default(),
            status: described.status.clone(),
            started: time(described.start_date),
            stopped: described.stop_date.map(time),
            recorded: None,
            redriven: described.redrive_date.map(time),
        };
        Ok((execution, described))
    }

    /// A run with all that is known of it now.
    pub(crate) async fn run(&self, execution: &Execution) -> Result<Run, CliError> {
        match &execution.recorded {
            Some(recorded) => self.past(recorded).await,
            None => self.with_records(self.outline(&execution.arn).await?).await,
        }
    }

    /// A run as its execution tells it: enough to know whose it is, in one call.
    pub(crate) async fn outline(&self, arn: &str) -> Result<Run, CliError> {
        let (execution, described) = self.described(arn).await?;
        Ok(outline_of(execution, &described))
    }

    /// The same of an execution that goes on; `None`: it has ended, or there is none.
    pub(crate) async fn going_on(&self, arn: &str) -> Result<Option<Run>, CliError> {
        let run = unless_forgotten(self.outline(arn).await)?;
        Ok(run.filter(|run| run.execution.is_running()))
    }

    /// The same with what is recorded of it, where the execution itself has no outcome.
    pub(crate) async fn with_records(&self, mut run: Run) -> Result<Run, CliError> {
        if run.execution.status != ExecutionStatus::Succeeded {
            let latest = self.latest_attempt(folder(run.instance.as_deref()), &run).await?;
            run.at = latest.at;
            if let Some(at) = run.at.clone().filter(|_| !run.execution.is_running()) {
                run.outcome = run.readable(latest.outcome)?;
                if run.outcome.as_ref().is_some_and(may_lack_outputs) {
                    self.add_outputs(&at, &mut run).await?;
                }
            }
        }
        if run.outcome.as_ref().is_some_and(|outcome| outcome.status == RunStatus::Skipped) {
            run.ending = Ending::Skipped;
        }
        Ok(run)
    }

    /// Takes the outputs from the report, and notes whether there may be some later.
    async fn add_outputs(&self, at: &AttemptRef, run: &mut Run) -> Result<(), CliError> {
        let Some(report) = run.readable(self.report(at).await)? else { return Ok(()) };
        let claim = if report.outputs.is_empty() { run.readable(self.claim(at).await)? } else { None };
        run.outputs_to_come = outputs::to_come(self, at, &report, claim.as_ref(), run.execution.stopped).await;
        if let Some(outcome) = &mut run.outcome {
            outcome.outputs = report.outputs;
            outcome.html_error = outcome.html_error.take().or(report.html_error);
        }
        Ok(())
    }
}

pub(super) fn outline_of(execution: Execution, described: &DescribeExecutionOutput) -> Run {
    let input: Value = serde_json::from_str(described.input().unwrap_or_default()).unwrap_or_default();
    let id = execution.run();
    let output: Value = serde_json::from_str(described.output().unwrap_or_default()).unwrap_or_default();
    let instance = text(&input, "instance");
    let mut run = Run {
        ending: ending(&execution.status, &output),
        outcome: None,
        outputs_to_come: None,
        damaged: Vec::new(),
        at: None,
        facts: ExecutionFacts::of(&reveille_aws::execution_seen(&execution.arn, described)),
        notebook: text(&input, "notebook"),
        trigger: trigger(&input),
        error: described.error.clone(),
        cause: described.cause.clone(),
        id,
        execution,
        instance,
    };
    if run.execution.status == ExecutionStatus::Succeeded {
        run.outcome = serde_json::from_value(output).ok();
        run.at = run.outcome.as_ref().map(|outcome| AttemptRef {
            instance: folder(run.instance.as_deref()).to_owned(),
            run: run.id.clone(),
            attempt: outcome.attempt,
        });
    }
    run
}

/// The folder of a run's records.
fn folder(instance: Option<&str>) -> &str {
    instance.filter(|name| reveille_domain::InstanceName::parse(name).is_ok()).unwrap_or(INVALID_INSTANCE)
}

fn text(input: &Value, field: &str) -> Option<String> {
    input.get(field)?.as_str().map(str::to_owned)
}

fn ending(status: &ExecutionStatus, output: &Value) -> Ending {
    match status {
        ExecutionStatus::Succeeded => match output.get("decision").and_then(Value::as_str) {
            Some("duplicate") => Ending::Duplicate,
            Some("otherKey" | "folder") => Ending::NotSelected,
            _ => Ending::Succeeded,
        },
        ExecutionStatus::Failed => Ending::Failed,
        ExecutionStatus::Aborted => Ending::Aborted,
        ExecutionStatus::TimedOut => Ending::TimedOut,
        // What a later Step Functions may answer has not ended as far as we know.
        _ => Ending::Running,
    }
}

/// What started a run, in a few words.
fn trigger(input: &Value) -> String {
    let event = &input["event"];
    match event["source"].as_str() {
        None => "by hand".to_owned(),
        Some("aws.s3") => event["detail"]["object"]["key"].as_str().unwrap_or("upload").to_owned(),
        Some("aws.events" | "aws.scheduler") => "schedule".to_owned(),
        Some(source) => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sfn::types::ExecutionStatus;
    use serde_json::json;

    use super::{Ending, ending, trigger};

    #[test]
    fn a_success_may_have_run_nothing() {
        for (output, expected) in [
            (json!({"status": "SUCCEEDED"}), Ending::Succeeded),
            (json!({"decision": "duplicate"}), Ending::Duplicate),
            (json!({"decision": "otherKey"}), Ending::NotSelected),
            (json!({"decision": "folder"}), Ending::NotSelected),
        ] {
            assert_eq!(ending(&ExecutionStatus::Succeeded, &output), expected);
        }
        assert_eq!(ending(&ExecutionStatus::PendingRedrive, &json!(null)), Ending::Running);
    }

    #[test]
    fn a_trigger_is_told_in_a_few_words() {
        assert_eq!(trigger(&json!({})), "by hand");
        let upload = json!({"event": {"source": "aws.s3", "detail": {"object": {"key": "in/a.csv"}}}});
        assert_eq!(trigger(&upload), "in/a.csv");
        assert_eq!(trigger(&json!({"event": {"source": "aws.events"}})), "schedule");
        assert_eq!(trigger(&json!({"event": {"source": "mine"}})), "mine");
    }
}
