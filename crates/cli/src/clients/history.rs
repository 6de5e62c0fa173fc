//! What Step Functions and S3 know of the past: which states an execution entered, and which executions an object started.

use aws_sdk_s3::error::ProvideErrorMetadata;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::event::Event;
use serde_json::Value;

use super::{
    AT_ONCE, Account, Execution, Run,
    executions::{may_be_forgotten, no_history, time},
    patience::{patiently, unless_forgotten},
    run::outline_of,
    states,
};
use crate::error::CliError;

/// The most events that GetExecutionHistory gives in a page; an execution has 25,000 at most.
const EVENTS: i32 = 1_000;
/// Executions whose inputs are looked at for an object: a call each, some ten seconds in all.
const MOST: usize = 500;
/// Clocks of services differ a little, and S3's times have whole seconds.
const APART: TimeDelta = TimeDelta::seconds(5);

/// A state that an execution entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    pub(crate) at: DateTime<Utc>,
    pub(crate) state: String,
    /// What its function decided, once it has left the state.
    pub(crate) decision: Option<String>,
}

impl Entered {
    /// Whether it called for a start there. Two runs may enter the state at the same time: the second sees that, sends nothing, and waits.
    pub(crate) fn is_start(&self) -> bool {
        self.state == states::START_INSTANCE && !matches!(self.decision.as_deref(), Some("raced" | "waited"))
    }
}

/// The runs that an object started, the newest first.
#[derive(Debug)]
pub(crate) struct StartedBy {
    pub(crate) runs: Vec<Run>,
    /// Executions that were looked at.
    pub(crate) looked_at: usize,
    /// Whether these are all since the object was put: every one was looked at, and Step Functions has forgotten none.
    pub(crate) is_whole: bool,
}

/// An object of any bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, since then.
    At(Option<DateTime<Utc>>),
    /// It is not, or not any more.
    Gone,
    /// It could not be looked at, and why.
    Unknown(String),
}

impl Account {
    /// The states that an execution entered, the first ones first.
    pub(crate) async fn entered(&self, arn: &str) -> Result<Vec<Entered>, CliError> {
        let (mut events, mut token) = (Vec::new(), None);
        loop {
            let call = self.sfn.get_execution_history().execution_arn(arn).max_results(EVENTS);
            let call = call.set_next_token(token.take());
            let page = patiently(async || call.clone().send().await).await.map_err(|error| no_history(arn, &error))?;
            events.extend(page.events);
            match page.next_token {
                Some(next) => token = Some(next),
                None => break,
            }
        }
        let mut entered: Vec<Entered> = Vec::new();
        for event in &events {
            if let Some(state) = event.state_entered_event_details() {
                entered.push(Entered { at: time(event.timestamp), state: state.name().to_owned(), decision: None });
            } else if let Some(left) = event.state_exited_event_details() {
                let output: Value = serde_json::from_str(left.output().unwrap_or_default()).unwrap_or_default();
                if let Some(last) = entered.iter_mut().rfind(|it| it.state == left.name()) {
                    last.decision = output["decision"].as_str().map(str::to_owned);
                }
            }
        }
        Ok(entered)
    }

    /// What an execution gave.
    pub(crate) async fn output_of(&self, arn: &str) -> Result<Value, CliError> {
        let (_, described) = self.described(arn).await?;
        Ok(serde_json::from_str(described.output().unwrap_or_default()).unwrap_or_default())
    }

    /// The executions that an event of this object started, since it was put.
    pub(crate) async fn started_by(
        &self,
        bucket: &str,
        key: &str,
        since: Option<DateTime<Utc>>,
    ) -> Result<StartedBy, CliError> {
        let mut executions: Vec<Execution> = Vec::new();
        let mut is_whole = !since.is_some_and(|since| may_be_forgotten(since, Utc::now()));
        let take = |execution: Execution| {
            if since.is_some_and(|since| execution.started < since - APART) {
                return true;
            }
            if executions.len() == MOST {
                is_whole = false;
                return true;
            }
            executions.push(execution);
            false
        };
        self.executions(None, take).await?;
        let looked_at = executions.len();
        let look = async |execution: Execution| -> Result<Option<Run>, CliError> {
            let Some((execution, described)) = unless_forgotten(self.described(&execution.arn).await)? else {
                return Ok(None);
            };
            let input: Value = serde_json::from_str(described.input().unwrap_or_default()).unwrap_or_default();
            let event = Event::new(&input["event"]);
            let is_of_it = event.bucket() == Some(bucket) && event.key() == Some(key);
            Ok(is_of_it.then(|| outline_of(execution, &described)))
        };
        let looks = stream::iter(executions).map(look).buffered(AT_ONCE);
        let found: Vec<Run> = looks.try_filter_map(async |run| Ok(run)).try_collect().await?;
        let runs = stream::iter(found).map(async |run| self.with_records(run).await).buffered(AT_ONCE);
        Ok(StartedBy { runs: runs.try_collect().await?, looked_at, is_whole })
    }

    /// Whether an object is there.
    pub(crate) async fn put(&self, bucket: &str, key: &str) -> Put {
        match self.s3.head_object().bucket(bucket).key(key).send().await {
            Ok(head) => Put::At(head.last_modified.map(time)),
            Err(error) => {
                let status = error.raw_response().map(|response| response.status().as_u16());
                if status == Some(404) || error.code() == Some("NotFound") {
                    return Put::Gone;
                }
                // A HEAD has no body, so S3 cannot say more.
                match status {
                    Some(403) => Put::Unknown("you may not look (s3:GetObject)".to_owned()),
                    _ => Put::Unknown(CliError::asked("look at the file", &error).to_string()),
                }
            }
        }
    }
}
