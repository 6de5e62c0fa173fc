//! **(sweeper)** `release_instance`: what no step of an execution can do any more, because its execution ended.
//!
//! - Called for every execution that ended ABORTED, TIMED_OUT or FAILED (an abort runs no Catch, and uncatchable errors
//!   skip it too), and on a timer, for the recently ended ones and for every lease.
//! - Effects, in this order: the attempt is fenced (claimed `by: release` if nobody claimed it), its report put once, its
//!   ticket removed, the missing outcome put once and its event published; then `reconcile` of the instance. A runner
//!   that executes the attempt meets the report at its next beat, and ends the notebook.
//! - Run twice it does nothing the second time. An execution that runs again (a redrive) is left alone.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use reveille_domain::check::Waiting;
use reveille_domain::conclude::{self, Caught, Facts, Stopping};
use reveille_domain::input::{self, OnRunnerLost};
use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::{MAX_RERUNS, MAX_SWEPT, SWEEP_BACK, SWEEP_TIME};
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, DescribeWholeExecution, ExecutionSeen,
    ExecutionStatus, GetObject, ListEndedExecutions, ListObjects, Nonces, PublishEvent, PutObject,
    StopNotebookInstance,
};
use reveille_domain::records::{Outcome, Report, Reporter, Request, Status, Ticket};
use reveille_domain::{Code, Failure, InstanceName, RunId};
use serde::{Deserialize, Serialize};

use crate::reconcile::reconcile;
use crate::stack::Stack;
use crate::steps::conclude_run;
use crate::store;
use crate::withdraw::fence;

/// The detail of a `Step Functions Execution Status Change` event, or nothing from the timer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// The execution that ended.
    #[serde(default)]
    pub execution_arn: Option<String>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Outcomes that were missing and are recorded now.
    pub concluded: usize,
    /// Instances that were looked at.
    pub reconciled: usize,
    /// Things that could not be done now; the next sweep tries them again.
    pub failed: usize,
}

/// Runs the step.
///
/// # Errors
/// The first call's failure, after everything else was tried.
pub async fn release_instance<P>(stack: &Stack, ports: &P, call: Call) -> Result<Answer, Failure>
where
    P: Clock
        + Nonces
        + DescribeNotebookInstance
        + StopNotebookInstance
        + GetObject
        + PutObject
        + DeleteObject
        + ListObjects
        + DescribeExecution
        + DescribeWholeExecution
        + ListEndedExecutions
        + PublishEvent,
{
    let end = ports.now() + SWEEP_TIME;
    let mut answer = Answer::default();
    let mut first_failure = None;
    let mut instances = Vec::new();
    let mut ended = Vec::new();
    let announced = call.execution_arn.is_some();
    if let Some(arn) = call.execution_arn {
        ended.push(arn);
    } else {
        // What costs money comes first, and leaves half of the time for the rest.
        let leased = leased(stack, ports).await?;
        rest(stack, ports, &leased, end - SWEEP_TIME / 2, &mut answer, &mut first_failure).await;
        ended = ports.list_ended_executions(ports.now() - SWEEP_BACK, MAX_SWEPT).await?;
    }
    for arn in ended {
        if ports.now() >= end {
            break;
        }
        match conclude_ended(stack, ports, &arn, announced).await {
            Ok((instance, true)) => {
                answer.concluded += 1;
                instances.extend(instance);
            }
            Ok((_, false)) => {}
            Err(failure) => keep_first(&mut first_failure, &mut answer, failure),
        }
    }
    rest(stack, ports, &instances, end, &mut answer, &mut first_failure).await;
    first_failure.map_or(Ok(answer), Err)
}

/// Reconciles the instances, until the time is over.
async fn rest<P>(
    stack: &Stack,
    ports: &P,
    instances: &[InstanceName],
    end: DateTime<Utc>,
    answer: &mut Answer,
    first_failure: &mut Option<Failure>,
) where
    P: Clock
        + Nonces
        + DescribeNotebookInstance
        + StopNotebookInstance
        + GetObject
        + PutObject
        + DeleteObject
        + ListObjects
        + DescribeExecution,
{
    for instance in instances {
        if ports.now() >= end {
            break;
        }
        match reconcile(stack, ports, instance, None).await {
            Ok(_) => answer.reconciled += 1,
            Err(failure) => keep_first(first_failure, answer, failure),
        }
    }
}

fn keep_first(first: &mut Option<Failure>, answer: &mut Answer, failure: Failure) {
    answer.failed += 1;
    first.get_or_insert(failure);
}

/// The instances that have a lease.
async fn leased<P: ListObjects>(stack: &Stack, ports: &P) -> Result<Vec<InstanceName>, Failure> {
    let prefix = stack.layout.leases();
    let keys = ports.list_objects(&prefix, usize::MAX).await?;
    Ok(keys
        .iter()
        .filter_map(|key| key.strip_prefix(&prefix)?.strip_suffix(".json"))
        .filter_map(|name| InstanceName::parse(name).ok())
        .collect())
}

/// Records what an ended execution did not. Answers its instance, and whether an outcome was missing. `announced`: the
/// execution's end was, and it is looked at for the first time.
async fn conclude_ended<P>(
    stack: &Stack,
    ports: &P,
    arn: &str,
    announced: bool,
) -> Result<(Option<InstanceName>, bool), Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject + ListObjects + DescribeWholeExecution + PublishEvent,
{
    let Some(seen) = ports.describe_whole_execution(arn).await? else { return Ok((None, false)) };
    let instance = input::instance_of(&seen.input);
    if matches!(seen.status, ExecutionStatus::Running | ExecutionStatus::Succeeded) {
        return Ok((instance, false));
    }
    let mut at = last_attempt(stack, ports, &seen, instance.as_ref()).await?;
    let mut standing = store::read::<Outcome>(ports, &stack.layout.outcome(&at)).await?;
    if let Some(before) = &standing
        && is_repeated(stack, ports, &at, &before.record, &seen).await?
    {
        // The execution ended on the way to its next attempt, which left no record yet.
        at.attempt += 1;
        standing = store::read::<Outcome>(ports, &stack.layout.outcome(&at)).await?;
    }
    if let Some(standing) = standing {
        if announced && seen.error.as_deref() == Some(Code::OutcomeNotRecorded.as_str()) {
            publish(stack, ports, &at, &standing.record).await?;
        }
        return Ok((instance, false));
    }
    if let Some(instance) = &instance {
        cancel(stack, ports, &at, instance, &seen).await?;
    }
    let outcome = compose(stack, ports, &at, &seen, instance.as_ref()).await?;
    // The event first: a sweep that dies in between is repeated, and an event may come twice but must not be missing.
    publish(stack, ports, &at, &outcome).await?;
    let concluded = store::put_once(ports, &stack.layout.outcome(&at), &outcome).await?;
    Ok((instance, concluded))
}

/// Whether an attempt with this outcome is followed by another: a person redrove the execution, or its runner was lost and
/// it repeats itself.
async fn is_repeated<P: GetObject>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    outcome: &Outcome,
    seen: &ExecutionSeen,
) -> Result<bool, Failure> {
    // An execution that failed was concluded, with this very outcome.
    if seen.status == ExecutionStatus::Failed {
        return Ok(false);
    }
    if outcome.redrive_count < seen.execution.redrive_count {
        // Of a notebook that succeeded, a redrive only verifies the stop.
        return Ok(outcome.code.is_some_and(|code| code != Code::StopNotConfirmed));
    }
    if outcome.code != Some(Code::RunnerLost) || at.attempt > MAX_RERUNS {
        return Ok(false);
    }
    let request = store::read::<Request>(ports, &stack.layout.request(&at.instance, &at.run)).await?;
    Ok(request.is_some_and(|request| request.record.on_runner_lost == OnRunnerLost::Rerun))
}

async fn publish<P: PublishEvent>(stack: &Stack, ports: &P, at: &AttemptRef, outcome: &Outcome) -> Result<(), Failure> {
    Ok(ports.publish_event(conclude_run::DETAIL_TYPE, &conclude_run::event_detail(stack, at, outcome)).await?)
}

/// The attempt that the execution was at: the last that left a record. The run is found by its name and its request,
/// because an execution's name is used again after 90 days.
async fn last_attempt<P: GetObject + ListObjects>(
    stack: &Stack,
    ports: &P,
    seen: &ExecutionSeen,
    instance: Option<&InstanceName>,
) -> Result<AttemptRef, Failure> {
    let folder = instance.map_or_else(|| INVALID_INSTANCE.to_owned(), InstanceName::to_string);
    let mut run = seen.execution.run();
    let own = format!("{}runs/{folder}/", stack.layout.prefix);
    let keys = ports.list_objects(&format!("{own}{}", run_name(&run)), usize::MAX).await?;
    let record = |key: &str| -> Option<(RunId, Option<u32>)> {
        let mut segments = key.strip_prefix(&own)?.split('/');
        Some((RunId::from_key(segments.next()?), segments.next()?.parse().ok()))
    };
    let found: Vec<(RunId, Option<u32>)> = keys.iter().filter_map(|key| record(key)).collect();
    if !found.iter().any(|(known, _)| *known == run) {
        // An engine that shows another start time than its context object: the request tells.
        for (known, _) in &found {
            let request = store::read::<Request>(ports, &stack.layout.request(&folder, known)).await?;
            if request.is_some_and(|request| request.record.execution_arn == seen.execution.arn) {
                run = known.clone();
            }
        }
    }
    let mut attempt = found.iter().filter(|(known, _)| *known == run).filter_map(|(_, attempt)| *attempt).max();
    if let Some(instance) = instance
        && let Some(ticket) = store::read::<Ticket>(ports, &stack.layout.ticket(instance, &run)).await?
    {
        // A redriven run that only stands in the queue has left no other record of its attempt.
        attempt = attempt.max(Some(ticket.record.attempt));
    }
    Ok(AttemptRef { instance: folder, run, attempt: attempt.unwrap_or(1) })
}

/// A run's id without its hash: what all runs of one execution name begin with.
fn run_name(run: &RunId) -> &str {
    let id = run.as_str();
    id.rfind('-').map_or(id, |hash| &id[..=hash])
}

/// Fences the attempt, gives it a verdict, and takes it out of the queue.
async fn cancel<P>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    instance: &InstanceName,
    seen: &ExecutionSeen,
) -> Result<(), Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    fence(stack, ports, at).await?;
    let report = Report {
        run: at.run.clone(),
        attempt: at.attempt,
        by: Reporter::Function,
        failure: Some(failure(seen)),
        source_sha256: None,
        outputs: BTreeMap::new(),
        queued_at: None,
        started_at: None,
        ended_at: ports.now(),
    };
    // A verdict that stands is the verdict, whoever reached it.
    store::put_once(ports, &stack.layout.report(at), &report).await?;
    let key = stack.layout.ticket(instance, &at.run);
    if let Some(ticket) = store::read::<Ticket>(ports, &key).await?
        && ticket.record.attempt == at.attempt
    {
        store::remove(ports, &key, &ticket.etag).await?;
    }
    Ok(())
}

/// What ended the execution, in the words of a run.
fn failure(seen: &ExecutionSeen) -> Failure {
    let name = &seen.execution.name;
    match seen.status {
        ExecutionStatus::Aborted => Failure::new(
            Code::Cancelled,
            format!(
                "Execution {name} was stopped by a person. A redrive of it, or a new execution, runs the notebook again."
            ),
        ),
        ExecutionStatus::TimedOut => Failure::new(
            Code::Internal,
            format!("Execution {name} ran into the state machine's own time limit. A redrive of it is safe."),
        ),
        ExecutionStatus::Failed | ExecutionStatus::Running | ExecutionStatus::Succeeded => {
            let failure = conclude::classify(&caught(seen));
            // ConcludeRun's own trouble is no run's verdict.
            let code = if failure.code == Code::OutcomeNotRecorded { Code::Internal } else { failure.code };
            Failure { code, ..failure }
        }
    }
}

fn caught(seen: &ExecutionSeen) -> Caught {
    Caught {
        state: format!("Execution {}", seen.execution.name),
        error: seen.error.clone().unwrap_or_default(),
        cause: seen.cause.clone().unwrap_or_default(),
    }
}

async fn compose<P: Clock + GetObject>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    seen: &ExecutionSeen,
    instance: Option<&InstanceName>,
) -> Result<Outcome, Failure> {
    let now = ports.now();
    let report = store::read::<Report>(ports, &stack.layout.report(at)).await?;
    let request = store::read::<Request>(ports, &stack.layout.request(&at.instance, &at.run)).await?;
    let unknown: Option<&Waiting> = None;
    let mut outcome = conclude::outcome(&Facts {
        execution: &seen.execution,
        attempt: at.attempt,
        run: None,
        instance,
        request: request.as_ref().map(|stored| &stored.record),
        report: report.as_ref().map(|stored| &stored.record),
        error: Some(&caught(seen)),
        stop_error: None,
        waiting: unknown,
        // The sweeper goes on until the instance is at rest; nobody waits to see it.
        stopping: Some(&Stopping { since: now, patience: 1, ended_at: None, rest: None }),
        skipped: false,
        now,
    });
    outcome.run = at.run.clone();
    if seen.status == ExecutionStatus::Aborted && outcome.code == Some(Code::Cancelled) {
        outcome.status = Status::Aborted;
    }
    Ok(outcome)
}
