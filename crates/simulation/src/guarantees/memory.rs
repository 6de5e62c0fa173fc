//! G3: an execution remembers which boot it started, whatever becomes of the lease.

use reveille_domain::records::Rest;

use super::newest_outcome;
use crate::hostility::Hostility;
use crate::world::ledger::Started;
use crate::world::{Boot, By, Origin, World};

/// What is on this long after its run ended, the run left on.
const LEFT_ON_MS: i64 = 900_000;

/// A run that started a boot, and after which that boot stayed on because its lease was lost, does not say that it left it to
/// somebody: it failed to confirm the stop.
pub(super) fn check(world: &World) {
    // What else goes wrong may leave it uncertain whose boot it is, and then it is left to its runner.
    if !world.schedule.troubles.is_empty() {
        return;
    }
    for boot in world.boots.borrow().values().filter(|boot| only_its_lease_was_lost(world, boot)) {
        let Some(run) = only_run(world, boot) else { continue };
        let Some((ended_ms, (at, outcome))) = run.ended_ms.zip(newest_outcome(world, &run)) else { continue };
        let off_ms = boot.stopping_ms.get().or(boot.ended_ms.get()).unwrap_or(world.now_ms());
        if at.attempt == 1 && off_ms - ended_ms > LEFT_ON_MS && outcome.instance_after == Rest::LeftRunning {
            let what = format!("{}: started boot {}, and says that it left it to others", run.run, boot.number);
            world.ledger.violation("G3", world.now_ms(), what);
        }
    }
}

/// A boot of ours that is nobody else's: no person, and no notebook that says so of one or of a runner.
fn only_its_lease_was_lost(world: &World, boot: &Boot) -> bool {
    let struck = |kinds: fn(Hostility) -> bool| world.ledger.was_struck_by(&boot.instance, kinds);
    boot.started_by == By::Us
        && boot.origin == Origin::Known
        && boot.sessions.borrow().is_empty()
        && struck(Hostility::destroys_the_lease)
        && !struck(Hostility::rewrites_the_lease)
}

/// The run of the one execution that was at work while a boot was up, where nobody aborted or redrove it.
fn only_run(world: &World, boot: &Boot) -> Option<Started> {
    let executions = world.ledger.executions();
    let end = boot.ended_ms.get().unwrap_or(i64::MAX);
    let began = |known: &Started| world.service().execution(&known.arn).map(|known| known.describe().start_ms);
    let mut during = executions.into_iter().filter(|known| {
        known.instance == boot.instance
            && known.ended_ms.is_none_or(|ended| ended >= boot.since_ms)
            && began(known).is_some_and(|began| began <= end)
    });
    let only = during.next().filter(|_| during.next().is_none())?;
    (only.redrives == 0 && began(&only)? <= boot.since_ms).then_some(only)
}
