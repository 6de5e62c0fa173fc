//! Lies of ports, for the tests of the simulation itself: each takes one lock out of the protocol, without a switch in
//! the code that is deployed.

use std::rc::Rc;

use reveille_domain::ports::{Object, PutCondition};
use serde_json::{Value, json};

use crate::schedule::Caller;
use crate::world::Actor;

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Every claim is granted, whoever holds it: there is no fence.
    NoFence,
    /// Every trigger is granted, whoever holds it: duplicates are not recognised.
    NoDedupe,
    /// A lease is overwritten, whatever stands there: there is no compare-and-swap.
    NoCompareAndSwap,
    /// A runner takes every lease for one of its own boot, and a function sees a lease of ours where none stands: there
    /// is no ownership of boots.
    NoOwnership,
    /// Reports are overwritten: the later verdict wins.
    NoVerdict,
    /// The runner never sees a person's activity.
    NobodyWorks,
}

impl Lie {
    /// What a write is turned into.
    #[must_use]
    pub fn about_put(self, key: &str, condition: PutCondition) -> PutCondition {
        let overwritten = match self {
            Self::NoFence => key.ends_with("/claim.json"),
            Self::NoDedupe => key.starts_with("triggers/"),
            Self::NoCompareAndSwap => key.starts_with("leases/"),
            Self::NoVerdict => key.ends_with("/report.json"),
            Self::NoOwnership | Self::NobodyWorks => false,
        };
        if overwritten { PutCondition::Always } else { condition }
    }

    /// What a read is turned into.
    #[must_use]
    pub fn about_get(self, actor: &Rc<Actor>, key: &str, stands: Option<Object>) -> Option<Object> {
        if self != Self::NoOwnership || !key.starts_with("leases/") {
            return stands;
        }
        let object = stands?;
        let (Caller::Runner, Some(boot)) = (actor.caller, &actor.boot) else { return Some(object) };
        let Ok(mut lease) = serde_json::from_slice::<Value>(&object.body) else { return Some(object) };
        lease["bootId"] = json!(boot.id);
        Some(Object { body: lease.to_string().into_bytes(), ..object })
    }
}
