//! Plays one schedule from its beginning to its end, and judges it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::Machine;
use reveille_asl::simulated;

use crate::fault::{Count, Fault};
use crate::guarantees::waste;
use crate::guarantees::{self, Ending, Findings};
use crate::lies::Lie;
use crate::schedule::Schedule;
use crate::world::choices::Choices;
use crate::world::ledger::Violation;
use crate::world::{BEGINNING_MS, By, Origin, SWEEPS_EVERY_MS, World};

/// Between two looks at whether the world has come to its end.
const LOOK: Duration = Duration::from_secs(30);
/// Requests that land late, and Describe's lag, are over after this; the sweeper's timer came thrice.
const SETTLE_MS: i64 = 960_000;
/// The same where every sweep is cut off: everything was the first of a sweep.
const SETTLE_CUT_OFF_MS: i64 = 40 * SWEEPS_EVERY_MS;
/// The same where no request lands late: the sweeper's timer came once.
const SETTLE_SOON_MS: i64 = SWEEPS_EVERY_MS + 60_000;
/// A boot of ours that is on this long after all is over is on for good.
const WATCH_MS: i64 = waste::LONGEST_MS + 7_200_000;
/// No schedule needs longer: limits are at most hours, and every wait is bounded.
const HORIZON_MS: i64 = 60 * 3_600_000;

/// What came of a schedule.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// What did not hold.
    pub violations: Vec<Violation>,
    /// For the totals.
    pub findings: Findings,
    /// Executions that were started.
    pub executions: u64,
    /// Function calls.
    pub invocations: u64,
    /// Remote calls of functions and runners.
    pub calls: u64,
    /// Milliseconds that machines were on.
    pub machine_ms: i64,
    /// Faults that fired.
    pub faults: BTreeMap<Fault, Count>,
    /// The timeline, if it was traced.
    pub timeline: Vec<String>,
    /// How every execution ended, if it was traced.
    pub endings: Vec<Ending>,
    /// The boots that were: who started each, and for how many milliseconds it was on, if it was traced.
    pub boots: Vec<(By, i64)>,
    /// The notebooks that were begun, in order, if it was traced.
    pub begun: Vec<BegunNotebook>,
}

/// A notebook that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BegunNotebook {
    /// The trigger of the execution that asked for it.
    pub trigger: usize,
    /// When it began, in milliseconds since 1970.
    pub at_ms: i64,
}

/// Plays a schedule.
#[must_use]
pub fn play(schedule: Schedule, machine: &Rc<Machine>, lie: Option<Lie>, traced: bool) -> Played {
    let schedule = Rc::new(schedule);
    simulated::block_on(async {
        let world = World::new(schedule, machine, lie, traced);
        run(&world).await;
        judged(&world, traced)
    })
}

/// Plays a schedule in which everything is chosen. A play that came to a state that was seen is not judged.
#[must_use]
pub fn play_chosen(
    schedule: Schedule,
    machine: &Rc<Machine>,
    lie: Option<Lie>,
    choices: &Rc<Choices>,
    traced: bool,
) -> Played {
    let here: Rc<RefCell<Option<Rc<World>>>> = Rc::default();
    let (there, machine, schedule) = (Rc::clone(&here), Rc::clone(machine), Rc::new(schedule));
    let main = async {
        let world = World::with_choices(schedule, &machine, lie, traced, Some(Rc::clone(choices)));
        there.replace(Some(Rc::clone(&world)));
        tokio::select! {
            biased;
            () = choices.over.notified() => {}
            () = run(&world) => {}
        }
        there.take();
        if !choices.is_pruned() {
            return judged(&world, traced);
        }
        // What happened is judged when it happens.
        let played = Played { violations: world.ledger.violations(), timeline: world.timeline(), ..Played::default() };
        world.close();
        played
    };
    simulated::block_on_with(main, || {
        let world = here.borrow().clone();
        world.is_some_and(|world| choices.choose(&world))
    })
}

fn judged(world: &Rc<World>, traced: bool) -> Played {
    let findings = guarantees::check(world);
    let played = Played {
        violations: world.ledger.violations(),
        findings,
        executions: world.ledger.executions().len() as u64,
        invocations: world.invocations.get(),
        calls: world.calls.get(),
        machine_ms: machine_ms(world),
        faults: world.counters.counts(),
        timeline: world.timeline(),
        endings: if traced { guarantees::endings(world) } else { Vec::new() },
        boots: if traced { boots(world) } else { Vec::new() },
        begun: if traced { begun(world) } else { Vec::new() },
    };
    world.close();
    played
}

async fn run(world: &Rc<World>) {
    simulated::spawn(Rc::clone(world).drive());
    if world.sweeps() {
        simulated::spawn(Rc::clone(world).sweep());
    }
    for planned in &world.schedule.troubles {
        simulated::spawn(Rc::clone(world).trouble(*planned));
    }
    let by_choice = world.choices.as_ref().is_some_and(|choices| choices.awaits_arrival());
    for number in 0..if by_choice { 1 } else { world.schedule.triggers.len() } {
        world.spawn_open(Rc::clone(world).deliver(number));
    }
    for hand in &world.schedule.hands {
        world.spawn_open(Rc::clone(world).lend(*hand));
    }
    let settle_ms = match &world.choices {
        None if world.schedule.sweeps_cut_off.is_some() => SETTLE_CUT_OFF_MS,
        None => SETTLE_MS,
        // A sweep that is disturbed leaves its work to the next one: one in which a call is held ends at its function's timeout.
        Some(choices) if choices.settles_slowly() => SETTLE_SOON_MS + SWEEPS_EVERY_MS,
        Some(_) => SETTLE_SOON_MS,
    };
    let mut over_since = None;
    while world.now_ms() - BEGINNING_MS < HORIZON_MS {
        simulated::sleep(LOOK).await;
        if world.open.get() > 0 || !world.ledger.all_ended() {
            over_since = None;
            continue;
        }
        let over_for = world.now_ms() - *over_since.get_or_insert(world.now_ms());
        if over_for >= WATCH_MS && !person_works(world) || over_for >= settle_ms && !ours_is_on(world) {
            break;
        }
    }
}

/// Whether anything that we started, or may have, is on or about to be.
fn ours_is_on(world: &World) -> bool {
    let up = world
        .boots
        .borrow()
        .values()
        .any(|boot| (boot.started_by == By::Us || boot.origin != Origin::Known) && boot.is_up());
    up || world
        .schedule
        .instances
        .iter()
        .any(|instance| world.ledger.starter(&instance.name) == By::Us && world.is_pending(&instance.name))
}

fn person_works(world: &World) -> bool {
    let now_ms = world.now_ms();
    world.boots.borrow().values().any(|boot| boot.is_up() && boot.person_works(now_ms - WATCH_MS, 0))
}

fn boots(world: &World) -> Vec<(By, i64)> {
    let now_ms = world.now_ms();
    let boots = world.boots.borrow();
    boots.values().map(|boot| (boot.started_by, boot.ended_ms.get().unwrap_or(now_ms) - boot.since_ms)).collect()
}

fn begun(world: &World) -> Vec<BegunNotebook> {
    let executions = world.ledger.executions();
    let triggers: BTreeMap<&str, usize> = executions.iter().map(|known| (&*known.arn, known.trigger)).collect();
    let notebooks = world.ledger.notebooks();
    let begun = notebooks
        .iter()
        .filter_map(|begun| Some(BegunNotebook { trigger: *triggers.get(begun.arn.as_str())?, at_ms: begun.at_ms }));
    begun.collect()
}

fn machine_ms(world: &World) -> i64 {
    let boots = world.boots.borrow();
    boots.values().map(|boot| boot.ended_ms.get().unwrap_or(world.now_ms()) - boot.since_ms).sum()
}
