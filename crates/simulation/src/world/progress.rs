//! S3's events of the records that tell of a run's progress, as the template's rule passes them on: each calls the deployed
//! `publish_progress`, a while later, in any order and sometimes twice. Lambda calls again what failed, and then gives up.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use reveille_domain::Code;
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::Ticket;
use serde_json::{Value, json};

use super::{World, functions, pass_ms};
use crate::fault::Fault;
use crate::schedule::Step;

/// S3 and EventBridge pass an event on within this.
const EVENT_MS: u64 = 5_000;
/// Events of each hundred that come twice.
const TWICE: u8 = 5;
/// Lambda calls an event's function so often: <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html>.
const CALLS: u32 = 3;
/// It waits a minute before the second call, and two before the third (the same page).
const PAUSE_MS: u64 = 60_000;

/// The attempts that a ticket was written for, by run and number.
#[derive(Debug, Default)]
pub(super) struct Queued(RefCell<BTreeSet<(String, u32)>>);

impl World {
    /// Whether a ticket of this attempt was ever written.
    pub(crate) fn was_queued(&self, at: &AttemptRef) -> bool {
        self.queued.0.borrow().contains(&(at.run.to_string(), at.attempt))
    }

    /// An object was created: by anybody, a hostile notebook too.
    pub(super) fn created(self: &Rc<Self>, key: &str) {
        if !self.schedule.publishes_progress || !is_told_of(key) {
            return;
        }
        if let Some(ticket) = self.bucket.record::<Ticket>(key).filter(|_| key.starts_with("inbox/")) {
            self.queued.0.borrow_mut().insert((ticket.run.to_string(), ticket.attempt));
        }
        let times = if self.chance(TWICE) { 2 } else { 1 };
        if times > 1 {
            self.fired(Fault::RecordToldTwice, key);
        }
        for _ in 0..times {
            let world = Rc::clone(self);
            let detail = json!({"bucket": {"name": self.stack.layout.bucket}, "object": {"key": key}});
            self.spawn_open(async move {
                pass_ms(world.pick(50, EVENT_MS)).await;
                world.publish_progress(&detail).await;
            });
        }
    }

    async fn publish_progress(self: &Rc<Self>, detail: &Value) {
        let key = detail["object"]["key"].as_str().unwrap_or_default();
        for call in 1..=CALLS {
            let how = self.invocation_trouble(Step::PublishProgress);
            let ended = functions::invoked(self, Step::PublishProgress, how, detail.clone(), key).await;
            match ended {
                Ok(_) => return,
                // A fault of the program is none of the world's.
                Err(error) if error.error == Code::Internal.as_str() => {
                    self.ledger.violation("G4", self.now_ms(), format!("PublishProgress: {}", error.cause));
                    return;
                }
                Err(_) if call < CALLS => pass_ms(PAUSE_MS * u64::from(call)).await,
                Err(_) => self.fired(Fault::RecordNotTold, key),
            }
        }
    }
}

/// The keys of the template's rule.
fn is_told_of(key: &str) -> bool {
    key.starts_with("inbox/") || (key.starts_with("runs/") && key.ends_with("/claim.json"))
}
