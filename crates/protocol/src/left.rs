//! Outputs that came after the verdict: a notebook whose verdict was reached elsewhere (its execution was stopped, or took
//! its runner for lost) is ended by its runner, which keeps what it left in the usual place. The report and the outcome stand
//! by then, and name no outputs; they are added, and nothing else changes (docs/adr/0021).
//!
//! Two writers, one record each: the runner adds to the report, the functions add to the outcome. A runner never writes an
//! outcome, because notebooks have its role. So an outcome is completed by whichever function looks at it after the runner
//! was done: the one that puts it, the sweeper's next round, or ConcludeRun of the run's next attempt.

use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::{GetObject, PutObject};
use reveille_domain::records::{Outcome, Report, Reporter};

use crate::own;
use crate::store::{self, StoreError, Stored};

pub mod decide;

/// The runner's part: adds what its own report names to the first one.
///
/// # Errors
/// The first call's failure, or `Unreadable`.
pub async fn add_to_report<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    left: &Report,
) -> Result<(), StoreError> {
    let key = layout.report(at);
    if let Some(existing) = store::read::<Report>(ports, &key).await?
        && let Some(report) = existing.record.with_outputs_of(left)
    {
        // Nobody else changes a report: a tag that is gone was this very write, whose answer was lost.
        store::swap(ports, &key, &report, Some(&existing.etag)).await?;
    }
    Ok(())
}

/// Completes the outcome of the attempt before this one. Its execution goes on, or succeeded: the sweeper looks at neither.
/// What cannot be read or written changes nothing about this attempt.
pub async fn complete_previous<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    execution_arn: &str,
) {
    let Some(attempt) = at.attempt.checked_sub(1).filter(|attempt| *attempt > 0) else { return };
    let before = AttemptRef { attempt, ..at.clone() };
    if let Ok(Some(existing)) = own::outcome(layout, ports, &before, execution_arn).await
        && existing.record.outputs.is_empty()
    {
        let _added = add_to(layout, ports, &before, &existing).await;
    }
}

/// Adds the outputs that the report names to the outcome, if there is one without them. Answers the outcome as it then is.
///
/// # Errors
/// The first call's failure, or `Unreadable`.
async fn add_to_outcome<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
) -> Result<Option<Outcome>, StoreError> {
    match store::read::<Outcome>(ports, &layout.outcome(at)).await? {
        Some(existing) => add_to(layout, ports, at, &existing).await,
        None => Ok(None),
    }
}

/// The same for an outcome that was read.
///
/// # Errors
/// Those of [`add_to_outcome`].
pub async fn add_to<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    existing: &Stored<Outcome>,
) -> Result<Option<Outcome>, StoreError> {
    // What a notebook says of itself ends here: outputs lie in the attempt's own folder.
    let Some(report) = own::report(layout, ports, at).await? else { return Ok(None) };
    let Some(outcome) = decide::with_outputs(&existing.record, &report.record) else { return Ok(None) };
    // Who was faster added the same.
    store::swap(ports, &layout.outcome(at), &outcome, Some(&existing.etag)).await?;
    Ok(Some(outcome))
}

/// The outcome that was just recorded from this report, with the outputs of a runner that ended its notebook meanwhile. What
/// cannot be read or written now changes nothing: the next sweep adds them.
pub async fn completed<P: GetObject + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    report: Option<&Report>,
    fresh: Outcome,
) -> Outcome {
    if report.is_none_or(|report| report.by == Reporter::Runner) {
        return fresh;
    }
    add_to_outcome(layout, ports, at).await.ok().flatten().unwrap_or(fresh)
}
