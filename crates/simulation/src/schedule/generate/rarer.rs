//! What is rarer: calls that are refused, instances that may not stop themselves, parameters far from the usual, a third
//! instance. From a source of its own: what else is drawn for a seed stays what it was.

use std::{ops::RangeInclusive, time::Duration};

use fastrand::Rng;
use serde_json::json;

use super::{CALLS, at_first, choose, instance, percent, seconds, when, work};
use crate::schedule::{
    Action, Caller, Cut, Deed, Hand, InstanceTrouble, Invocation, Mode, Notebooks, Parameters, Planned, Schedule, Step,
    Trigger, Trouble,
};

/// Of each hundred schedules so many have rarer troubles.
const TROUBLES: u8 = 30;
/// So many have parameters from the whole range of the template's.
const PARAMETERS: u8 = 6;
/// So many have a third instance.
const THIRD: u8 = 5;
/// Of each hundred schedules so many have somebody who copies a ticket.
const STRAYS: u8 = 4;
/// Of each hundred schedules so many have no sweep that comes to its end.
const SWEEPS: u8 = 3;
/// So many runs more there are then.
const MORE_TO_SWEEP: u32 = 6;
/// Of each hundred schedules so many have redrives that find no variables.
const FORGETS: u8 = 2;
/// Of each hundred schedules so many have a stack that is updated while runs are under way.
const UPDATES: u8 = 4;
/// Of each hundred of the others so many have a stack that goes back to the version before.
const GOES_BACK: u8 = 4;
/// Of each hundred schedules so many show what notebooks have left so far.
const SHOWS: u8 = 15;
/// Of each hundred schedules so many publish progress.
const TELLS: u8 = 4;
/// One schedule of so many is about a queue of hundreds: it takes as long as twenty others.
const BURSTS: u64 = 400;
/// A heartbeat so short that hundreds are hard to beat, within the template's range.
const SHORT_HEARTBEAT: u32 = 20;
/// The ranges of the template's parameters, in seconds.
const HEARTBEATS: RangeInclusive<u32> = 3..=3_600;
const START_POLLS: RangeInclusive<u32> = 1..=200;
const STOP_POLLS: RangeInclusive<u32> = 1..=300;

/// Adds what is rarer.
pub(super) fn add(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x00a7_e57b_0b5e);
    let rng = &mut rng;
    if percent(rng, PARAMETERS) {
        schedule.parameters = Parameters {
            start_poll: of_range(rng, &START_POLLS),
            stop_poll: of_range(rng, &STOP_POLLS),
            heartbeat: of_range(rng, &HEARTBEATS),
        };
    }
    if percent(rng, THIRD) {
        let third = instance(rng, schedule.instances.len());
        for trigger in schedule.triggers.iter_mut().filter(|_| rng.bool()) {
            trigger.input["instance"] = json!(third.name);
        }
        schedule.instances.push(third);
    }
    if percent(rng, TROUBLES) {
        for _ in 0..rng.u32(1..=2) {
            trouble(rng, &mut schedule);
        }
    }
    tells(shows(goes_back(updates(forgets(sweeps(queues(schedule)))))))
}

/// An end of a range, or anything in it, the smaller the more often: whole numbers alone, so that a seed means the same everywhere.
fn of_range(rng: &mut Rng, range: &RangeInclusive<u32>) -> u32 {
    let (low, high) = (*range.start(), *range.end());
    match rng.u8(0..4) {
        0 => low,
        1 => high,
        _ => {
            let doublings = rng.u32(1..=(high / low).ilog2() + 1);
            rng.u32(low..=high.min(low << doublings))
        }
    }
}

/// Notebooks that are shown while they execute. From a source of its own, likewise.
fn shows(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x6c69_7665);
    if percent(&mut rng, SHOWS) {
        schedule.live_seconds = *choose(&mut rng, &[5, 5, 20]);
    }
    schedule
}

/// A stack that publishes progress, and its function's own troubles. From a source of its own, likewise.
fn tells(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0074_656c_6c73);
    let rng = &mut rng;
    // The version that a stack goes back to had no such function.
    if schedule.went_back_at.is_some() || !percent(rng, TELLS) {
        return schedule;
    }
    schedule.publishes_progress = true;
    let step = Step::PublishProgress;
    let (skip, times) = (rng.u32(0..=2), rng.u32(1..=4));
    let call = rng.u32(0..=3);
    let cut = *choose(rng, &[Cut::Before(call), Cut::After(call), Cut::Hangs(call)]);
    let how = *choose(rng, &[Invocation::Cut(cut), Invocation::Twice]);
    schedule.troubles.push(Planned { at: when(rng), trouble: Trouble::Invocation { step, how, skip, times } });
    let action = *choose(rng, &[Action::Get, Action::Publish]);
    let mode = *choose(rng, &[Mode::Throttled, Mode::NotReached, Mode::Denied]);
    let trouble = Trouble::Call { caller: Caller::Function(step), action, mode, skip, times };
    schedule.troubles.push(Planned { at: when(rng), trouble });
    schedule
}

/// A stack that is updated while runs are under way. From a source of its own, likewise.
fn updates(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0075_7064_6174);
    if percent(&mut rng, UPDATES) {
        let first = schedule.triggers.iter().map(|trigger| trigger.at).min().unwrap_or_default();
        schedule.updated_at = Some(first + seconds(&mut rng, 0, 1_200));
    }
    schedule
}

/// A stack that goes back to the version before while runs are under way. From a source of its own, likewise.
fn goes_back(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0062_6163_6b00);
    if schedule.updated_at.is_none() && percent(&mut rng, GOES_BACK) {
        let first = schedule.triggers.iter().map(|trigger| trigger.at).min().unwrap_or_default();
        schedule.went_back_at = Some(first + seconds(&mut rng, 0, 1_200));
    }
    schedule
}

/// Redrives that find no variables. From a source of its own, likewise.
fn forgets(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0066_6f72_6765);
    let rng = &mut rng;
    if schedule.sweeper && percent(rng, FORGETS) {
        schedule.redrives_forget = true;
        let trigger = rng.usize(0..schedule.triggers.len());
        let at = seconds(rng, 0, 2_500);
        schedule.hands.push(Hand { at, deed: Deed::Abort { trigger } });
        schedule.hands.push(Hand { at: at + seconds(rng, 1, 900), deed: Deed::Redrive { trigger } });
    }
    schedule
}

/// Sweeps that are cut off, every one. From a source of its own, likewise.
fn sweeps(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0073_7765_6570);
    let rng = &mut rng;
    if !schedule.sweeper || is_a_burst(&schedule) || !percent(rng, SWEEPS) {
        return schedule;
    }
    // Enough to look at one thing.
    let call = rng.u32(18..=44);
    schedule.sweeps_cut_off = Some(*choose(rng, &[Cut::Before(call), Cut::After(call), Cut::Hangs(call)]));
    // Something to sweep: runs that are aborted, more of them than one sweep comes to.
    let first = schedule.triggers[0].clone();
    for number in 0..MORE_TO_SWEEP {
        let at = first.at + seconds(rng, 0, 900);
        let deliveries = vec![Duration::from_millis(100)];
        schedule.triggers.push(Trigger { at, event: Some(100 + number), deliveries, ..first.clone() });
    }
    for (trigger, at) in schedule.triggers.iter().map(|trigger| trigger.at).enumerate() {
        if percent(rng, 70) {
            schedule.hands.push(Hand { at: at + seconds(rng, 5, 1_500), deed: Deed::Abort { trigger } });
        }
    }
    schedule
}

const fn is_a_burst(schedule: &Schedule) -> bool {
    schedule.seed % BURSTS == BURSTS / 2
}

/// What stands in inboxes beside the tickets of executions. From a source of its own, likewise.
fn queues(mut schedule: Schedule) -> Schedule {
    let mut rng = Rng::with_seed(schedule.seed ^ 0x0071_7565_7565);
    let rng = &mut rng;
    if percent(rng, STRAYS) {
        let index = rng.usize(0..schedule.instances.len());
        schedule.troubles.push(at_first(index, InstanceTrouble::StrayTicket, Duration::ZERO));
    }
    if !is_a_burst(&schedule) {
        return schedule;
    }
    // One run and its queue, and nothing else that could keep a beat away.
    schedule.instances.truncate(1);
    schedule.triggers.truncate(1);
    let trigger = &mut schedule.triggers[0];
    trigger.deliveries.truncate(1);
    trigger.input = json!({"instance": schedule.instances[0].name, "notebook": "reports/daily.ipynb"});
    schedule.parameters.heartbeat = SHORT_HEARTBEAT;
    schedule.notebooks = Notebooks { least: 200, most: 400, ..Notebooks::default() };
    schedule.hands.clear();
    schedule.hostile.clear();
    schedule.troubles = vec![at_first(0, InstanceTrouble::Burst, Duration::from_millis(rng.u64(30_000..=120_000)))];
    schedule
}

fn trouble(rng: &mut Rng, schedule: &mut Schedule) {
    let index = rng.usize(0..schedule.instances.len());
    let at_instance = |at, what, lasting| Planned { at, trouble: Trouble::Instance { index, what, lasting } };
    let planned = match rng.u8(0..10) {
        0..=4 => Planned { at: when(rng), trouble: refused(rng) },
        5..=6 => at_instance(when(rng), InstanceTrouble::MayNotStop, seconds(rng, 600, 20_000)),
        7..=8 => {
            let at = seconds(rng, 0, 1_500);
            schedule.hands.push(Hand { at, deed: Deed::Work { index, work: work(rng) } });
            at_instance(at, InstanceTrouble::JupyterRestarts, seconds(rng, 20, 400))
        }
        _ => {
            // Every third millisecond fails at once (world/armed.rs).
            let lasting = Duration::from_millis(rng.u64(20..=200) * 3_000);
            schedule.hands.push(Hand { at: Duration::ZERO, deed: Deed::StartFailed { index, work: work(rng) } });
            at_instance(Duration::ZERO, InstanceTrouble::CapacityMissing, lasting)
        }
    };
    schedule.troubles.push(planned);
}

/// A call that is refused, once or twice.
fn refused(rng: &mut Rng) -> Trouble {
    let (caller, actions) = choose(rng, &CALLS);
    let mode = if rng.bool() { Mode::Refused } else { Mode::Denied };
    let skip = if percent(rng, 50) { 0 } else { rng.u32(0..=12) };
    Trouble::Call { caller: *caller, action: *choose(rng, actions), mode, skip, times: rng.u32(1..=2) }
}
