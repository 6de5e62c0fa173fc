//! The guarantees of the run protocol, checked at the end of a schedule against what really happened.

use reveille_asl::interpreter::{Description, Status};
use reveille_domain::input::OnRunnerLost;
use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::{MAX_RERUNS, MAX_SILENCES, OVERDUE};
use reveille_domain::records::{Outcome, Rest};
use reveille_domain::{Code, InstanceName, RunId};

use crate::world::ledger::{Begun, Started};
use crate::world::{PARTIAL, World, is_of_second_stack};

mod history;
mod memory;
mod progress;
mod verdict;
pub mod waste;

use verdict::{check_code, check_first_error, check_verdict};
use waste::Waste;

/// Retries of tasks, and what the state machine itself takes, for each attempt.
const RETRIES_S: i64 = 3_600;

/// What the end of a schedule adds to the totals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Triggers without an outcome.
    pub lost_events: u64,
    /// Notebooks that were executed more often than anybody asked.
    pub double_runs: u64,
    /// What the boots of ours wasted after their last use.
    pub wastes: Vec<Waste>,
    /// Executions that ended with no code of ours, or with `Internal`.
    pub unclassified: u64,
}

/// Checks all guarantees; what does not hold is added to the ledger's violations.
pub fn check(world: &World) -> Findings {
    let mut findings = Findings::default();
    let executions = world.ledger.executions();
    let notebooks = world.ledger.notebooks();
    for execution in executions.iter().filter(|known| !is_of_second_stack(&known.arn)) {
        check_execution(world, execution, &executions, &notebooks, &mut findings);
    }
    let own = |trigger: &usize| !world.schedule.of_second_stack.contains(trigger);
    for trigger in (0..world.schedule.triggers.len()).filter(own) {
        check_trigger(world, trigger, &executions, &notebooks, &mut findings);
    }
    findings.wastes = waste::check(world);
    memory::check(world);
    check_events(world, &executions);
    progress::check(world);
    history::check(world, &executions);
    let doubles = world.ledger.violations().iter().filter(|violation| violation.guarantee == "G2").count();
    findings.double_runs = doubles as u64;
    findings
}

fn describe(world: &World, arn: &str) -> Option<Description> {
    world.service().execution(arn).map(|execution| execution.describe())
}

/// The holder that an execution's output names, if it ended as a duplicate.
fn held_by(ended: &Description) -> Option<String> {
    let output = ended.output.as_ref()?;
    (output.get("decision")?.as_str()? == "duplicate").then(|| output["heldBy"].as_str().unwrap_or_default().to_owned())
}

/// How every execution ended, for directed tests.
#[must_use]
pub fn endings(world: &World) -> Vec<Ending> {
    let notebooks = world.ledger.notebooks();
    let ending = |execution: &Started| {
        let ended = describe(world, &execution.arn)?;
        Some(Ending {
            trigger: execution.trigger,
            status: ended.status,
            duplicate: held_by(&ended).is_some(),
            notebooks: count(&notebooks, &execution.run),
            outcome: newest_outcome(world, execution).map(|(_, outcome)| outcome),
        })
    };
    world.ledger.executions().iter().filter_map(ending).collect()
}

/// How an execution ended.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its trigger.
    pub trigger: usize,
    /// Its status.
    pub status: Status,
    /// Whether it found that another one answers its event.
    pub duplicate: bool,
    /// Notebooks that were begun for it.
    pub notebooks: u32,
    /// The outcome of its newest attempt.
    pub outcome: Option<Outcome>,
}

/// The outcome of a run's newest attempt.
fn newest_outcome(world: &World, execution: &Started) -> Option<(AttemptRef, Outcome)> {
    let folder = format!("runs/{}/{}/", execution.instance, execution.run);
    let keys = world.bucket.list(&folder, None, usize::MAX);
    let attempts = keys.iter().filter_map(|key| key.strip_prefix(&folder)?.strip_suffix("/outcome.json")?.parse().ok());
    let at = AttemptRef { instance: execution.instance.clone(), run: execution.run.clone(), attempt: attempts.max()? };
    let outcome = world.bucket.record(&world.stack.layout.outcome(&at))?;
    Some((at, outcome))
}

fn check_execution(
    world: &World,
    execution: &Started,
    executions: &[Started],
    notebooks: &[Begun],
    findings: &mut Findings,
) {
    let broken = |guarantee, what: String| {
        world.ledger.violation(guarantee, world.now_ms(), format!("{}: {what}", execution.run));
    };
    let Some(ended) = describe(world, &execution.arn) else { return broken("G1", "is unknown".into()) };
    if ended.status == Status::Running {
        findings.lost_events += 1;
        return broken("G1", "never ended".into());
    }
    if let Some(holder) = held_by(&ended) {
        let known = executions.iter().find(|known| *known.arn == *holder);
        if known.is_none_or(|holder| newest_outcome(world, holder).is_none()) {
            findings.lost_events += 1;
            broken("G1", format!("is a duplicate of {holder}, which has no outcome"));
        }
        return;
    }
    let Some((at, outcome)) = newest_outcome(world, execution) else {
        findings.lost_events += 1;
        return broken("G1", format!("ended {} {:?} without an outcome", ended.status.as_str(), ended.error));
    };
    check_owner(world, execution, &at, &outcome);
    check_length(world, execution, &ended);
    check_code(world, execution, &ended, &outcome, findings);
    // What a notebook may write of its instance's runs, it may write afterwards too.
    if world.ledger.struck_at(&execution.instance).is_none() {
        check_verdict(world, &at, &outcome, notebooks);
    }
    check_instance_after(world, execution, &outcome);
    check_outputs(world, execution, &outcome);
    let reported = world.bucket.has(&world.stack.layout.report(&at));
    if ended.status == Status::Failed && !reported {
        check_first_error(world, execution, &outcome);
    }
}

/// G4: an outcome is its own execution's, whatever stands in the records that it was made of.
fn check_owner(world: &World, execution: &Started, at: &AttemptRef, outcome: &Outcome) {
    let instance = outcome.instance.as_ref().map_or(INVALID_INSTANCE, InstanceName::as_str);
    let own = (instance, &outcome.run, outcome.attempt) == (&execution.instance, &at.run, at.attempt)
        && *outcome.execution_arn == *execution.arn;
    let folder = world.stack.layout.uri(&world.stack.layout.attempt(at));
    if !own || !outcome.outputs.values().all(|uri| uri.starts_with(&folder)) {
        let what = format!("{}: its outcome is another's: {outcome:?}", execution.run);
        world.ledger.violation("G4", world.now_ms(), what);
    }
}

/// G4: the outputs that an outcome names are final: what a notebook had left before its end is in none of their places.
fn check_outputs(world: &World, execution: &Started, outcome: &Outcome) {
    let stack = world.stack.layout.uri("");
    let keys = outcome.outputs.values().filter_map(|uri| uri.strip_prefix(&stack));
    for key in keys.filter(|key| world.bucket.get(key).is_some_and(|object| object.body == PARTIAL)) {
        let what = format!("{}: {key} was overwritten by what its notebook had left before", execution.run);
        world.ledger.violation("G4", world.now_ms(), what);
    }
}

/// G4: an event tells of the execution that it names, and of nothing else.
fn check_events(world: &World, executions: &[Started]) {
    for event in world.ledger.events() {
        let known = executions.iter().find(|known| event["executionArn"] == *known.arn);
        let instance = event["instance"].as_str().unwrap_or(INVALID_INSTANCE);
        let own = known.is_some_and(|known| {
            let folder = world.stack.layout.uri(&world.stack.layout.run(&known.instance, &known.run));
            let mut uris = event["outputs"].as_object().into_iter().flatten().map(|(_, uri)| uri);
            instance == known.instance
                && event["run"] == known.run.to_string()
                && uris.all(|uri| uri.as_str().is_some_and(|uri| uri.starts_with(&folder)))
        });
        if !own {
            world.ledger.violation("G4", world.now_ms(), format!("an event is another's: {event}"));
        }
    }
}

/// G1: an execution ends within its limits, whatever a notebook does with its records and its token: each attempt may fall
/// silent so often, and each wait is bounded by the run's own limits.
fn check_length(world: &World, execution: &Started, ended: &Description) {
    let Some(ended_ms) = execution.ended_ms else { return };
    let Ok(input) = reveille_domain::input::read(&(&world.schedule.triggers[execution.trigger].input).into()) else {
        return;
    };
    let limits = input.limits;
    let wait = i64::from(limits.start_seconds + limits.queue_seconds + limits.run_seconds) + OVERDUE.num_seconds();
    let attempts = if input.on_runner_lost == OnRunnerLost::Rerun { i64::from(MAX_RERUNS) + 1 } else { 1 };
    let wait = wait + i64::from(world.schedule.parameters.heartbeat);
    let attempt = i64::from(MAX_SILENCES + 1) * wait + i64::from(limits.stop_seconds) + RETRIES_S;
    // A redrive is a person's, at any time.
    let took_s = (ended_ms - ended.start_ms) / 1_000;
    if execution.redrives == 0 && took_s > attempts * attempt {
        let what = format!("{}: took {took_s} s, of {} s at most", execution.run, attempts * attempt);
        world.ledger.violation("G1", world.now_ms(), what);
    }
}

/// G3: an outcome does not say that the instance was not touched when it was.
fn check_instance_after(world: &World, execution: &Started, outcome: &Outcome) {
    let trace = world.service().execution(&execution.arn).map(|known| known.trace()).unwrap_or_default();
    // Of the newest attempt alone: one that was refused before it began touched nothing.
    let begun = trace.iter().rposition(|state| **state == *"AdmitRun").unwrap_or(0);
    let touched = trace[begun..].iter().any(|state| matches!(&**state, "StartInstance" | "AwaitRun"));
    if touched && outcome.instance_after == Rest::NotTouched {
        let what = format!("{}: its outcome says that its instance was not touched", execution.run);
        world.ledger.violation("G3", world.now_ms(), what);
    }
}

/// G1 and G2 for all executions of one trigger.
fn check_trigger(world: &World, trigger: usize, executions: &[Started], notebooks: &[Begun], findings: &mut Findings) {
    use crate::world::StartCause;
    let broken = |guarantee, what: String| {
        world.ledger.violation(guarantee, world.now_ms(), format!("trigger {trigger}: {what}"));
    };
    let mine = || executions.iter().filter(|execution| execution.trigger == trigger);
    let mut answered = 0;
    for execution in mine() {
        let begun = count(notebooks, &execution.run);
        let asked = 1 + execution.redrives + lost_reruns(world, execution);
        if begun > asked {
            broken("G2", format!("{} executed {begun} notebooks, and {asked} were asked for", execution.run));
        }
        let duplicate = describe(world, &execution.arn).as_ref().is_some_and(|ended| held_by(ended).is_some());
        if execution.cause == StartCause::Delivered && !duplicate {
            answered += 1;
        }
        if matches!(execution.cause, StartCause::ByHand | StartCause::Rerun) && duplicate {
            broken("G5", format!("{} was asked for by a person, and ended as a duplicate", execution.run));
        }
    }
    let delivered: Vec<&Started> = mine().filter(|execution| execution.cause == StartCause::Delivered).collect();
    let executing = delivered.iter().filter(|execution| count(notebooks, &execution.run) > 0).count();
    if executing > 1 {
        broken("G2", format!("{executing} deliveries of one event executed a notebook"));
    }
    let by_person = mine().any(|execution| execution.cause == StartCause::Repeated);
    if !delivered.is_empty() && answered == 0 && !by_person {
        findings.lost_events += 1;
        broken("G1", "every delivery ended as a duplicate".into());
    }
}

fn count(notebooks: &[Begun], run: &RunId) -> u32 {
    u32::try_from(notebooks.iter().filter(|begun| begun.at.run == *run).count()).unwrap_or(u32::MAX)
}

/// Attempts that ended `RunnerLost` of a run that asked for a repetition then.
fn lost_reruns(world: &World, execution: &Started) -> u32 {
    let folder = format!("runs/{}/{}/", execution.instance, execution.run);
    let asked = world.schedule.triggers[execution.trigger].input["onRunnerLost"] == "rerun";
    let outcomes = world.bucket.list(&folder, None, usize::MAX);
    let lost = outcomes.iter().filter(|key| key.ends_with("/outcome.json")).filter(|key| {
        world.bucket.record::<Outcome>(key).is_some_and(|outcome| outcome.code == Some(Code::RunnerLost))
    });
    if asked { u32::try_from(lost.count()).unwrap_or(u32::MAX) } else { 0 }
}
