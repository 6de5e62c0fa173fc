//! The state of a world, as a number.

use std::hash::{DefaultHasher, Hash};

use reveille_domain::records::Lease;

use super::World;
use super::bucket::decides;
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

/// Adds the situation: the same, but for when it is, what anybody was told, and how often a loop went round. Minutes in which a
/// runner looks for a person every ten seconds are one situation.
pub(super) fn situation(world: &World, hasher: &mut DefaultHasher) {
    let now_ms = world.now_ms();
    let leases = world.stack.layout.leases();
    for key in world.bucket.list("", None, usize::MAX).into_iter().filter(|key| decides(key)) {
        key.hash(hasher);
        if key.starts_with(&leases)
            && let Some(lease) = world.bucket.record::<Lease>(&key)
        {
            shown(&(lease.state, lease.closer, &lease.busy, &lease.boot_id), hasher);
            (lease.certain, lease.seen_up, lease.unresolved, lease.ended, lease.cannot_stop_itself).hash(hasher);
            lease.person_at.is_some().hash(hasher);
        }
    }
    for plan in &world.schedule.instances {
        shown(&world.status(&plan.name), hasher);
    }
    for known in world.ledger.executions() {
        (&*known.arn, known.ended_ms.is_some(), known.redrives).hash(hasher);
        let last =
            world.service().execution(&known.arn).and_then(|known| known.trace().last().map(ToString::to_string));
        last.hash(hasher);
    }
    for boot in world.boots.borrow().values() {
        (boot.is_up(), boot.bound.get(), boot.runner_is_well(now_ms), boot.executing().is_some()).hash(hasher);
        let works = boot.sessions.borrow().iter().any(|(from, until)| (*from..=*until).contains(&now_ms));
        (works, boot.sessions.borrow().len()).hash(hasher);
    }
    (world.ledger.notebooks().len(), world.ledger.events().len()).hash(hasher);
}
