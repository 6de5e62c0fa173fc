//! What to do about an instance, from what is observed: stop an instance of ours, and touch no one else's.
//!
//! Shared by VerifyStopped, which waits for the answer, and the sweeper, which follows up.

use chrono::{DateTime, TimeDelta, Utc};

use reveille_domain::age::{age, is_ahead};
use reveille_domain::limits::{IN_FLIGHT, UNSURE_QUIET};
use reveille_domain::person::Signs;
use reveille_domain::ports::{InstanceStatus, Observation};
use reveille_domain::records::{Closer, Lease, LeaseState, Rest};

pub mod lost_lease;

/// Everything the decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct BootSeen<'a> {
    /// What Describe showed; `None` if the instance is gone.
    pub observation: Option<&'a Observation>,
    /// The lease, if there is one.
    pub lease: Option<&'a Lease>,
    /// Whether another run is live: in the inbox, or the one that the lease is busy with; its execution is running and
    /// it has no report.
    pub other_live_run: bool,
    /// When the verdict was reached on the attempt that the lease is busy with, if it was.
    pub busy_reported_at: Option<DateTime<Utc>>,
    /// The heartbeat: a runner that has not written to its lease for this long is not relied on to stop its boot.
    pub heartbeat_seconds: u32,
    /// Now.
    pub now: DateTime<Utc>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestAction {
    /// At rest.
    AtRest {
        /// What becomes of the lease, if it is still the one that was seen.
        lease: LeaseAfter,
    },
    /// Nothing to do now; look again.
    Wait,
    /// Leave it: to other runs, or to a person.
    Leave(Rest),
    /// The lease is of a boot that ended, and what is up is somebody else's: remove the lease and leave the instance.
    Forget,
    /// Compare-and-swap the lease to `closing`, look once more, and stop it.
    Stop,
}

/// What becomes of the lease of a stopped instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAfter {
    /// There is nothing to do about it.
    Keep,
    /// It says that its boot has ended. Something that was sent under it may still arrive, so it stays for a while.
    Ended,
    /// It is removed.
    Remove,
}

/// The one action that a look at a boot leads to.
#[must_use]
pub fn action(seen: &BootSeen<'_>) -> RestAction {
    let Some(observation) = seen.observation else { return at_rest(seen) };
    match observation.status {
        InstanceStatus::Stopped | InstanceStatus::Failed if is_from_before_start(seen, observation) => RestAction::Wait,
        InstanceStatus::Stopped | InstanceStatus::Failed => at_rest(seen),
        InstanceStatus::InService if is_a_later_boot(seen, observation) => forget(seen),
        InstanceStatus::InService => in_service(seen),
        InstanceStatus::Pending
        | InstanceStatus::Stopping
        | InstanceStatus::Deleting
        | InstanceStatus::Updating
        | InstanceStatus::PendingMaintenance
        | InstanceStatus::InMaintenance
        | InstanceStatus::Unknown => RestAction::Wait,
    }
}

/// A stopped instance is done only when its lease can take no later boot for ours.
fn at_rest(seen: &BootSeen<'_>) -> RestAction {
    let lease = match seen.lease {
        None => LeaseAfter::Keep,
        Some(lease) if lease.is_over(seen.now) => LeaseAfter::Remove,
        Some(lease) if lease.ended => LeaseAfter::Keep,
        Some(lease) if seen.observation.is_none_or(|rest| lease.its_boot_has_ended(rest, seen.now)) => {
            LeaseAfter::Ended
        }
        // A start of ours may still arrive, or Describe lags.
        Some(_) => return RestAction::Wait,
    };
    RestAction::AtRest { lease }
}

/// Describe lags: a rest that was observed with the time from before our start is the rest before it.
fn is_from_before_start(seen: &BootSeen<'_>, observation: &Observation) -> bool {
    seen.lease.is_some_and(|lease| age(lease.at, seen.now) < IN_FLIGHT && lease.its_start_has_not_shown(observation))
}

/// A boot that was being closed cannot have come up after that: what came up is another. The margin is for clocks that
/// differ; stopping and starting takes longer. Only for a boot that nobody bound: a bound one is told from a later one
/// by the later one's runner, and may come out of a maintenance with a new time.
fn is_a_later_boot(seen: &BootSeen<'_>, observation: &Observation) -> bool {
    seen.lease.is_some_and(|lease| {
        let after_a_stop = lease.state == LeaseState::Closing
            && lease.boot_id.is_none()
            && observation.last_modified.is_some_and(|up| up - lease.at >= IN_FLIGHT && !is_ahead(up, seen.now));
        lease.ended || after_a_stop
    })
}

/// The lease of a boot that ended is forgotten when nothing that was sent under it can still arrive.
fn forget(seen: &BootSeen<'_>) -> RestAction {
    match seen.lease {
        Some(lease) if lease.is_over(seen.now) => RestAction::Forget,
        Some(_) | None => RestAction::Leave(Rest::LeftRunning),
    }
}

fn in_service(seen: &BootSeen<'_>) -> RestAction {
    if seen.other_live_run {
        return RestAction::Leave(Rest::HandedOver);
    }
    let Some(lease) = seen.lease else { return RestAction::Leave(Rest::LeftRunning) };
    let age = age(last_heard(seen, lease), seen.now);
    let heartbeat = TimeDelta::seconds(seen.heartbeat_seconds.into());
    if Signs::in_lease(lease).may_be_working(lease.certain, seen.now) {
        return RestAction::Leave(Rest::LeftRunning);
    }
    match lease.state {
        LeaseState::Closing if age < closing_patience(lease, heartbeat) => RestAction::Wait,
        // Whoever wrote it had waited for every quiet that is due.
        LeaseState::Closing => RestAction::Stop,
        LeaseState::Starting if age < IN_FLIGHT => RestAction::Wait,
        // Its runner waited for every quiet that is due, asked in vain, and would have said if a person were active.
        LeaseState::Open if lease.cannot_stop_itself => RestAction::Stop,
        // Its runner lives, and closes it after a quiet while, which nobody waits for.
        LeaseState::Open | LeaseState::Busy if !lease.certain && lease.boot_id.is_some() && age < heartbeat => {
            RestAction::Leave(Rest::LeftRunning)
        }
        // Its runner closes it: it alone knows whether a person is active. One that is not heard of yet may come.
        LeaseState::Open | LeaseState::Busy if age < heartbeat => RestAction::Wait,
        _ if !lease.certain && age < UNSURE_QUIET => RestAction::Leave(Rest::LeftRunning),
        LeaseState::Starting | LeaseState::Unsure | LeaseState::Open | LeaseState::Busy => RestAction::Stop,
    }
}

/// When the lease's writer was last heard of, as far as that says anything. A runner puts its lease back to open at once
/// after a verdict: one that stays busy with an attempt that has its verdict says nothing of the time since.
fn last_heard(seen: &BootSeen<'_>, lease: &Lease) -> DateTime<Utc> {
    let is_over = seen.busy_reported_at.filter(|_| lease.state == LeaseState::Busy);
    is_over.map_or(lease.at, |reported_at| reported_at.min(lease.at))
}

/// How long another's stop is waited for before it is sent again.
fn closing_patience(lease: &Lease, heartbeat: TimeDelta) -> TimeDelta {
    match lease.closer {
        Some(Closer::Runner) => heartbeat.max(IN_FLIGHT),
        Some(Closer::Function) | None => IN_FLIGHT,
    }
}

#[cfg(test)]
mod tests;
