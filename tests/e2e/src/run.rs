//! One execution, as a person looks at it.

use aws_sdk_sfn::types::HistoryEventType;
use serde_json::{Value, json};

use crate::world::{LocalAws, until};

/// An execution of the state machine.
pub struct Run<'a> {
    world: &'a LocalAws,
    /// The execution's ARN.
    pub arn: String,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// `SUCCEEDED`, `FAILED`, ...
    pub status: String,
    /// The error's name.
    pub error: String,
    pub cause: String,
    /// The output of a success.
    pub output: Value,
}

impl LocalAws {
    pub async fn start_execution(&self, input: &Value) -> Run<'_> {
        self.start_execution_with(&input.to_string()).await
    }

    /// Starts an execution whose input is this text, which may be anything.
    pub async fn start_execution_with(&self, input: &str) -> Run<'_> {
        let answer = self
            .local()
            .clients()
            .sfn
            .start_execution()
            .state_machine_arn(self.local().state_machine())
            .input(input)
            .send()
            .await
            .expect("the execution starts");
        Run::new(self, answer.execution_arn().to_owned())
    }

    /// Runs `run.ipynb` on an instance to the end of its execution.
    pub async fn run(&self, instance: &str) -> Run<'_> {
        let run = self.start_execution(&json!({"instance": instance, "notebook": "run.ipynb"})).await;
        run.ended().await;
        run
    }

    /// The executions whose input names the instance, newest last.
    pub async fn executions_of(&self, instance: &str) -> Vec<Run<'_>> {
        let mut found = Vec::new();
        let mut pages = self
            .local()
            .clients()
            .sfn
            .list_executions()
            .state_machine_arn(self.local().state_machine())
            .into_paginator()
            .items()
            .send();
        while let Some(item) = pages.next().await {
            let run = Run::new(self, item.expect("a listed execution").execution_arn().to_owned());
            if run.input().await["instance"] == instance {
                found.push(run);
            }
        }
        found.reverse();
        found
    }

    /// Waits for an execution of a notebook on an instance.
    pub async fn execution_of(&self, instance: &str, notebook: &str) -> Run<'_> {
        until(&format!("a run of {notebook} on {instance}"), async || {
            for run in self.executions_of(instance).await {
                if run.input().await["notebook"] == notebook {
                    return Some(run);
                }
            }
            None
        })
        .await
    }
}

impl<'a> Run<'a> {
    pub(crate) const fn new(world: &'a LocalAws, arn: String) -> Self {
        Self { world, arn }
    }

    async fn describe(&self) -> aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput {
        let call = self.world.local().clients().sfn.describe_execution().execution_arn(&self.arn);
        call.send().await.expect("the execution is described")
    }

    /// Stops the execution, as a person does in the console.
    pub async fn abort(&self) {
        let call = self.world.local().clients().sfn.stop_execution().execution_arn(&self.arn);
        call.send().await.expect("the execution is stopped");
    }

    /// Waits until there is a record.
    pub async fn until_record(&self, instance: &str, name: &str) -> Value {
        until(name, async || self.record(instance, name).await).await
    }

    /// Whether it has ended.
    pub async fn is_over(&self) -> bool {
        self.describe().await.status().as_str() != "RUNNING"
    }

    /// The input; null where it is one that no program reads, as a scenario of bad inputs starts them.
    pub async fn input(&self) -> Value {
        serde_json::from_str(self.describe().await.input().unwrap_or("null")).unwrap_or_default()
    }

    /// Waits for the end.
    pub async fn ended(&self) -> RunEnd {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        until(&format!("{} to end", self.arn), async || {
            let seen = self.describe().await;
            (seen.status().as_str() != "RUNNING").then(|| RunEnd {
                status: seen.status().as_str().to_owned(),
                error: text(seen.error()),
                cause: text(seen.cause()),
                output: seen.output().and_then(|output| serde_json::from_str(output).ok()).unwrap_or_default(),
            })
        })
        .await
    }

    /// The folder of the run, ending with `/`. Its name begins with the execution's, which is unique here.
    async fn folder(&self, instance: &str) -> Option<String> {
        let name = self.arn.rsplit(':').next().expect("an ARN ends with the execution's name");
        let runs = format!("{}runs/{instance}/", self.world.layout().prefix);
        let keys = self.world.keys(&format!("{runs}{name}-")).await;
        let run = keys.first()?[runs.len()..].split('/').next()?.to_owned();
        Some(format!("{runs}{run}/"))
    }

    /// The records of the run, by their keys below `runs/<instance>/<run>/`.
    pub async fn records(&self, instance: &str) -> Vec<String> {
        let Some(folder) = self.folder(instance).await else { return Vec::new() };
        self.world.keys(&folder).await.iter().map(|key| key[folder.len()..].to_owned()).collect()
    }

    async fn read(&self, instance: &str, name: &str) -> Option<Vec<u8>> {
        self.world.object(&(self.folder(instance).await? + name)).await
    }

    /// A record of the run.
    pub async fn record(&self, instance: &str, name: &str) -> Option<Value> {
        self.read(instance, name).await.map(|body| serde_json::from_slice(&body).expect("JSON"))
    }

    /// A file of the run, as text.
    pub async fn text(&self, instance: &str, name: &str) -> Option<String> {
        self.read(instance, name).await.map(|body| String::from_utf8(body).expect("UTF-8"))
    }

    /// Waits until the outcome of the first attempt names outputs, which may come after it.
    pub async fn until_outputs(&self, instance: &str) -> Value {
        until("the outcome to name its outputs", async || {
            let outcome = self.record(instance, "1/outcome.json").await?;
            outcome["outputs"].as_object().is_some_and(|outputs| !outputs.is_empty()).then_some(outcome)
        })
        .await
    }

    /// `outcome.json` of the first attempt.
    pub async fn outcome(&self, instance: &str) -> Value {
        self.record(instance, "1/outcome.json").await.expect("an outcome is recorded")
    }

    /// How often a runner claimed the run. A claim of whoever gave it up is no execution.
    pub async fn claims(&self, instance: &str) -> usize {
        let mut claims = 0;
        for name in self.records(instance).await.iter().filter(|name| name.ends_with("claim.json")) {
            let claim = self.record(instance, name).await;
            claims += usize::from(claim.is_some_and(|claim| claim["by"] == "runner"));
        }
        claims
    }

    /// Waits until the runner claimed the run.
    pub async fn until_claimed(&self, instance: &str) {
        until("the run to be claimed", async || (self.claims(instance).await > 0).then_some(())).await;
    }

    /// Waits until the run's ticket is in the instance's inbox: from here on it has a place in the queue.
    pub async fn until_queued(&self, instance: &str) {
        until("the run to be queued", async || {
            let folder = self.folder(instance).await?;
            let run = folder.trim_end_matches('/').rsplit('/').next()?;
            let ticket = format!("{}inbox/{instance}/{run}", self.world.layout().prefix);
            self.world.object(&ticket).await.map(drop)
        })
        .await;
    }

    /// States entered, in order.
    pub async fn states(&self) -> Vec<String> {
        let mut states = Vec::new();
        let call = self.world.local().clients().sfn.get_execution_history().execution_arn(&self.arn);
        let mut pages = call.into_paginator().items().send();
        while let Some(event) = pages.next().await {
            let event = event.expect("an event");
            if let Some(entered) = event.state_entered_event_details()
                && *event.r#type() != HistoryEventType::ExecutionStarted
            {
                states.push(entered.name().to_owned());
            }
        }
        states
    }

    /// Errors of calls that failed, whether or not they were tried again.
    pub async fn failed_tasks(&self) -> Vec<String> {
        let call = self.world.local().clients().sfn.get_execution_history().execution_arn(&self.arn);
        let mut pages = call.into_paginator().items().send();
        let mut errors = Vec::new();
        while let Some(event) = pages.next().await {
            let event = event.expect("an event");
            errors.extend(event.task_failed_event_details().and_then(|failed| failed.error()).map(str::to_owned));
        }
        errors
    }

    /// Asserts a success and its outcome.
    pub async fn assert_succeeded(&self, instance: &str) {
        let ended = self.ended().await;
        assert_eq!(ended.status, "SUCCEEDED", "{}", ended.cause);
        let outcome = self.outcome(instance).await;
        assert_eq!(outcome["status"], "SUCCEEDED", "{outcome}");
        assert_eq!(self.claims(instance).await, 1, "claims");
    }

    /// Asserts a failure with a code, in the execution and in its outcome alike.
    pub async fn assert_failed(&self, instance: &str, code: &str) -> RunEnd {
        let ended = self.ended().await;
        assert_eq!((ended.status.as_str(), ended.error.as_str()), ("FAILED", code), "{}", ended.cause);
        let outcome = self.outcome(instance).await;
        assert_eq!((&outcome["status"], &outcome["code"]), (&"FAILED".into(), &code.into()), "{outcome}");
        ended
    }
}
