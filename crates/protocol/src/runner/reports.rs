//! Reports and failures that the runner makes itself, without a verdict of the notebook.

use chrono::{DateTime, Utc};
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::{Report, Reporter, Ticket};
use reveille_domain::{Code, Failure};

/// What a notebook is ended with when it has its verdict already; that verdict is the one that counts.
pub(super) fn taken_away(at: &AttemptRef) -> Failure {
    Failure::new(
        Code::Cancelled,
        format!("The notebook of run {} was ended, because its result had been decided elsewhere.", at.run),
    )
}

/// The report of an attempt, before anything came of it.
pub(super) fn begun(at: &AttemptRef, ticket: &Ticket, started_at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Report {
    let report = Report::without_outputs(at, Reporter::Runner, None, started_at, now);
    Report { queued_at: Some(ticket.queued_at), ..report }
}

/// The report of an attempt whose runner process died.
pub(super) fn lost(at: &AttemptRef, claimed_at: DateTime<Utc>, now: DateTime<Utc>) -> Report {
    let failure = Failure::new(
        Code::RunnerLost,
        format!(
            "The runner on notebook instance {} died while the notebook ran. It was started again, and killed what was left of the run. {}",
            at.instance,
            crate::lost::advice("")
        ),
    );
    Report::without_outputs(at, Reporter::Runner, Some(failure), Some(claimed_at), now)
}
