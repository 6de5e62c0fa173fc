//! What a notebook leaves while it executes, uploaded as it comes: the growth of its log, and the notebook as far as it was saved.
//!
//! - It goes on beside the notebook, and ends with it: whatever is under way is given up then. Nobody waits for it.
//! - Its keys are its own: what comes late is never in the place of a final output.
//! - How often, and how much: [`decide`] says, so that a run's requests and bytes have a bound.

use std::time::Duration;

use reveille_domain::age::age;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{CallErrorKind, Clock, LiveBody, LiveOutput, Log, Printed, Sleep, UploadLive};

use super::{Runner, RunnerPorts};

pub mod decide;

use decide::{Spent, fits, printed_every, room, saved_every};

/// How an upload went.
struct Sent {
    is_taken: bool,
    took: Duration,
}

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
            let upload = self.send_live(at, &key, LiveBody::Printed(&unsent.bytes)).await;
            if upload.is_taken {
                unsent.bytes.clear();
            }
            self.ports.sleep(printed_every(base, age(began, self.ports.now()), upload.took)).await;
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
            let upload = self.send_live(at, &key, LiveBody::Notebook(&saved)).await;
            if upload.is_taken {
                shown = Some(saved.version);
            }
            self.ports.sleep(saved_every(base, age(began, self.ports.now()), upload.took)).await;
        }
    }

    /// Sends one. What failed is tried again when its time comes; what is denied stays so, and this never returns then.
    async fn send_live(&self, at: &AttemptRef, key: &str, body: LiveBody<'_>) -> Sent {
        let sent_at = self.ports.now();
        let answer = self.ports.upload_live(key, body).await;
        let took = age(sent_at, self.ports.now()).to_std().unwrap_or_default();
        if let Err(error) = &answer {
            self.ports.log(&format!("run {}: what it has left so far was not uploaded: {error}", at.run));
            if error.kind == CallErrorKind::AccessDenied {
                return std::future::pending().await;
            }
        }
        Sent { is_taken: answer.is_ok(), took }
    }
}
