//! The instances that have a lease: each is looked at once in every round.

use chrono::{DateTime, Utc};
use reveille_domain::limits::MAX_SWEPT_LEASES;
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, GetObject, ListObjects, Nonces, PutObject,
    StopNotebookInstance,
};
use reveille_domain::{Failure, InstanceName};

use super::decide::Cursor;
use super::place::SweepPlace;
use super::swept::Swept;
use crate::bring_to_rest::bring_to_rest;
use crate::stack::Stack;

/// Looks at the instances that have a lease, those behind the cursor first, and puts the cursor where it came to.
pub async fn look_at_leases<P>(place: &mut SweepPlace<'_, P>, end: DateTime<Utc>, swept: &mut Swept)
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
    let looked =
        place.each(&leased, end, passed, |(_, instance)| bring_to_rest(stack, ports, instance, None, None)).await;
    let done = looked.len();
    for looked in looked {
        swept.checked(looked);
    }
    let is_everywhere = done == leased.len() && keys.len() < MAX_SWEPT_LEASES;
    let last = done.checked_sub(1).map(|last| leased[last].0.clone());
    let come = last.or_else(|| keys.last().cloned().filter(|_| leased.is_empty())).or(after);
    place.cursor.lease = come.filter(|_| !is_everywhere);
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
