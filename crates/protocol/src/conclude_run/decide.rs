//! ConcludeRun's decisions: which failure was first, what the outcome is, and what a redrive does.

use chrono::{DateTime, Utc};

use crate::left::decide::{html_error, outputs, runner_version, source_sha256};
use crate::verdict::decide::{Caught, classify, of_a_run};

use reveille_domain::age::believed;
use reveille_domain::error::{Code, Failure};
use reveille_domain::ids::InstanceName;
use reveille_domain::input::NotebookSource;
use reveille_domain::memory::{Stopping, Waiting};
use reveille_domain::records::{Execution, Outcome, Phase, Phases, Report, Reporter, Rest, RunRef, RunStatus};
use reveille_domain::unreadable::{RecordKind, Unreadable};

/// Everything the outcome is made of.
#[derive(Clone, Debug)]
pub struct OutcomeFacts<'a> {
    /// The execution.
    pub execution: &'a Execution,
    /// The attempt, which may be one whose admission failed.
    pub attempt: u32,
    /// The run; none if it was never admitted.
    pub run: Option<&'a RunRef>,
    /// The instance that the input names, valid or not otherwise.
    pub instance: Option<&'a InstanceName>,
    /// The notebook that the input names, if the run was admitted.
    pub notebook: Option<&'a NotebookSource>,
    /// Its report.
    pub report: Option<&'a Report>,
    /// Its records that cannot be read.
    pub damaged: &'a [Unreadable],
    /// The first error that a Catch carried.
    pub error: Option<&'a Caught>,
    /// The failure to see the instance stopped.
    pub stop_error: Option<&'a Caught>,
    /// The wait for the instance.
    pub waiting: Option<&'a Waiting>,
    /// The wait for its stop.
    pub stopping: Option<&'a Stopping>,
    /// The request said `whenBusy: skip`, and it was busy.
    pub skipped: bool,
    /// Now.
    pub now: DateTime<Utc>,
}

/// The outcome of an attempt. The report is the truth about the notebook; without one the first error is. A stop that could
/// not be confirmed is told beside that verdict and never takes its place: the status of a notebook that succeeded is
/// `SUCCEEDED`, whatever is known of its instance.
#[must_use]
pub fn outcome(facts: &OutcomeFacts<'_>) -> Outcome {
    let first = first_failure(facts);
    let status = match (&first, facts.skipped) {
        (Some(_), _) => RunStatus::Failed,
        (None, true) => RunStatus::Skipped,
        (None, false) => RunStatus::Succeeded,
    };
    let failure = match (first, unconfirmed_stop(facts)) {
        (Some(first), Some(stop)) => Some(first.also(&stop)),
        (None, Some(stop)) => Some(Failure::new(Code::StopNotConfirmed, format!("The notebook succeeded. {stop}"))),
        (first, None) => first,
    };
    Outcome {
        run: facts.execution.run(),
        attempt: facts.attempt,
        status,
        code: failure.as_ref().map(|failure| failure.code),
        failure,
        instance: facts.instance.cloned(),
        notebook: facts.notebook.cloned(),
        source_sha256: facts.report.and_then(source_sha256),
        runner_version: facts.report.and_then(runner_version),
        outputs: facts.report.map(outputs).unwrap_or_default(),
        html_error: facts.report.and_then(html_error),
        phases: phases(facts),
        instance_after: instance_after(facts),
        execution_arn: facts.execution.arn.clone(),
        redrive_count: facts.execution.redrive_count,
        admitted_at: facts.run.map(|run| run.admitted_at),
        concluded_at: facts.now,
    }
}

/// What ended the run before its stop was looked at.
fn first_failure(facts: &OutcomeFacts<'_>) -> Option<Failure> {
    let damaged = facts.damaged.iter().find(|damaged| damaged.kind == RecordKind::Report);
    match (facts.report, facts.error) {
        (Some(report), _) => report.failure.clone().map(|failure| of_a_run(failure.bounded()).retries_exhausted()),
        (None, Some(error)) => Some(with_damage(classify(error), damaged)),
        (None, None) if facts.skipped => None,
        (None, None) => Some(damaged.cloned().map_or_else(without_a_word, Failure::from)),
    }
}

/// The failure of a run that was neither reported nor given up. No step of ours does that; an answer to its token may, that a
/// notebook on the instance forged.
#[must_use]
pub fn without_a_word() -> Failure {
    Failure::new(
        Code::Internal,
        "The run reached its end without a report and without an error. This is a defect; report it with the execution's ARN.",
    )
}

/// The failure, which names the record that cannot be read, if it does not already.
fn with_damage(failure: Failure, damaged: Option<&Unreadable>) -> Failure {
    match damaged {
        Some(damaged) if !failure.message.contains(&damaged.key) => {
            failure.also(&format!("{damaged} {}", damaged.advice()))
        }
        Some(_) | None => failure,
    }
}

/// Why the stop could not be confirmed, and what to do. A run that was skipped, or that never got to see its instance, touched
/// nothing: what becomes of the instance is another run's matter.
fn unconfirmed_stop(facts: &OutcomeFacts<'_>) -> Option<String> {
    let stop = classify(facts.stop_error.filter(|_| !facts.skipped)?);
    if stop.code == Code::StopNotConfirmed {
        return Some(stop.message);
    }
    if !may_have_touched(facts) {
        return None;
    }
    let next = facts.instance.map(InstanceName::may_still_run).unwrap_or_default();
    Some(format!("That its instance was stopped could not be confirmed ({}): {} {next}", stop.code, stop.message))
}

/// An outcome that cannot be recorded, because something else is in its place. The event carries it, and the execution
/// ends with the name of that record.
#[must_use]
pub fn unrecorded(outcome: Outcome, damaged: &Unreadable) -> Outcome {
    let failure = outcome.failure.clone().unwrap_or_else(|| {
        let ended = match outcome.status {
            RunStatus::Succeeded => "The notebook succeeded, but its outcome cannot be recorded.",
            RunStatus::Skipped => "The run was skipped, but its outcome cannot be recorded.",
            RunStatus::Failed | RunStatus::Aborted => "The outcome cannot be recorded.",
        };
        Failure::new(Code::Internal, ended)
    });
    let failure = with_damage(failure, Some(damaged));
    Outcome { code: Some(failure.code), failure: Some(failure), ..outcome }
}

/// Each phase begins where the one before it ends. A run that nobody claimed was in the queue until its end.
fn phases(facts: &OutcomeFacts<'_>) -> Phases {
    let report = facts.report;
    // The runner's clock wrote these.
    let known = |at: Option<DateTime<Utc>>| believed(at?, facts.now);
    let ready_at = facts.waiting.and_then(|waiting| waiting.first_ready_at.or(waiting.ready_at));
    let queued_at = known(report.and_then(|report| report.queued_at));
    let started_at = known(report.and_then(|report| report.started_at));
    // A function's report does not say when the run was queued: that was at once when the instance was ready.
    let given_up = report.is_none() && facts.error.is_some_and(|error| classify(error).code == Code::RunnerSilent);
    let left_queue_at = match report {
        // Of a run that was given up while its runner had it, nobody knows when it was taken.
        Some(report) => started_at.or_else(|| known(Some(report.ended_at)).filter(|_| report.by == Reporter::Runner)),
        None => facts.stopping.map(|stopping| stopping.since).filter(|_| given_up),
    };
    let between = |from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>| Some(Phase::between(from?, to?));
    Phases {
        starting: between(facts.waiting.map(|waiting| waiting.first_at), ready_at),
        queued: between(queued_at.or(ready_at), left_queue_at),
        running: between(started_at, known(report.map(|report| report.ended_at))),
        stopping: between(
            facts.stopping.map(|stopping| stopping.since),
            facts.stopping.and_then(|stopping| stopping.ended_at),
        ),
    }
}

fn instance_after(facts: &OutcomeFacts<'_>) -> Rest {
    match facts.stopping {
        Some(Stopping { rest: Some(rest), .. }) => *rest,
        Some(_) => Rest::NotConfirmed,
        None if facts.stop_error.is_some() && may_have_touched(facts) => Rest::NotConfirmed,
        None => Rest::NotTouched,
    }
}

/// Whether this execution may have started the instance or run on it. It begins with a look, which leaves a memory: where not one look
/// succeeded (a denial, say), it sent nothing. An earlier attempt, or what a redrive has no memory of, may have.
fn may_have_touched(facts: &OutcomeFacts<'_>) -> bool {
    facts.report.is_some() || has_looked(facts.waiting, facts.stopping, facts.attempt, facts.execution.redrive_count)
}

/// The same, judged only by what the state machine carries.
#[must_use]
pub const fn has_looked(
    waiting: Option<&Waiting>,
    stopping: Option<&Stopping>,
    attempt: u32,
    redrive_count: u32,
) -> bool {
    waiting.is_some() || stopping.is_some() || attempt > 1 || redrive_count > 0
}

/// What ConcludeRun does about an outcome that already stands for this attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Written under this very redrive: the step was tried again. Publish and end with it.
    Repeat,
    /// A person redrove a run that did not succeed: run it again as the next attempt.
    RunAgain,
    /// A person redrove a run whose notebook succeeded: only verify the stop again.
    VerifyAgain,
    /// The stop of a successful run was verified again: end.
    Verified,
}

/// Decides. `verified` says whether this redrive has been through VerifyStopped.
#[must_use]
pub fn standing(outcome: &Outcome, report: Option<&Report>, redrive_count: u32, verified: bool) -> Standing {
    if outcome.redrive_count >= redrive_count {
        return Standing::Repeat;
    }
    let succeeded = report.is_some_and(|report| report.failure.is_none());
    match (succeeded, verified) {
        (false, _) => Standing::RunAgain,
        (true, false) => Standing::VerifyAgain,
        (true, true) => Standing::Verified,
    }
}

#[cfg(test)]
mod tests;
