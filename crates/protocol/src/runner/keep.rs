//! What an earlier runner process left of a notebook on the instance's disk: one that was killed, on this boot or on the one
//! before. Its outputs are uploaded to their usual place, and named where there is a verdict without outputs.
//!
//! It gives no verdict: that a run was lost is told by its ticket, or was told by a function. The files lie in a folder that
//! notebooks can write to; they are believed as far as the instance's role may write them anyway (docs/adr/0026).

use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Clock, FindLeftNotebook, LeftNotebook, Log, Sleep};
use reveille_domain::records::{Claim, Claimant, Report, Reporter};

use super::{Runner, RunnerPorts};
use crate::store::{self, StoreError};

/// Uploading what was left holds up the first run of this process: by a minute at most, beside minutes of a start.
const KEEPING_TAKES: Duration = Duration::from_mins(1);
/// Between two looks whether there is a verdict that lacks the outputs.
const NAME_EVERY: Duration = Duration::from_mins(1);
/// A function takes a runner for lost after three heartbeats at most, each of at most five minutes as deployed; later than
/// in an hour nobody completes the outcome either.
const NAME_TRIES: u32 = 60;
/// Why there is no page of it.
const NO_PAGE: &str = "its runner ended before the page was made";

impl<P: RunnerPorts> Runner<'_, P> {
    /// Uploads what is missed. Whatever fails here is logged, and holds up nothing for long.
    pub(super) async fn keep_what_was_left(&self) {
        let Some(left) = self.ports.find_left_notebook().await else { return };
        tokio::select! {
            biased;
            kept = self.try_keep(&left) => if let Err(error) = kept {
                self.ports.log(&format!("what run {} left could not be kept: {error}", left.at.run));
            },
            () = self.ports.sleep(KEEPING_TAKES) => {
                self.ports.log(&format!("what run {} left could not be kept in time", left.at.run));
            }
        }
    }

    async fn try_keep(&self, left: &LeftNotebook) -> Result<(), StoreError> {
        let at = left.at.clone();
        // A disk may hold a copy of another instance's folder.
        let is_ours = at.instance == self.me.instance.as_str();
        if !is_ours || left.files.is_empty() || !self.is_missed(&at).await? {
            return Ok(());
        }
        let mut report = Report::without_outputs(&at, Reporter::Runner, None, None, self.ports.now());
        report.source_sha256.clone_from(&left.source_sha256);
        let uploaded = self.upload(&at, &left.files, &mut report.outputs).await;
        if let Err(failure) = uploaded {
            self.ports.log(&failure.message);
        }
        if report.outputs.contains_key("notebook") && !report.outputs.contains_key("html") {
            report.html_error = Some(NO_PAGE.to_owned());
        }
        self.ports.log(&format!("run {} attempt {}: what an earlier runner left of it is kept", at.run, at.attempt));
        self.kept.replace(Some((at, report)));
        Ok(())
    }

    /// Whether an attempt whose files lie here is over and its outputs are missed. No notebook of an earlier process runs any more: this
    /// one ended what was left of them when it began.
    async fn is_missed(&self, at: &AttemptRef) -> Result<bool, StoreError> {
        let report = async || store::read::<Report>(&self.ports, &self.layout.report(at)).await;
        if let Some(report) = self.patiently(2, "a report was not read", report).await? {
            return Ok(report.record.lacks_outputs());
        }
        let claim = async || store::read::<Claim>(&self.ports, &self.layout.claim(at)).await;
        let claim = self.patiently(2, "a claim was not read", claim).await?;
        Ok(claim.is_some_and(|claim| claim.record.by == Claimant::Runner))
    }

    /// A lost attempt's report, with the outputs that were kept of it.
    pub(super) fn with_what_was_left(&self, at: &AttemptRef, lost: Report) -> Report {
        match &*self.kept.borrow() {
            Some((kept, left)) if kept == at => Report {
                outputs: left.outputs.clone(),
                html_error: left.html_error.clone(),
                source_sha256: left.source_sha256.clone(),
                ..lost
            },
            Some(_) | None => lost,
        }
    }

    /// Names what was kept in the verdict of a function, once there is one. Never returns.
    pub(super) async fn name_what_was_left(&self) -> std::convert::Infallible {
        let kept = self.kept.borrow().clone().filter(|(_, left)| !left.outputs.is_empty());
        if let Some((at, left)) = kept {
            for _ in 0..NAME_TRIES {
                let existing = store::read::<Report>(&self.ports, &self.layout.report(&at)).await;
                match existing {
                    Ok(None) => {}
                    Ok(Some(existing)) => {
                        self.add_outputs(&at, &existing.record, &left).await;
                        break;
                    }
                    Err(error) => self.ports.log(&format!("the report of run {} was not read: {error}", at.run)),
                }
                self.ports.sleep(NAME_EVERY).await;
            }
        }
        std::future::pending().await
    }
}
