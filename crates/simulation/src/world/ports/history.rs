//! What functions do last: they enter runs into the history, and the sweeper looks for those that are not in it.
//!
//! Nothing else depends on it. So these calls take no time, are not counted, and their troubles are drawn from a source of their own:
//! whatever else is drawn for a seed stays what it was. Where everything is chosen, they are no choice. A sweep may end here, or a
//! call of its may never be answered: then it gives up what it does for the history.

use std::rc::Rc;

use reveille_domain::ports::{Call, CallErrorKind};

use super::Ports;
use super::call::About;
use crate::fault::Fault;
use crate::schedule::{Action, Caller, Step};
use crate::world::World;

/// One write of an entry in so many goes wrong while a run is under way, and half of them only say so.
const TROUBLE: u64 = 6;
/// One call of a sweep in so many is its last, and another is never answered.
const END: u64 = 60;

impl Ports {
    /// Whether this call, and all that its caller does from now on, is about the history.
    pub(super) fn is_at_history(&self, about: &About) -> bool {
        // A runner is never: and it calls most of all.
        if self.actor.boot.is_some() {
            return false;
        }
        let calls = &self.actor.history_calls;
        let begins = || about.resource.contains("history/") || about.resource.ends_with("history.json");
        let is_there = calls.get() > 0 || begins();
        calls.set(calls.get() + u64::from(is_there));
        is_there
    }

    /// Such a call.
    pub(super) async fn call_of_history<T>(&self, about: &About, effect: impl Fn(&Rc<World>) -> Call<T>) -> Call<T> {
        let world = &self.world;
        // Not in a world that has no troubles at all, as the long queue: what it is to show is something else.
        let is_quiet = world.choices.is_some() || world.schedule.troubles.is_empty() || world.ledger.all_ended();
        if !is_quiet && self.actor.caller == Caller::Function(Step::Sweep) {
            // Many calls are of one moment.
            match world.of_this_moment(6 ^ self.actor.history_calls.get().rotate_left(40)).u64(0..END) {
                0 => {
                    world.fired(Fault::HistoryCutOff, &about.resource);
                    self.actor.died.notify_one();
                    return std::future::pending().await;
                }
                1 => {
                    world.fired(Fault::HistoryUnanswered, &about.resource);
                    return std::future::pending().await;
                }
                _ => {}
            }
        }
        let may_fail = about.action == Action::Put && !is_quiet;
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
