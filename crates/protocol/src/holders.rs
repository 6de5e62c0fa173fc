//! Which runs hold an instance: those in its inbox, the one that its lease is busy with, and the one that started its boot, as
//! long as no runner has bound it. A run is live while its execution is running and it has no report.
//!
//! The run that started a boot looks at it at every poll only, and puts its ticket when it saw it up. Until then the boot is
//! held by nothing else: a start may take longer than a heartbeat, after which a boot without a runner counts as abandoned.
//!
//! A notebook that executes holds its instance whatever became of its ticket: its token may have timed out while the
//! runner was cut off, and the ticket may be gone until its execution submits it anew.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::{HOLDERS_AT_ONCE, HOLDERS_TIME, MAX_INBOX};
use reveille_domain::ports::{Clock, DescribeExecution, GetObject, ListObjects};
use reveille_domain::records::{Lease, LeaseState, Report, Request, Ticket};
use reveille_domain::{InstanceName, RunId};

use crate::stack::Stack;
use crate::store::{self, StoreError};
use crate::withdraw::is_given_up;

/// Who holds an instance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holders {
    /// Whether a run other than the one that asks is live.
    pub other_live_run: bool,
    /// When the verdict was reached on the attempt that the lease is busy with, if it was.
    pub busy_reported_at: Option<DateTime<Utc>>,
}

/// Finds out who holds an instance besides `me`.
///
/// # Errors
/// The first call's failure.
pub async fn holders<P>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    lease: Option<&Lease>,
    me: Option<&RunId>,
) -> Result<Holders, StoreError>
where
    P: Clock + ListObjects + GetObject + DescribeExecution,
{
    let mut holders = Holders::default();
    let busy = lease.filter(|lease| lease.state == LeaseState::Busy).and_then(|lease| lease.busy.as_ref());
    if let Some(at) = busy.filter(|at| at.instance == instance.as_str()) {
        holders.busy_reported_at = reported_at(stack, ports, at).await?;
        holders.other_live_run =
            me != Some(&at.run) && holders.busy_reported_at.is_none() && is_running(stack, ports, at).await?;
    }
    if !holders.other_live_run {
        holders.other_live_run = waits_in_inbox(stack, ports, instance, me).await?;
    }
    // A boot that closes is nobody's: who started it waits for its end.
    let comes = |lease: &&Lease| lease.boot_id.is_none() && lease.state != LeaseState::Closing;
    let starter = lease.filter(comes).filter(|lease| me != Some(&lease.started_by));
    if let Some(lease) = starter.filter(|_| !holders.other_live_run) {
        holders.other_live_run = is_on_its_way(stack, ports, &lease.starter(instance)).await?;
    }
    Ok(holders)
}

/// Whether the attempt that started a boot may still come to it: it is neither over nor given up.
async fn is_on_its_way<P>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<bool, StoreError>
where
    P: GetObject + DescribeExecution,
{
    let given_up = is_given_up(&stack.layout, ports, at).await?;
    Ok(!given_up && reported_at(stack, ports, at).await?.is_none() && is_running(stack, ports, at).await?)
}

async fn reported_at<P: GetObject>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    match store::read::<Report>(ports, &stack.layout.report(at)).await {
        Ok(report) => Ok(report.map(|report| report.record.ended_at)),
        // Its execution ends it, and is looked after by itself; until then it counts.
        Err(StoreError::Unreadable(_)) => Ok(None),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Whether the execution of an attempt is running, as its run's request names it.
async fn is_running<P>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<bool, StoreError>
where
    P: GetObject + DescribeExecution,
{
    match store::read::<Request>(ports, &stack.layout.request(&at.instance, &at.run)).await {
        Ok(Some(request)) => Ok(ports.is_running(&request.record.execution_arn).await?),
        // Without its request a run does not execute.
        Ok(None) | Err(StoreError::Unreadable(_)) => Ok(false),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Whether a live run other than `me` is in the inbox. Where the time is over before each ticket was looked at, one is
/// assumed: nothing is stopped on a guess. Tickets of runs that ended are removed by whoever concludes them, so that a later
/// look comes further.
async fn waits_in_inbox<P>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    me: Option<&RunId>,
) -> Result<bool, StoreError>
where
    P: Clock + ListObjects + GetObject + DescribeExecution,
{
    let end = ports.now() + HOLDERS_TIME;
    let keys = ports.list_objects(&stack.layout.inbox(instance), MAX_INBOX).await?;
    // The key says whose ticket it is.
    let ticket = |key: &String| Some((key.clone(), stack.layout.run_of_ticket(instance, key)?));
    let others: Vec<(String, RunId)> = keys.iter().filter_map(ticket).filter(|(_, run)| me != Some(run)).collect();
    let many = others.len();
    let in_time = |_: &(String, RunId)| std::future::ready(ports.now() < end);
    let look = |(key, run)| is_live(stack, ports, instance, key, run);
    let mut looks = pin!(iter(others).take_while(in_time).map(look).buffer_unordered(HOLDERS_AT_ONCE));
    let mut looked = 0;
    while let Some(is_live) = looks.next().await {
        if is_live? {
            return Ok(true);
        }
        looked += 1;
    }
    Ok(looked < many)
}

/// Whether the run whose ticket is under a key is live.
async fn is_live<P>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    key: String,
    run: RunId,
) -> Result<bool, StoreError>
where
    P: GetObject + DescribeExecution,
{
    let ticket = match store::read::<Ticket>(ports, &key).await {
        Ok(Some(ticket)) => ticket.record,
        // What is no ticket of that run is no run.
        Ok(None) | Err(StoreError::Unreadable(_)) => return Ok(false),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
    };
    let at = AttemptRef { instance: instance.to_string(), run, attempt: ticket.attempt };
    let is_over = reported_at(stack, ports, &at).await?.is_some();
    Ok(!is_over && ports.is_running(&ticket.execution_arn).await?)
}
