//! An instance's queue: the tickets of the runs that wait for it, and how long its notebooks took before.

use std::{collections::BTreeMap, pin::pin};

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{InstanceName, RunId, records::Ticket};
use reveille_protocol::runner::decide::queue_order;

use super::{AT_ONCE, Account, Ending, Execution, Run, states};
use crate::error::CliError;

/// Earlier runs that are looked at for the times that notebooks take.
const EARLIER: usize = 200;

/// Running executions that are looked at for runs that have no ticket yet: such a run is young.
const COMING: usize = 200;
/// The states of a run from its ticket on.
const HAS_A_TICKET: [&str; 6] = [
    states::AWAIT_RUN,
    states::VERIFY_STOPPED,
    states::IS_STOPPED,
    states::WAIT_FOR_STOP,
    states::CONCLUDE_RUN,
    states::IS_CONCLUDED,
];

/// A place in the queue.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) run: Run,
    pub(crate) since: DateTime<Utc>,
    /// When it is given up.
    pub(crate) until: Option<DateTime<Utc>>,
}

/// The runs of an instance that have no ticket yet.
#[derive(Debug)]
pub(crate) struct Coming {
    pub(crate) runs: Vec<Run>,
    /// How many executions were looked at, if more are under way.
    pub(crate) bound: Option<usize>,
}

/// How long a notebook took on an instance.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Took {
    pub(crate) notebook: String,
    pub(crate) seconds: f64,
}

impl Account {
    /// The runs that stand in an instance's inbox and whose executions go on, in the order in which they will run. The one that runs is
    /// among them.
    pub(crate) async fn inbox(&self, instance: &InstanceName) -> Result<Vec<Place>, CliError> {
        let keys = self.keys(&self.layout.inbox(instance)).await?;
        let key = |key: &String| self.layout.run_of_ticket(instance, key).map(|run| (key.clone(), run));
        let named: Vec<(String, RunId)> = keys.iter().filter_map(key).collect();
        let ticket = async |(key, run): (String, RunId)| self.ticket(&key, &run).await;
        let read: Vec<Option<Ticket>> = stream::iter(named).map(ticket).buffered(AT_ONCE).try_collect().await?;
        let mut tickets: Vec<Ticket> = read.into_iter().flatten().collect();
        tickets.sort_by(queue_order);
        let place = async |ticket: Ticket| self.place_of(ticket).await;
        let places: Vec<Option<Place>> = stream::iter(tickets).map(place).buffered(AT_ONCE).try_collect().await?;
        Ok(places.into_iter().flatten().collect())
    }

    /// The runs of an instance that have no ticket yet, the oldest first: they check their input, or start the instance, or wait until another
    /// run has started it. `known` are executions that are known to be elsewhere.
    pub(crate) async fn coming(&self, instance: &InstanceName, known: &[&str]) -> Result<Coming, CliError> {
        // One more says whether there is more.
        let mut executions = self.newest(Some(ExecutionStatus::Running), COMING + 1).await?;
        let is_whole = executions.len() <= COMING;
        executions.truncate(COMING);
        let unknown = executions.into_iter().filter(|execution| !known.contains(&execution.arn.as_str()));
        let look = async |execution: Execution| -> Result<Option<Run>, CliError> {
            let Some(run) = self.going_on(&execution.arn).await? else { return Ok(None) };
            if run.instance.as_deref() != Some(instance.as_str()) {
                return Ok(None);
            }
            let state = self.state(&execution.arn).await?;
            Ok(Some(run).filter(|_| state.is_some_and(|state| !HAS_A_TICKET.contains(&state.as_str()))))
        };
        let looks = stream::iter(unknown).map(look).buffered(AT_ONCE);
        let mut found: Vec<Run> = looks.try_filter_map(async |run| Ok(run)).try_collect().await?;
        found.reverse();
        Ok(Coming { runs: found, bound: (!is_whole).then_some(COMING) })
    }

    async fn keys(&self, prefix: &str) -> Result<Vec<String>, CliError> {
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(prefix);
            let listed = call.set_continuation_token(token.take()).send().await;
            let listed = listed.map_err(|error| CliError::asked(format!("list {}", self.place(prefix)), &error))?;
            keys.extend(listed.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
            match listed.next_continuation_token {
                Some(next) => token = Some(next),
                None => return Ok(keys),
            }
        }
    }

    /// A run's ticket. What cannot be read is none: the runner takes it for none as well.
    async fn ticket(&self, key: &str, run: &RunId) -> Result<Option<Ticket>, CliError> {
        match self.record::<Ticket>(key).await {
            Ok(ticket) => Ok(ticket.filter(|ticket| ticket.run == *run)),
            Err(CliError::Record { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `None`: its execution has ended, or there is none.
    async fn place_of(&self, ticket: Ticket) -> Result<Option<Place>, CliError> {
        let Some(run) = self.going_on(&ticket.execution_arn).await? else { return Ok(None) };
        let limit = chrono::TimeDelta::seconds(ticket.queue_seconds.into());
        let until = ticket.queued_at.checked_add_signed(limit);
        Ok(Some(Place { run, since: ticket.queued_at, until }))
    }

    /// How long these notebooks took on an instance, the newest first, as the stack's newest successes tell it: so many of each, if there are.
    pub(crate) async fn earlier(
        &self,
        instance: &InstanceName,
        notebooks: &[&str],
        count: usize,
    ) -> Result<Vec<Took>, CliError> {
        let executions = self.newest(Some(ExecutionStatus::Succeeded), EARLIER).await?;
        let look = |execution: Execution| async move { self.outline(&execution.arn).await };
        let mut runs = pin!(stream::iter(executions).map(look).buffered(AT_ONCE));
        let mut missing: BTreeMap<&str, usize> = notebooks.iter().map(|notebook| (*notebook, count)).collect();
        let mut found = Vec::new();
        while !missing.is_empty()
            && let Some(run) = runs.try_next().await?
        {
            let Some(took) = took(run, instance) else { continue };
            let Some(left) = missing.get_mut(took.notebook.as_str()) else { continue };
            *left -= 1;
            if *left == 0 {
                missing.remove(took.notebook.as_str());
            }
            found.push(took);
        }
        Ok(found)
    }
}

/// `None`: it executed nothing, or not there. The same path on another instance is another notebook.
fn took(run: Run, instance: &InstanceName) -> Option<Took> {
    let there = run.ending == Ending::Succeeded && run.instance.as_deref() == Some(instance.as_str());
    let seconds = run.outcome?.phases.running?.seconds;
    there.then_some(Took { notebook: run.notebook?, seconds })
}
