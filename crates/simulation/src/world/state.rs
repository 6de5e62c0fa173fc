//! The state of a world, as a number.

use std::hash::{DefaultHasher, Hash};

use super::World;
use super::told::shown;

/// Adds the clock, the records, the instance, the executions, the boots and what has happened. What an actor knows is not here:
/// it follows from what it was told.
pub(super) fn of(world: &World, hasher: &mut DefaultHasher) {
    world.now_ms().hash(hasher);
    world.bucket.tell(hasher);
    let account = world.account.borrow();
    for plan in &world.schedule.instances {
        shown(&account.snapshot(&plan.name), hasher);
    }
    account.next_due().hash(hasher);
    drop(account);
    let service = world.service();
    for known in world.ledger.executions() {
        (&*known.arn, known.ended_ms, known.redrives).hash(hasher);
        if let Some(execution) = service.execution(&known.arn) {
            (execution.history_len(), execution.trace().last().map(ToString::to_string)).hash(hasher);
        }
    }
    for boot in world.boots.borrow().values() {
        boot.tell(hasher);
    }
    world.ledger.violations().len().hash(hasher);
    (world.ledger.notebooks().len(), world.ledger.events().len(), world.open.get()).hash(hasher);
}
