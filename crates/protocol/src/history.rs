//! Entering a run into the history: the index that `reveille runs` lists.
//!
//! ConcludeRun enters a run behind its outcome and its event, and the sweeper enters what is missing. An entry is made of the
//! outcome and of its execution's start and input, which never change, so that both write the same keys. Nothing depends on it:
//! a run whose entry could not be written has ended as it has, and the next sweep enters it.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::try_join_all;
use reveille_domain::history::Entry;
use reveille_domain::layout::Layout;
use reveille_domain::ports::{Call, Clock, PutCondition, PutObject};

/// ConcludeRun begins no write of an entry later than this after its own begin: each may take twelve seconds, there is one behind
/// the other, and the function has thirty. It must never be cut off over the history, because the state machine would try it again.
pub const ENTERED_WITHIN: TimeDelta = TimeDelta::seconds(5);

/// Writes an entry's keys, the last one behind the others. Begins nothing after `end`. `false`: not all were written.
///
/// # Errors
/// The first call's.
pub async fn enter<P: Clock + PutObject>(layout: &Layout, ports: &P, entry: &Entry, end: DateTime<Utc>) -> Call<bool> {
    let keys = entry.keys(layout);
    let Some((last, others)) = keys.split_last() else { return Ok(false) };
    // Whoever was faster wrote the same.
    let put = async |key: &String| ports.put_object(key, Vec::new(), PutCondition::IfAbsent).await;
    if ports.now() >= end {
        return Ok(false);
    }
    try_join_all(others.iter().map(&put)).await?;
    if ports.now() >= end {
        return Ok(false);
    }
    put(last).await?;
    Ok(true)
}
