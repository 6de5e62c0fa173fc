//! An instance's queue: the tickets of the runs that wait for it, and how long its notebooks took before.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::pin,
    time::{Duration, Instant},
};

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{InstanceName, RunId, records::Ticket};
use reveille_protocol::runner::decide::queue_order;

use super::{AT_ONCE, Account, Ending, Execution, Run, states, unless_forgotten};
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

/// A run that goes on is looked at again after so long: when it ends, its ticket goes, unless somebody stopped it.
const FRESH: Duration = Duration::from_mins(5);

/// What whoever looks at an instance's queue again and again has learnt, so that each look costs little.
#[derive(Debug, Default)]
pub(crate) struct Learnt {
    /// How long notebooks took before. Each is asked for once.
    took: BTreeMap<String, Vec<Took>>,
    /// Runs by their executions, and when they were seen to go on.
    going_on: BTreeMap<String, (Run, Instant)>,
}

impl Learnt {
    /// The executions of these tickets that are to be looked at.
    fn unknown(&mut self, tickets: &[Ticket]) -> Vec<String> {
        let listed: BTreeSet<&str> = tickets.iter().map(|ticket| ticket.execution_arn.as_str()).collect();
        self.going_on.retain(|arn, (_, seen)| listed.contains(arn.as_str()) && seen.elapsed() < FRESH);
        let unknown = listed.into_iter().filter(|arn| !self.going_on.contains_key(*arn));
        unknown.map(str::to_owned).collect()
    }
}

impl Account {
    /// The runs that stand in an instance's inbox and whose executions go on, in the order in which they will run. The one that runs is
    /// among them.
    pub(crate) async fn inbox(&self, instance: &InstanceName) -> Result<Vec<Place>, CliError> {
        let look = async |ticket: Ticket| -> Result<Option<Place>, CliError> {
            let run = self.going_on(&ticket.execution_arn).await?;
            Ok(run.map(|run| place(&ticket, run)))
        };
        let tickets = self.tickets(instance).await?;
        let places: Vec<Option<Place>> = stream::iter(tickets).map(look).buffered(AT_ONCE).try_collect().await?;
        Ok(places.into_iter().flatten().collect())
    }

    /// The same as far as a run's own place, which is the last: what is behind it is not looked at. `None`: it has no ticket.
    pub(crate) async fn inbox_up_to(
        &self,
        instance: &InstanceName,
        own: &Run,
        learnt: &mut Learnt,
    ) -> Result<Option<Vec<Place>>, CliError> {
        let mut before = self.tickets(instance).await?;
        let Some(at) = before.iter().position(|ticket| ticket.run == own.id) else { return Ok(None) };
        before.truncate(at + 1);
        let Some(ticket) = before.pop() else { return Ok(None) };
        let look = async |arn: String| -> Result<Option<Run>, CliError> { self.going_on(&arn).await };
        let looks = stream::iter(learnt.unknown(&before)).map(look).buffered(AT_ONCE);
        let found: Vec<Run> = looks.try_filter_map(async |run| Ok(run)).try_collect().await?;
        let now = Instant::now();
        learnt.going_on.extend(found.into_iter().map(|run| (run.execution.arn.clone(), (run, now))));
        let known = before.iter().filter_map(|ticket| {
            let (run, _) = learnt.going_on.get(&ticket.execution_arn)?;
            Some(place(ticket, run.clone()))
        });
        Ok(Some(known.chain([place(&ticket, own.clone())]).collect()))
    }

    /// The tickets in an instance's inbox, in the order of the queue.
    async fn tickets(&self, instance: &InstanceName) -> Result<Vec<Ticket>, CliError> {
        let keys = self.keys(&self.layout.inbox(instance)).await?;
        let key = |key: &String| self.layout.run_of_ticket(instance, key).map(|run| (key.clone(), run));
        let named: Vec<(String, RunId)> = keys.iter().filter_map(key).collect();
        let ticket = async |(key, run): (String, RunId)| self.ticket(&key, &run).await;
        let read: Vec<Option<Ticket>> = stream::iter(named).map(ticket).buffered(AT_ONCE).try_collect().await?;
        let mut tickets: Vec<Ticket> = read.into_iter().flatten().collect();
        tickets.sort_by(queue_order);
        Ok(tickets)
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
            let state = unless_forgotten(self.state(&execution.arn).await)?.flatten();
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

    /// How long these notebooks took on an instance, the newest first, as the stack's newest successes tell it: so many of each, if there are.
    /// Of a notebook that was asked for before it is remembered.
    pub(crate) async fn earlier(
        &self,
        instance: &InstanceName,
        notebooks: &[&str],
        count: usize,
        learnt: &mut Learnt,
    ) -> Result<Vec<Took>, CliError> {
        let new: BTreeSet<&str> =
            notebooks.iter().copied().filter(|notebook| !learnt.took.contains_key(*notebook)).collect();
        if !new.is_empty() {
            let found = self.looked_up(instance, &new, count).await?;
            learnt.took.extend(new.into_iter().map(|notebook| (notebook.to_owned(), Vec::new())));
            for took in found {
                learnt.took.entry(took.notebook.clone()).or_default().push(took);
            }
        }
        let known = notebooks.iter().collect::<BTreeSet<_>>().into_iter();
        Ok(known.filter_map(|notebook| learnt.took.get(*notebook)).flatten().cloned().collect())
    }

    async fn looked_up(
        &self,
        instance: &InstanceName,
        notebooks: &BTreeSet<&str>,
        count: usize,
    ) -> Result<Vec<Took>, CliError> {
        let executions = self.newest(Some(ExecutionStatus::Succeeded), EARLIER).await?;
        let look = |execution: Execution| async move { unless_forgotten(self.outline(&execution.arn).await) };
        let mut runs = pin!(stream::iter(executions).map(look).buffered(AT_ONCE));
        let mut missing: BTreeMap<&str, usize> = notebooks.iter().map(|notebook| (*notebook, count)).collect();
        let mut found = Vec::new();
        while !missing.is_empty()
            && let Some(run) = runs.try_next().await?
        {
            let Some(took) = run.and_then(|run| took(run, instance)) else { continue };
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

/// Where the run of a ticket stands.
fn place(ticket: &Ticket, run: Run) -> Place {
    let limit = chrono::TimeDelta::seconds(ticket.queue_seconds.into());
    Place { run, since: ticket.queued_at, until: ticket.queued_at.checked_add_signed(limit) }
}

/// `None`: it executed nothing, or not there. The same path on another instance is another notebook.
fn took(run: Run, instance: &InstanceName) -> Option<Took> {
    let there = run.ending == Ending::Succeeded && run.instance.as_deref() == Some(instance.as_str());
    let seconds = run.outcome?.phases.running?.seconds;
    there.then_some(Took { notebook: run.notebook?, seconds })
}
