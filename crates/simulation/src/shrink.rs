//! The shortest schedule that still breaks the same guarantee in the same way: what is not needed is left out, what is
//! needed is made plain.

use std::time::Duration;

use reveille_asl::interpreter::MissedHeartbeat;

use crate::schedule::{Deed, Instance, Notebooks, Parameters, Schedule, Trouble};
use crate::world::ledger::Violation;

mod shorter;

use shorter::shorter;

/// Schedules that are played at most: seconds.
const PLAYS: u32 = 1_500;

/// A schedule made short.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The schedule.
    pub schedule: Schedule,
    /// What it breaks.
    pub broken: Violation,
    /// How many were played for it.
    pub plays: u32,
}

/// Shortens a schedule that breaks a guarantee; `None`: it breaks none. `first`: what breaks first when it is played.
pub fn shrink(schedule: Schedule, first: impl Fn(&Schedule) -> Option<Violation>) -> Option<Shrunk> {
    let broken = first(&schedule)?;
    let mut shrunk = Shrunk { schedule, broken, plays: 1 };
    loop {
        let before = shrunk.schedule.clone();
        for number in 0.. {
            if shrunk.plays >= PLAYS {
                return Some(shrunk);
            }
            // The list is of the schedule as it stands: what was left out makes it shorter.
            let Some(candidate) = shorter(&shrunk.schedule, number) else { break };
            if candidate == shrunk.schedule {
                continue;
            }
            shrunk.plays += 1;
            if let Some(broken) = first(&candidate).filter(|broken| is_same(broken, &shrunk.broken)) {
                (shrunk.schedule, shrunk.broken) = (candidate, broken);
            }
        }
        if shrunk.schedule == before {
            return Some(shrunk);
        }
    }
}

/// Whether two guarantees are broken in the same way: in the same words, but for what holds a digit (names, times).
fn is_same(a: &Violation, b: &Violation) -> bool {
    a.guarantee == b.guarantee && words(&a.what).eq(words(&b.what))
}

fn words(what: &str) -> impl Iterator<Item = &str> {
    what.split_whitespace().filter(|word| !word.contains(|letter: char| letter.is_ascii_digit()))
}

/// Plain values, as directed tests have them.
fn plain(instance: &Instance) -> Instance {
    Instance {
        name: instance.name.clone(),
        pending: Duration::from_mins(1),
        stopping: Duration::from_secs(30),
        script: Duration::from_secs(5),
        skew_ms: 0,
    }
}

const PLAIN_PARAMETERS: Parameters = Parameters { start_poll: 10, stop_poll: 10, heartbeat: 60 };
const PLAIN_NOTEBOOKS: Notebooks = Notebooks { fails: 0, dies: 0, endless: 0, least: 20, most: 20 };

/// Leaves a trigger out, with what people do about it.
fn without_trigger(schedule: &mut Schedule, number: usize) {
    schedule.triggers.remove(number);
    schedule.hands.retain_mut(|hand| {
        let (Deed::Repeat { trigger } | Deed::Rerun { trigger } | Deed::Redrive { trigger } | Deed::Abort { trigger }) =
            &mut hand.deed
        else {
            return true;
        };
        if *trigger > number {
            *trigger -= 1;
            return true;
        }
        *trigger != number
    });
}

/// Leaves an instance out, with all that happens on it.
fn without_instance(schedule: &mut Schedule, number: usize) {
    let name = schedule.instances.remove(number).name;
    while let Some(trigger) = schedule.triggers.iter().position(|trigger| trigger.input["instance"] == *name) {
        without_trigger(schedule, trigger);
    }
    let kept = |index: &mut usize| {
        let kept = *index != number;
        *index -= usize::from(*index > number);
        kept
    };
    schedule.troubles.retain_mut(|planned| match &mut planned.trouble {
        Trouble::Instance { index, .. } => kept(index),
        Trouble::Call { .. } | Trouble::Invocation { .. } => true,
    });
    schedule.hands.retain_mut(|hand| match &mut hand.deed {
        Deed::Start { index, .. }
        | Deed::StartFailed { index, .. }
        | Deed::Stop { index }
        | Deed::Restart { index }
        | Deed::Work { index, .. }
        | Deed::Delete { index } => kept(index),
        Deed::Repeat { .. } | Deed::Rerun { .. } | Deed::Redrive { .. } | Deed::Abort { .. } => true,
    });
    schedule.hostile.retain_mut(|hostile| kept(&mut hostile.index));
}

/// Everything that a schedule of its own seed only has by chance, made plain.
fn plainest(schedule: &mut Schedule) {
    schedule.instances = schedule.instances.iter().map(plain).collect();
    schedule.notebooks = PLAIN_NOTEBOOKS;
    schedule.parameters = PLAIN_PARAMETERS;
    schedule.missed_heartbeat = MissedHeartbeat::default();
    schedule.function_skew_ms = 0;
}
