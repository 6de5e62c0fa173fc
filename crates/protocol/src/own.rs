//! An attempt's report and outcome, as far as they are its own: see [`reveille_domain::bound`].

use reveille_domain::bound::{foreign_outcome, foreign_output};
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::GetObject;
use reveille_domain::records::{Outcome, Report};
use reveille_domain::{Damage, Record, RecordKind, Unreadable};

use crate::store::{self, StoreError, Stored};

/// The report of an attempt.
///
/// # Errors
/// The call's, or `Unreadable` when what is there is not the attempt's own.
pub async fn report<P: GetObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
) -> Result<Option<Stored<Report>>, StoreError> {
    let key = layout.report(at);
    let folder = layout.uri(&layout.attempt(at));
    let read = store::read::<Report>(ports, &key).await?;
    own(Report::KIND, key, read, |report| foreign_output(&report.outputs, &folder))
}

/// The outcome of an attempt of this execution.
///
/// # Errors
/// The call's, or `Unreadable` when what is there is not the attempt's own.
pub async fn outcome<P: GetObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    execution_arn: &str,
) -> Result<Option<Stored<Outcome>>, StoreError> {
    let key = layout.outcome(at);
    let folder = layout.uri(&layout.attempt(at));
    let read = store::read::<Outcome>(ports, &key).await?;
    own(Outcome::KIND, key, read, |outcome| foreign_outcome(outcome, execution_arn, &folder))
}

fn own<T>(
    kind: RecordKind,
    key: String,
    read: Option<Stored<T>>,
    foreign: impl Fn(&T) -> Option<String>,
) -> Result<Option<Stored<T>>, StoreError> {
    let Some(stored) = read else { return Ok(None) };
    match foreign(&stored.record) {
        Some(owner) => {
            Err(StoreError::Unreadable(Unreadable { kind, key, etag: stored.etag, damage: Damage::Foreign(owner) }))
        }
        None => Ok(Some(stored)),
    }
}
