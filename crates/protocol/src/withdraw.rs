//! Withdrawing an attempt from the queue, by whoever gives it up: fenced first, so that no runner executes it
//! afterwards; then its ticket is removed, so that nobody counts on it.

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Clock, DeleteObject, GetObject, Nonces, PutObject};
use reveille_domain::records::{Claim, Claimant, Report, Ticket};
use reveille_domain::{Failure, InstanceName};

use crate::stack::Stack;
use crate::store::{self, StoreError};
use crate::verdict;

/// Whose the attempt is after it was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Nobody will execute it; its ticket, if there was one, is gone.
    Fenced,
    /// It has its report; its ticket, if there was one, is gone.
    Reported,
    /// A runner claimed it and has not reported: it executes, or died. Its ticket is the runner's to answer.
    Claimed,
}

/// Withdraws an attempt. `given_up`: why its execution ends without a verdict. Then an attempt that a runner claimed has that for
/// its verdict, and its notebook is ended.
///
/// # Errors
/// The first call's failure.
pub async fn withdraw<P>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    instance: &InstanceName,
    given_up: Option<Failure>,
) -> Result<Withdrawn, Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    // Also where it never was in the queue: the fence tells the runner of a boot that this run started that nobody comes.
    let mut whose = fence(stack, ports, at).await?;
    if whose == Withdrawn::Claimed {
        let Some(failure) = given_up else { return Ok(whose) };
        verdict::give(&stack.layout, ports, at, failure).await?;
        whose = Withdrawn::Reported;
    }
    let key = stack.layout.ticket(instance, &at.run);
    // Another ticket in its place is a redrive's, which is submitted anew.
    if let Some(etag) = ticket_of(ports, &key, at).await? {
        store::remove(ports, &key, &etag).await?;
    }
    Ok(whose)
}

/// The entity tag of the attempt's ticket. One that cannot be read is nobody's: no runner serves it, so it goes too.
///
/// # Errors
/// The call's failure.
pub async fn ticket_of<P: GetObject>(ports: &P, key: &str, at: &AttemptRef) -> Result<Option<String>, StoreError> {
    match store::read::<Ticket>(ports, key).await {
        Ok(ticket) => Ok(ticket.filter(|ticket| ticket.record.attempt == at.attempt).map(|ticket| ticket.etag)),
        Err(StoreError::Unreadable(unreadable)) => Ok(Some(unreadable.etag)),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Claims the attempt for nobody, unless it is claimed or reported.
///
/// # Errors
/// The first call's failure.
pub async fn fence<P>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<Withdrawn, Failure>
where
    P: Clock + Nonces + GetObject + PutObject,
{
    let report = store::read::<Report>(ports, &stack.layout.report(at)).await;
    let reported = match report {
        Ok(report) => report.is_some(),
        // It says nothing of the notebook. The claim is put all the same, so that nobody begins to execute the attempt.
        Err(StoreError::Unreadable(_)) => false,
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error.into()),
    };
    if reported {
        return Ok(Withdrawn::Reported);
    }
    let claim = Claim {
        by: Claimant::Release,
        nonce: ports.nonce(),
        boot_id: None,
        at: ports.now(),
        attempt: Some(at.clone()),
        runner_version: None,
    };
    let key = stack.layout.claim(at);
    if store::put_once(ports, &key, &claim).await? {
        return Ok(Withdrawn::Fenced);
    }
    match store::read::<Claim>(ports, &key).await {
        Ok(Some(claim)) if claim.record.by == Claimant::Runner => Ok(Withdrawn::Claimed),
        Ok(_) => Ok(Withdrawn::Fenced),
        // Nobody begins to execute the attempt any more, but a runner may have begun before this was written.
        Err(StoreError::Unreadable(_)) => Ok(Withdrawn::Claimed),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error.into()),
    }
}
