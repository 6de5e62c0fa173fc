//! The runner: one process on the instance, for as long as its boot. It serves the instance's inbox, and closes a
//! boot of ours when nothing is left to do.
//!
//! - Order of effects for a run: lease `busy`, claim, execute, upload, report, lease `open`, answer the token, remove
//!   the ticket. Whatever dies in between, the claim fences the attempt and the report is the only verdict.
//! - A failing call is logged and tried again; nothing ends the runner but the machine, which asks it to end before it powers
//!   off: then it keeps what there is of its notebook.
//! - Beats depend on nothing else: its loops run beside each other, and every call of each is bounded in time.
//! - It never decides: [`decide`] does.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::InstanceName;
use reveille_domain::age::believed;
use reveille_domain::layout::{AttemptRef, Layout};
use reveille_domain::person::Signs;
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Cells, Clock, DeleteObject, ExecuteNotebook, FindLeftNotebook, GetObject, KillLeftovers,
    ListObjects, Log, Nonces, PutObject, SeePerson, SendTaskHeartbeat, Sleep, StopNotebookInstance, UploadFile,
    UploadLive,
};
use reveille_domain::records::Report;

use tokio::sync::Notify;

use crate::store::StoreError;

mod attempt;
mod beat;
mod bind;
mod bounded;
mod close;
pub mod decide;
mod hold;
mod keep;
mod leave;
mod live;
mod over;
mod queue;
mod reports;
mod upkeep;

use bounded::Bounded;
use queue::Queue;

/// Everything the runner needs of the outside.
pub trait RunnerPorts:
    Clock
    + Sleep
    + Nonces
    + ListObjects
    + GetObject
    + PutObject
    + DeleteObject
    + AnswerTask
    + SendTaskHeartbeat
    + StopNotebookInstance
    + ExecuteNotebook
    + UploadFile
    + UploadLive
    + KillLeftovers
    + FindLeftNotebook
    + AskedToEnd
    + SeePerson
    + Log
{
}

impl<P> RunnerPorts for P where
    P: Clock
        + Sleep
        + Nonces
        + ListObjects
        + GetObject
        + PutObject
        + DeleteObject
        + AnswerTask
        + SendTaskHeartbeat
        + StopNotebookInstance
        + ExecuteNotebook
        + UploadFile
        + UploadLive
        + KillLeftovers
        + FindLeftNotebook
        + AskedToEnd
        + SeePerson
        + Log
{
}

/// Between two turns that changed nothing; a new ticket cuts it short.
const PAUSE: Duration = Duration::from_secs(1);
/// After a call that failed.
const ERROR_PAUSE: Duration = Duration::from_secs(3);
/// Between two looks at Jupyter and the lease on an idle boot.
const LOOK_EVERY: TimeDelta = TimeDelta::seconds(10);

/// Who this runner is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The instance it runs on.
    pub instance: InstanceName,
    /// The kernel's boot id.
    pub boot_id: String,
}

/// The runner: what it knows of its boot, shared by its loops.
pub struct Runner<'a, P> {
    layout: &'a Layout,
    ports: Bounded<'a, P>,
    me: &'a Identity,
    /// Fresh for each runner process: its claims are told from those of an earlier process of the same boot.
    nonce: String,
    /// When a runner bound this boot first, which an earlier process may have done.
    bound_at: DateTime<Utc>,
    /// Whether the boot is ours; a person's is served and never stopped.
    ours: Cell<bool>,
    served: Cell<bool>,
    /// Whether the run that started this boot is known never to come.
    given_up: Cell<bool>,
    next_look: Cell<DateTime<Utc>>,
    person: RefCell<Signs>,
    /// The signs that the lease tells of, as this process last wrote it.
    told: Cell<Signs>,
    queue: Queue,
    /// The attempt that is being served.
    held: RefCell<Option<AttemptRef>>,
    /// The attempts that this process began to execute: none is ever executed again, whatever its claim says. Each with its
    /// report until that is in S3; another run may be served meanwhile.
    begun: RefCell<BTreeMap<AttemptRef, Option<Report>>>,
    /// How far the notebook at hand is.
    cells: Cell<Cells>,
    /// The report of a notebook that an earlier process left, with the outputs that this one found and uploaded.
    kept: RefCell<Option<(AttemptRef, Report)>>,
    /// Whether the machine asked this process to end: nothing is begun any more.
    leaving: Cell<bool>,
    /// Rung when no attempt is being served any more.
    served_all: Notify,
}

/// What a turn of the loop was.
enum Turn {
    /// The ticket that was served left the queue: look again at once.
    Again,
    /// Nothing changed: wait a little.
    Pause,
}

impl<'a, P: RunnerPorts> Runner<'a, P> {
    /// Ends what an earlier process left, and finds out whose boot this is. Tries until it knows: until then the
    /// runner does nothing at all.
    pub async fn bind(layout: &'a Layout, ports: &'a P, me: &'a Identity) -> Self {
        let ports = Bounded(ports);
        ports.kill_leftovers().await;
        let lease = loop {
            match bind::bind(layout, &ports, me).await {
                Ok(lease) => break lease,
                // Without a lease nobody knows whose boot this is; reading it again would not tell.
                Err(StoreError::Unreadable(unreadable)) => {
                    ports.log(&unreadable.to_string());
                    break None;
                }
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => {
                    ports.log(&format!("this boot could not be bound, and is tried again: {error}"));
                    ports.sleep(ERROR_PAUSE).await;
                }
            }
        };
        let ours = lease.is_some();
        ports.log(if ours {
            "this boot is ours"
        } else {
            "a person started this boot: runs are served, and the instance is never stopped"
        });
        let now = ports.now();
        // What an earlier process of this boot began to wait for is not begun anew.
        let bound_at = lease.as_ref().and_then(|lease| believed(lease.bound_at?, now)).map_or(now, |at| at.min(now));
        let person = lease.map(|lease| Signs::of_earlier_process(&lease, now)).unwrap_or_default();
        let queue = Queue::default();
        queue.busy_at.set(now);
        Self {
            nonce: ports.nonce(),
            layout,
            ports,
            me,
            bound_at,
            ours: Cell::new(ours),
            served: Cell::new(false),
            given_up: Cell::new(false),
            next_look: Cell::new(now),
            person: RefCell::new(person),
            told: Cell::new(person),
            queue,
            held: RefCell::default(),
            begun: RefCell::default(),
            cells: Cell::default(),
            kept: RefCell::default(),
            leaving: Cell::new(false),
            served_all: Notify::new(),
        }
    }

    /// Serves the inbox until the machine asks this process to end, or ends it. Its loops wait for none of the others: one
    /// beats, one watches the inbox, one takes out what is over, one serves, and one names what an earlier process left.
    pub async fn serve(self) {
        tokio::select! {
            biased;
            () = self.leave() => {}
            never = self.beat() => match never {},
            never = self.watch_inbox() => match never {},
            never = self.end_what_is_over() => match never {},
            never = self.work() => match never {},
        }
    }

    async fn work(&self) -> std::convert::Infallible {
        // The next notebook takes its place.
        self.keep_what_was_left().await;
        tokio::select! {
            biased;
            never = self.name_what_was_left() => match never {},
            never = self.take_turns() => match never {},
        }
    }

    async fn take_turns(&self) -> std::convert::Infallible {
        while !self.leaving.get() {
            match self.turn().await {
                Ok(Turn::Again) => {}
                Ok(Turn::Pause) => tokio::select! {
                    biased;
                    () = self.queue.to_serve.notified() => {}
                    () = self.ports.sleep(PAUSE) => {}
                },
                Err(failure) => {
                    self.ports.log(&format!("a turn of the runner failed; trying again: {failure}"));
                    self.ports.sleep(ERROR_PAUSE).await;
                }
            }
        }
        std::future::pending().await
    }

    async fn turn(&self) -> Result<Turn, StoreError> {
        self.put_pending().await;
        let next = self.queue.next(self.ports.now(), |at| self.begun.borrow().contains_key(at));
        let Some(next) = next else {
            if self.ours.get() && self.queue.is_empty() {
                self.idle().await?;
            }
            return Ok(Turn::Pause);
        };
        self.held.replace(Some(self.attempt_of(&next.record)));
        let served = self.serve_first(&next).await;
        self.held.replace(None);
        self.served_all.notify_one();
        self.queue.busy_at.set(self.ports.now());
        served?;
        // Whatever was done, it is progress only when that very ticket is no longer the next one.
        Ok(if self.queue.holds(&next) { Turn::Pause } else { Turn::Again })
    }
}
