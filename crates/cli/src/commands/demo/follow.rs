//! Follows one execution until it ends, and shows what happens while it happens: history, records, instance.

use std::{collections::HashSet, time::Duration};

use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{
    RunId,
    layout::{AttemptRef, Layout},
    records::{Claim, Outcome, Progress, Report},
};
use reveille_local::Local;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use crate::{
    error::CliError,
    ui::{
        bar::bar,
        terminal::{Terminal, Tone},
        text::wrap,
    },
};

use super::history::{Entry, Narrator};

/// Between two looks: quick enough to look live.
const LOOK: Duration = Duration::from_millis(100);
/// Lines wait this long, so that those of different sources stand in the order of their times.
const SETTLE: TimeDelta = TimeDelta::milliseconds(300);
/// A local run takes seconds; a busy machine may take a hundred times as long.
const LIMIT_SECONDS: u64 = 600;
/// The most events of one look; a run has fewer than a hundred.
const MAX_EVENTS: i32 = 1000;
const ACTOR_WIDTH: usize = 16;
/// Signs of the bar of cells.
const BAR: usize = 24;
/// Columns before what happened: a time of nine, the actor, and two spaces after each.
const MARGIN: usize = 9 + 2 + ACTOR_WIDTH + 2;

/// A change of an instance's state.
pub(crate) struct InstanceChange {
    pub(crate) at: DateTime<Utc>,
    pub(crate) instance: String,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// How an execution ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: String,
    pub(crate) error: Option<String>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) at: Option<AttemptRef>,
}

/// Shows the timeline of one run.
pub(crate) struct Follower<'a> {
    pub(crate) terminal: &'a Terminal,
    pub(crate) local: &'a Local,
    pub(crate) changes: &'a mut UnboundedReceiver<InstanceChange>,
    began: DateTime<Utc>,
    waiting: Vec<Entry>,
    narrator: Narrator,
    seen_events: usize,
    seen_claim: bool,
    seen_report: bool,
    progress: Option<Progress>,
}

impl<'a> Follower<'a> {
    /// Times are counted from now.
    pub(crate) fn new(
        terminal: &'a Terminal,
        local: &'a Local,
        changes: &'a mut UnboundedReceiver<InstanceChange>,
    ) -> Self {
        Self {
            terminal,
            local,
            changes,
            began: Utc::now(),
            waiting: Vec::new(),
            narrator: Narrator::default(),
            seen_events: 0,
            seen_claim: false,
            seen_report: false,
            progress: None,
        }
    }

    /// Waits for an execution that is not among those known, and follows it to its end.
    pub(crate) async fn follow(mut self, known: &HashSet<String>) -> Result<Ended, CliError> {
        let deadline = Instant::now() + Duration::from_secs(LIMIT_SECONDS);
        let arn = loop {
            if let Some(arn) = executions(self.local).await?.difference(known).next() {
                break arn.clone();
            }
            late(deadline, "an execution for the event")?;
            sleep(LOOK).await;
        };
        self.tell_trigger(&arn).await?;
        loop {
            // The status first: what happened before it was read is in what is read after it.
            let (status, error) = self.status(&arn).await?;
            self.look(&arn).await?;
            if status != ExecutionStatus::Running {
                self.show(None);
                return self.ended(&status, error).await;
            }
            self.show(Some(Utc::now() - SETTLE));
            late(deadline, "the end of the execution")?;
            sleep(LOOK).await;
        }
    }

    async fn status(&self, arn: &str) -> Result<(ExecutionStatus, Option<String>), CliError> {
        let described = self.local.clients().sfn.describe_execution().execution_arn(arn).send().await;
        let described = described.map_err(CliError::aws("describe the execution"))?;
        Ok((described.status, described.error))
    }

    /// The event and the rule, from the execution's input: it holds the whole event.
    async fn tell_trigger(&mut self, arn: &str) -> Result<(), CliError> {
        let described = self.local.clients().sfn.describe_execution().execution_arn(arn).send().await;
        let described = described.map_err(CliError::aws("describe the execution"))?;
        let input: Value = serde_json::from_str(described.input().unwrap_or_default()).unwrap_or_default();
        let event = &input["event"];
        let at = event["time"].as_str().and_then(|time| time.parse().ok()).unwrap_or(self.began);
        let object = &event["detail"]["object"];
        let what = format!(
            "{}: {} ({} bytes)",
            event["detail-type"].as_str().unwrap_or_default(),
            object["key"].as_str().unwrap_or_default(),
            object["size"]
        );
        let notebook = input["notebook"].as_str().unwrap_or_default();
        let instance = input["instance"].as_str().unwrap_or_default();
        self.waiting.push(Entry::new(at, "S3 event", what, Tone::Strong));
        self.waiting.push(Entry::new(at, "rule", format!("matches: {notebook} on {instance}"), Tone::Plain));
        // Two clocks: nothing starts before the event that starts it.
        let started = reveille_aws::millis(&described.start_date).unwrap_or(at).max(at);
        let name = described.name.unwrap_or_default();
        self.waiting.push(Entry::new(started, "execution", format!("started: {name}"), Tone::Strong));
        Ok(())
    }

    async fn look(&mut self, arn: &str) -> Result<(), CliError> {
        let history = self.local.clients().sfn.get_execution_history().execution_arn(arn).max_results(MAX_EVENTS);
        let history = history.send().await.map_err(CliError::aws("read the execution's history"))?;
        for event in history.events.iter().skip(self.seen_events) {
            self.waiting.extend(self.narrator.tell(event));
        }
        self.seen_events = history.events.len();
        while let Ok(change) = self.changes.try_recv() {
            let tone = if change.to == "Stopped" { Tone::Good } else { Tone::Moving };
            let what = format!("{}: {} → {}", change.instance, change.from, change.to);
            self.waiting.push(Entry::new(change.at, "instance", what, tone));
        }
        self.look_at_records().await
    }

    async fn look_at_records(&mut self) -> Result<(), CliError> {
        let Some(at) = self.attempt() else { return Ok(()) };
        let layout = self.layout();
        if !self.seen_claim
            && let Some(claim) = self.record::<Claim>(&layout.claim(&at)).await?
        {
            self.seen_claim = true;
            let what = format!("claims attempt {} of the run", at.attempt);
            self.waiting.push(Entry::new(claim.at, "runner", what, Tone::Moving));
        }
        if self.seen_claim
            && !self.seen_report
            && let Some(progress) = self.record::<Progress>(&layout.progress(&at)).await?
            && progress.cells > 0
            && self.progress.as_ref().is_none_or(|seen| (seen.cell, seen.cells) != (progress.cell, progress.cells))
        {
            let what = match progress.cell {
                0 => format!("starts the notebook's kernel; {} cells", progress.cells),
                cell => format!("{} cell {cell} of {}", bar(cell, progress.cells, BAR), progress.cells),
            };
            self.waiting.push(Entry::new(progress.at, "papermill", what, Tone::Moving));
            self.progress = Some(progress);
        }
        if !self.seen_report
            && let Some(report) = self.record::<Report>(&layout.report(&at)).await?
        {
            self.seen_report = true;
            self.waiting.push(reported(&report));
        }
        Ok(())
    }

    async fn ended(&self, status: &ExecutionStatus, error: Option<String>) -> Result<Ended, CliError> {
        let at = self.attempt();
        let outcome = match &at {
            Some(at) => self.record(&self.layout().outcome(at)).await?,
            None => None,
        };
        Ok(Ended { status: status.as_str().to_owned(), error, outcome, at })
    }

    fn layout(&self) -> Layout {
        Layout { bucket: self.local.bucket().to_owned(), prefix: self.local.prefix().to_owned() }
    }

    fn attempt(&self) -> Option<AttemptRef> {
        let admitted = self.narrator.admitted.as_ref()?;
        let run: RunId = serde_json::from_value(Value::String(admitted.run.clone())).ok()?;
        Some(AttemptRef { instance: admitted.instance.clone(), run, attempt: admitted.attempt })
    }

    async fn record<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, CliError> {
        let got = self.local.clients().s3.get_object().bucket(self.local.bucket()).key(key).send().await;
        let body = match got {
            Ok(object) => object.body.collect().await.map_err(CliError::aws("read a record of the run"))?.into_bytes(),
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => return Ok(None),
            Err(error) => return Err(CliError::aws("read a record of the run")(error)),
        };
        serde_json::from_slice(&body).map(Some).map_err(CliError::aws("read a record of the run"))
    }

    /// Prints what is old enough to be in its place; `None`: everything.
    fn show(&mut self, until: Option<DateTime<Utc>>) {
        self.waiting.sort_by_key(|entry| entry.at);
        let ready = until.map_or(self.waiting.len(), |until| self.waiting.partition_point(|entry| entry.at <= until));
        for entry in self.waiting.drain(..ready) {
            let seconds = (entry.at - self.began).as_seconds_f64().max(0.0);
            let time = self.terminal.paint(Tone::Quiet, &format!("{seconds:7.2} s"));
            let actor = self.terminal.paint(
                if entry.tone == Tone::Quiet { Tone::Quiet } else { Tone::Plain },
                &format!("{:<ACTOR_WIDTH$}", entry.actor),
            );
            let room = self.terminal.width().saturating_sub(MARGIN).max(ACTOR_WIDTH);
            for (index, what) in wrap(&entry.what, room).iter().enumerate() {
                let what = self.terminal.paint(entry.tone, what);
                match index {
                    0 => self.terminal.line(&format!("{time}  {actor}  {what}")),
                    _ => self.terminal.line(&format!("{:MARGIN$}{what}", "")),
                }
            }
        }
        if until.is_some() {
            let seconds = (Utc::now() - self.began).as_seconds_f64();
            self.terminal.passing(Tone::Quiet, &format!("{seconds:7.1} s  …"));
        }
    }
}

/// The executions there are.
pub(crate) async fn executions(local: &Local) -> Result<HashSet<String>, CliError> {
    let listed = local.clients().sfn.list_executions().state_machine_arn(local.state_machine()).send().await;
    let listed = listed.map_err(CliError::aws("list the executions"))?;
    Ok(listed.executions.into_iter().map(|execution| execution.execution_arn).collect())
}

fn reported(report: &Report) -> Entry {
    let kept = report.outputs.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    match &report.failure {
        None => Entry::new(report.ended_at, "runner", format!("reports success; kept in S3: {kept}"), Tone::Good),
        Some(failure) => {
            let what = format!("reports {}; kept in S3: {kept}", failure.code);
            Entry::new(report.ended_at, "runner", what, Tone::Bad)
        }
    }
}

fn late(deadline: Instant, what: &'static str) -> Result<(), CliError> {
    if Instant::now() > deadline { Err(CliError::Late { what, seconds: LIMIT_SECONDS }) } else { Ok(()) }
}
