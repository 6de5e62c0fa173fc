//! Which attempt an execution was at when it ended.
//!
//! Its outcomes tell, and its ticket: only functions write them. What else is in a run's folder a notebook on the instance
//! may have put there, also for an attempt that never was. It counts only where the execution may have come to that attempt.

use std::collections::BTreeSet;

use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::MAX_RUN_KEYS;
use reveille_domain::ports::{ExecutionSeen, GetObject, ListObjects};
use reveille_domain::records::{Request, Ticket};
use reveille_domain::{Failure, InstanceName, RunId};

use crate::own;
use crate::stack::Stack;
use crate::store::{self, StoreError};
use decide::{AttemptSearch, ExecutionFacts};

pub mod decide;

/// Runs of one execution name on one instance that are looked at. A name is free again after 90 days, so there are a few.
const MAX_NAMESAKES: usize = 20;

/// Finds the attempt.
///
/// # Errors
/// The first call's failure.
pub async fn last_attempt<P: GetObject + ListObjects>(
    stack: &Stack,
    ports: &P,
    seen: &ExecutionSeen,
    instance: Option<&InstanceName>,
) -> Result<AttemptRef, Failure> {
    let folder = instance.map_or_else(|| INVALID_INSTANCE.to_owned(), InstanceName::to_string);
    let mut run = seen.execution.run();
    if !holds_any(ports, &stack.layout.run(&folder, &run)).await?
        && let Some(other) = namesake(stack, ports, &folder, seen).await?
    {
        run = other;
    }
    let mut at = newest(stack, ports, seen, AttemptRef { instance: folder, run, attempt: 1 }).await?;
    if let Some(instance) = instance
        && let Some(ticket) = store::or_evidence(
            store::read::<Ticket>(ports, &stack.layout.ticket(instance, &at.run)).await,
            &mut Vec::new(),
        )?
    {
        // A redriven run that is only in the queue has left no other record of its attempt.
        at.attempt = at.attempt.max(ticket.record.attempt);
    }
    Ok(at)
}

/// The last attempt that has an outcome, or the one after it, if the execution came to it.
async fn newest<P: GetObject + ListObjects>(
    stack: &Stack,
    ports: &P,
    seen: &ExecutionSeen,
    mut at: AttemptRef,
) -> Result<AttemptRef, Failure> {
    let mut search = AttemptSearch::new(ExecutionFacts::of(seen));
    while let Some(attempt) = search.next_attempt() {
        let next = AttemptRef { attempt, ..at.clone() };
        match own::outcome(&stack.layout, ports, &next, &seen.execution.arn).await {
            Ok(None) => break,
            Ok(Some(outcome)) => search.add(attempt, Some(&outcome.record)),
            Err(StoreError::Unreadable(_)) => search.add(attempt, None),
            Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error.into()),
        }
    }
    let Some((last, may_be_followed)) = search.end() else { return Ok(at) };
    at.attempt = last + 1;
    if !(may_be_followed && holds_any(ports, &stack.layout.attempt(&at)).await?) {
        at.attempt = last;
    }
    Ok(at)
}

async fn holds_any<P: ListObjects>(ports: &P, prefix: &str) -> Result<bool, Failure> {
    Ok(!ports.list_objects(prefix, 1).await?.is_empty())
}

/// An engine may show another start time than its context object, and so another id of the run: then its request tells.
async fn namesake<P: GetObject + ListObjects>(
    stack: &Stack,
    ports: &P,
    folder: &str,
    seen: &ExecutionSeen,
) -> Result<Option<RunId>, Failure> {
    let run = seen.execution.run();
    let runs = stack.layout.runs(folder);
    let name = run.without_hash();
    let keys = ports.list_objects(&format!("{runs}{name}"), MAX_RUN_KEYS).await?;
    let namesakes: BTreeSet<RunId> = keys
        .iter()
        .filter_map(|key| key.strip_prefix(&runs)?.split_once('/'))
        .filter_map(|(id, _)| RunId::parse(id))
        // Other names may begin with this one.
        .filter(|other| other.without_hash() == name)
        .collect();
    for other in namesakes.into_iter().take(MAX_NAMESAKES) {
        let request = store::read::<Request>(ports, &stack.layout.request(folder, &other)).await;
        let request = store::or_evidence(request, &mut Vec::new())?;
        if request.is_some_and(|request| request.record.execution_arn == seen.execution.arn) {
            return Ok(Some(other));
        }
    }
    Ok(None)
}
