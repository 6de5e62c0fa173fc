//! Leases that a runner could not open after a run: the write does not arrive, and the lease says `busy` though nothing executes.

use std::cell::RefCell;
use std::collections::BTreeSet;

use reveille_domain::ports::{Call, CallErrorKind, PutAnswer};
use reveille_domain::records::{Lease, LeaseState};

use super::ledger::Hindrance;
use super::pass_ms;
use super::ports::{About, CLIENT_PATIENCE_MS, Ports};
use crate::fault::Fault;
use crate::lies::Lie;

/// Which they are, by instance.
#[derive(Debug, Default)]
pub(super) struct Unopened {
    /// Those whose next opening after a run does not arrive.
    armed: RefCell<BTreeSet<String>>,
    /// Those that stay busy, where a runner puts nothing right.
    left_busy: RefCell<BTreeSet<String>>,
}

impl Unopened {
    pub(super) fn arm(&self, instance: &str) {
        self.armed.borrow_mut().insert(instance.to_owned());
    }
}

impl Ports {
    /// What becomes of a write of this runner's lease, where it goes wrong.
    pub(super) async fn opening_trouble(&self, about: &About, key: &str, body: &[u8]) -> Option<Call<PutAnswer>> {
        let world = &self.world;
        let instance = &self.actor.boot.as_ref()?.instance;
        let unopened = &world.unopened;
        let stays_busy = world.lie == Some(Lie::StaysBusy);
        let is_armed = unopened.armed.borrow().contains(instance);
        if !is_armed && !stays_busy || !key.starts_with("leases/") {
            return None;
        }
        let after = serde_json::from_slice::<Lease>(body).ok()?;
        let before = world.bucket.record::<Lease>(key)?;
        if before.state != LeaseState::Busy || after.state != LeaseState::Open {
            if after.state == LeaseState::Busy && after.busy != before.busy {
                unopened.left_busy.borrow_mut().remove(instance);
            }
            return None;
        }
        if is_armed {
            unopened.armed.borrow_mut().remove(instance);
            if stays_busy {
                unopened.left_busy.borrow_mut().insert(instance.clone());
            }
            world.ledger.hindered(world.now_ms(), Hindrance::Runner);
            world.fired(Fault::LeaseStaysBusy, instance);
            pass_ms(CLIENT_PATIENCE_MS).await;
            return Some(Err(about.error(CallErrorKind::NoAnswer, "no answer in time")));
        }
        let is_left = unopened.left_busy.borrow().contains(instance);
        is_left.then(|| Ok(PutAnswer::Written("swallowed".into())))
    }
}
