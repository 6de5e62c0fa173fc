//! Which attempt an execution was at when it ended: the last that left a record.

use std::collections::BTreeSet;

use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::MAX_RUN_KEYS;
use reveille_domain::ports::{ExecutionSeen, GetObject, ListObjects};
use reveille_domain::records::{Request, Ticket};
use reveille_domain::{Failure, InstanceName, RunId};

use crate::stack::Stack;
use crate::store;

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
    let mut attempt = newest(stack, ports, &folder, &run).await?;
    if attempt.is_none()
        && let Some(other) = namesake(stack, ports, &folder, seen).await?
    {
        attempt = newest(stack, ports, &folder, &other).await?;
        run = other;
    }
    if let Some(instance) = instance
        && let Some(ticket) = store::or_evidence(
            store::read::<Ticket>(ports, &stack.layout.ticket(instance, &run)).await,
            &mut Vec::new(),
        )?
    {
        // A redriven run that only stands in the queue has left no other record of its attempt.
        attempt = attempt.max(Some(ticket.record.attempt));
    }
    Ok(AttemptRef { instance: folder, run, attempt: attempt.unwrap_or(0).max(1) })
}

/// The newest attempt of a run that left a record; 0 if only the run itself did. `None`: there is no such run.
async fn newest<P: ListObjects>(stack: &Stack, ports: &P, folder: &str, run: &RunId) -> Result<Option<u32>, Failure> {
    let own = stack.layout.run(folder, run);
    let keys = ports.list_objects(&own, MAX_RUN_KEYS).await?;
    let attempt = |key: &String| key.strip_prefix(&own)?.split_once('/')?.0.parse().ok();
    Ok(keys.iter().map(|key| attempt(key).unwrap_or(0)).max())
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
        .map(|(id, _)| RunId::from_key(id))
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
