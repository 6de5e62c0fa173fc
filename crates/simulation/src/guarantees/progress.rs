//! G4 of events that tell of a run before its end: each QUEUED and RUNNING is true, and each run that began has its RUNNING, unless its
//! delivery failed. (A run that was claimed at once is never QUEUED.)

use reveille_domain::RunId;
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::{Claim, Claimant};
use serde_json::Value;

use crate::fault::Fault;
use crate::world::World;

/// Checks the events with the statuses `QUEUED` and `RUNNING`.
pub(super) fn check(world: &World) {
    let broken = |what: String| world.ledger.violation("G4", world.now_ms(), what);
    let events = world.ledger.events();
    let told = |status: &'static str| events.iter().filter(move |event| event["status"] == *status);
    if !world.schedule.publishes_progress {
        for event in told("QUEUED").chain(told("RUNNING")) {
            broken(format!("nobody asked to be told of progress: {event}"));
        }
        return;
    }
    for at in told("RUNNING").filter_map(attempt) {
        // A notebook can write a claim of a run of its own instance, and write over it.
        if !was_claimed(world, &at) && world.ledger.struck_at(&at.instance).is_none() {
            broken(format!("{} attempt {} is said to run, and no runner claimed it", at.run, at.attempt));
        }
    }
    for at in told("QUEUED").filter_map(attempt).filter(|at| !world.was_queued(at)) {
        broken(format!("{} attempt {} is said to wait, and had no ticket", at.run, at.attempt));
    }
    if world.counters.counts().contains_key(&Fault::RecordNotTold) {
        return;
    }
    for begun in world.ledger.notebooks() {
        let is_told = || told("RUNNING").filter_map(attempt).any(|at| at == begun.at);
        let is_ours = world.bucket.has(&world.stack.layout.request(&begun.at.instance, &begun.at.run));
        if is_ours && world.ledger.struck_at(&begun.at.instance).is_none() && !is_told() {
            broken(format!("{} attempt {} ran, and nobody was told", begun.at.run, begun.at.attempt));
        }
    }
}

fn was_claimed(world: &World, at: &AttemptRef) -> bool {
    let claim = world.bucket.record::<Claim>(&world.stack.layout.claim(at));
    claim.is_some_and(|claim| claim.by == Claimant::Runner)
}

fn attempt(event: &Value) -> Option<AttemptRef> {
    let named = |field: &str| Some(event[field].as_str()?.to_owned());
    let attempt = u32::try_from(event["attempt"].as_u64()?).ok()?;
    Some(AttemptRef { instance: named("instance")?, run: RunId::from_key(&named("run")?), attempt })
}
