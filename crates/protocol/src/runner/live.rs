//! What a notebook leaves while it executes, uploaded as it comes: the growth of its log, and the notebook as far as it was saved.
//!
//! - It goes on beside the notebook, and ends with it: whatever is under way is given up then. Nobody waits for it.
//! - Its keys are its own: what comes late is never in the place of a final output.
//! - How often, and how much: [`decide`] says, so that a run's requests and bytes have a bound.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_domain::age::age;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Call, CallErrorKind, Clock, LiveBody, LiveOutput, Log, Printed, Sleep, UploadLive};

use super::{Runner, RunnerPorts};

pub mod decide;

use decide::{Spent, fits, printed_every, room, saved_every};

/// Whether the next upload may be tried.
type Goes = bool;

impl<P: RunnerPorts> Runner<'_, P> {
    /// Uploads what the notebook has left so far, at most every so many seconds; 0: never. Never returns.
    pub(super) async fn show_live(
        &self,
        at: &AttemptRef,
        every_seconds: u32,
        live: impl LiveOutput,
    ) -> std::convert::Infallible {
        if every_seconds == 0 {
            return std::future::pending().await;
        }
        let base = Duration::from_secs(every_seconds.into());
        tokio::select! {
            biased;
            never = self.show_printed(at, base, &live) => never,
            never = self.show_saved(at, base, &live) => never,
        }
    }

    async fn show_printed(&self, at: &AttemptRef, base: Duration, live: &impl LiveOutput) -> std::convert::Infallible {
        let began = self.ports.now();
        // What was not taken by S3 is sent again as it is: its first request may still arrive.
        let mut unsent = Printed::default();
        loop {
            if unsent.bytes.is_empty() {
                unsent = live.take_printed(room);
            }
            if unsent.bytes.is_empty() {
                self.ports.sleep(base).await;
                continue;
            }
            let key = self.layout.live_log(at, unsent.from);
            let sent_at = self.ports.now();
            let answer = self.ports.upload_live(&key, LiveBody::Printed(&unsent.bytes)).await;
            if answer.is_ok() {
                unsent.bytes.clear();
            }
            if !self.goes_on(at, answer) {
                return std::future::pending().await;
            }
            let now = self.ports.now();
            self.ports.sleep(printed_every(base, age(began, now), self.took(sent_at))).await;
        }
    }

    async fn show_saved(&self, at: &AttemptRef, base: Duration, live: &impl LiveOutput) -> std::convert::Infallible {
        let (began, key) = (self.ports.now(), self.layout.live_notebook(at));
        let mut shown = None;
        let mut spent = Spent::default();
        loop {
            let gone_on = age(began, self.ports.now());
            let due = live.saved().filter(|saved| Some(saved.version) != shown && fits(saved.bytes, spent, gone_on));
            let Some(saved) = due else {
                self.ports.sleep(base).await;
                continue;
            };
            // Whatever comes of it, the network carried it.
            spent.add(saved.bytes);
            let sent_at = self.ports.now();
            let answer = self.ports.upload_live(&key, LiveBody::Notebook(&saved.path)).await;
            if answer.is_ok() {
                shown = Some(saved.version);
            }
            if !self.goes_on(at, answer) {
                return std::future::pending().await;
            }
            self.ports.sleep(saved_every(base, age(began, self.ports.now()), self.took(sent_at))).await;
        }
    }

    /// Whether to go on. What failed is tried again when its time comes; what is denied stays so.
    fn goes_on(&self, at: &AttemptRef, answer: Call<()>) -> Goes {
        let Err(error) = answer else { return true };
        self.ports.log(&format!("run {}: what it has left so far was not uploaded: {error}", at.run));
        error.kind != CallErrorKind::AccessDenied
    }

    fn took(&self, since: DateTime<Utc>) -> Duration {
        age(since, self.ports.now()).to_std().unwrap_or_default()
    }
}
