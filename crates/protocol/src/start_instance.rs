//! **StartInstance**: write the intent into the lease, then call StartNotebookInstance once.
//!
//! - Takes the run and what CheckInstance remembers.
//! - Effects, in this order: lease `starting` (compare-and-swap), Start, lease `open` or `unsure`.
//! - Undone: a start that was surely refused withdraws the intent. A start without an answer is never withdrawn.
//! - Run twice, or cut off anywhere, it leaves a lease from which the next look knows what may have happened.

use reveille_domain::memory::Waiting;
use reveille_domain::ports::{
    CallErrorKind, Clock, DeleteObject, DescribeNotebookInstance, GetObject, InstanceStatus, Nonces, PutObject,
    StartAnswer, StartNotebookInstance,
};
use reveille_domain::records::{Lease, LeaseState, RunRef};
use reveille_domain::{Code, Failure, InstanceName};
use serde::{Deserialize, Serialize};

use crate::stack::Stack;
use crate::store::{self, Stored};
use crate::swap_lease;
use decide::{Plan, Sent, Settled};

pub mod decide;

/// What the state machine passes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartInstanceInput {
    /// The run.
    pub run: RunRef,
    /// What CheckInstance remembers.
    pub waiting: Waiting,
}

/// What came of it. The state machine waits and looks again, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StartDecision {
    /// Start was accepted.
    Started,
    /// Start was sent and its answer never came.
    Unsure,
    /// Somebody else started it, or it is no longer stopped.
    Raced,
    /// Something that was sent before may not have shown yet; nothing was sent now.
    Waited,
}

/// What it gets back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StartInstanceOutput {
    /// What came of it.
    pub decision: StartDecision,
    /// To be passed at the next look.
    pub waiting: Waiting,
}

/// Writes the lease, looks once more, and sends Start once.
///
/// # Errors
/// A refusal that ends the run (`QuotaExceeded`, `AccessDenied`, `InstanceNotFound`), or a call's failure.
pub async fn start_instance<P>(
    stack: &Stack,
    ports: &P,
    call: StartInstanceInput,
) -> Result<StartInstanceOutput, Failure>
where
    P: Clock + Nonces + DescribeNotebookInstance + StartNotebookInstance + GetObject + PutObject + DeleteObject,
{
    let StartInstanceInput { run, mut waiting } = call;
    let instance = &run.instance;
    let stored = swap_lease::read(&stack.layout, ports, instance).await?;
    let before = stored.as_ref().map(|stored| &stored.record);
    // A fresh look, so that the lease knows what Describe showed before this start.
    let Some(seen) = ports.describe_notebook_instance(instance).await? else { return Err(instance.not_found()) };
    if !matches!(seen.status, InstanceStatus::Stopped | InstanceStatus::Failed) {
        return Ok(StartInstanceOutput { decision: StartDecision::Raced, waiting });
    }
    let Plan::Send { unresolved } = decide::plan(before, &run.id, &seen, ports.now()) else {
        return Ok(StartInstanceOutput { decision: StartDecision::Waited, waiting });
    };
    let intent = Lease::starting(&run.id, ports.nonce(), seen.last_modified, ports.now());
    let intent = Lease { instance: Some(instance.clone()), started_attempt: run.attempt, unresolved, ..intent };
    let etag = stored.as_ref().map(|stored| stored.etag.as_str());
    let written = match store::swap(ports, &stack.layout.lease(instance), &intent, etag).await? {
        Some(etag) => Some(etag),
        // Our own write whose answer was lost is told by its nonce; it must not stay there for nothing.
        None => swap_lease::read(&stack.layout, ports, instance)
            .await?
            .filter(|stored| stored.record.nonce == intent.nonce)
            .map(|stored| stored.etag),
    };
    let Some(etag) = written else { return Ok(StartInstanceOutput { decision: StartDecision::Raced, waiting }) };
    let intent = Stored { record: intent, etag };
    if waiting.expired(&run.limits, ports.now()) {
        settle(stack, ports, instance, &intent, Sent::Refused, unresolved).await?;
        return Ok(StartInstanceOutput { decision: StartDecision::Waited, waiting });
    }
    let answer = ports.start_notebook_instance(instance).await;
    let sent = match &answer {
        Ok(StartAnswer::Accepted) => Sent::Accepted,
        Ok(StartAnswer::WrongStatus(_)) => Sent::WrongStatus,
        Err(error) if error.kind == CallErrorKind::NoAnswer => Sent::NoAnswer,
        Ok(StartAnswer::QuotaExceeded(_) | StartAnswer::NotFound) | Err(_) => Sent::Refused,
    };
    // The lease is settled even when the answer is an error; the answer is the first error.
    let settled = settle(stack, ports, instance, &intent, sent, unresolved).await;
    let decision = match answer {
        Ok(StartAnswer::Accepted) => StartDecision::Started,
        Ok(StartAnswer::WrongStatus(_)) => StartDecision::Raced,
        Ok(StartAnswer::QuotaExceeded(message)) => return Err(quota(instance, &message)),
        Ok(StartAnswer::NotFound) => return Err(instance.not_found()),
        Err(_) if sent == Sent::NoAnswer => StartDecision::Unsure,
        Err(error) => return Err(error.into()),
    };
    settled?;
    if matches!(sent, Sent::Accepted | Sent::NoAnswer) {
        waiting.starts += 1;
        waiting.sent_at = Some(ports.now());
        waiting.seen_before_start = intent.record.seen_before_start;
    }
    Ok(StartInstanceOutput { decision, waiting })
}

/// Brings the lease to what Start's answer says, past a runner that may bind it meanwhile.
async fn settle<P>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    intent: &Stored<Lease>,
    sent: Sent,
    unresolved: bool,
) -> Result<(), Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    let nonce = ports.nonce();
    if decide::settle(&intent.record, sent, unresolved, &nonce, ports.now()) == Settled::Withdraw {
        // Only the intent itself is withdrawn: a runner that bound it belongs to a boot that may be ours.
        store::remove(ports, &stack.layout.lease(instance), &intent.etag).await?;
        return Ok(());
    }
    swap_lease::update(&stack.layout, ports, instance, |current| {
        let current = current.filter(|current| is_same_start(current, &intent.record))?;
        match decide::settle(current, sent, unresolved, &nonce, ports.now()) {
            Settled::Write(lease) => Some(lease),
            Settled::Withdraw => None,
        }
    })
    .await?;
    Ok(())
}

/// Whether the lease is this start's, as it was written or as the runner bound it since.
fn is_same_start(current: &Lease, intent: &Lease) -> bool {
    current.nonce == intent.nonce
        || (current.started_by == intent.started_by
            && current.seen_before_start == intent.seen_before_start
            && current.state != LeaseState::Closing)
}

fn quota(instance: &InstanceName, message: &str) -> Failure {
    Failure::new(
        Code::QuotaExceeded,
        format!(
            "AWS refused to start notebook instance {instance} for a quota: {message} Stop another instance of that type, or ask for a higher quota in the Service Quotas console, then redrive the execution."
        ),
    )
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use reveille_domain::RunId;

    use super::*;

    /// A runner writes the lease with a nonce of its own. A closing lease is its closer's.
    #[test]
    fn a_lease_is_this_starts_if_it_has_its_nonce_or_was_bound_since() {
        let seen = |seconds| Some(DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds));
        let lease = |nonce: &str, by: &str, before: i64, state| Lease {
            state,
            ..Lease::starting(&RunId::from_key(by), nonce.into(), seen(before), DateTime::UNIX_EPOCH)
        };
        let intent = lease("mine", "r-1", 0, LeaseState::Starting);
        for (current, is_same) in [
            (lease("mine", "r-1", 0, LeaseState::Starting), true),
            (lease("mine", "r-2", 9, LeaseState::Closing), true),
            (lease("runner's", "r-1", 0, LeaseState::Open), true),
            (lease("runner's", "r-1", 0, LeaseState::Closing), false),
            (lease("another's", "r-2", 0, LeaseState::Open), false),
            (lease("another's", "r-1", 9, LeaseState::Open), false),
            (lease("another's", "r-2", 9, LeaseState::Open), false),
        ] {
            assert_eq!(is_same_start(&current, &intent), is_same, "{current:?}");
        }
    }
}
