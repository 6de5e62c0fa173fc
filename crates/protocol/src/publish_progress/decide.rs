//! What an object says of a run's progress: pure.

use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::records::{Claim, Claimant};
use reveille_domain::{InstanceName, RunId};

/// What was written, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A run's ticket.
    Ticket(InstanceName, RunId),
    /// An attempt's claim.
    Claim(AttemptRef),
}

/// `None`: no record of this stack that tells of progress. A bucket may be shared.
#[must_use]
pub fn written(layout: &Layout, bucket: &str, key: &str) -> Option<Written> {
    if bucket != layout.bucket {
        return None;
    }
    let ticket = layout.ticket_of_key(key).map(|(instance, run)| Written::Ticket(instance, run));
    ticket.or_else(|| layout.claim_of_key(key).map(Written::Claim))
}

/// Whether a claim is a runner's: a function claims what nobody is to run any more.
#[must_use]
pub fn runs(claim: &Claim) -> bool {
    claim.by == Claimant::Runner
}
