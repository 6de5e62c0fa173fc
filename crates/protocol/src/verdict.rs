//! The verdict on an attempt that its execution has given up while a runner owns it. Without one its notebook would run on, though
//! nobody waits for it; the runner meets the verdict at its next beat and ends the notebook (docs/adr/0037).

use chrono::{DateTime, Utc};
use reveille_domain::Failure;
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::ports::{Call, Clock, PutObject};
use reveille_domain::records::{Report, Reporter};

use crate::store;

pub mod decide;

/// Puts the verdict, unless one stands; `started_at` is when its notebook began, where that is known. Answers whether it was put now: one that stands is the verdict, whoever reached it.
///
/// # Errors
/// The call's failure.
pub async fn give<P: Clock + PutObject>(
    layout: &Layout,
    ports: &P,
    at: &AttemptRef,
    failure: Failure,
    started_at: Option<DateTime<Utc>>,
) -> Call<bool> {
    let report = Report::without_outputs(at, Reporter::Function, Some(failure), started_at, ports.now());
    store::put_once(ports, &layout.report(at), &report).await
}
