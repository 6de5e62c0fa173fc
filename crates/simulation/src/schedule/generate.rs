//! Draws a schedule from a seed. Troubles are few per schedule and aimed at calls that really happen, so that most of
//! them fire; thousands of schedules then cover their combinations.

use std::time::Duration;

use fastrand::Rng;
use reveille_asl::interpreter::MissedHeartbeat;
use serde_json::{Value, json};

use super::{
    Action, Caller, Cut, Deed, Hand, Instance, InstanceTrouble, Invocation, Mode, Notebooks, Parameters, Planned,
    Schedule, Step, Trigger, Trouble,
};

mod directed;
mod hostile;
mod rarer;

use hostile::{hostile, replacer};

/// AWS's usual polls and heartbeat (the template's defaults), and a brisk stack.
const PARAMETERS: [Parameters; 2] = [
    Parameters { start_poll: 30, stop_poll: 15, heartbeat: 300 },
    Parameters { start_poll: 10, stop_poll: 10, heartbeat: 60 },
];
/// EventBridge gives up on a delivery after the rule's `MaximumEventAge`; a delivery is an execution a little later.
const LATEST_DELIVERY_MS: u64 = 890_000;
/// The largest difference of a clock from true time: what AWS's time service leaves is far less.
const SKEW_MS: i64 = 2_000;

/// Draws the schedule of a seed. `sweeper`: with what only the sweeper mends.
#[must_use]
pub fn generate(seed: u64, sweeper: bool) -> Schedule {
    let mut rng = Rng::with_seed(seed);
    let rng = &mut rng;
    let instances: Vec<Instance> = (0..rng.usize(1..=2)).map(|index| instance(rng, index)).collect();
    let triggers = triggers(rng, instances.len());
    let mut troubles = Vec::new();
    if !percent(rng, 15) {
        for _ in 0..rng.u32(1..=5) {
            troubles.push(trouble(rng, instances.len(), sweeper));
        }
    }
    let hands = hands(rng, instances.len(), triggers.len(), sweeper);
    let mut hostile = hostile(seed, instances.len());
    hostile.extend(replacer(seed, instances.len()));
    let parameters = PARAMETERS[usize::from(percent(rng, 30))];
    let notebooks = Notebooks {
        fails: *choose(rng, &[0, 10, 40]),
        dies: *choose(rng, &[0, 0, 20]),
        endless: *choose(rng, &[0, 0, 10]),
        least: 0,
        most: *choose(rng, &[20, 300, 1_500]),
    };
    let drawn = Schedule {
        seed,
        // Of the seed itself: what is drawn for a seed stays what it was.
        missed_heartbeat: if seed.is_multiple_of(2) {
            MissedHeartbeat::Timeout
        } else {
            MissedHeartbeat::HeartbeatTimeout
        },
        function_skew_ms: *choose(rng, &[0, 50, SKEW_MS]),
        troubles,
        hands,
        hostile,
        sweeper,
        ..Schedule::calm(parameters, instances, triggers, notebooks)
    };
    directed::add(rarer::add(drawn))
}

/// Trouble with an instance, from the beginning.
const fn at_first(index: usize, what: InstanceTrouble, lasting: Duration) -> Planned {
    Planned { at: Duration::ZERO, trouble: Trouble::Instance { index, what, lasting } }
}

fn percent(rng: &mut Rng, percent: u8) -> bool {
    rng.u8(0..100) < percent
}

fn choose<'a, T>(rng: &mut Rng, from: &'a [T]) -> &'a T {
    &from[rng.usize(0..from.len())]
}

fn ms(rng: &mut Rng, low: u64, high: u64) -> Duration {
    Duration::from_millis(rng.u64(low..=high))
}

fn seconds(rng: &mut Rng, low: u64, high: u64) -> Duration {
    ms(rng, low * 1_000, high * 1_000)
}

fn instance(rng: &mut Rng, index: usize) -> Instance {
    let slow = percent(rng, 8);
    Instance {
        name: format!("nb-{index}"),
        pending: if slow { seconds(rng, 490, 1_000) } else { seconds(rng, 40, 240) },
        stopping: seconds(rng, 15, 120),
        script: seconds(rng, 1, 25),
        skew_ms: if percent(rng, 30) { rng.i64(-SKEW_MS..=SKEW_MS) } else { 0 },
    }
}

fn triggers(rng: &mut Rng, instances: usize) -> Vec<Trigger> {
    let mut triggers = Vec::new();
    let mut at = ms(rng, 1_000, 60_000);
    for number in 0..rng.u32(1..=4) {
        // In a burst, shortly after each other, or when the one before is long over.
        at += match rng.u8(0..10) {
            0..=4 => ms(rng, 0, 3_000),
            5..=7 => seconds(rng, 3, 600),
            _ => seconds(rng, 600, 3_600),
        };
        let by_hand = percent(rng, 10);
        let event = (!by_hand).then_some(number + 1);
        let trigger =
            Trigger { at, input: input(rng, instances, event.is_some()), event, deliveries: deliveries(rng, by_hand) };
        if event.is_some() && percent(rng, 12) {
            let mut second = Trigger { deliveries: deliveries(rng, false), ..trigger.clone() };
            second.input["notebook"] = json!("reports/second.ipynb");
            triggers.push(second);
        }
        triggers.push(trigger);
    }
    triggers
}

fn deliveries(rng: &mut Rng, by_hand: bool) -> Vec<Duration> {
    let first = if percent(rng, 12) { ms(rng, 61_000, LATEST_DELIVERY_MS) } else { ms(rng, 50, 2_500) };
    let mut deliveries = vec![first];
    if !by_hand && percent(rng, 25) {
        deliveries.push(if percent(rng, 30) { ms(rng, 0, LATEST_DELIVERY_MS) } else { ms(rng, 0, 4_000) });
    }
    deliveries.sort_unstable();
    deliveries
}

fn input(rng: &mut Rng, instances: usize, has_event: bool) -> Value {
    let instance = format!("nb-{}", rng.usize(0..instances));
    let mut input = json!({"instance": instance, "notebook": "reports/daily.ipynb"});
    if has_event {
        input["parameters"] = json!({"source": "s3://{{ bucket }}/{{ key }}"});
    }
    if percent(rng, 75) {
        input["limits"] = json!({
            "startSeconds": choose(rng, &[300, 1_200, 4_000]),
            "queueSeconds": choose(rng, &[120, 1_200, 7_200]),
            "runSeconds": choose(rng, &[100, 600, 2_400]),
            "stopSeconds": choose(rng, &[60, 600, 1_200]),
        });
    }
    match rng.u8(0..100) {
        0..=7 => input["whenBusy"] = json!("skip"),
        8..=15 => input["whenBusy"] = json!("fail"),
        _ => {}
    }
    if percent(rng, 25) {
        input["onRunnerLost"] = json!("rerun");
    }
    match rng.u8(0..100) {
        0..=1 => input["notebook"] = json!("../outside.ipynb"),
        2 => input["instance"] = json!("no such name"),
        3 => input["instance"] = json!("nobody-made-it"),
        4 => input["parameters"] = json!({"x": "{{ nothing }}"}),
        _ => {}
    }
    input
}

/// When: often from the beginning on (the first occasions), else at any time of the first hour.
fn when(rng: &mut Rng) -> Duration {
    if percent(rng, 60) { Duration::ZERO } else { seconds(rng, 0, 4_000) }
}

fn trouble(rng: &mut Rng, instances: usize, sweeper: bool) -> Planned {
    match rng.u8(0..10) {
        0..=3 => Planned { at: when(rng), trouble: call(rng) },
        4..=6 => Planned { at: when(rng), trouble: invocation(rng, sweeper) },
        _ => {
            let (what, lasting, at) = instance_trouble(rng, sweeper);
            Planned { at, trouble: Trouble::Instance { index: rng.usize(0..instances), what, lasting } }
        }
    }
}

/// The calls that each caller makes.
const CALLS: [(Caller, &[Action]); 8] = [
    (Caller::Function(Step::AdmitRun), &[Action::Get, Action::Put]),
    (
        Caller::Function(Step::CheckInstance),
        &[Action::Get, Action::Describe, Action::Put, Action::List, Action::DescribeExecution],
    ),
    (
        Caller::Function(Step::StartInstance),
        &[Action::Get, Action::Put, Action::Describe, Action::Start, Action::Delete],
    ),
    (Caller::Function(Step::AwaitRun), &[Action::Get, Action::Put, Action::Callback, Action::Delete]),
    (
        Caller::Function(Step::VerifyStopped),
        &[
            Action::Get,
            Action::Put,
            Action::Delete,
            Action::Describe,
            Action::Stop,
            Action::List,
            Action::DescribeExecution,
        ],
    ),
    (Caller::Function(Step::ConcludeRun), &[Action::Get, Action::Put, Action::Publish]),
    (
        Caller::Function(Step::Sweep),
        &[
            Action::Get,
            Action::Put,
            Action::Delete,
            Action::Describe,
            Action::Stop,
            Action::List,
            Action::DescribeExecution,
            Action::Publish,
        ],
    ),
    (
        Caller::Runner,
        &[
            Action::Get,
            Action::Put,
            Action::Delete,
            Action::List,
            Action::Upload,
            Action::Stop,
            Action::Callback,
            Action::Beat,
        ],
    ),
];

fn call(rng: &mut Rng) -> Trouble {
    let (caller, actions) = choose(rng, &CALLS);
    let action = *choose(rng, actions);
    let mode = match action {
        Action::Put | Action::Delete => *choose(
            rng,
            &[
                Mode::Throttled,
                Mode::NotReached,
                Mode::AnswerLost,
                Mode::AnswerLostThenRetried,
                Mode::AnswerLostThenRetried,
            ],
        ),
        Action::Describe => *choose(rng, &[Mode::Throttled, Mode::NotReached, Mode::Lags, Mode::Lags]),
        Action::Start | Action::Stop => {
            *choose(rng, &[Mode::Throttled, Mode::NotReached, Mode::AnswerLost, Mode::LandsLate])
        }
        Action::Callback => *choose(rng, &[Mode::Throttled, Mode::NotReached, Mode::AnswerLost]),
        Action::Get | Action::List | Action::Upload | Action::Beat | Action::DescribeExecution | Action::Publish => {
            *choose(rng, &[Mode::Throttled, Mode::NotReached])
        }
    };
    // Beats, uploads and polls go wrong in rows; the rest once or twice.
    let times = match action {
        Action::Beat => rng.u32(1..=12),
        Action::Upload => rng.u32(1..=8),
        Action::Describe => rng.u32(1..=3),
        _ => rng.u32(1..=2),
    };
    let skip = if percent(rng, 50) { 0 } else { rng.u32(0..=12) };
    Trouble::Call { caller: *caller, action, mode, skip, times }
}

/// The steps that every world calls, in an order that never changes: a seed means the same in every version. Some worlds publish progress
/// (`rarer.rs`).
const CALLED: [Step; 7] = [
    Step::AdmitRun,
    Step::CheckInstance,
    Step::StartInstance,
    Step::AwaitRun,
    Step::VerifyStopped,
    Step::ConcludeRun,
    Step::Sweep,
];

fn invocation(rng: &mut Rng, sweeper: bool) -> Trouble {
    let step = *choose(rng, &CALLED);
    let skip = if percent(rng, 60) { 0 } else { rng.u32(0..=8) };
    if sweeper && step == Step::StartInstance && percent(rng, 30) {
        // More often than the state machine tries again.
        return Trouble::Invocation { step, how: Invocation::Cut(Cut::After(rng.u32(2..=4))), skip, times: 4 };
    }
    let at = rng.u32(0..=7);
    let how = match rng.u8(0..10) {
        0 => Invocation::Throttled,
        1 => Invocation::ServiceError,
        2 => Invocation::AnswerLost,
        3..=4 => Invocation::Cut(Cut::Before(at)),
        5..=6 => Invocation::Cut(Cut::After(at)),
        7 => Invocation::Cut(Cut::Hangs(at)),
        _ => Invocation::Twice,
    };
    Trouble::Invocation { step, how, skip, times: rng.u32(1..=2) }
}

fn instance_trouble(rng: &mut Rng, sweeper: bool) -> (InstanceTrouble, Duration, Duration) {
    let later = seconds(rng, 60, 3_000);
    let at = if percent(rng, 50) { Duration::ZERO } else { later };
    match rng.u8(0..16) {
        0 => (InstanceTrouble::CapacityMissing, seconds(rng, 600, 4_000), when(rng)),
        1 => match (seconds(rng, 60, 600), when(rng)) {
            // By what was drawn anyway: another draw would change every later one of the seed.
            (lasting, at) if lasting.as_millis() % 2 == 0 => (InstanceTrouble::StartDropped, lasting * 4, at),
            (lasting, at) => (InstanceTrouble::QuotaUsedUp, lasting, at),
        },
        2 => (InstanceTrouble::LifecycleScriptFails, Duration::from_hours(1), when(rng)),
        3 => (InstanceTrouble::PendingStuck, seconds(rng, 300, 5_000), when(rng)),
        4 => (InstanceTrouble::StopHangs, seconds(rng, 300, 3_000), when(rng)),
        5 => (InstanceTrouble::Maintenance, seconds(rng, 60, 900), later),
        6 => (InstanceTrouble::NoRunner, Duration::ZERO, when(rng)),
        7 => (InstanceTrouble::RunnerLateToBind, Duration::ZERO, when(rng)),
        8..=10 => (InstanceTrouble::PartitionRunner, cut_off(rng), at),
        11 => (InstanceTrouble::JupyterSilent, seconds(rng, 60, 1_500), at),
        12..=13 if sweeper || percent(rng, 50) => (InstanceTrouble::KillRunnerForGood, Duration::ZERO, at),
        _ => (InstanceTrouble::KillRunner, Duration::ZERO, at),
    }
}

/// How long a runner is cut off: shorter and longer than a heartbeat.
fn cut_off(rng: &mut Rng) -> Duration {
    let most = *choose(rng, &[100, 400, 1_500]);
    seconds(rng, 20, most)
}

fn hands(rng: &mut Rng, instances: usize, triggers: usize, sweeper: bool) -> Vec<Hand> {
    let mut hands = Vec::new();
    let count = *choose(rng, &[0, 0, 1, 1, 2, 3]);
    for _ in 0..count {
        let index = rng.usize(0..instances);
        let trigger = rng.usize(0..triggers);
        let at = seconds(rng, 0, 4_500);
        let late = at + seconds(rng, 600, 7_200);
        let hand = match rng.u8(0..100) {
            0..=17 => Hand { at, deed: Deed::Start { index, work: work(rng) } },
            18..=31 => Hand { at, deed: Deed::Stop { index } },
            32..=39 => Hand { at, deed: Deed::Restart { index } },
            40..=55 => Hand { at, deed: Deed::Work { index, work: work(rng) } },
            56..=59 => Hand { at, deed: Deed::Delete { index } },
            60..=67 => Hand { at, deed: Deed::Repeat { trigger } },
            68..=73 => Hand { at: late, deed: Deed::Repeat { trigger } },
            74..=79 => Hand { at: late, deed: Deed::Rerun { trigger } },
            80..=89 if sweeper => Hand { at, deed: Deed::Abort { trigger } },
            _ => Hand { at: late, deed: Deed::Redrive { trigger } },
        };
        hands.push(hand);
    }
    hands
}

fn work(rng: &mut Rng) -> Duration {
    *choose(rng, &[Duration::ZERO, Duration::from_mins(3), Duration::from_mins(20), Duration::from_mins(45)])
}
