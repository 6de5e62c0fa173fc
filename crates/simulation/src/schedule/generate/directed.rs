//! Two worlds that chance hardly ever makes, though each once hid a fault: a lease that cannot be opened after a run, and a
//! start that fails sooner than what was sent for it is over, with a person who starts the instance right then. From a source
//! of its own: what else is drawn for a seed stays what it was.

use std::time::Duration;

use fastrand::Rng;

use super::{at_first, ms, percent, seconds, work};
use crate::schedule::{Deed, Hand, InstanceTrouble, Schedule};

/// Of each hundred schedules so many have a lease that cannot be opened after a run.
const UNOPENED: u8 = 3;
/// So many have a start that fails at once, and a person who comes then.
const FAILED_AT_ONCE: u8 = 3;

/// Adds what is directed.
pub(super) fn add(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0064_6972_6563);
    let rng = &mut rng;
    if percent(rng, UNOPENED) {
        let index = rng.usize(0..schedule.instances.len());
        schedule.troubles.push(at_first(index, InstanceTrouble::LeaseStaysBusy, Duration::ZERO));
    }
    if percent(rng, FAILED_AT_ONCE) {
        let index = rng.usize(0..schedule.instances.len());
        // All of it within the minute in which a request may still be under way.
        let instance = &mut schedule.instances[index];
        (instance.pending, instance.script) = (ms(rng, 5_000, 20_000), ms(rng, 500, 5_000));
        schedule.troubles.push(at_first(index, InstanceTrouble::LifecycleScriptFails, seconds(rng, 600, 4_000)));
        schedule.hands.push(Hand { at: Duration::ZERO, deed: Deed::StartFailed { index, work: work(rng) } });
    }
    schedule
}
