//! Withdrawing an attempt from the queue, by whoever gives it up: fenced first, so that no runner executes it
//! afterwards; then its ticket is removed, so that nobody counts on it.

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Clock, DeleteObject, GetObject, Nonces, PutObject};
use reveille_domain::records::{Claim, Claimant, Report, Ticket};
use reveille_domain::{Failure, InstanceName};

use crate::stack::Stack;
use crate::store;

/// Whose the attempt is after it was withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Withdrawn {
    /// Nobody will execute it; its ticket, if there was one, is gone.
    Fenced,
    /// Its report stands; its ticket, if there was one, is gone.
    Reported,
    /// A runner claimed it and has not reported: it executes, or died. Its ticket is the runner's to answer.
    Claimed,
}

/// Withdraws an attempt.
///
/// # Errors
/// The first call's failure.
pub async fn withdraw<P>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    instance: &InstanceName,
) -> Result<Withdrawn, Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    // Also where it never stood in the queue: the fence tells the runner of a boot that this run started that nobody comes.
    let whose = fence(stack, ports, at).await?;
    if whose == Withdrawn::Claimed {
        return Ok(whose);
    }
    let key = stack.layout.ticket(instance, &at.run);
    // Another ticket in its place is a redrive's, which is submitted anew.
    if let Some(ticket) = store::read::<Ticket>(ports, &key).await?
        && ticket.record.attempt == at.attempt
    {
        store::remove(ports, &key, &ticket.etag).await?;
    }
    Ok(whose)
}

/// Claims the attempt for nobody, unless it is claimed or reported.
///
/// # Errors
/// The first call's failure.
pub async fn fence<P>(stack: &Stack, ports: &P, at: &AttemptRef) -> Result<Withdrawn, Failure>
where
    P: Clock + Nonces + GetObject + PutObject,
{
    if store::read::<Report>(ports, &stack.layout.report(at)).await?.is_some() {
        return Ok(Withdrawn::Reported);
    }
    let claim = Claim { by: Claimant::Release, nonce: ports.nonce(), boot_id: None, at: ports.now() };
    let key = stack.layout.claim(at);
    if store::put_once(ports, &key, &claim).await? {
        return Ok(Withdrawn::Fenced);
    }
    let by = store::read::<Claim>(ports, &key).await?.map(|stored| stored.record.by);
    Ok(if by == Some(Claimant::Runner) { Withdrawn::Claimed } else { Withdrawn::Fenced })
}
