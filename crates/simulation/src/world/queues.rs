//! What stands in an inbox beside the tickets of executions: copies that somebody made, and queues of hundreds. The runs of such a
//! queue have no execution: only their tickets and tokens, so that they cost little. None has a request, so that none is executed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reveille_domain::ports::{PutCondition, TokenAnswer};
use reveille_domain::records::Ticket;
use reveille_domain::{InstanceName, RunId};

use super::{World, pass_ms, time};
use crate::fault::Fault;
use crate::lies::STRAY;

/// Between two looks whether a notebook executes.
const LOOK_MS: u64 = 1_000;
/// So long it is waited for one.
const LOOKS: u32 = 3_600;
/// Runs of the smallest queue; the largest has some hundreds more, by the milliseconds of its patience.
const LEAST: u64 = 300;
const TOKEN: &str = "queued-";

/// A run that only waits.
#[derive(Debug)]
struct Waiting {
    instance: String,
    beaten_ms: i64,
    heartbeat_ms: i64,
}

/// The runs that only wait, by their tokens, and when the last of each instance was answered.
#[derive(Debug, Default)]
pub(super) struct Queues {
    waiting: RefCell<BTreeMap<String, Waiting>>,
    answered_ms: RefCell<BTreeMap<String, i64>>,
}

impl World {
    /// Copies a ticket of an inbox, when a notebook executes there.
    pub(super) async fn copy_ticket(self: &Rc<Self>, instance: &str) {
        if !self.await_notebook(instance).await {
            return;
        }
        let tickets = self.bucket.list(&format!("inbox/{instance}/"), None, usize::MAX);
        let Some(key) = tickets.into_iter().find(|key| !key.ends_with(STRAY)) else { return };
        let Some(ticket) = self.bucket.get(&key) else { return };
        self.fired(Fault::StrayTicket, instance);
        let copy = format!("{key}{STRAY}");
        self.bucket.put(&copy, ticket.body, &PutCondition::Always);
        self.created(&copy);
    }

    /// Puts hundreds of runs behind a notebook that executes.
    pub(super) async fn burst(self: &Rc<Self>, instance: &str, patience: Duration) {
        let Ok(name) = InstanceName::parse(instance) else { return };
        if !self.await_notebook(instance).await {
            return;
        }
        self.fired(Fault::Burst, instance);
        let now_ms = self.now_ms();
        let runs = LEAST + u64::try_from(patience.as_millis()).unwrap_or_default() % 700;
        for number in 0..runs {
            let task_token = format!("{TOKEN}{}", self.fresh());
            let run = RunId::of(&format!("queued{number}"), &task_token, time(now_ms));
            let ticket = Ticket {
                run: run.clone(),
                attempt: 1,
                instance: Some(name.clone()),
                execution_arn: task_token.clone(),
                admitted_at: time(now_ms),
                queued_at: time(now_ms),
                heartbeat_seconds: self.stack.heartbeat_seconds,
                live_output_seconds: 0,
                queue_seconds: u32::try_from(patience.as_secs()).unwrap_or(u32::MAX),
                request_sha256: None,
                task_token: task_token.clone(),
            };
            let Ok(body) = serde_json::to_vec(&ticket) else { return };
            self.bucket.put(&self.stack.layout.ticket(&name, &run), body, &PutCondition::Always);
            let heartbeat_ms = i64::from(self.stack.heartbeat_seconds) * 1_000;
            let waiting = Waiting { instance: instance.to_owned(), beaten_ms: now_ms, heartbeat_ms };
            self.queues.waiting.borrow_mut().insert(task_token, waiting);
        }
    }

    async fn await_notebook(&self, instance: &str) -> bool {
        for _ in 0..LOOKS {
            if self.boot_of(instance).is_some_and(|boot| boot.executing().is_some()) {
                return true;
            }
            pass_ms(LOOK_MS).await;
        }
        false
    }

    /// A beat or an answer for a run that only waits; `None`: the token is an execution's.
    pub(super) fn token_of_a_queue(&self, token: &str, ends: bool) -> Option<TokenAnswer> {
        token.strip_prefix(TOKEN)?;
        let mut waiting = self.queues.waiting.borrow_mut();
        let Some(run) = waiting.get_mut(token) else { return Some(TokenAnswer::Gone) };
        let now_ms = self.now_ms();
        let silent_ms = now_ms - std::mem::replace(&mut run.beaten_ms, now_ms);
        if silent_ms > run.heartbeat_ms {
            let what = format!("a run in the queue of {} was not beaten for {} s", run.instance, silent_ms / 1_000);
            self.ledger.violation("G1", now_ms, what);
        }
        if ends {
            self.queues.answered_ms.borrow_mut().insert(run.instance.clone(), now_ms);
            waiting.remove(token);
        }
        Some(TokenAnswer::Accepted)
    }

    /// Whether a run that only waits still does.
    pub(super) fn waits_in_a_queue(&self, execution: &str) -> bool {
        self.queues.waiting.borrow().contains_key(execution)
    }

    /// When the last run that only waited on an instance was answered.
    #[must_use]
    pub fn queue_answered_ms(&self, instance: &str) -> Option<i64> {
        self.queues.answered_ms.borrow().get(instance).copied()
    }
}
