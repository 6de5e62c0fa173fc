//! The shorter schedules of one, by number: the largest steps first.

use std::time::Duration;

use serde_json::Value;

use super::{PLAIN_NOTEBOOKS, PLAIN_PARAMETERS, plain, plainest, without_instance, without_trigger};
use crate::schedule::{Deed, Schedule, Trouble};

/// Times are made whole by these, the coarsest first.
const STEPS: [u64; 3] = [600, 60, 1];
/// Fields of an input that it can do without.
const FIELDS: [&str; 5] = ["limits", "whenBusy", "onRunnerLost", "parameters", "rerun"];

/// Something that makes a schedule shorter, at one of several places.
type Step = fn(&mut Schedule, usize);

/// The nth shorter schedule; `None`: there are no more. It may be the same.
pub(super) fn shorter(schedule: &Schedule, number: usize) -> Option<Schedule> {
    let strikes = schedule.hostile.iter().map(|hostile| hostile.strikes.len()).sum();
    let (triggers, hands, troubles) = (schedule.triggers.len(), schedule.hands.len(), schedule.troubles.len());
    let steps: [(usize, Step); 14] = [
        (1, |it, _| plainest(it)),
        (schedule.instances.len(), without_one_of_several),
        (triggers, without_trigger),
        (schedule.hostile.len(), |it, at| drop(it.hostile.remove(at))),
        (hands, |it, at| {
            it.hands.remove(at);
        }),
        (troubles, |it, at| {
            it.troubles.remove(at);
        }),
        (strikes, without_strike),
        (triggers * FIELDS.len(), without_field),
        (triggers, |it, at| it.triggers[at].deliveries = vec![Duration::from_millis(100)]),
        (triggers * (STEPS.len() + 1), simpler_trigger),
        (hands * (STEPS.len() + 1), simpler_hand),
        (troubles * (STEPS.len() + 2), simpler_trouble),
        (schedule.instances.len(), |it, at| it.instances[at] = plain(&it.instances[at])),
        (10, plainer),
    ];
    let mut left = number;
    for (count, step) in steps {
        if left < count {
            let mut changed = schedule.clone();
            step(&mut changed, left);
            return Some(changed);
        }
        left -= count;
    }
    None
}

fn without_one_of_several(schedule: &mut Schedule, at: usize) {
    if schedule.instances.len() > 1 {
        without_instance(schedule, at);
    }
}

fn without_field(schedule: &mut Schedule, at: usize) {
    if let Value::Object(input) = &mut schedule.triggers[at / FIELDS.len()].input {
        input.remove(FIELDS[at % FIELDS.len()]);
    }
}

fn plainer(schedule: &mut Schedule, at: usize) {
    match at {
        0 => schedule.notebooks = PLAIN_NOTEBOOKS,
        1 => schedule.parameters = PLAIN_PARAMETERS,
        2 => schedule.function_skew_ms = 0,
        3 => schedule.missed_heartbeat = reveille_asl::interpreter::MissedHeartbeat::default(),
        4 => schedule.sweeps_cut_off = None,
        5 => schedule.redrives_forget = false,
        6 => schedule.updated_at = None,
        7 => schedule.live_seconds = 0,
        8 => schedule.went_back_at = None,
        _ => schedule.seed = 1,
    }
}

fn simpler_trigger(schedule: &mut Schedule, at: usize) {
    let count = schedule.triggers.len();
    let trigger = &mut schedule.triggers[at % count];
    trigger.at = match (at / count).checked_sub(1) {
        None => Duration::from_secs(1),
        Some(step) => whole(trigger.at, step),
    };
}

fn without_strike(schedule: &mut Schedule, mut at: usize) {
    for hostile in &mut schedule.hostile {
        if at < hostile.strikes.len() {
            hostile.strikes.remove(at);
            return;
        }
        at -= hostile.strikes.len();
    }
}

fn whole(at: Duration, step: usize) -> Duration {
    let step = STEPS[step];
    Duration::from_secs(at.as_secs() / step * step)
}

fn simpler_hand(schedule: &mut Schedule, at: usize) {
    let (number, step) = (at % schedule.hands.len(), at / schedule.hands.len());
    let hand = &mut schedule.hands[number];
    match (step.checked_sub(1), &mut hand.deed) {
        (Some(step), _) => hand.at = whole(hand.at, step),
        (None, Deed::Start { work, .. } | Deed::StartFailed { work, .. }) => *work = Duration::ZERO,
        (None, Deed::Work { work, .. }) => *work = Duration::from_mins(3).min(*work),
        (None, _) => {}
    }
}

fn simpler_trouble(schedule: &mut Schedule, at: usize) {
    let (number, step) = (at % schedule.troubles.len(), at / schedule.troubles.len());
    let planned = &mut schedule.troubles[number];
    match (step, &mut planned.trouble) {
        (0, Trouble::Call { times, .. } | Trouble::Invocation { times, .. }) => *times = 1,
        (1, Trouble::Call { skip, .. } | Trouble::Invocation { skip, .. }) => *skip = 0,
        (0, Trouble::Instance { lasting, .. }) => *lasting = whole(*lasting, 0),
        (1, Trouble::Instance { lasting, .. }) => *lasting = whole(*lasting, 1),
        (2, _) => planned.at = Duration::ZERO,
        (step, _) => planned.at = whole(planned.at, step - 2),
    }
}
