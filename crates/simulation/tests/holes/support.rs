//! Plain worlds, to which a test adds the one thing that it is about.

use std::time::Duration;

use reveille_asl::interpreter::Status;
use reveille_domain::Code;
use reveille_domain::records::Rest;
use reveille_simulation::definition::Definitions;
use reveille_simulation::guarantees::Ending;
use reveille_simulation::play::{Played, play};
use reveille_simulation::schedule::{
    Action, Caller, Deed, Hand, Instance, InstanceTrouble, Invocation, Mode, Notebooks, Parameters, Planned, Schedule,
    Step, Trigger, Trouble,
};
use serde_json::{Value, json};

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One instance that starts in a minute and stops in half of one; nothing goes wrong.
pub fn world(triggers: Vec<Trigger>) -> Schedule {
    let instance =
        Instance { name: "nb-0".into(), pending: seconds(60), stopping: seconds(30), script: seconds(5), skew_ms: 0 };
    let parameters = Parameters { start_poll: 10, stop_poll: 10, heartbeat: 60 };
    Schedule { seed: 1, ..Schedule::calm(parameters, vec![instance], triggers, taking(20)) }
}

/// The same, of a stack that publishes progress: every step is called in it.
pub fn telling(triggers: Vec<Trigger>) -> Schedule {
    Schedule { publishes_progress: true, ..world(triggers) }
}

/// Notebooks that succeed after so many seconds.
pub fn taking(seconds: u32) -> Notebooks {
    Notebooks { least: seconds, most: seconds, ..Notebooks::default() }
}

/// An event at a second, delivered once and at once.
pub fn event(number: u32, at: u64) -> Trigger {
    Trigger {
        at: seconds(at),
        input: json!({"instance": "nb-0", "notebook": "reports/daily.ipynb"}),
        event: Some(number),
        deliveries: vec![Duration::from_millis(100)],
    }
}

/// The same with fields of the input.
pub fn event_with(number: u32, at: u64, fields: &Value) -> Trigger {
    let mut trigger = event(number, at);
    for (name, value) in fields.as_object().unwrap() {
        trigger.input[name] = value.clone();
    }
    trigger
}

pub fn hand(at: u64, deed: Deed) -> Hand {
    Hand { at: seconds(at), deed }
}

pub fn cut(step: Step, how: Invocation, times: u32) -> Planned {
    Planned { at: Duration::ZERO, trouble: Trouble::Invocation { step, how, skip: 0, times } }
}

pub fn call(caller: Caller, action: Action, mode: Mode, times: u32) -> Planned {
    Planned { at: Duration::ZERO, trouble: Trouble::Call { caller, action, mode, skip: 0, times } }
}

pub fn at_instance(at: u64, what: InstanceTrouble, lasting: u64) -> Planned {
    Planned { at: seconds(at), trouble: Trouble::Instance { index: 0, what, lasting: seconds(lasting) } }
}

/// A schedule as a failing seed prints it.
#[allow(dead_code, reason = "for the tests that a failing seed prints")]
pub fn written(text: &str) -> Schedule {
    serde_json::from_str(text).unwrap()
}

/// Plays it; every guarantee must hold.
pub fn hold(schedule: Schedule) -> Played {
    let machine = Definitions::default().with(schedule.parameters).unwrap();
    let played = play(schedule, &machine, None, true);
    assert!(played.violations.is_empty(), "{:#?}\n{}", played.violations, played.timeline.join("\n"));
    played
}

/// The endings of a trigger's executions.
pub fn of(played: &Played, trigger: usize) -> Vec<&Ending> {
    played.endings.iter().filter(|ending| ending.trigger == trigger).collect()
}

/// The one execution of a trigger.
pub fn only(played: &Played, trigger: usize) -> &Ending {
    let endings = of(played, trigger);
    assert_eq!(endings.len(), 1, "{endings:?}");
    endings[0]
}

pub fn code(ending: &Ending) -> Option<Code> {
    ending.outcome.as_ref().expect("it has an outcome").code
}

/// It succeeded, its notebook ran once, and its instance was left as `rest`.
pub fn assert_success(ending: &Ending, rest: Rest) {
    let outcome = ending.outcome.as_ref().expect("it has an outcome");
    assert_eq!(
        (ending.status, ending.notebooks, outcome.code, outcome.instance_after),
        (Status::Succeeded, 1, None, rest)
    );
}

/// Milliseconds that a timeline's line with this text came at.
pub fn second_of(played: &Played, text: &str) -> u64 {
    let line = played.timeline.iter().find(|line| line.contains(text));
    let line = line.unwrap_or_else(|| panic!("no line has {text:?}:\n{}", played.timeline.join("\n")));
    let clock: Vec<u64> = line[..11].trim().split([':', '.']).map(|part| part.trim().parse().unwrap()).collect();
    clock[0] * 3_600 + clock[1] * 60 + clock[2]
}
