//! **ConcludeRun**: record the outcome, publish the event, end the execution with the run's own code.
//!
//! - Takes everything the state machine carried: the first error, the wait, the stop.
//! - Effects, in this order: if a runner owns the attempt and has not reported, its report (put once); `outcome.json` (put once), one `Notebook Run Status Change` event;
//!   the run's entry in the history, which decides nothing.
//! - A failed run fails the execution *here*, so that a redrive re-enters here and may run it again as the next attempt.
//! - Run twice it publishes twice and answers the same.

use reveille_domain::history::Entry;
use reveille_domain::input::{self, OnRunnerLost};
use reveille_domain::layout::{AttemptRef, INVALID_INSTANCE};
use reveille_domain::limits::MAX_RERUNS;
use reveille_domain::memory::{Stopping, Waiting};
use reveille_domain::ports::{Clock, GetObject, PublishEvent, PutObject};
use reveille_domain::records::{Execution, Outcome, Report, Reporter, Rest, RunRef};
use reveille_domain::run_event::{DETAIL_TYPE, RunEvent};
use reveille_domain::{Code, Failure, InputText, InstanceName, RETRIED, Unreadable};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::history::{self, ENTERED_WITHIN};
use crate::left;
use crate::own;
use crate::stack::Stack;
use crate::store::{self, StoreError};
use crate::verdict;
use crate::verdict::decide::{Caught, classify};
use crate::withdraw::is_claimed;
use decide::{OutcomeFacts, Standing};

pub mod decide;

/// What the state machine passes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConcludeRunInput {
    /// The execution.
    pub execution: Execution,
    /// Its whole input, as it came: for a run that was not admitted, whose input may be no JSON.
    pub input: InputText,
    /// The attempt, which may be one whose admission failed.
    pub attempt: u32,
    /// The run, if it was ever admitted.
    #[serde(default)]
    pub run: Option<RunRef>,
    /// What CheckInstance and StartInstance remember.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// What VerifyStopped remembers.
    #[serde(default)]
    pub stopping: Option<Stopping>,
    /// The first error that a Catch carried.
    #[serde(default)]
    pub error: Option<Caught>,
    /// The error of VerifyStopped.
    #[serde(default)]
    pub stop_error: Option<Caught>,
    /// The instance was busy and the request said to skip.
    #[serde(default)]
    pub skipped: bool,
    /// The redrive under which the stop was verified again, if one did.
    #[serde(default)]
    pub verified_redrive: Option<u32>,
}

/// What it gets back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "decision", rename_all = "camelCase")]
pub enum ConcludeRunOutput {
    /// The execution succeeds with this.
    Concluded {
        /// The outcome.
        outcome: Box<Outcome>,
    },
    /// Run it again as this attempt.
    RunAgain {
        /// The next attempt.
        attempt: u32,
    },
    /// Verify the stop again.
    #[serde(rename_all = "camelCase")]
    VerifyAgain {
        /// To be passed back.
        verified_redrive: u32,
    },
}

/// Writes the outcome once, publishes its event, and fails with the run's own code.
///
/// # Errors
/// The run's own failure; or `OutcomeNotRecorded` for a call's failure, which no run ends with, so that the state
/// machine can retry the one and not the other.
pub async fn conclude_run<P>(stack: &Stack, ports: &P, call: ConcludeRunInput) -> Result<ConcludeRunOutput, Failure>
where
    P: Clock + GetObject + PutObject + PublishEvent,
{
    let unconfirmed = unconfirmed(&call);
    let (execution, input) = (call.execution.clone(), call.input.clone());
    let at = attempt_ref(&call, instance_of(&call).as_ref());
    let end = ports.now() + ENTERED_WITHIN;
    let ended = conclude(stack, ports, call).await;
    // Only behind the outcome and its event: nothing that this may cost delays them.
    left::complete_previous(&stack.layout, ports, &at, &execution.arn).await;
    let Concluded { ended, recorded } = ended.map_err(|failure| not_recorded(&failure, unconfirmed.as_ref()))?;
    if let Some(outcome) = recorded {
        let entry = Entry::of(&outcome, &at, execution.start_time, &input);
        // What could not be entered now, a sweep enters.
        let _entered = history::enter(&stack.layout, ports, &entry, end).await;
    }
    match ended {
        Ended::Output(answer) => Ok(answer),
        Ended::Failed(failure) => Err(failure),
    }
}

/// How the step ended, and the outcome that stands recorded, if this was the run's end.
struct Concluded {
    ended: Ended,
    recorded: Option<Box<Outcome>>,
}

impl Concluded {
    /// The run goes on.
    const fn goes_on(output: ConcludeRunOutput) -> Self {
        Self { ended: Ended::Output(output), recorded: None }
    }
}

/// How the step ended, where its own calls went well.
enum Ended {
    Output(ConcludeRunOutput),
    Failed(Failure),
}

/// The instance, if the run may have started it and nobody saw that it stopped or was left to others.
fn unconfirmed(call: &ConcludeRunInput) -> Option<InstanceName> {
    let (waiting, stopping) = (call.waiting.as_ref(), call.stopping.as_ref());
    let touched = decide::has_looked(waiting, stopping, call.attempt, call.execution.redrive_count);
    let seen = stopping.is_some_and(|stopping| stopping.rest.is_some());
    call.run.as_ref().filter(|_| touched && !seen && !call.skipped).map(|run| run.instance.clone())
}

/// The same, of the arguments as they came.
#[must_use]
pub fn unconfirmed_in(arguments: &Value) -> Option<InstanceName> {
    unconfirmed(&serde_json::from_value(arguments.clone()).ok()?)
}

/// A failure to conclude a run, in a code that no run ends with.
#[must_use]
pub fn not_recorded(failure: &Failure, unconfirmed: Option<&InstanceName>) -> Failure {
    // Said once, for this code: another's own retries end here.
    let cause = failure.message.trim_end_matches(RETRIED).trim_end();
    let next = unconfirmed.map(|instance| format!("{}. ", instance.may_still_run())).unwrap_or_default();
    Failure::new(
        Code::OutcomeNotRecorded,
        format!("The run's outcome could not be recorded or published ({}): {cause} {next}{RETRIED}", failure.code),
    )
}

async fn conclude<P>(stack: &Stack, ports: &P, call: ConcludeRunInput) -> Result<Concluded, Failure>
where
    P: Clock + GetObject + PutObject + PublishEvent,
{
    let instance = instance_of(&call);
    let at = attempt_ref(&call, instance.as_ref());
    let mut damaged = Vec::new();
    let report = verdict_of(stack, ports, &call, &at, &mut damaged).await?;
    let fresh = compose(ports, &call, instance.as_ref(), report.as_ref(), &damaged);
    let arn = &call.execution.arn;
    let standing = match own::outcome(&stack.layout, ports, &at, arn).await {
        Err(StoreError::Unreadable(unreadable)) => {
            return cannot_record(stack, ports, &call, &at, report.as_ref(), fresh, &unreadable).await;
        }
        standing @ (Ok(_) | Err(StoreError::Call(_) | StoreError::Contended { .. })) => standing?,
    };
    if let Some(standing) = standing.map(|stored| stored.record) {
        let redrive = call.execution.redrive_count;
        let verified = call.verified_redrive == Some(redrive);
        match decide::standing(&standing, report.as_ref(), redrive, verified) {
            // The answer of an earlier try was lost.
            Standing::Repeat if is_rerun(&call, report.as_ref(), &standing) => {
                return Ok(Concluded::goes_on(run_again(&at)));
            }
            Standing::Repeat => return finish(stack, ports, &at, arn, standing).await,
            Standing::RunAgain => return Ok(Concluded::goes_on(run_again(&at))),
            Standing::VerifyAgain => {
                return Ok(Concluded::goes_on(ConcludeRunOutput::VerifyAgain { verified_redrive: redrive }));
            }
            Standing::Verified => {
                // What stands recorded is the first one.
                let concluded = finish(stack, ports, &at, arn, fresh).await?;
                return Ok(Concluded { recorded: Some(Box::new(standing)), ..concluded });
            }
        }
    }
    let outcome = if store::put_once(ports, &stack.layout.outcome(&at), &fresh).await? {
        left::completed(&stack.layout, ports, &at, report.as_ref(), fresh).await
    } else {
        // Our own write whose answer was lost, or the sweeper's: what is there is the outcome.
        match own::outcome(&stack.layout, ports, &at, arn).await {
            Err(StoreError::Unreadable(unreadable)) => {
                return cannot_record(stack, ports, &call, &at, report.as_ref(), fresh, &unreadable).await;
            }
            standing @ (Ok(_) | Err(StoreError::Call(_) | StoreError::Contended { .. })) => {
                standing?.map_or(fresh, |stored| stored.record)
            }
        }
    };
    if is_rerun(&call, report.as_ref(), &outcome) {
        return Ok(Concluded::goes_on(run_again(&at)));
    }
    finish(stack, ports, &at, arn, outcome).await
}

/// The report of the attempt. If its execution gave it up while a runner owns it, that is its verdict: nothing that the runner reports
/// later may say something else than the outcome.
async fn verdict_of<P>(
    stack: &Stack,
    ports: &P,
    call: &ConcludeRunInput,
    at: &AttemptRef,
    damaged: &mut Vec<Unreadable>,
) -> Result<Option<Report>, StoreError>
where
    P: Clock + GetObject + PutObject,
{
    let report = store::or_evidence(own::report(&stack.layout, ports, at).await, damaged)?;
    // Who skips has claimed nothing.
    if report.is_some() || !damaged.is_empty() || call.skipped || !is_claimed(stack, ports, at).await? {
        return Ok(report.map(|stored| stored.record));
    }
    let failure = call.error.as_ref().map_or_else(decide::without_a_word, classify);
    verdict::give(&stack.layout, ports, at, failure, None).await?;
    Ok(store::or_evidence(own::report(&stack.layout, ports, at).await, damaged)?.map(|stored| stored.record))
}

/// Something else is where the outcome belongs, and will however often this is tried: the event carries the outcome,
/// and the execution names the record.
async fn cannot_record<P: PublishEvent>(
    stack: &Stack,
    ports: &P,
    call: &ConcludeRunInput,
    at: &AttemptRef,
    report: Option<&Report>,
    outcome: Outcome,
    unreadable: &Unreadable,
) -> Result<Concluded, Failure> {
    if is_rerun(call, report, &outcome) {
        return Ok(Concluded::goes_on(run_again(at)));
    }
    let concluded = finish(stack, ports, at, &call.execution.arn, decide::unrecorded(outcome, unreadable)).await?;
    Ok(Concluded { recorded: None, ..concluded })
}

fn run_again(at: &AttemptRef) -> ConcludeRunOutput {
    ConcludeRunOutput::RunAgain { attempt: at.attempt + 1 }
}

fn instance_of(call: &ConcludeRunInput) -> Option<InstanceName> {
    call.run.as_ref().map(|run| run.instance.clone()).or_else(|| input::instance_of(&call.input))
}

fn attempt_ref(call: &ConcludeRunInput, instance: Option<&InstanceName>) -> AttemptRef {
    AttemptRef {
        instance: instance.map_or_else(|| INVALID_INSTANCE.to_owned(), InstanceName::to_string),
        run: call.execution.run(),
        attempt: call.attempt,
    }
}

fn compose<P: Clock>(
    ports: &P,
    call: &ConcludeRunInput,
    instance: Option<&InstanceName>,
    report: Option<&Report>,
    damaged: &[Unreadable],
) -> Outcome {
    // Of what was asked for, the execution's input tells, not the record of it.
    let input = call.run.as_ref().and_then(|_| input::read(&call.input).ok());
    decide::outcome(&OutcomeFacts {
        execution: &call.execution,
        attempt: call.attempt,
        run: call.run.as_ref(),
        instance,
        notebook: input.as_ref().map(|input| &input.notebook),
        report,
        damaged,
        error: call.error.as_ref(),
        stop_error: call.stop_error.as_ref(),
        waiting: call.waiting.as_ref().filter(|waiting| waiting.is_of(call.attempt)),
        stopping: call.stopping.as_ref(),
        skipped: call.skipped,
        now: ports.now(),
    })
}

/// A lost runner's run is repeated when that was asked for, and only where nothing of it can still run: its boot was
/// seen to have stopped, or a later runner process of that boot killed what was left.
fn is_rerun(call: &ConcludeRunInput, report: Option<&Report>, outcome: &Outcome) -> bool {
    let asked = call.run.as_ref().is_some_and(|run| run.on_runner_lost == OnRunnerLost::Rerun);
    let over = outcome.instance_after == Rest::AtRest || report.is_some_and(|report| report.by == Reporter::Runner);
    asked && over && outcome.code == Some(Code::RunnerLost) && outcome.attempt <= MAX_RERUNS
}

async fn finish<P: PublishEvent>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    execution_arn: &str,
    outcome: Outcome,
) -> Result<Concluded, Failure> {
    publish(stack, ports, at, execution_arn, &outcome).await?;
    let recorded = Some(Box::new(outcome.clone()));
    let ended = match outcome.failure {
        Some(failure) => Ended::Failed(failure),
        None => Ended::Output(ConcludeRunOutput::Concluded { outcome: Box::new(outcome) }),
    };
    Ok(Concluded { ended, recorded })
}

/// Publishes an outcome.
pub(crate) async fn publish<P: PublishEvent>(
    stack: &Stack,
    ports: &P,
    at: &AttemptRef,
    execution_arn: &str,
    outcome: &Outcome,
) -> Result<(), Failure> {
    let event = RunEvent::of(outcome, at, execution_arn, &stack.layout);
    Ok(ports.publish_event(DETAIL_TYPE, &json!(event)).await?)
}
