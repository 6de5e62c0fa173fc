//! Holding the boot for an attempt: the lease says `busy` while it is claimed.

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Clock, Log, Nonces};
use reveille_domain::records::{Lease, LeaseState};

use super::{Runner, RunnerPorts, bind};
use crate::store::StoreError;
use crate::swap_lease;

impl<P: RunnerPorts> Runner<'_, P> {
    /// Marks the lease busy with the attempt. `false`: the boot is being closed, so nothing may be claimed.
    pub(super) async fn hold_lease(&self, at: &AttemptRef) -> Result<bool, StoreError> {
        if !self.ours.get() {
            return Ok(true);
        }
        let nonce = self.ports.nonce();
        let existing = swap_lease::update(self.layout, &self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| self.is_mine(lease))?;
            matches!(lease.state, LeaseState::Open | LeaseState::Busy).then(|| Lease {
                state: LeaseState::Busy,
                busy: Some(at.clone()),
                ended: false,
                nonce: nonce.clone(),
                at: self.ports.now(),
                ..lease.clone()
            })
        })
        .await;
        let existing = match existing {
            Ok(existing) => existing,
            // It is no lease of this boot, and no fault of the run.
            Err(StoreError::Unreadable(unreadable)) => {
                self.ports.log(&unreadable.to_string());
                None
            }
            Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
        };
        match existing {
            Some(existing) if self.is_mine(&existing.record) && existing.record.state == LeaseState::Closing => {
                // A function's stop that did not happen is over after a while.
                bind::reopen(self.layout, &self.ports, self.me).await?;
                Ok(false)
            }
            Some(existing) if self.is_mine(&existing.record) => Ok(existing.record.state == LeaseState::Busy),
            // Removed, or another boot's: this boot is no longer known to be ours, so it is never stopped by us.
            Some(_) | None => {
                self.ours.set(false);
                self.ports.log("the lease of this boot is gone: from now on the boot is treated as a person's");
                Ok(true)
            }
        }
    }

    /// Whether the lease is of this very boot.
    pub(super) fn is_mine(&self, lease: &Lease) -> bool {
        lease.boot_id.as_deref() == Some(&self.me.boot_id)
    }

    /// Says that nothing is claimed any more. If that fails, the lease is put right when the boot is idle or the next run is
    /// claimed; the run's answer does not wait for it.
    pub(super) async fn release_lease(&self) {
        if self.ours.get()
            && let Err(error) = bind::reopen(self.layout, &self.ports, self.me).await
        {
            self.ports.log(&format!("the lease could not be opened after a run: {error}"));
        }
    }
}
