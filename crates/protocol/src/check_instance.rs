//! **CheckInstance**: read the instance; answer start, wait, ready or skip, or refuse.
//!
//! - Takes the run, what it remembers from its last look, and how often the run's ticket fell silent.
//! - Writes nothing, but for a run whose claimed runner is silent its report, `RunnerLost`, put once; and if a boot
//!   came up but no runner bound it, a note in its lease that it came up.
//! - Run twice it looks twice.

use reveille_domain::Failure;
use reveille_domain::input::WhenBusy;
use reveille_domain::layout::AttemptRef;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{
    Clock, DescribeExecution, DescribeNotebookInstance, GetObject, InstanceStatus, ListObjects, Nonces, Observation,
    PutObject,
};
use reveille_domain::records::{Claim, Lease, LeaseState, Progress, Report, RunRef};
use serde::{Deserialize, Serialize};

use crate::stack::Stack;
use crate::{holders, store, swap_lease, verdict};
use decide::silence::{self, BusyWith, SilenceVerdict};
use decide::{Check, InstanceSeen};

pub mod decide;

/// What the state machine passes.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckInstanceInput {
    /// The run.
    pub run: RunRef,
    /// What this step and StartInstance remember.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// How often the ticket fell silent.
    #[serde(default)]
    pub silences: u32,
}

/// What it gets back.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CheckInstanceOutput {
    /// What to do.
    pub decision: Check,
    /// To be passed at the next look.
    pub waiting: Waiting,
}

/// Looks at the instance, and says whether to start it, to wait or to go on.
///
/// # Errors
/// The failure that ends the run, or a call's failure.
pub async fn check_instance<P>(
    stack: &Stack,
    ports: &P,
    call: CheckInstanceInput,
) -> Result<CheckInstanceOutput, Failure>
where
    P: Clock + Nonces + DescribeNotebookInstance + GetObject + PutObject + ListObjects + DescribeExecution,
{
    let CheckInstanceInput { run, waiting, silences } = call;
    let before = waiting.as_ref().filter(|waiting| waiting.is_of(run.attempt));
    let first_look = before.is_none();
    let back_from_silence = before.is_some_and(|waiting| waiting.silences != silences);
    let mut waiting = Waiting::at_look(waiting, run.attempt, silences, ports.now());
    let observation = ports.describe_notebook_instance(&run.instance).await?;
    if back_from_silence {
        // A runner that lives is met again by submitting the ticket anew.
        if hear(stack, ports, &run, silences, observation.as_ref()).await? {
            return Ok(CheckInstanceOutput { decision: Check::Reported, waiting });
        }
    }
    let asks_who_is_busy = first_look && run.when_busy != WhenBusy::Queue;
    // Only a boot can be closing, and only a first look asks who is busy: otherwise the lease says nothing that is asked
    // here, and reading it would cost each poll of a starting instance a call.
    let up = observation.as_ref().is_some_and(|seen| seen.status == InstanceStatus::InService);
    let lease =
        if up || asks_who_is_busy { swap_lease::read(&stack.layout, ports, &run.instance).await? } else { None };
    if asks_who_is_busy {
        let lease = lease.as_ref().map(|stored| &stored.record);
        let starting = decide::is_started_by_another(observation.as_ref(), lease, &run.id, ports.now());
        let busy =
            starting || holders::holders(stack, ports, &run.instance, lease, Some(&run.id)).await?.other_live_run;
        if let Some(decision) = decide::when_busy(&run.instance, run.when_busy, busy)? {
            return Ok(CheckInstanceOutput { decision, waiting });
        }
    }
    let lease_key = stack.layout.lease(&run.instance);
    let seen = InstanceSeen {
        instance: &run.instance,
        observation: observation.as_ref(),
        lease: lease.as_ref().map(|stored| &stored.record),
        lease_key: &lease_key,
        limits: &run.limits,
        now: ports.now(),
    };
    let decision = decide::check(&seen, &mut waiting)?;
    if decision == Check::Ready && lease.as_ref().is_some_and(|stored| stored.record.came_up_unbound()) {
        mark_seen_up(stack, ports, &run).await?;
    }
    Ok(CheckInstanceOutput { decision, waiting })
}

/// Says in the lease that the boot came up unbound.
async fn mark_seen_up<P>(stack: &Stack, ports: &P, run: &RunRef) -> Result<(), Failure>
where
    P: Clock + Nonces + GetObject + PutObject,
{
    let nonce = ports.nonce();
    swap_lease::update(&stack.layout, ports, &run.instance, |lease| {
        let lease = lease.filter(|lease| lease.came_up_unbound())?;
        Some(Lease { seen_up: true, nonce: nonce.clone(), at: ports.now(), ..lease.clone() })
    })
    .await?;
    Ok(())
}

/// Listens for a run whose ticket fell silent: whether it has a report. An error ends the run.
async fn hear<P>(
    stack: &Stack,
    ports: &P,
    run: &RunRef,
    silences: u32,
    observation: Option<&Observation>,
) -> Result<bool, Failure>
where
    P: Clock + GetObject + PutObject,
{
    let at = run.at();
    if store::read::<Report>(ports, &stack.layout.report(&at)).await?.is_some() {
        return Ok(true);
    }
    let claim = store::read::<Claim>(ports, &stack.layout.claim(&at)).await?;
    // It only says how old the last beat is; without one the claim does.
    let progress = store::read::<Progress>(ports, &stack.layout.progress(&at)).await;
    let progress = store::or_evidence(progress, &mut Vec::new())?;
    // For the message of a run that nobody claimed: whether there was a runner at all.
    let lease = match claim {
        Some(_) => None,
        None => store::or_evidence(swap_lease::read(&stack.layout, ports, &run.instance).await, &mut Vec::new())?,
    };
    let lease = lease.map(|stored| stored.record);
    let busy = lease.as_ref().filter(|lease| lease.state == LeaseState::Busy).and_then(|lease| lease.busy.as_ref());
    // A notebook can write the lease: what it names elsewhere is not looked at, and what cannot be read tells nothing.
    let busy_with = match busy.filter(|other| other.instance == run.instance.as_str() && other.run != run.id) {
        Some(other) => look_at_other(stack, ports, other).await.ok(),
        None => None,
    };
    let verdict = silence::resolve_silence(&silence::SilenceSeen {
        instance: &run.instance,
        silences,
        claim: claim.as_ref().map(|stored| &stored.record),
        progress: progress.as_ref().map(|stored| &stored.record),
        status: observation.map(|seen| seen.status),
        bound: lease.is_some_and(|lease| lease.boot_id.is_some()),
        busy_with: busy_with.as_ref(),
        heartbeat_seconds: stack.heartbeat_seconds,
        run_seconds: run.limits.run_seconds,
        now: ports.now(),
    });
    match verdict {
        SilenceVerdict::Resubmit => Ok(false),
        SilenceVerdict::GiveUp(failure) => Err(failure),
        SilenceVerdict::Lost(failure) => {
            declare_lost(stack, ports, run, claim.map(|stored| stored.record), failure).await
        }
    }
}

/// What is known of the run that the boot's runner took: for the message of a run that waits behind it. What cannot be read tells nothing.
async fn look_at_other<P: GetObject>(stack: &Stack, ports: &P, other: &AttemptRef) -> Result<BusyWith, Failure> {
    let report = store::read::<Report>(ports, &stack.layout.report(other)).await;
    let report = store::or_evidence(report, &mut Vec::new())?.map(|stored| stored.record);
    let progress = store::read::<Progress>(ports, &stack.layout.progress(other)).await;
    let progress = store::or_evidence(progress, &mut Vec::new())?;
    let claim = store::read::<Claim>(ports, &stack.layout.claim(other)).await;
    let claim = store::or_evidence(claim, &mut Vec::new())?;
    Ok(BusyWith {
        run: other.run.clone(),
        last: progress.map(|stored| stored.record.at).max(claim.map(|stored| stored.record.at)),
        code: report.and_then(|report| report.failure).map(|failure| failure.code),
    })
}

/// Puts the report "lost". If the runner's own report came first, it is the verdict, and the run goes on to meet it.
async fn declare_lost<P: Clock + PutObject>(
    stack: &Stack,
    ports: &P,
    run: &RunRef,
    claim: Option<Claim>,
    failure: Failure,
) -> Result<bool, Failure> {
    let at = run.at();
    let started_at = claim.map(|claim| claim.at);
    if verdict::give(&stack.layout, ports, &at, failure.clone(), started_at).await? { Err(failure) } else { Ok(true) }
}
