//! One sweep's work: a thing for each of many, some at a time, until the time is over. In order, so that the next sweep can
//! go on behind it.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::limits::{MAX_SWEPT_LEASES, SWEEPS_AT_ONCE};
use reveille_domain::ports::{
    Clock, DeleteObject, DescribeExecution, DescribeNotebookInstance, GetObject, ListObjects, Nonces, PutObject,
    StopNotebookInstance,
};
use reveille_domain::{Failure, InstanceName};
use serde::Serialize;

use super::decide::Cursor;
use super::place::Place;
use crate::bring_to_rest::bring_to_rest;
use crate::stack::Stack;

/// Begins with the first, begins nothing after `end`, and waits for what it began. What is answered are the answers of the
/// first so many, in any order. If the time is not over yet, `SWEEPS_AT_ONCE` of them are begun at least.
pub async fn each<'a, T, R, F: Future<Output = R>>(
    ports: &impl Clock,
    things: &'a [T],
    end: DateTime<Utc>,
    look: impl Fn(&'a T) -> F,
) -> Vec<R> {
    let in_time = |_: &&T| std::future::ready(ports.now() < end);
    iter(things).take_while(in_time).map(look).buffer_unordered(SWEEPS_AT_ONCE).collect().await
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepOutput {
    /// Outcomes that were missing and are recorded now.
    pub concluded: usize,
    /// Instances that were checked.
    pub checked: usize,
    /// Things that could not be done now; the next sweep tries them again.
    pub failed: usize,
}

/// What one sweep did, and the first thing that went wrong.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was done.
    pub answer: SweepOutput,
    /// The first thing that went wrong.
    pub first_failure: Option<Failure>,
}

impl Swept {
    /// Something could not be done.
    pub fn failed(&mut self, failure: impl Into<Failure>) {
        self.answer.failed += 1;
        self.first_failure.get_or_insert(failure.into());
    }

    /// Counts an execution that was looked at. Answers its instance, and whether an outcome was missing.
    pub fn concluded(&mut self, looked: Result<(Option<InstanceName>, bool), Failure>) -> Option<(InstanceName, bool)> {
        match looked {
            Ok((instance, concluded)) => {
                self.answer.concluded += usize::from(concluded);
                instance.map(|instance| (instance, concluded))
            }
            Err(failure) => {
                self.failed(failure);
                None
            }
        }
    }
}

/// Looks at the instances that have a lease, those behind the cursor first, and puts the cursor where it came to.
pub async fn look_at_leases<P>(place: &mut Place<'_, P>, end: DateTime<Utc>, swept: &mut Swept)
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
    let last = looked.len();
    for looked in looked {
        match looked {
            Ok(_) => swept.answer.checked += 1,
            Err(failure) => swept.failed(failure),
        }
    }
    let is_everywhere = last == leased.len() && keys.len() < MAX_SWEPT_LEASES;
    let last = last.checked_sub(1).map(|last| leased[last].0.clone());
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

/// Reconciles the instances, until the time is over.
pub async fn rest<P>(stack: &Stack, ports: &P, instances: &[InstanceName], end: DateTime<Utc>, swept: &mut Swept)
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
    for looked in each(ports, instances, end, |instance| bring_to_rest(stack, ports, instance, None, None)).await {
        match looked {
            Ok(_) => swept.answer.checked += 1,
            Err(failure) => swept.failed(failure),
        }
    }
}
