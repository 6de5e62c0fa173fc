//! `bring_to_rest(instance)`: one look, one action. Shared by VerifyStopped and the sweeper.

use reveille_domain::age::age;
use reveille_domain::limits::IN_FLIGHT;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, GetObject, InstanceStatus, ListObjects, Nonces,
    Observation, PutObject, StopNotebookInstance,
};
use reveille_domain::records::{Closer, Lease, LeaseState, Rest};
use reveille_domain::{Failure, InstanceName, RunId};

use crate::holders::{self, Holders};
use crate::stack::Stack;
use crate::store::{self, Stored};
use crate::swap_lease;
use decide::{BootSeen, LeaseAfter, RestAction, lost_lease};

pub mod decide;

/// What it takes to bring an instance to rest.
pub trait RestPorts:
    Clock
    + Nonces
    + DescribeNotebookInstance
    + StopNotebookInstance
    + GetObject
    + PutObject
    + DeleteObject
    + ListObjects
    + DescribeExecution
{
}

impl<P> RestPorts for P where
    P: Clock
        + Nonces
        + DescribeNotebookInstance
        + StopNotebookInstance
        + GetObject
        + PutObject
        + DeleteObject
        + ListObjects
        + DescribeExecution
{
}

/// Looks at the instance and does what there is to do. `Some`: what became of it. `None`: look again. `waiting` is what the
/// execution that asks remembers of its own start.
///
/// # Errors
/// The first call's failure; or `StopNotConfirmed` when the lease of a boot that this execution started is lost.
pub async fn bring_to_rest<P: RestPorts>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    me: Option<&RunId>,
    waiting: Option<&Waiting>,
) -> Result<Option<Rest>, Failure> {
    let observation = ports.describe_notebook_instance(instance).await?;
    act_on(stack, ports, instance, observation.as_ref(), me, waiting).await
}

/// The same, after the look.
///
/// # Errors
/// As `bring_to_rest`.
pub async fn act_on<P: RestPorts>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
    observation: Option<&Observation>,
    me: Option<&RunId>,
    waiting: Option<&Waiting>,
) -> Result<Option<Rest>, Failure> {
    // Without a lease that can be read, the boot may be a person's; a stopped instance needs none.
    let mut damaged = Vec::new();
    let stored = store::or_evidence(swap_lease::read(&stack.layout, ports, instance).await, &mut damaged)?;
    let up = observation.is_some_and(|seen| seen.status == InstanceStatus::InService);
    // Only an instance that is up can be handed over.
    let corrected = stored.as_ref().map(|stored| lost_lease::corrected(&stored.record, observation, waiting));
    let lease = corrected.as_ref();
    let Holders { other_live_run, busy_reported_at } =
        if up { holders::holders(stack, ports, instance, lease, me).await? } else { Holders::default() };
    let action = decide::action(&BootSeen {
        observation,
        lease,
        other_live_run,
        busy_reported_at,
        heartbeat_seconds: stack.heartbeat_seconds,
        now: ports.now(),
    });
    // Other runs that wait for the boot would find no lease either, and nobody would stop it.
    if stored.is_none() && matches!(action, RestAction::Leave(_)) {
        let lost = lost_lease::own_boot(&lost_lease::LostLeaseSeen {
            instance,
            key: &stack.layout.lease(instance),
            observation,
            waiting,
            damage: damaged.first(),
        });
        if let Some(failure) = lost {
            return Err(failure);
        }
    }
    match (action, stored) {
        (RestAction::AtRest { lease }, stored) => {
            let key = stack.layout.lease(instance);
            match (lease, stored) {
                (LeaseAfter::Keep, _) | (_, None) => {}
                (LeaseAfter::Remove, Some(stored)) => {
                    store::remove(ports, &key, &stored.etag).await?;
                }
                // If somebody changed it meanwhile, what was seen is no longer the last word.
                (LeaseAfter::Ended, Some(stored)) => {
                    let ended = stored.record.with_its_boot_ended(ports.nonce());
                    if store::swap(ports, &key, &ended, Some(&stored.etag)).await?.is_none() {
                        return Ok(None);
                    }
                }
            }
            Ok(Some(Rest::AtRest))
        }
        (RestAction::Forget, Some(stored)) => {
            store::remove(ports, &stack.layout.lease(instance), &stored.etag).await?;
            Ok(Some(Rest::LeftRunning))
        }
        (RestAction::Leave(rest), _) => Ok(Some(rest)),
        (RestAction::Stop, Some(stored)) => stop(stack, ports, instance, &stored).await.map(|()| None),
        (RestAction::Wait | RestAction::Stop | RestAction::Forget, _) => Ok(None),
    }
}

/// Claims the closing, looks once more, and stops.
async fn stop<P>(stack: &Stack, ports: &P, instance: &InstanceName, stored: &Stored<Lease>) -> Result<(), Failure>
where
    P: Clock + Nonces + DescribeNotebookInstance + StopNotebookInstance + PutObject,
{
    let intent_at = ports.now();
    let lease = stored.record.closing(Closer::Function, ports.nonce(), intent_at);
    let key = stack.layout.lease(instance);
    let Some(etag) = store::swap(ports, &key, &lease, Some(&stored.etag)).await? else {
        // A runner claimed a run, or somebody else closes it. Look again.
        return Ok(());
    };
    let fresh = ports.describe_notebook_instance(instance).await?;
    let still_up = fresh.is_some_and(|seen| seen.status == InstanceStatus::InService);
    // A function that was frozen in between must not send a stop that others believe can no longer come.
    if !still_up || age(intent_at, ports.now()) >= IN_FLIGHT / 2 {
        return Ok(());
    }
    match ports.stop_notebook_instance(instance).await {
        // A status that does not allow a stop is looked at again at the next poll.
        Ok(_) => Ok(()),
        Err(error) => {
            if error.kind != reveille_domain::ports::CallErrorKind::NoAnswer {
                // Nothing was stopped: let the runner, or the next try, go on from where it was.
                let reopened = Lease { state: LeaseState::Open, nonce: ports.nonce(), ..stored.record.clone() };
                // If this fails too, the stop's own error is the first, and the closing lease is over after a while.
                let _ = store::swap(ports, &key, &reopened, Some(&etag)).await;
            }
            Err(error.into())
        }
    }
}
