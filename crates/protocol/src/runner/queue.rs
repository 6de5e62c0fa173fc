//! What the runner knows of its inbox, and how it learns it. Shared by the loops of the runner, each of which does one
//! thing to it: nothing is awaited while it is looked into, so that what they see is consistent.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::age::age;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_INBOX;
use reveille_domain::ports::{Clock, ListObjects, Log, Sleep};
use reveille_domain::records::Ticket;
use reveille_domain::{InstanceName, RunId};
use tokio::sync::Notify;

use super::decide::{beat_every, queue_order, queue_timeout};
use super::{Runner, RunnerPorts};
use crate::store::{self, StoreError, Stored};

/// Calls that wait for their answers at the same time: with 25 ms each, five thousand take eight seconds.
pub(super) const AT_ONCE: usize = 16;
/// Between two listings of an inbox that had something to do a moment ago, on a boot of ours.
const POLL: Duration = Duration::from_secs(1);
/// The same of one that is idle for longer, or on a person's boot, and while a notebook executes.
const SLOW_POLL: Duration = Duration::from_secs(5);
/// An inbox is idle for longer after this.
const BRISK_FOR: TimeDelta = TimeDelta::seconds(60);
/// What is no ticket is looked at again after this: a ticket may be there since.
const STRAY_EVERY: TimeDelta = TimeDelta::seconds(60);
/// Between two looks for tickets that are over, at least.
const SHORTEST_WAIT: Duration = Duration::from_millis(50);
/// Keys that are listed, strays among them.
const MAX_LISTED: usize = 4 * MAX_INBOX;

/// Between two tries to take one ticket out.
pub(super) const AGAIN_AFTER: TimeDelta = TimeDelta::seconds(3);

/// Whether a time has come that was set `ahead` of the clock. The clock may have been set back since: then it has come too,
/// or whoever waits for it would wait as long as the clock was set back.
pub(super) fn is_reached(at: DateTime<Utc>, now: DateTime<Utc>, ahead: TimeDelta) -> bool {
    now >= at || at - now > ahead
}

/// A ticket, and what is under way with it.
#[derive(Clone, Debug)]
struct Entry {
    at: AttemptRef,
    stored: Stored<Ticket>,
    /// When it was last beaten, or that was tried.
    beaten_at: Option<DateTime<Utc>>,
    /// Nobody waits under its token: its execution ended, or is about to submit it anew.
    is_silent: bool,
    /// It is being taken out of the queue.
    is_ending: bool,
    /// When to try again, if taking it out failed.
    end_again_at: Option<DateTime<Utc>>,
}

impl Entry {
    const fn new(at: AttemptRef, stored: Stored<Ticket>) -> Self {
        Self { at, stored, beaten_at: None, is_silent: false, is_ending: false, end_again_at: None }
    }

    /// Whether it waited too long, unless that attempt is at work.
    fn is_late(&self, now: DateTime<Utc>, at_work: &impl Fn(&AttemptRef) -> bool) -> bool {
        queue_timeout(&self.stored.record, now).is_some() && !at_work(&self.at)
    }

    fn late_at(&self) -> DateTime<Utc> {
        let Ticket { queued_at, queue_seconds, .. } = &self.stored.record;
        // Whatever the record says, there is a last time.
        queued_at.checked_add_signed(TimeDelta::seconds((*queue_seconds).into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn beat_every_ms(&self) -> i64 {
        i64::try_from(beat_every(self.stored.record.heartbeat_seconds).as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds until the next beat is due. A clock that was set back makes it due.
    fn beat_due_in(&self, now: DateTime<Utc>) -> i64 {
        let every = self.beat_every_ms();
        match self.beaten_at {
            Some(at) if at <= now => (every - age(at, now).num_milliseconds()).max(0),
            Some(_) | None => 0,
        }
    }
}

/// The inbox.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: RefCell<BTreeMap<RunId, Entry>>,
    /// Keys of what is no ticket, and when they were last read.
    strays: RefCell<BTreeMap<String, DateTime<Utc>>>,
    /// Whether the last listing was answered.
    is_known: Cell<bool>,
    /// When there was last something to do.
    pub(super) busy_at: Cell<DateTime<Utc>>,
    /// Rung for the loop that serves, that beats, and that ends.
    pub(super) to_serve: Notify,
    pub(super) to_beat: Notify,
    pub(super) to_end: Notify,
}

impl Queue {
    /// Whether it is known that no ticket is there.
    pub(super) fn is_empty(&self) -> bool {
        self.is_known.get() && self.entries.borrow().is_empty()
    }

    /// The oldest ticket that can be served; that of a run which was begun even after its time in the queue.
    pub(super) fn next(&self, now: DateTime<Utc>, begun: impl Fn(&AttemptRef) -> bool) -> Option<Stored<Ticket>> {
        let entries = self.entries.borrow();
        let can_be_served = |entry: &&Entry| !entry.is_ending && !entry.is_silent && !entry.is_late(now, &begun);
        let tickets = entries.values().filter(can_be_served).map(|entry| &entry.stored);
        tickets.min_by(|a, b| queue_order(&a.record, &b.record)).cloned()
    }

    /// Whether this very ticket is still there.
    pub(super) fn holds(&self, stored: &Stored<Ticket>) -> bool {
        self.entries.borrow().get(&stored.record.run).is_some_and(|entry| entry.stored.etag == stored.etag)
    }

    /// A ticket as it was just read: put there anew, or removed.
    pub(super) fn learn(&self, instance: &InstanceName, run: &RunId, read: Option<Stored<Ticket>>) {
        let mut entries = self.entries.borrow_mut();
        match read {
            None => {
                entries.remove(run);
            }
            Some(read) if entries.get(run).is_some_and(|entry| entry.stored.etag == read.etag) => {}
            Some(read) => {
                let at = AttemptRef { instance: instance.to_string(), run: run.clone(), attempt: read.record.attempt };
                entries.insert(run.clone(), Entry::new(at, read));
            }
        }
        drop(entries);
        for bell in [&self.to_serve, &self.to_beat, &self.to_end] {
            bell.notify_one();
        }
    }

    /// The runs whose tickets are to be beaten now, and how long until more are due.
    pub(super) fn due(&self, now: DateTime<Utc>) -> (Vec<RunId>, Duration) {
        let mut due = Vec::new();
        let mut next = i64::MAX;
        for (run, entry) in self.entries.borrow().iter().filter(|(_, entry)| !entry.is_silent) {
            match entry.beat_due_in(now) {
                0 => {
                    due.push((entry.beaten_at, run.clone()));
                    next = next.min(entry.beat_every_ms());
                }
                later => next = next.min(later),
            }
        }
        due.sort();
        (due.into_iter().map(|(_, run)| run).collect(), Duration::from_millis(next.unsigned_abs()))
    }

    /// The token of a ticket that is about to be beaten.
    pub(super) fn begin_beat(&self, run: &RunId, now: DateTime<Utc>) -> Option<String> {
        let mut entries = self.entries.borrow_mut();
        let entry = entries.get_mut(run).filter(|entry| !entry.is_silent)?;
        entry.beaten_at = Some(now);
        Some(entry.stored.record.task_token.clone())
    }

    /// Nobody waits under this token.
    pub(super) fn silence(&self, run: &RunId, token: &str) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(run)
            && entry.stored.record.task_token == token
        {
            entry.is_silent = true;
            self.to_end.notify_one();
        }
    }

    /// A ticket that stays although nobody waits under its token: it is tried again with the next beat.
    pub(super) fn keep(&self, run: &RunId) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(run) {
            entry.is_silent = false;
            self.to_beat.notify_one();
        }
    }

    /// The tickets that are to be taken out now: under whose token nobody waits (`true`), or that waited too long and are
    /// not at work. They are marked.
    pub(super) fn take_over(
        &self,
        now: DateTime<Utc>,
        at_work: impl Fn(&AttemptRef) -> bool,
    ) -> Vec<(Stored<Ticket>, bool)> {
        let mut over = Vec::new();
        for entry in self.entries.borrow_mut().values_mut() {
            let is_late = entry.is_late(now, &at_work);
            let may_try = entry.end_again_at.is_none_or(|at| is_reached(at, now, AGAIN_AFTER));
            if !entry.is_ending && may_try && (entry.is_silent || is_late) {
                entry.is_ending = true;
                over.push((entry.stored.clone(), entry.is_silent));
            }
        }
        over
    }

    /// How long until one may be over that is not yet.
    pub(super) fn next_over_in(&self, now: DateTime<Utc>) -> Option<Duration> {
        let entries = self.entries.borrow();
        let waits = entries.values().filter_map(|entry| match entry.end_again_at {
            Some(again) if again > now => Some(again - now),
            Some(_) | None => Some(entry.late_at() - now).filter(|wait| *wait > TimeDelta::zero()),
        });
        waits.min().map(|wait| wait.to_std().unwrap_or(Duration::ZERO).max(SHORTEST_WAIT))
    }

    /// It was tried to take a ticket out. Where it still is, it is tried again after a while.
    pub(super) fn end_again(&self, run: &RunId, at: DateTime<Utc>) {
        if let Some(entry) = self.entries.borrow_mut().get_mut(run) {
            entry.is_ending = false;
            entry.end_again_at = Some(at);
        }
    }

    /// What of the listed keys is not known yet. What is known and not listed any more is forgotten.
    fn unknown(&self, listed: BTreeMap<RunId, String>, now: DateTime<Utc>) -> Vec<(RunId, String)> {
        self.entries.borrow_mut().retain(|run, _| listed.contains_key(run));
        let entries = self.entries.borrow();
        let strays = self.strays.borrow();
        let is_unknown = |(run, key): &(RunId, String)| {
            !entries.contains_key(run) && strays.get(key).is_none_or(|read_at| age(*read_at, now) >= STRAY_EVERY)
        };
        listed.into_iter().filter(is_unknown).collect()
    }
}

impl<P: RunnerPorts> Runner<'_, P> {
    /// Lists the inbox for ever.
    pub(super) async fn watch_inbox(&self) -> std::convert::Infallible {
        loop {
            if let Err(error) = self.refresh().await {
                self.ports.log(&format!("the inbox could not be read; trying again: {error}"));
            }
            let now = self.ports.now();
            let brisk = self.ours.get() && age(self.queue.busy_at.get(), now) < BRISK_FOR;
            let every = if brisk && self.held.borrow().is_none() { POLL } else { SLOW_POLL };
            // A new ticket is beaten within a beat.
            self.ports.sleep(every.min(self.quickest_beat())).await;
        }
    }

    fn quickest_beat(&self) -> Duration {
        let entries = self.queue.entries.borrow();
        entries.values().map(|entry| beat_every(entry.stored.record.heartbeat_seconds)).min().unwrap_or(SLOW_POLL)
    }

    /// Reads the inbox: which tickets are there, and those that are new.
    pub(super) async fn refresh(&self) -> Result<(), StoreError> {
        let refreshed = self.try_refresh().await;
        let was_known = self.queue.is_known.replace(refreshed.is_ok());
        if !self.queue.entries.borrow().is_empty() {
            self.queue.busy_at.set(self.ports.now());
        }
        if refreshed.is_ok() && !was_known {
            self.queue.to_serve.notify_one();
        }
        refreshed
    }

    async fn try_refresh(&self) -> Result<(), StoreError> {
        let keys = self.ports.list_objects(&self.layout.inbox(&self.me.instance), MAX_LISTED).await?;
        self.queue.strays.borrow_mut().retain(|stray, _| keys.binary_search(stray).is_ok());
        let mut listed = BTreeMap::new();
        for key in keys {
            // Whatever an object says of itself, its key decides whose ticket it is.
            match self.layout.run_of_ticket(&self.me.instance, &key) {
                Some(run) if listed.len() < MAX_INBOX => drop(listed.insert(run, key)),
                Some(_) => {}
                None => self.set_aside(&key, &"its key does not name a run"),
            }
        }
        let unknown = self.queue.unknown(listed, self.ports.now());
        if unknown.is_empty() {
            return Ok(());
        }
        let read = async |(run, key): (RunId, String)| (store::read::<Ticket>(&self.ports, &key).await, run, key);
        let mut reading = iter(unknown).map(read).buffer_unordered(AT_ONCE);
        let mut first_error = Ok(());
        while let Some((ticket, run, key)) = reading.next().await {
            match ticket {
                Ok(ticket) => {
                    self.queue.strays.borrow_mut().remove(&key);
                    if ticket.is_some() {
                        self.queue.learn(&self.me.instance, &run, ticket);
                    }
                }
                // What is no ticket (another version's, a copy of one) must not hold up those that are.
                Err(StoreError::Unreadable(unreadable)) => self.set_aside(&key, &unreadable),
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => {
                    first_error = first_error.and(Err(error));
                }
            }
        }
        first_error
    }

    /// Leaves out what is no ticket, and says so once.
    fn set_aside(&self, key: &str, why: &dyn std::fmt::Display) {
        if self.queue.strays.borrow_mut().insert(key.to_owned(), self.ports.now()).is_none() {
            self.ports.log(&format!("{key} is left out of the queue: {why}"));
        }
    }
}

#[cfg(test)]
mod tests;
