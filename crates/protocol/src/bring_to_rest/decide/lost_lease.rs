//! An instance that is up while its lease is gone or cannot be read: whether this execution knows that it started the boot.
//!
//! Without a lease the boot may be a person's, so nothing is stopped. But an execution that started the boot, and has not
//! seen it end, must not report that all is well: nobody else is left to stop it.

use reveille_domain::error::{Code, Failure};
use reveille_domain::ids::InstanceName;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{InstanceStatus, Observation};
use reveille_domain::records::Lease;
use reveille_domain::unreadable::Unreadable;

/// What is known.
#[derive(Clone, Copy, Debug)]
pub struct LostLeaseSeen<'a> {
    /// The instance.
    pub instance: &'a InstanceName,
    /// The key of its lease.
    pub key: &'a str,
    /// What Describe showed.
    pub observation: Option<&'a Observation>,
    /// What the execution remembers of its start, if an execution asks.
    pub waiting: Option<&'a Waiting>,
    /// What is where the lease should be.
    pub damage: Option<&'a Unreadable>,
}

/// The failure that says that this execution's own boot is up and nobody will stop it; `None` where it may be a person's.
#[must_use]
pub fn own_boot(seen: &LostLeaseSeen<'_>) -> Option<Failure> {
    let observation = seen.observation.filter(|seen| seen.status == InstanceStatus::InService)?;
    let waiting = seen.waiting?;
    let seen_ready = waiting.own_boot_is_up(observation);
    let never_seen_ready = waiting.starts > 0 && waiting.ready_at.is_none();
    if !seen_ready && !never_seen_ready {
        return None;
    }
    let what = seen.damage.map_or_else(|| format!("The record {} is gone.", seen.key), Unreadable::to_string);
    Some(Failure::new(
        Code::StopNotConfirmed,
        format!(
            "{what} It said that Reveille started notebook instance {}; without it Reveille stops nothing, because the instance may be in use by a person. {}",
            seen.instance,
            seen.instance.may_still_run()
        ),
    ))
}

/// A lease, corrected by what the execution remembers: the boot that it saw ready is up, and is Reveille's. A lease that says
/// that this boot has ended, is another's, or is not certain, was written by somebody on the instance.
#[must_use]
pub fn corrected(lease: &Lease, observation: Option<&Observation>, waiting: Option<&Waiting>) -> Lease {
    let is_up = |waiting: &&Waiting| observation.is_some_and(|seen| waiting.own_boot_is_up(seen));
    match waiting.filter(is_up) {
        Some(Waiting { own_certain: true, .. }) => Lease {
            ended: false,
            certain: true,
            boot_id: lease.boot_id.clone().or_else(|| Some(String::new())),
            ..lease.clone()
        },
        Some(_) | None => lease.clone(),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn lost(status: InstanceStatus, modified: i64, change: impl FnOnce(&mut Waiting)) -> Option<String> {
        let instance = InstanceName::parse("nightly").unwrap();
        let observation =
            Observation { status, failure_reason: None, last_modified: Some(at(modified)), lifecycle_config: None };
        let mut waiting = Waiting::at_look(None, 1, 0, at(0));
        change(&mut waiting);
        let seen = LostLeaseSeen {
            instance: &instance,
            key: "leases/nightly.json",
            observation: Some(&observation),
            waiting: Some(&waiting),
            damage: None,
        };
        own_boot(&seen).map(|failure| failure.message)
    }

    fn started(waiting: &mut Waiting) {
        (waiting.starts, waiting.ready_at, waiting.own_boot) = (1, Some(at(60)), Some(at(50)));
    }

    #[test]
    fn the_boot_that_the_execution_started_is_told_by_its_time() {
        let message = lost(InstanceStatus::InService, 50, started).unwrap();
        assert!(message.contains("leases/nightly.json"), "{message}");
        assert!(message.contains("aws sagemaker stop-notebook-instance --notebook-instance-name nightly"), "{message}");
        assert_eq!(lost(InstanceStatus::InService, 51, started), None, "a person started it since");
        assert_eq!(lost(InstanceStatus::Stopped, 50, started), None);
        assert_eq!(lost(InstanceStatus::InService, 50, |waiting| waiting.ready_at = Some(at(60))), None, "a person's");
    }

    #[test]
    fn a_start_that_nobody_saw_come_up_may_be_up() {
        assert!(lost(InstanceStatus::InService, 50, |waiting| waiting.starts = 1).is_some());
        assert_eq!(lost(InstanceStatus::InService, 50, |_| ()), None, "nothing was started");
    }
}
