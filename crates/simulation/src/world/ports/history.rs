//! What functions do last: they enter runs into the history, and the sweeper looks for those that are not in it.
//!
//! Nothing else depends on it. So these calls take no time, are not counted, and their troubles are drawn from a source of their own:
//! whatever else is drawn for a seed stays what it was. Where everything is chosen, they are no choice.

use std::rc::Rc;

use reveille_domain::ports::{Call, CallErrorKind};

use super::Ports;
use super::call::About;
use crate::fault::Fault;
use crate::schedule::Action;
use crate::world::World;

/// One write of an entry in so many goes wrong while a run is under way, and half of them only say so.
const TROUBLE: u64 = 6;

impl Ports {
    /// Whether this call, and all that its caller does from now on, is about the history.
    pub(super) fn is_at_history(&self, about: &About) -> bool {
        let begins = about.resource.contains("history/") || about.resource.ends_with("history.json");
        if begins && self.actor.boot.is_none() {
            self.actor.at_history.set(true);
        }
        self.actor.at_history.get()
    }

    /// Such a call.
    pub(super) fn call_of_history<T>(&self, about: &About, effect: impl Fn(&Rc<World>) -> Call<T>) -> Call<T> {
        let world = &self.world;
        // Not in a world that has no troubles at all, as the long queue: what it is to show is something else.
        let is_quiet = world.choices.is_some() || world.schedule.troubles.is_empty();
        let may_fail = about.action == Action::Put && !is_quiet && !world.ledger.all_ended();
        match may_fail.then(|| world.of_this_moment(5).u64(0..2 * TROUBLE)) {
            Some(0) => {
                world.fired(Fault::HistoryNotWritten, &about.resource);
                Err(about.error(CallErrorKind::NoAnswer, "no answer in time"))
            }
            Some(1) => {
                world.fired(Fault::HistoryAnswerLost, &about.resource);
                drop(effect(world));
                Err(about.error(CallErrorKind::NoAnswer, "no answer in time"))
            }
            _ => effect(world),
        }
    }
}
