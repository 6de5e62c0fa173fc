//! Runs that Step Functions has forgotten, which it does 90 days after their end: what the bucket's records still say.

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{
    InstanceName, RunId,
    history::{Entry, NotebookName, TriggerKind, execution_status},
    layout::AttemptRef,
    ports,
    records::{Request, RunStatus},
};
use reveille_protocol::last_attempt::decide::ExecutionFacts;
use serde_json::{Value, json};

use super::{AT_ONCE, Account, Ending, Execution, Run, recorded::Recorded, run::outline_of};
use crate::error::CliError;

/// What is said where nothing tells what started a run.
const UNKNOWN: &str = "not known any more";

impl Run {
    /// A run of which nothing is known but where its records are.
    fn of_records(at: &AttemptRef, execution: Execution) -> Self {
        Self {
            id: at.run.clone(),
            instance: InstanceName::parse(&at.instance).ok().map(|name| name.to_string()),
            notebook: None,
            trigger: UNKNOWN.to_owned(),
            ending: Ending::Failed,
            outcome: None,
            outputs_to_come: None,
            damaged: Vec::new(),
            at: Some(at.clone()),
            facts: ExecutionFacts::default(),
            error: None,
            cause: None,
            execution,
        }
    }

    /// Adds what the history has of it and its records don't, or no longer.
    fn fill(&mut self, entry: &Entry) {
        kind(entry.trigger).clone_into(&mut self.trigger);
        self.execution.started = entry.started;
        let named = entry.notebook.as_ref().map(NotebookName::shown);
        self.notebook = self.notebook.take().or(named);
        if self.outcome.is_none() {
            self.ending = ending(entry.status, entry.has_code);
            self.execution.status = status_of(entry.execution_status());
            self.execution.stopped = Some(entry.concluded);
            self.error = entry.code.map(|code| code.as_str().to_owned());
            self.cause = None;
        }
    }
}

impl Account {
    /// The runs in the bucket whose id begins so.
    pub(super) async fn recorded(&self, start: &str) -> Result<Vec<Recorded>, CliError> {
        if RunId::parse(start).is_none() {
            return Ok(Vec::new());
        }
        let instances = self.folders(&format!("{}runs/", self.layout.prefix)).await?;
        let look = async |instance: String| -> Result<Vec<Recorded>, CliError> {
            let runs = self.layout.runs(&instance);
            let found = self.folders(&format!("{runs}{start}")).await?;
            let of = |name: &String| RunId::parse(&format!("{start}{name}"));
            let found = found.iter().filter_map(of).map(|run| Recorded { instance: instance.clone(), run });
            Ok(found.collect())
        };
        let found: Vec<Vec<Recorded>> = stream::iter(instances).map(look).buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// What the folders are called whose keys begin so, behind that: of one page, which has more than a person can tell apart.
    pub(super) async fn folders(&self, prefix: &str) -> Result<Vec<String>, CliError> {
        let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(prefix).delimiter("/");
        let listed = call.send().await;
        let listed = listed.map_err(|error| CliError::asked(format!("list {}", self.place(prefix)), &error))?;
        let folders = listed.common_prefixes().iter().filter_map(|folder| folder.prefix());
        Ok(folders.filter_map(|key| Some(key.strip_prefix(prefix)?.strip_suffix('/')?.to_owned())).collect())
    }

    /// The execution of a run that is in the bucket: Step Functions' own, or what the records say of it.
    pub(super) async fn execution_of(&self, recorded: Recorded) -> Result<Execution, CliError> {
        let run = self.past(&recorded).await?;
        // A bucket may have the records of another stack, too.
        if self.own(&run.execution.arn).is_err() {
            return Ok(run.execution);
        }
        match self.described(&run.execution.arn).await {
            Ok((execution, _)) if execution.run() == recorded.run => Ok(execution),
            // Its name is another's now, or nobody's.
            Ok(_) | Err(CliError::NoRun { .. }) => Ok(run.execution),
            Err(error) => Err(error),
        }
    }

    /// The run of an entry: what Step Functions knows of it, or what the history and the records say.
    pub(super) async fn run_of_entry(&self, entry: &Entry) -> Result<Run, CliError> {
        let named = execution_arn(&entry.at, &self.state_machine);
        if let Some(run) = self.known(&named, &entry.at.run).await? {
            return Ok(run);
        }
        let recorded = Recorded { instance: entry.at.instance.clone(), run: entry.at.run.clone() };
        let mut run = self.past(&recorded).await?;
        // A name that a key cannot have is not in the run's id, but in its records.
        if run.execution.arn != named
            && let Some(known) = self.known(&run.execution.arn, &entry.at.run).await?
        {
            return Ok(known);
        }
        run.fill(entry);
        Ok(run)
    }

    /// A run by its execution, if Step Functions knows that.
    async fn known(&self, arn: &str, run: &RunId) -> Result<Option<Run>, CliError> {
        match self.described(arn).await {
            Ok((execution, described)) if execution.run() == *run => {
                Ok(Some(self.with_records(outline_of(execution, &described)).await?))
            }
            Ok(_) | Err(CliError::NoRun { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The records of the run of an execution that Step Functions does not know.
    pub(super) async fn recorded_of(&self, arn: &str) -> Result<Option<Recorded>, CliError> {
        let name = arn.rsplit(':').next().unwrap_or_default();
        // The hash behind a name is not known where the start is not.
        let start = RunId::of(name, arn, DateTime::<Utc>::default()).without_hash().to_owned();
        for recorded in self.recorded(&start).await? {
            if self.past(&recorded).await?.execution.arn == arn {
                return Ok(Some(recorded));
            }
        }
        Ok(None)
    }

    /// Everything that the records say of a run.
    pub(super) async fn past(&self, recorded: &Recorded) -> Result<Run, CliError> {
        let Recorded { instance, run } = recorded;
        let latest = self.last_outcome(instance, run).await?;
        let at = latest.at.unwrap_or_else(|| AttemptRef { instance: instance.clone(), run: run.clone(), attempt: 1 });
        let nothing = execution(&at, ExecutionStatus::Failed, Default::default(), &self.state_machine);
        let mut told = Run::of_records(&at, nothing);
        let request = told.readable(self.request(instance, run).await)?.filter(|request| request.run == *run);
        let outcome = told.readable(latest.outcome)?.filter(|outcome| outcome.run == *run);
        told.notebook = outcome.as_ref().and_then(|outcome| outcome.notebook.as_ref()).map(ToString::to_string);
        told.notebook = told.notebook.or_else(|| request.as_ref().map(|request| request.notebook.to_string()));
        let started = request.as_ref().map(|request| request.admitted_at);
        let started = started.or_else(|| outcome.as_ref()?.admitted_at);
        let ended = outcome.as_ref().map(|outcome| outcome.concluded_at);
        let how = outcome.as_ref().map(|outcome| (outcome.status, outcome.code.is_some()));
        let (status, has_code) = how.unwrap_or((RunStatus::Failed, true));
        let times = (started.or(ended).unwrap_or_default(), ended.or(started).unwrap_or_default());
        told.execution = execution(&at, status_of(execution_status(status, has_code)), times, &self.state_machine);
        let arn = outcome.as_ref().map(|outcome| outcome.execution_arn.clone());
        if let Some(arn) = arn.or_else(|| request.map(|request| request.execution_arn)) {
            told.execution.arn = arn;
        }
        if outcome.is_none() {
            told.error = Some("how it ended is not known".to_owned());
            told.cause = Some("its outcome.json is gone, or cannot be read".to_owned());
        }
        told.ending = ending(status, has_code);
        told.at = Some(at);
        told.outcome = outcome;
        Ok(told)
    }
}

/// The input that a new run needs to do what an old one was asked for; the event that started it is not recorded.
pub(super) fn input_of(request: &Request) -> String {
    let mut input = json!({
        "instance": request.instance,
        "notebook": request.notebook,
        "parameters": request.parameters,
        "limits": request.limits,
        "whenBusy": request.when_busy,
        "onRunnerLost": request.on_runner_lost,
    });
    if let Some(kernel) = &request.kernel {
        input["kernel"] = Value::from(kernel.as_str());
    }
    if !request.html.is_full() {
        input["html"] = json!(request.html);
    }
    input.to_string()
}

/// How a run ended whose outcome has this status, with a code or without: one whose instance was not seen to stop failed, whatever became of its notebook.
const fn ending(status: RunStatus, has_code: bool) -> Ending {
    match (status, has_code) {
        (RunStatus::Succeeded, false) => Ending::Succeeded,
        (RunStatus::Skipped, _) => Ending::Skipped,
        (RunStatus::Succeeded, true) | (RunStatus::Failed, _) => Ending::Failed,
        (RunStatus::Aborted, _) => Ending::Aborted,
    }
}

/// What kind of thing started a run, in the words that are used of one that Step Functions knows.
const fn kind(trigger: TriggerKind) -> &'static str {
    match trigger {
        TriggerKind::Hand => "by hand",
        TriggerKind::Upload => "upload",
        TriggerKind::Schedule => "schedule",
        TriggerKind::Run => "reveille",
        TriggerKind::Event => "event",
    }
}

/// An execution, as the run's records tell it: it began a moment before the run was admitted. Its ARN is made of the run's id, which
/// is right for every name that needs no change in a key.
fn execution(
    at: &AttemptRef,
    status: ExecutionStatus,
    (started, ended): (DateTime<Utc>, DateTime<Utc>),
    state_machine: &str,
) -> Execution {
    let name = name(at).to_owned();
    let recorded = Recorded { instance: at.instance.clone(), run: at.run.clone() };
    Execution {
        arn: execution_arn(at, state_machine),
        name,
        status,
        started,
        stopped: Some(ended),
        recorded: Some(recorded),
        redriven: None,
    }
}

fn name(at: &AttemptRef) -> &str {
    at.run.without_hash().trim_end_matches('-')
}

fn execution_arn(at: &AttemptRef, state_machine: &str) -> String {
    format!("{}:{}", state_machine.replacen(":stateMachine:", ":execution:", 1), name(at))
}

/// The status, in AWS's words.
pub(super) const fn status_of(status: ports::ExecutionStatus) -> ExecutionStatus {
    match status {
        ports::ExecutionStatus::Running => ExecutionStatus::Running,
        ports::ExecutionStatus::Succeeded => ExecutionStatus::Succeeded,
        ports::ExecutionStatus::Failed => ExecutionStatus::Failed,
        ports::ExecutionStatus::TimedOut => ExecutionStatus::TimedOut,
        ports::ExecutionStatus::Aborted => ExecutionStatus::Aborted,
    }
}
