//! **VerifyStopped**: stop the instance, and say so only when it was observed.
//!
//! - Takes the run and what it remembers from its last look.
//! - Effects: at the first look, the run's place in the queue is withdrawn (fenced, then removed), so that no run counts
//!   on a run that has given up, and its notebook, if one runs, has the caught error for its verdict; then those of `bring_to_rest`: lease `closing`, Stop, lease removed.
//! - Run twice it looks twice. Its own failure never hides the run's.

use reveille_domain::age::{age, seconds};
use reveille_domain::limits::patience;
use reveille_domain::memory::{Stopping, Waiting};
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, GetObject, ListObjects, Nonces, PutObject,
    StopNotebookInstance,
};
use reveille_domain::records::{Lease, RunRef};
use reveille_domain::{Code, Failure};
use serde::{Deserialize, Serialize};

use crate::bring_to_rest::bring_to_rest;
use crate::stack::Stack;
use crate::store::{StoreError, Stored};
use crate::swap_lease;
use crate::verdict::decide::{Caught, classify};
use crate::withdraw::withdraw;

/// What the state machine passes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyStoppedInput {
    /// The run.
    pub run: RunRef,
    /// What CheckInstance and StartInstance remember.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// What this step remembers.
    #[serde(default)]
    pub stopping: Option<Stopping>,
    /// Why the run gave up, if it did; executions that began under an earlier version do not pass it.
    #[serde(default)]
    pub error: Option<Caught>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StopDecision {
    /// The instance has stopped, was handed over, or left to a person.
    Done,
    /// Look again after the poll interval.
    Wait,
}

/// What it gets back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyStoppedOutput {
    /// What to do next.
    pub decision: StopDecision,
    /// To be passed at the next look.
    pub stopping: Stopping,
}

/// Takes a run that gave up out of the queue, then looks until the instance has stopped or is in use.
///
/// # Errors
/// `StopNotConfirmed` after stopSeconds, or a call's failure.
pub async fn verify_stopped<P>(
    stack: &Stack,
    ports: &P,
    call: VerifyStoppedInput,
) -> Result<VerifyStoppedOutput, Failure>
where
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
    let VerifyStoppedInput { run, waiting, stopping, error } = call;
    let now = ports.now();
    // Of the memory that an earlier attempt handed on only its boot counts: what that one sent says nothing of what is up now.
    let waiting = waiting.map(|waiting| {
        if waiting.is_of(run.attempt) { waiting } else { Waiting::at_look(Some(waiting), run.attempt, 0, now) }
    });
    let first_look = stopping.is_none();
    let mut stopping = stopping.unwrap_or(Stopping { since: now, patience: 1, ended_at: None, rest: None });
    stopping.patience = patience(age(stopping.since, now));
    if first_look {
        withdraw(stack, ports, &run.at(), &run.instance, error.as_ref().map(classify)).await?;
    }
    if let Some(rest) = bring_to_rest(stack, ports, &run.instance, Some(&run.id), waiting.as_ref()).await? {
        stopping.rest = Some(rest);
        stopping.ended_at = Some(ports.now());
        return Ok(VerifyStoppedOutput { decision: StopDecision::Done, stopping });
    }
    let limit = chrono::TimeDelta::seconds(run.limits.stop_seconds.into());
    if age(stopping.since, ports.now()) >= limit {
        let lease = swap_lease::read(&stack.layout, ports, &run.instance).await;
        let held_up = held_up_by(&stack.layout.lease(&run.instance), &lease);
        return Err(Failure::new(
            Code::StopNotConfirmed,
            format!(
                "Notebook instance {} was not observed to have stopped within {} s (limits.stopSeconds). {held_up}{}",
                run.instance,
                run.limits.stop_seconds,
                run.instance.may_still_run()
            ),
        ));
    }
    Ok(VerifyStoppedOutput { decision: StopDecision::Wait, stopping })
}

/// What the lease says of an instance that does not stop: the record that held things up.
fn held_up_by(key: &str, lease: &Result<Option<Stored<Lease>>, StoreError>) -> String {
    match lease {
        Ok(Some(Stored { record: Lease { state, at, .. }, .. })) => {
            format!("Its record {key} said \"{}\" since {}. ", state.as_str(), seconds(*at))
        }
        Ok(None) => format!("The record {key} does not exist. "),
        // The first error wins: that it was not read is another matter.
        Err(_) => String::new(),
    }
}
