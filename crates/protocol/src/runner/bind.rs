//! Whose boot this is: compare-and-swap of the boot id into the lease.

use reveille_domain::age::age;
use reveille_domain::layout::Layout;
use reveille_domain::limits::IN_FLIGHT;
use reveille_domain::records::{Closer, Lease, LeaseState};

use super::decide::{self, Bind};
use super::{Identity, RunnerPorts};
use crate::store::StoreError;
use crate::{store, swap_lease};

/// Answers the lease of the boot, if it is ours.
///
/// # Errors
/// A call's failure.
pub(super) async fn bind<P: RunnerPorts>(
    layout: &Layout,
    ports: &P,
    me: &Identity,
) -> Result<Option<Lease>, StoreError> {
    let nonce = ports.nonce();
    let decide = |lease: Option<&Lease>| decide::bind(lease, &me.boot_id, nonce.clone(), ports.now());
    let existing = swap_lease::update(layout, ports, &me.instance, |lease| match decide(lease) {
        Bind::Ours(bound) => Some(bound),
        Bind::Again | Bind::Persons { .. } => None,
    })
    .await?;
    let Some(existing) = existing else { return Ok(None) };
    match decide(Some(&existing.record)) {
        // Bound just now, or by an earlier process of this boot, whose claim, if it left one, is met in the inbox.
        Bind::Again => {
            reopen(layout, ports, me).await?;
            Ok(Some(existing.record))
        }
        Bind::Persons { remove_lease: true } => {
            store::remove(ports, &layout.lease(&me.instance), &existing.etag).await?;
            Ok(None)
        }
        Bind::Persons { remove_lease: false } => Ok(None),
        // The lease changed between the write and this look, which only another start can do: look again.
        Bind::Ours(_) => Err(StoreError::Contended { key: layout.lease(&me.instance), tries: 1 }),
    }
}

/// Puts a bound lease back to `open`, whatever an earlier process of this boot was about to do.
///
/// # Errors
/// A call's failure.
pub(super) async fn reopen<P: RunnerPorts>(layout: &Layout, ports: &P, me: &Identity) -> Result<(), StoreError> {
    let nonce = ports.nonce();
    // A function's stop may still come, for as long as a function lives.
    let is_over = |lease: &Lease| lease.closer != Some(Closer::Function) || age(lease.at, ports.now()) >= IN_FLIGHT;
    swap_lease::update(layout, ports, &me.instance, |lease| {
        let lease = lease.filter(|lease| lease.boot_id.as_deref() == Some(&me.boot_id) && is_over(lease))?;
        (lease.state != LeaseState::Open).then(|| Lease {
            state: LeaseState::Open,
            busy: None,
            closer: None,
            nonce: nonce.clone(),
            at: ports.now(),
            ..lease.clone()
        })
    })
    .await
    .map(|_| ())
}
