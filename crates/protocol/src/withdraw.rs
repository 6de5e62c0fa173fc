//! Withdrawing an attempt from the queue, by whoever gives it up: fenced first, so that no runner executes it
//! afterwards; then its ticket is removed, so that nobody counts on it.

use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::{Clock, DeleteObject, GetObject, Nonces, PutObject};
use reveille_domain::records::{Claim, Claimant, Report, Ticket};
use reveille_domain::{Failure, InstanceName};

use crate::stack::Stack;
use crate::store::{self, StoreError};
use crate::verdict;

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
) -> Result<(), Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    // Also where it never was in the queue: the fence tells the runner of a boot that this run started that nobody comes.
    if fence(stack, ports, at).await? {
        // Its ticket is the runner's to answer.
        let Some(failure) = given_up else { return Ok(()) };
        verdict::give(&stack.layout, ports, at, failure, None).await?;
    }
    take_out(stack, ports, at, instance).await
}

/// Takes the attempt's ticket out of the queue. Another ticket in its place is a redrive's, which is submitted anew.
///
/// # Errors
/// The first call's failure.
pub async fn take_out<P>(stack: &Stack, ports: &P, at: &AttemptRef, instance: &InstanceName) -> Result<(), Failure>
where
    P: GetObject + DeleteObject,
{
    let key = stack.layout.ticket(instance, &at.run);
    if let Some(etag) = ticket_of(ports, &key, at).await? {
        store::remove(ports, &key, &etag).await?;
    }
    Ok(())
}

/// The entity tag of the attempt's ticket. One that cannot be read is nobody's: no runner serves it, so it goes too.
///
/// # Errors
/// The call's failure.
async fn ticket_of<P: GetObject>(ports: &P, key: &str, at: &AttemptRef) -> Result<Option<String>, StoreError> {
    match store::read::<Ticket>(ports, key).await {
        Ok(ticket) => Ok(ticket.filter(|ticket| ticket.record.attempt == at.attempt).map(|ticket| ticket.etag)),
        Err(StoreError::Unreadable(unreadable)) => Ok(Some(unreadable.etag)),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Claims the attempt for nobody, unless it is claimed or reported. Answers whether a runner owns it, without a report so far: it
/// executes, or died.
///
/// # Errors
/// The first call's failure.
pub async fn fence<P>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<bool, Failure>
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
        return Ok(false);
    }
    let claim = Claim::of(at, Claimant::Release, ports.nonce(), ports.now());
    if store::put_once(ports, &stack.layout.claim(at), &claim).await? {
        return Ok(false);
    }
    Ok(is_claimed(stack, ports, at).await?)
}

/// Whether a runner owns the attempt, or may: nobody begins to execute one whose claim cannot be read, but a runner may have begun
/// before something was written over it.
pub(crate) async fn is_claimed<P: GetObject>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<bool, StoreError> {
    match store::read::<Claim>(ports, &stack.layout.claim(at)).await {
        Ok(claim) => Ok(claim.is_some_and(|claim| claim.record.by == Claimant::Runner)),
        Err(StoreError::Unreadable(_)) => Ok(true),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}

/// Whether the attempt was given up. Whoever gives one up fences it before anything else, and may then wait for the boot to end that
/// the attempt started; its outcome comes after that.
pub(crate) async fn is_given_up<P: GetObject>(layout: &Layout, ports: &P, at: &AttemptRef) -> Result<bool, StoreError> {
    match store::read::<Claim>(ports, &layout.claim(at)).await {
        Ok(claim) => Ok(claim.is_some_and(|claim| claim.record.by == Claimant::Release)),
        // A notebook wrote it, on an earlier boot or on this one: it tells nothing.
        Err(StoreError::Unreadable(_)) => Ok(false),
        Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => Err(error),
    }
}
