//! The inbox: reading it in order, and beating every ticket in it, the queued ones too.

use chrono::TimeDelta;
use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::limits::MAX_INBOX;
use reveille_domain::ports::{Call, TokenAnswer};
use reveille_domain::records::Ticket;
use reveille_domain::runner::{beat_seconds, queue_order};

use super::{Runner, RunnerPorts};
use crate::store::{self, StoreError, Stored};

/// Calls that wait for their answers at the same time. In a long queue one after the other would outlast a heartbeat.
const AT_ONCE: usize = 16;

impl<P: RunnerPorts> Runner<'_, P> {
    /// The tickets, oldest first.
    pub(super) async fn read_queue(&self) -> Result<Vec<Stored<Ticket>>, StoreError> {
        let keys = self.ports.list_objects(&self.layout.inbox(&self.me.instance), MAX_INBOX).await?;
        let mut stored = Vec::with_capacity(keys.len());
        let read = async |key: String| (store::read::<Ticket>(self.ports, &key).await, key);
        let mut reading = iter(keys).map(read).buffered(AT_ONCE);
        while let Some((ticket, key)) = reading.next().await {
            match ticket {
                Ok(Some(ticket)) => stored.push(ticket),
                // Gone since the listing: its execution answered itself.
                Ok(None) => {}
                // What is no ticket (a console's "folder", another version's) must not hold up those that are.
                Err(StoreError::Unreadable(unreadable)) => {
                    self.ports.log(&format!("{key} is left out of the queue: {unreadable}"));
                }
                Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
            }
        }
        stored.sort_by(|a, b| queue_order(&a.record, &b.record));
        Ok(stored)
    }

    /// Beats every ticket, if it is time. A token under which nobody waits is a run that ended or is about to be
    /// submitted anew: its ticket goes. A failing beat is no reason to stop working. Answers whether a ticket went.
    pub(super) async fn beat(&mut self, queue: &[Stored<Ticket>]) -> bool {
        let now = self.ports.now();
        let Some(every) = queue.iter().map(|stored| beat_seconds(stored.record.heartbeat_seconds)).min() else {
            return false;
        };
        if self.boot.last_beat.is_some_and(|last| now - last < TimeDelta::seconds(every.into())) {
            return false;
        }
        self.boot.last_beat = Some(now);
        let mut removed = false;
        let beat = async |stored| (self.beat_one(stored).await, stored);
        let mut beating = iter(queue).map(beat).buffered(AT_ONCE);
        while let Some((beaten, stored)) = beating.next().await {
            match beaten {
                Ok(waited_for) => removed |= !waited_for,
                Err(failure) => self.ports.log(&format!("a beat for run {} failed: {failure}", stored.record.run)),
            }
        }
        removed
    }

    /// Beats one ticket. `false`: nobody waits under its token, and it was removed.
    pub(super) async fn beat_one(&self, stored: &Stored<Ticket>) -> Call<bool> {
        if self.ports.send_task_heartbeat(&stored.record.task_token).await? == TokenAnswer::Accepted {
            return Ok(true);
        }
        let key = self.layout.ticket(&self.me.instance, &stored.record.run);
        if store::remove(self.ports, &key, &stored.etag).await? {
            self.ports.log(&format!("nobody waits for run {} any more: its ticket is removed", stored.record.run));
        }
        Ok(false)
    }
}
