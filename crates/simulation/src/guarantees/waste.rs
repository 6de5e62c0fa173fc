//! G3: nothing that we started stays on. What a boot of ours is on for after its last need is waste; each waste has its
//! causes, each of which has a bound that follows from the protocol's constants (docs/guarantees.md, "How long an instance can
//! stay on for nothing"). A boot is on for no longer than the bounds of its own causes together.

use reveille_asl::interpreter::{EventKind, Status};
use reveille_domain::limits::{
    BEATS_PER_HEARTBEAT, GIVEN_UP_GRACE, IN_FLIGHT, JUPYTER_UNKNOWN, PERSON_QUIET, UNSURE_QUIET, patience,
};
use reveille_domain::records::{Report, Reporter, Rest};

use super::newest_outcome;
use crate::hostility::Hostility;
use crate::world::ledger::{Begun, Hindrance, Started};
use crate::world::{Boot, By, Origin, SWEEPS_EVERY_MS, World, ms};

/// A living runner looks every ten seconds, closes the boot, and stops it: three calls that are not answered (5 s, and 3 s of
/// pause) leave room below this.
const MINUTE_MS: i64 = 60_000;
/// A runner that is started again: systemd's pause, and what an earlier process left is kept for a minute at most. What that one
/// waited for is not waited for anew.
const RESTART_MS: i64 = 90_000;
/// A call of the runner that went wrong: its client's patience, and the longest pause after it.
const RUNNERS_CALL_MS: i64 = 15_000;

/// No single cause has a longer bound, but for heartbeats of an hour: what is on longer after all is over is watched no longer.
pub const LONGEST_MS: i64 = 4_500_000;

/// Why a boot of ours is on though nobody needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// None but that a living runner takes its time.
    LivingRunner,
    /// The role of the instance does not let it stop itself.
    MayNotStopItself,
    /// An execution was aborted, or gave up while its notebook ran: the verdict and the next beat end what it left.
    Abandoned,
    /// The run that started it was given up before it was served.
    GivenUp,
    /// A call or a function failed.
    Failures,
    /// Its runner died and was started again.
    Restarted,
    /// Its runner is dead, cut off, or never came.
    LostRunner,
    /// Jupyter did not answer, so that nobody knew whether a person works.
    JupyterSilent,
    /// A person worked on it.
    Person,
    /// Start's answer was lost, or the runner came late: it may be a person's.
    Unsure,
    /// A notebook was hostile to its own instance.
    Hostile,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Self; 11] = [
        Self::LivingRunner,
        Self::MayNotStopItself,
        Self::Abandoned,
        Self::GivenUp,
        Self::Failures,
        Self::Restarted,
        Self::LostRunner,
        Self::JupyterSilent,
        Self::Person,
        Self::Unsure,
        Self::Hostile,
    ];

    /// The words of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LivingRunner => "a living runner, nothing wrong",
            Self::MayNotStopItself => "the instance may not stop itself",
            Self::Abandoned => "an execution was aborted, or gave up",
            Self::GivenUp => "its run was given up before it came",
            Self::Failures => "calls or functions failed",
            Self::Restarted => "its runner was restarted",
            Self::LostRunner => "the runner was lost",
            Self::JupyterSilent => "Jupyter was silent",
            Self::Person => "a person was there",
            Self::Unsure => "it was unsure who started it",
            Self::Hostile => "a notebook was hostile",
        }
    }
}

/// What a boot of ours was on for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waste {
    /// The cause with the longest bound.
    pub cause: Cause,
    /// From its last need to its stop.
    pub ms: i64,
    /// The bounds of its causes together.
    pub allowed_ms: i64,
}

/// Checks every boot of ours.
pub fn check(world: &World) -> Vec<Waste> {
    let boots = world.boots.borrow();
    let ours = boots.values().filter(|boot| boot.started_by == By::Us);
    ours.filter_map(|boot| {
        let waste = of(world, boot)?;
        if waste.ms > waste.allowed_ms {
            let what = format!(
                "{} boot {} was on for {} s in vain, of {} s at most ({})",
                boot.instance,
                boot.number,
                waste.ms / 1_000,
                waste.allowed_ms / 1_000,
                waste.cause.name()
            );
            world.ledger.violation("G3", world.now_ms(), what);
        }
        Some(waste)
    })
    .collect()
}

/// The waste of a boot; `None` where nothing is promised of it.
fn of(world: &World, boot: &Boot) -> Option<Waste> {
    let end = boot.stopping_ms.get().or(boot.ended_ms.get()).unwrap_or(world.now_ms());
    let in_service = boot.in_service_ms.get()?;
    let struck = world
        .ledger
        .struck_until(&boot.instance)
        .filter(|_| world.ledger.struck_at(&boot.instance).is_some_and(|at| at <= end));
    let left = !world.sweeps() && is_left_to_the_sweeper(world, &boot.instance);
    if left || struck.is_some() && is_told(world, boot) {
        return None;
    }
    let needed = world
        .ledger
        .executions()
        .iter()
        .filter(|known| known.instance == boot.instance)
        .filter_map(|known| needed_until(world, known, end))
        .max()?;
    let strike = struck.map_or(0, |at| at.min(end));
    let queue = world.queue_answered_ms(&boot.instance).map_or(0, |at| at.min(end));
    let used_until = needed.max(queue).max(in_service).max(boot.last_active_ms(end).unwrap_or(0)).max(strike);
    let causes = causes(world, boot, used_until, end, struck.is_some());
    let (_, cause) = causes.iter().map(|(cause, ms)| (*ms, *cause)).max()?;
    Some(Waste { cause, ms: (end - used_until).max(0), allowed_ms: causes.iter().map(|(_, ms)| ms).sum() })
}

/// Until when, up to `end`, an execution needed its instance: from its beginning until it turned to the stop, or ended.
fn needed_until(world: &World, execution: &Started, end: i64) -> Option<i64> {
    let history = world.service().execution(&execution.arn)?.history();
    let mut last = None;
    let mut needs = false;
    for event in history.iter().take_while(|event| event.at_ms <= end) {
        let (begins, ends) = match (event.kind, event.state.as_deref()) {
            (EventKind::TaskStateEntered, state) => {
                (state == Some("AdmitRun"), matches!(state, Some("VerifyStopped" | "ConcludeRun")))
            }
            (kind, _) => (kind == EventKind::ExecutionStarted, is_the_end(kind)),
        };
        if ends && needs {
            last = Some(event.at_ms);
        }
        needs = begins || needs && !ends;
    }
    if needs { Some(end) } else { last }
}

fn is_the_end(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::ExecutionSucceeded
            | EventKind::ExecutionFailed
            | EventKind::ExecutionTimedOut
            | EventKind::ExecutionAborted
    )
}

/// What kept a boot on from its last need to its end, each with its bound.
fn causes(world: &World, boot: &Boot, from: i64, end: i64, struck: bool) -> Vec<(Cause, i64)> {
    let heartbeat = i64::from(world.schedule.parameters.heartbeat) * 1_000;
    let poll = i64::from(world.schedule.parameters.stop_poll * patience(chrono::TimeDelta::MAX)) * 1_000;
    // Who looks next: the execution that waits for the stop, or the sweeper.
    let look = poll.max(SWEEPS_EVERY_MS);
    let lost = boot.runner_lost_during(from, end);
    let person = boot.last_active_ms(end).is_some();
    let unsure = boot.origin != Origin::Known || boot.bound_late.get() || boot.start_unanswered;
    let restarts = boot.restarts_ms.borrow().iter().filter(|at| (from..=end).contains(at)).count();
    let during = |at: i64| (from - IN_FLIGHT.num_milliseconds()..=end).contains(&at);
    let hindrances = world.ledger.hindrances();
    let hindered = |whose| hindrances.iter().filter(|(at, what)| during(*at) && *what == whose).count();
    let (functions, runners) = (hindered(Hindrance::Function), hindered(Hindrance::Runner));
    // However many are cut off: each lease is the first of a sweep in its turn, and leases come first in every second one.
    let functions = functions + hindered(Hindrance::Sweep).min(2 * world.schedule.instances.len() + 1);
    let times = |count: usize, ms: i64| i64::try_from(count).unwrap_or(0) * ms;
    let failures = times(functions, look + IN_FLIGHT.num_milliseconds()) + times(runners, RUNNERS_CALL_MS);
    let all = [
        (Cause::LivingRunner, true, MINUTE_MS),
        (Cause::MayNotStopItself, boot.denied.get(), look),
        (Cause::Abandoned, is_abandoned(world, boot, end), look + heartbeat / i64::from(BEATS_PER_HEARTBEAT)),
        (Cause::GivenUp, !boot.served_any(), GIVEN_UP_GRACE.num_milliseconds()),
        (Cause::Failures, failures > 0, failures),
        (Cause::Restarted, restarts > 0, times(restarts, RESTART_MS)),
        (Cause::LostRunner, lost, heartbeat + look),
        (Cause::JupyterSilent, boot.jupyter_silent_until_ms.get() > from, JUPYTER_UNKNOWN.num_milliseconds()),
        (Cause::Person, person, PERSON_QUIET.num_milliseconds() + if lost { look } else { 0 }),
        (Cause::Unsure, unsure, UNSURE_QUIET.num_milliseconds() + look),
        (Cause::Hostile, struck, heartbeat + look + (PERSON_QUIET + UNSURE_QUIET + JUPYTER_UNKNOWN).num_milliseconds()),
    ];
    all.into_iter().filter(|(_, present, _)| *present).map(|(cause, _, ms)| (cause, ms)).collect()
}

/// Whether an execution ended on the boot without turning to its stop, or a function gave the verdict on a notebook that ran.
fn is_abandoned(world: &World, boot: &Boot, end: i64) -> bool {
    let ended = |begun: &Begun| {
        let report = || world.bucket.record::<Report>(&world.stack.layout.report(&begun.at));
        begun.at.instance == boot.instance
            && begun.ended.is_none()
            && report().is_some_and(|report| report.by == Reporter::Function)
    };
    if world.ledger.notebooks().iter().any(ended) {
        return true;
    }
    let executions = world.ledger.executions();
    let mut on_it = executions.iter().filter(|known| known.instance == boot.instance);
    // What was abandoned on the way to the boot is waited for on it, until somebody gives its verdict.
    let started_ms = boot.since_ms - ms(world.instance_plan(&boot.instance).pending);
    on_it.any(|known| {
        let during = known.ended_ms.is_some_and(|at| at >= started_ms && at <= end);
        let status = world.service().execution(&known.arn).map(|known| known.status());
        during && matches!(status, Some(Status::Aborted | Status::TimedOut))
    })
}

/// Whether the run that ended last on an instance recorded that it left the instance to the sweeper.
fn is_left_to_the_sweeper(world: &World, instance: &str) -> bool {
    let executions = world.ledger.executions();
    let last = executions.iter().filter(|known| known.instance == instance).max_by_key(|known| known.ended_ms);
    last.is_some_and(|last| says_that_it_is_on(world, last))
}

/// Whether a run's outcome says that its instance may still be on.
fn says_that_it_is_on(world: &World, execution: &Started) -> bool {
    newest_outcome(world, execution)
        .is_some_and(|(_, outcome)| matches!(outcome.instance_after, Rest::NotConfirmed | Rest::LeftRunning))
}

/// Whether a run that ended while the boot was up says that its instance may still be on.
fn is_told(world: &World, boot: &Boot) -> bool {
    let executions = world.ledger.executions();
    let mut during = executions
        .iter()
        .filter(|known| known.instance == boot.instance && known.ended_ms.is_some_and(|ended| ended >= boot.since_ms));
    let by = |kinds: fn(Hostility) -> bool| world.ledger.was_struck_by(&boot.instance, kinds);
    (by(Hostility::loses_the_lease) || by(Hostility::pretends_work))
        && during.any(|known| says_that_it_is_on(world, known))
}
