//! **`PublishProgress`**: tell that a run waits on its instance, or that a runner has taken it. Only where the stack is asked to.
//!
//! - Takes what S3 says of an object that was created: its bucket and its key.
//! - Effect: one `Notebook Run Status Change` event with the status `QUEUED` for a ticket, or `RUNNING` for a runner's claim.
//! - Stands beside the run's protocol: no step waits for it, and whatever becomes of it, the run goes on as without it.
//! - Believes the key, and the request that `AdmitRun` recorded. A ticket and a claim only show that the run waits or runs: an instance can
//!   write claims, so a notebook can have a run of its own instance published as running, and no other.
//! - Run twice it publishes twice.

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{GetObject, PublishEvent};
use reveille_domain::records::{Claim, Progressed, Request, Ticket};
use reveille_domain::run_event::{DETAIL_TYPE, RunEvent};
use reveille_domain::{Failure, InstanceName, Record, RunId};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::stack::Stack;
use crate::store::{self, StoreError};
use decide::Written;

pub mod decide;

/// The `detail` of S3's *Object Created*, as far as it is used.
#[derive(Clone, Debug, Deserialize)]
pub struct PublishProgressInput {
    /// The bucket.
    pub bucket: CreatedIn,
    /// The object.
    pub object: Created,
}

/// The bucket of an object that was created.
#[derive(Clone, Debug, Deserialize)]
pub struct CreatedIn {
    /// Its name.
    pub name: String,
}

/// An object that was created.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    /// Its key.
    pub key: String,
}

/// What it answers; Lambda keeps it in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "decision", rename_all = "camelCase")]
pub enum PublishProgressOutput {
    /// The event was published.
    Published {
        /// Its status.
        status: Progressed,
    },
    /// There was nothing to tell: no run's record, or one that is past by now.
    NothingToTell,
}

/// Publishes the event of a ticket or a claim.
///
/// # Errors
/// A call's failure, after which Lambda calls again.
pub async fn publish_progress<P>(
    stack: &Stack,
    ports: &P,
    call: PublishProgressInput,
) -> Result<PublishProgressOutput, Failure>
where
    P: GetObject + PublishEvent,
{
    let told = match decide::written(&stack.layout, &call.bucket.name, &call.object.key) {
        Some(Written::Ticket(instance, run)) => {
            queued(stack, ports, &instance, run).await?.map(|at| (Progressed::Queued, at))
        }
        Some(Written::Claim(at)) => {
            let claim = readable::<Claim>(ports, &call.object.key).await?;
            claim.filter(decide::runs).map(|_| (Progressed::Running, at))
        }
        None => None,
    };
    let Some((progressed, at)) = told else { return Ok(PublishProgressOutput::NothingToTell) };
    let request = readable::<Request>(ports, &stack.layout.request(&at.instance, &at.run)).await?;
    // Only a run that was admitted is told of, and as what it was admitted.
    let Some(request) = request else { return Ok(PublishProgressOutput::NothingToTell) };
    let event = RunEvent::of_progress(progressed, &request, at.attempt);
    ports.publish_event(DETAIL_TYPE, &json!(event)).await?;
    Ok(PublishProgressOutput::Published { status: progressed })
}

/// The attempt that waits, if it still does. S3's events may come late, and in any order.
async fn queued(
    stack: &Stack,
    ports: &impl GetObject,
    instance: &InstanceName,
    run: RunId,
) -> Result<Option<AttemptRef>, Failure> {
    let ticket = readable::<Ticket>(ports, &stack.layout.ticket(instance, &run)).await?;
    let Some(ticket) = ticket else { return Ok(None) };
    let at = AttemptRef { instance: instance.as_str().to_owned(), run, attempt: ticket.attempt };
    let is_claimed = store::exists::<Claim>(ports, &stack.layout.claim(&at)).await?;
    Ok((!is_claimed).then_some(at))
}

/// Reads the record at a key. `None` if it is missing, unreadable, or was copied from another key.
async fn readable<T: Record>(ports: &impl GetObject, key: &str) -> Result<Option<T>, StoreError> {
    let read = store::or_evidence(store::read::<T>(ports, key).await, &mut Vec::new())?;
    Ok(read.map(|stored| stored.record))
}
