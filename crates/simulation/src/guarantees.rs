//! The guarantees of the run protocol, checked at the end of a schedule against what really happened.

use std::rc::Rc;

use reveille_asl::interpreter::{Description, EventKind, Status};
use reveille_domain::input::OnRunnerLost;
use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::{MAX_RERUNS, MAX_SILENCES, OVERDUE, SWEEP_BACK};
use reveille_domain::records::{self, Outcome, Report, Reporter, Rest};
use reveille_domain::{Code, InstanceName, RunId};

use crate::fault::Fault;
use crate::hostility::Hostility;
use crate::schedule::{Invocation, Trouble};
use crate::world::ledger::{Begun, Started};
use crate::world::{Boot, By, RETRIES_OF_A_DEATH, World};

/// What of a boot's time after its last use is documented, added up: a person's quiet, half an hour of quiet on a boot of
/// which nobody knows who started it, ten minutes without Jupyter's answer, the sweeper's interval, the tries of a stop.
pub const GRACE_MS: i64 = 4_500_000;

/// Retries of tasks, and what the state machine itself takes, for each attempt.
const RETRIES_S: i64 = 3_600;
/// A little longer than the sweeper's timer.
const SWEPT_EVERY_MS: i64 = 360_000;

/// What the end of a schedule adds to the totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Triggers without an outcome.
    pub lost_events: u64,
    /// Notebooks that were executed more often than anybody asked.
    pub double_runs: u64,
    /// Milliseconds that boots of ours were on beyond the grace after their last use.
    pub leaked_ms: i64,
    /// The longest of them.
    pub longest_leak_ms: i64,
    /// Executions that ended with no code of ours, or with `Internal`.
    pub unclassified: u64,
}

/// Checks all guarantees; what does not hold is added to the ledger's violations.
pub fn check(world: &World) -> Findings {
    let mut findings = Findings::default();
    let executions = world.ledger.executions();
    let notebooks = world.ledger.notebooks();
    for execution in &executions {
        check_execution(world, execution, &executions, &notebooks, &mut findings);
    }
    for trigger in 0..world.schedule.triggers.len() {
        check_trigger(world, trigger, &executions, &notebooks, &mut findings);
    }
    check_leaks(world, &mut findings);
    check_events(world, &executions);
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
    let reported = world.bucket.get(&world.stack.layout.report(&at)).is_some();
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
    let attempt = i64::from(MAX_SILENCES + 1) * wait + i64::from(limits.stop_seconds) + RETRIES_S;
    // A redrive is a person's, at any time.
    let took_s = (ended_ms - ended.start_ms) / 1_000;
    if execution.redrives == 0 && took_s > attempts * attempt {
        let what = format!("{}: took {took_s} s, of {} s at most", execution.run, attempts * attempt);
        world.ledger.violation("G1", world.now_ms(), what);
    }
}

/// G4: the execution ends with the outcome's own code, and the code is one of ours.
fn check_code(world: &World, execution: &Started, ended: &Description, outcome: &Outcome, findings: &mut Findings) {
    let broken = |what: String| world.ledger.violation("G4", world.now_ms(), format!("{}: {what}", execution.run));
    let code = ended.error.as_deref().and_then(Code::parse);
    match ended.status {
        // ConcludeRun died at every try; the sweeper recorded what it did not.
        Status::Failed if code.is_none() && dies_at_every_try(world) => {}
        Status::Failed if code.is_none() || code == Some(Code::OutcomeNotRecorded) => {
            findings.unclassified += 1;
            broken(format!("failed with {:?}: {:?}", ended.error, ended.cause));
        }
        Status::Failed if code != outcome.code => {
            broken(format!("failed with {code:?}, and its outcome says {:?}", outcome.code));
        }
        // A redrive that verified the stop of a successful run leaves the first outcome as it stands.
        Status::Succeeded if outcome.failure.is_some() && execution.redrives == 0 => {
            broken(format!("succeeded, and its outcome says {:?}", outcome.code));
        }
        _ => {}
    }
    if outcome.code == Some(Code::InvalidRequest) {
        world.counters.fired(Fault::InvalidInput);
    }
    // Of records that a notebook spoilt there is no better code.
    let spoilt = world.ledger.struck_at(&execution.instance).is_some();
    if outcome.code == Some(Code::Internal) && !dies_at_every_try(world) && !spoilt {
        findings.unclassified += 1;
        broken(format!("has no better code than Internal: {:?}", outcome.failure));
    }
}

/// Whether the schedule has functions die as often as the definition tries again: that has no better name than Internal.
fn dies_at_every_try(world: &World) -> bool {
    let deaths = world.schedule.troubles.iter().map(|planned| match planned.trouble {
        Trouble::Invocation { how: Invocation::Cut(_), times, .. } => times,
        _ => 0,
    });
    deaths.sum::<u32>() > RETRIES_OF_A_DEATH
}

/// G4: the first error of the newest attempt that a step ended with is the outcome's, where there is no report.
fn check_first_error(world: &World, execution: &Started, outcome: &Outcome) {
    let Some(history) = world.service().execution(&execution.arn).map(|known| known.history()) else { return };
    let mut failing: Option<(Rc<str>, Code)> = None;
    let mut first = None;
    for event in history {
        let Some(state) = event.state else { continue };
        match event.kind {
            EventKind::TaskFailed => {
                let error = event.detail.as_deref().and_then(|detail| detail.split(' ').next());
                failing = error.and_then(Code::parse).map(|code| (state, code));
            }
            EventKind::TaskScheduled | EventKind::TaskSucceeded | EventKind::TaskTimedOut => failing = None,
            EventKind::TaskStateEntered if *state == *"AdmitRun" => (failing, first) = (None, None),
            EventKind::TaskStateEntered => {
                let left = failing.take().filter(|(failed, _)| **failed != *"VerifyStopped");
                first = first.or(left.map(|(_, code)| code));
            }
            _ => {}
        }
    }
    if first.is_some() && outcome.code != first {
        let what = format!("{}: its first error is {first:?}, and its outcome {:?}", execution.run, outcome.code);
        world.ledger.violation("G4", world.now_ms(), what);
    }
}

/// G3: an outcome does not say that the instance was not touched when it was.
fn check_instance_after(world: &World, execution: &Started, outcome: &Outcome) {
    let trace = world.service().execution(&execution.arn).map(|known| known.trace()).unwrap_or_default();
    let touched = trace.iter().any(|state| matches!(&**state, "StartInstance" | "AwaitRun"));
    if touched && outcome.instance_after == Rest::NotTouched {
        let what = format!("{}: its outcome says that its instance was not touched", execution.run);
        world.ledger.violation("G3", world.now_ms(), what);
    }
}

/// G4: the first error wins. The report is the verdict; and what the runner reports is what the notebook did.
fn check_verdict(world: &World, at: &AttemptRef, outcome: &Outcome, notebooks: &[Begun]) {
    let broken = |what: String| world.ledger.violation("G4", world.now_ms(), format!("{}: {what}", at.run));
    let Some(report) = world.bucket.record::<Report>(&world.stack.layout.report(at)) else {
        let begun = notebooks.iter().any(|begun| begun.at == *at);
        if begun && outcome.failure.is_none() {
            broken("succeeded without a report".into());
        }
        return;
    };
    let reported = report.failure.as_ref().map(|failure| failure.code);
    // Of a stop that could not be confirmed the outcome speaks beside the verdict.
    let masked = match reported {
        Some(code) => outcome.code != Some(code),
        None => {
            outcome.status != records::Status::Succeeded
                || outcome.code.is_some_and(|code| code != Code::StopNotConfirmed)
        }
    };
    if masked {
        broken(format!("its report says {reported:?}, and its outcome {:?}", outcome.code));
    }
    // Outputs are kept whoever gave the verdict, and an outcome names what there is; but for what a boot found that came so late
    // that no sweep looked at the execution any more.
    let late = || {
        let last_swept_ms = (outcome.concluded_at + SWEEP_BACK).timestamp_millis() - SWEPT_EVERY_MS;
        let boots = world.boots.borrow();
        outcome.outputs.is_empty()
            && report.by == Reporter::Function
            && boots.values().any(|boot| boot.instance == at.instance && boot.since_ms > last_swept_ms)
    };
    if world.sweeps() && outcome.outputs != report.outputs && !late() {
        broken(format!("its report names {:?}, and its outcome {:?}", report.outputs, outcome.outputs));
    }
    let kept = |uri: &String| world.bucket.get(uri.trim_start_matches(&world.stack.layout.uri(""))).is_some();
    if !outcome.outputs.values().all(kept) {
        broken(format!("its outcome names what is not there: {:?}", outcome.outputs));
    }
    let ended = notebooks.iter().rev().find(|begun| begun.at == *at).and_then(|begun| begun.ended);
    if let (Some(ended), Reporter::Runner) = (ended, report.by) {
        let own = [Code::RunnerLost, Code::OutputNotSaved];
        let same = reported == ended || reported.is_some_and(|code| own.contains(&code));
        if !same {
            broken(format!("the notebook ended with {ended:?}, and the runner reported {reported:?}"));
        }
    }
}

/// G1 and G2 for all executions of one trigger.
fn check_trigger(world: &World, trigger: usize, executions: &[Started], notebooks: &[Begun], findings: &mut Findings) {
    use crate::world::Cause;
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
        if execution.cause == Cause::Delivered && !duplicate {
            answered += 1;
        }
        if matches!(execution.cause, Cause::ByHand | Cause::Rerun) && duplicate {
            broken("G5", format!("{} was asked for by a person, and ended as a duplicate", execution.run));
        }
    }
    let delivered: Vec<&Started> = mine().filter(|execution| execution.cause == Cause::Delivered).collect();
    let executing = delivered.iter().filter(|execution| count(notebooks, &execution.run) > 0).count();
    if executing > 1 {
        broken("G2", format!("{executing} deliveries of one event executed a notebook"));
    }
    let by_person = mine().any(|execution| execution.cause == Cause::Repeated);
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

/// G3: nothing that we started stays on.
fn check_leaks(world: &World, findings: &mut Findings) {
    for boot in world.boots.borrow().values().filter(|boot| boot.started_by == By::Us) {
        let end = boot.stopping_ms.get().or(boot.ended_ms.get()).unwrap_or(world.now_ms());
        let Some(last_run) = world.ledger.last_end_ms(&boot.instance) else { continue };
        let struck = world.ledger.struck_at(&boot.instance).is_some_and(|at| at <= end);
        if !world.sweeps() && is_left_to_the_sweeper(world, &boot.instance) || struck && is_told(world, boot) {
            continue;
        }
        let used_until = last_run.max(boot.since_ms).max(boot.last_active_ms(end).unwrap_or(0));
        let leaked = end - used_until - GRACE_MS;
        if leaked > 0 {
            findings.leaked_ms += leaked;
            findings.longest_leak_ms = findings.longest_leak_ms.max(leaked);
            let what = format!("{} boot {} stayed on {} s beyond its grace", boot.instance, boot.number, leaked / 1000);
            world.ledger.violation("G3", world.now_ms(), what);
        }
    }
}
