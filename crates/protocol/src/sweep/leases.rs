//! The instances that have a lease: each is looked at once in every round, and it is measured for how long it has been up.

use chrono::{DateTime, Utc};
use reveille_domain::age::{age, is_ahead};
use reveille_domain::limits::MAX_SWEPT_LEASES;
use reveille_domain::ports::{InstanceStatus, ListObjects, Observation};
use reveille_domain::records::Rest;
use reveille_domain::{Failure, InstanceName};

use super::decide::Cursor;
use super::place::SweepPlace;
use super::swept::Swept;
use crate::bring_to_rest::{RestPorts, act_on};
use crate::stack::Stack;

/// Looks at the instances that have a lease, those behind the cursor first, and puts the cursor where it came to.
pub async fn look_at_leases<P: RestPorts>(place: &mut SweepPlace<'_, P>, end: DateTime<Utc>, swept: &mut Swept) {
    let (stack, ports) = (place.stack, place.ports);
    let after = place.cursor.lease.clone();
    let keys = match leases(stack, ports, after.as_deref()).await {
        Ok(keys) => keys,
        Err(failure) => return swept.failed(failure),
    };
    let prefix = stack.layout.leases();
    let name = |key: &str| InstanceName::parse(key.strip_prefix(&prefix)?.strip_suffix(".json")?).ok();
    let leased: Vec<(&String, InstanceName)> = keys.iter().filter_map(|key| Some((key, name(key)?))).collect();
    let passed = |cursor: &mut Cursor, (key, _): &(&String, _)| cursor.lease = Some((*key).clone());
    let looked = place.each(&leased, end, passed, |(_, instance)| look(stack, ports, instance)).await;
    let done = looked.len();
    for (seconds_on, came) in looked {
        if let Some(seconds) = seconds_on {
            swept.seen_on(seconds);
        }
        swept.checked(came);
    }
    if leased.is_empty() {
        // That none is on is known, too: it ends the alarm.
        swept.seen_on(0);
    }
    let is_everywhere = done == leased.len() && keys.len() < MAX_SWEPT_LEASES;
    let last = done.checked_sub(1).map(|last| leased[last].0.clone());
    let come = last.or_else(|| keys.last().cloned().filter(|_| leased.is_empty())).or(after);
    place.cursor.lease = come.filter(|_| !is_everywhere);
}

/// Looks at an instance and does what there is to do. Answers for how many seconds it has been `InService` too, whatever came of the rest;
/// nothing if it could not be looked at.
async fn look<P: RestPorts>(
    stack: &Stack,
    ports: &P,
    instance: &InstanceName,
) -> (Option<u64>, Result<Option<Rest>, Failure>) {
    let observation = match ports.describe_notebook_instance(instance).await {
        Ok(observation) => observation,
        Err(error) => return (None, Err(error.into())),
    };
    let seconds_on = observation.as_ref().map_or(0, |seen| seconds_on(seen, ports.now()));
    (Some(seconds_on), act_on(stack, ports, instance, observation.as_ref(), None, None).await)
}

/// `LastModifiedTime` is when it came up: AWS changes it with the status. A time that is too far ahead says nothing.
fn seconds_on(seen: &Observation, now: DateTime<Utc>) -> u64 {
    let since = seen.last_modified.filter(|at| seen.status == InstanceStatus::InService && !is_ahead(*at, now));
    since.map_or(0, |since| age(since, now).num_seconds().unsigned_abs())
}

/// The keys of leases, from behind one on and round again.
async fn leases<P: ListObjects>(stack: &Stack, ports: &P, after: Option<&str>) -> Result<Vec<String>, Failure> {
    let prefix = stack.layout.leases();
    let mut keys = ports.list_objects_after(&prefix, after, MAX_SWEPT_LEASES).await?;
    if let Some(after) = after
        && keys.len() < MAX_SWEPT_LEASES
    {
        let before = ports.list_objects(&prefix, MAX_SWEPT_LEASES - keys.len()).await?;
        keys.extend(before.into_iter().take_while(|key| key.as_str() <= after));
    }
    Ok(keys)
}
