//! **Sweep**: what no step of an execution can do any more, because its execution ended.
//!
//! - Called for every execution that ended ABORTED, TIMED_OUT or FAILED (an abort runs no Catch, and uncatchable errors
//!   skip it too), and on a timer, for the recently ended ones and for every lease.
//! - Effects, in this order: the attempt is fenced (claimed `by: release` if nobody claimed it), its report put once, its
//!   ticket removed, the missing outcome put once and its event published; then `bring_to_rest` of the instance. A runner
//!   that executes the attempt meets the report at its next beat, ends the notebook, and adds its outputs to the report;
//!   the next round adds them to the outcome.
//! - Last of all, and by the timer alone: runs that ended and are not in the history are entered. That holds up nothing and fails no sweep.
//! - Run twice it does nothing the second time. An execution that runs again (a redrive) is left alone.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use reveille_domain::input;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::{MAX_SWEEP_PAGES, SWEEP_PAGE, SWEEP_TIME};
use reveille_domain::memory::{Stopping, Waiting};
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, DescribeWholeExecution, EndedExecution,
    ExecutionSeen, ExecutionStatus, GetObject, ListEndedExecutions, ListObjects, Nonces, PublishEvent, PutObject,
    Sleep, StopNotebookInstance,
};
use reveille_domain::records::{Outcome, Progress, Report, RunStatus};
use reveille_domain::{Code, Failure, InstanceName, Unreadable};
use serde::Deserialize;

use crate::bring_to_rest::RestPorts;
use crate::conclude_run;
use crate::conclude_run::decide::{self as conclude, OutcomeFacts};
use crate::last_attempt::decide::{is_concluded, may_be_followed};
use crate::last_attempt::last_attempt;
use crate::left;
use crate::own;
use crate::stack::Stack;
use crate::store;
use crate::verdict;
use crate::verdict::decide::{Caught, classify};
use crate::withdraw::{fence, take_out};
use decide::{Cursor, Round};
use place::{SweepPart, SweepPlace};
use swept::Swept;

pub mod decide;
mod history;
mod leases;
mod place;
mod swept;

pub use swept::SweepOutput;

/// The detail of a `Step Functions Execution Status Change` event, or nothing from the timer.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepInput {
    /// The execution that ended.
    #[serde(default)]
    pub execution_arn: Option<String>,
}

/// Concludes executions that ended without an outcome, and stops instances that nobody else stops.
///
/// # Errors
/// The first call's failure, after everything else was tried; none that is about the history.
pub async fn sweep<P>(stack: &Stack, ports: &P, call: SweepInput) -> Result<SweepOutput, Failure>
where
    P: Clock
        + Sleep
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
    let begun = ports.now();
    let end = begun + SWEEP_TIME;
    let mut swept = Swept::default();
    let is_timer = call.execution_arn.is_none();
    let instances = if let Some(arn) = call.execution_arn {
        let concluded = conclude_ended(stack, ports, &arn, true).await;
        // Its instance is looked at in any case: if somebody concluded it, they may have left that to the sweeper.
        swept.concluded(concluded).into_iter().map(|(instance, _)| instance).collect()
    } else {
        go_round(stack, ports, end, &mut swept).await
    };
    swept::rest(stack, ports, &instances.into_iter().collect::<Vec<_>>(), end, &mut swept).await;
    if is_timer {
        history::keep_whole(stack, ports, begun, &mut swept).await;
    }
    swept.first_failure.map_or(Ok(swept.answer), Err)
}

/// The timer's sweep: goes on where the one before came to. Answers the instances of executions that it concluded.
async fn go_round<P>(stack: &Stack, ports: &P, end: DateTime<Utc>, swept: &mut Swept) -> BTreeSet<InstanceName>
where
    P: RestPorts + DescribeWholeExecution + ListEndedExecutions + PublishEvent,
{
    let mut place = SweepPlace::begin(stack, ports, swept).await;
    let mut instances = BTreeSet::new();
    // The first leaves half of the time for the second.
    let mut without_time = None;
    for (part, end) in place.order().into_iter().zip([end - SWEEP_TIME / 2, end]) {
        if ports.now() >= end {
            without_time = Some(part);
        }
        match part {
            SweepPart::Leases => leases::look_at_leases(&mut place, end, swept).await,
            SweepPart::Executions => instances = look_at_executions(&mut place, end, swept).await,
        }
    }
    place.end(without_time, swept).await;
    instances
}

/// Concludes what ended, page by page. Answers the instances of executions that were not concluded.
async fn look_at_executions<P>(
    place: &mut SweepPlace<'_, P>,
    end: DateTime<Utc>,
    swept: &mut Swept,
) -> BTreeSet<InstanceName>
where
    P: Clock
        + Nonces
        + GetObject
        + PutObject
        + DeleteObject
        + ListObjects
        + DescribeWholeExecution
        + ListEndedExecutions
        + PublishEvent,
{
    let (stack, ports) = (place.stack, place.ports);
    let mut instances = BTreeSet::new();
    let mut round = place.cursor.round(ports.now());
    for _ in 0..MAX_SWEEP_PAGES {
        let Some(list) = round.list().filter(|_| ports.now() < end) else { break };
        let page = match ports.list_ended_executions(list, round.page.as_deref(), SWEEP_PAGE).await {
            Ok(Some(page)) => page,
            Ok(None) => {
                round = round.again();
                continue;
            }
            Err(error) => {
                swept.failed(error);
                break;
            }
        };
        let wanted: Vec<&EndedExecution> = round.wanted(&page.executions).collect();
        let passed = |cursor: &mut Cursor, ended: &&EndedExecution| {
            cursor.round = Some(Round { after: Some(ended.arn.clone()), ..round.clone() });
        };
        let looked = place.each(&wanted, end, passed, |ended| conclude_ended(stack, ports, &ended.arn, false)).await;
        let done = looked.len();
        for looked in looked {
            let concluded = swept.concluded(looked).filter(|(_, concluded)| *concluded);
            instances.extend(concluded.map(|(instance, _)| instance));
        }
        if done < wanted.len() {
            round.after = done.checked_sub(1).map(|last| wanted[last].arn.clone()).or(round.after);
            break;
        }
        round = round.past(&page.executions, page.next);
        if place.is_careful() {
            place.cursor.round = Some(round.clone());
            place.keep().await;
        }
    }
    if round.list().is_some() {
        place.cursor.round = Some(round);
    } else {
        place.cursor.looked_at = Some(round.began_at);
        place.cursor.round = None;
    }
    instances
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
    let mut damaged = Vec::new();
    let mut standing = store::or_evidence(own::outcome(&stack.layout, ports, &at, arn).await, &mut damaged)?;
    if standing.as_ref().is_some_and(|before| is_repeated(&at, &before.record, &seen)) {
        // The execution ended on the way to its next attempt, which left no record yet.
        at.attempt += 1;
        standing = store::or_evidence(own::outcome(&stack.layout, ports, &at, arn).await, &mut damaged)?;
    }
    if let Some(standing) = standing {
        if announced && seen.error.as_deref() == Some(Code::OutcomeNotRecorded.as_str()) {
            conclude_run::publish(stack, ports, &at, arn, &standing.record).await?;
        }
        // The runner may have been done only after the outcome was written. The next sweep tries again; the instance waits for none of it.
        if standing.record.outputs.is_empty() && standing.record.source_sha256.is_none() {
            let _added = left::add_to(&stack.layout, ports, &at, &standing).await;
        }
        left::complete_previous(&stack.layout, ports, &at, arn).await;
        return Ok((instance, false));
    }
    if !damaged.is_empty() && is_concluded(&seen) {
        // ConcludeRun met the same record: it published the event and named the record.
        return Ok((instance, false));
    }
    let progress = match seen.status {
        ExecutionStatus::Aborted => progress_of(stack, ports, &at).await,
        ExecutionStatus::TimedOut | ExecutionStatus::Failed | ExecutionStatus::Running | ExecutionStatus::Succeeded => {
            None
        }
    };
    let caught = decide::caught(&seen, progress.as_ref());
    let first = match &instance {
        Some(instance) => cancel(stack, ports, &at, instance, &caught).await?,
        None => false,
    };
    let mut unread = Vec::new();
    let report = store::or_evidence(own::report(&stack.layout, ports, &at).await, &mut unread)?;
    let report = report.map(|stored| stored.record);
    let outcome = compose(ports.now(), &at, &seen, &caught, instance.as_ref(), report.as_ref(), &unread);
    if let Some(unreadable) = damaged.first() {
        // Something else is where the outcome belongs. Whoever gave the verdict publishes it, once.
        if first || announced {
            conclude_run::publish(stack, ports, &at, arn, &conclude::unrecorded(outcome, unreadable)).await?;
        }
        return Ok((instance, false));
    }
    // The event first: a sweep that dies in between is repeated, and an event may come twice but must not be missing.
    conclude_run::publish(stack, ports, &at, arn, &outcome).await?;
    let concluded = store::put_once(ports, &stack.layout.outcome(&at), &outcome).await?;
    // A runner may have ended the notebook meanwhile.
    left::completed(&stack.layout, ports, &at, report.as_ref(), outcome).await;
    Ok((instance, concluded))
}

/// Whether an attempt with this outcome is followed by another that left no record yet.
fn is_repeated(at: &AttemptRef, outcome: &Outcome, seen: &ExecutionSeen) -> bool {
    // An execution that failed was concluded, with this very outcome.
    seen.status != ExecutionStatus::Failed && may_be_followed(at, outcome, seen)
}

/// How far the notebook of an attempt was. It makes a message better and decides nothing, so that it cannot be read is no failure.
async fn progress_of<P: GetObject>(stack: &Stack, ports: &P, at: &AttemptRef) -> Option<Progress> {
    let read = store::read::<Progress>(ports, &stack.layout.progress(at)).await;
    read.ok().flatten().map(|stored| stored.record)
}

/// Fences the attempt, gives it a verdict, and takes it out of the queue. Answers whether the verdict was given now.
async fn cancel<P>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    instance: &InstanceName,
    caught: &Caught,
) -> Result<bool, Failure>
where
    P: Clock + Nonces + GetObject + PutObject + DeleteObject,
{
    fence(stack, ports, at).await?;
    let first = verdict::give(&stack.layout, ports, at, classify(caught), None).await?;
    take_out(stack, ports, at, instance).await?;
    Ok(first)
}

fn compose(
    now: DateTime<Utc>,
    at: &AttemptRef,
    seen: &ExecutionSeen,
    caught: &Caught,
    instance: Option<&InstanceName>,
    report: Option<&Report>,
    damaged: &[Unreadable],
) -> Outcome {
    // Of what was asked for, the execution's input tells, not the record of it.
    let input = input::read(&seen.input).ok();
    let unknown: Option<&Waiting> = None;
    let mut outcome = conclude::outcome(&OutcomeFacts {
        execution: &seen.execution,
        attempt: at.attempt,
        run: None,
        instance,
        notebook: input.as_ref().map(|input| &input.notebook),
        report,
        damaged,
        error: Some(caught),
        stop_error: None,
        waiting: unknown,
        // The sweeper goes on until the instance has stopped; nobody waits to see it.
        stopping: Some(&Stopping { since: now, patience: 1, ended_at: None, rest: None }),
        skipped: false,
        now,
    });
    outcome.run = at.run.clone();
    if seen.status == ExecutionStatus::Aborted && outcome.code == Some(Code::Cancelled) {
        outcome.status = RunStatus::Aborted;
    }
    outcome
}
