//! **AwaitRun**: put the run before the runner. The runner answers the task token.
//!
//! - Takes the run, how often its ticket fell silent, and the waiting state's token.
//! - Refuses a run that would be one more than may wait on the instance. A run that has its place keeps it.
//! - Writes the inbox entry, with the token inside, *then* reads the report: if there is one, the runner may be past
//!   this run, so the step answers the token itself and removes the entry.
//! - Run twice it overwrites its own entry. The token is a capability: it is stored, never logged.

use reveille_domain::Failure;
use reveille_domain::ports::{AnswerTask, Clock, DeleteObject, GetObject, ListObjects, PutObject};
use reveille_domain::records::{Claim, Execution, Report, RunRef, Ticket};
use serde::{Deserialize, Serialize};

use crate::stack::Stack;
use crate::store;
use crate::token;

pub mod decide;

/// What the state machine passes.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AwaitRunInput {
    /// The execution.
    pub execution: Execution,
    /// The run.
    pub run: RunRef,
    /// How often its ticket fell silent: it was submitted before.
    #[serde(default)]
    pub silences: u32,
    /// The waiting state's token.
    pub task_token: String,
}

/// What the Lambda invocation answers; the state waits for the token, so nobody reads it but the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AwaitRunOutput {
    /// The run is in the queue.
    Submitted,
    /// The report was there already.
    Answered,
}

/// Puts the ticket into the inbox, then answers for a report that is there already.
///
/// # Errors
/// `Busy`, or a call's failure.
pub async fn await_run<P>(stack: &Stack, ports: &P, call: AwaitRunInput) -> Result<AwaitRunOutput, Failure>
where
    P: Clock + GetObject + PutObject + DeleteObject + ListObjects + AnswerTask,
{
    let AwaitRunInput { execution, run, silences, task_token } = call;
    let key = stack.layout.ticket(&run.instance, &run.id);
    // What cannot be read is no ticket; it is overwritten.
    let mut unreadable = Vec::new();
    let before = store::or_evidence(store::read::<Ticket>(ports, &key).await, &mut unreadable)?;
    // Whatever is under its key, the queue gets no longer by overwriting it.
    if silences == 0 && before.is_none() && unreadable.is_empty() {
        find_room(stack, ports, &run).await?;
    }
    // A ticket submitted again keeps its place in time: queueSeconds does not begin anew.
    let queued_at = before
        .filter(|stored| stored.record.attempt == run.attempt)
        .map_or_else(|| ports.now(), |stored| stored.record.queued_at);
    let ticket = Ticket {
        run: run.id.clone(),
        attempt: run.attempt,
        instance: Some(run.instance.clone()),
        execution_arn: execution.arn,
        admitted_at: run.admitted_at,
        queued_at,
        heartbeat_seconds: stack.heartbeat_seconds,
        queue_seconds: run.limits.queue_seconds,
        live_output_seconds: stack.live_output_seconds,
        request_sha256: run.request_sha256.clone(),
        task_token,
    };
    store::put(ports, &key, &ticket).await?;
    // From here the notebook may be executing, so nothing that fails may end the run: whoever serves the ticket, or the
    // execution after a heartbeat, meets the report as well.
    Ok(answer_if_reported(stack, ports, &run, &ticket).await.unwrap_or(AwaitRunOutput::Submitted))
}

/// Whether one more run may wait on the instance. Runs that ask at the same moment do not see each other, so a few more may.
async fn find_room<P: GetObject + ListObjects>(stack: &Stack, ports: &P, run: &RunRef) -> Result<(), Failure> {
    let most = stack.max_waiting_runs as usize;
    // One more than are counted: the run's own may be among them by now.
    let keys = ports.list_objects(&stack.layout.inbox(&run.instance), most + 1).await?;
    let Err(full) = decide::room(&stack.layout, run, &keys, stack.max_waiting_runs) else { return Ok(()) };
    // It was submitted already, and its answer may have been lost: the notebook may be executing.
    let (claim, report) = (stack.layout.claim(&run.at()), stack.layout.report(&run.at()));
    let submitted = store::exists::<Claim>(ports, &claim).await? || store::exists::<Report>(ports, &report).await?;
    if submitted { Ok(()) } else { Err(full) }
}

async fn answer_if_reported<P>(
    stack: &Stack,
    ports: &P,
    run: &RunRef,
    ticket: &Ticket,
) -> Result<AwaitRunOutput, Failure>
where
    P: GetObject + DeleteObject + PutObject + AnswerTask,
{
    let Some(report) = store::read::<Report>(ports, &stack.layout.report(&run.at())).await? else {
        return Ok(AwaitRunOutput::Submitted);
    };
    token::answer(ports, ticket, &report.record).await?;
    let key = stack.layout.ticket(&run.instance, &run.id);
    if let Some(stored) = store::read::<Ticket>(ports, &key).await?
        && stored.record == *ticket
    {
        store::remove(ports, &key, &stored.etag).await?;
    }
    Ok(AwaitRunOutput::Answered)
}
