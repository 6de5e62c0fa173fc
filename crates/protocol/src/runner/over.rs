//! Tickets that are over: under whose token nobody waits, and those that waited too long, wherever they are in the queue and
//! whatever executes meanwhile. Thousands may be over at once: so many calls at a time, beside everything else.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Clock, Log, Sleep};
use reveille_domain::records::{Report, Ticket};

use super::attempt::Fence;
use super::decide::queue_timeout;
use super::queue::{AGAIN_AFTER, AT_ONCE};
use super::reports::begun;
use super::{Runner, RunnerPorts};
use crate::store::{self, StoreError, Stored};

/// Between two looks for tickets that are over, at most; what comes up earlier is known beforehand, or rung for.
const LOOK_EVERY: Duration = Duration::from_mins(1);

impl<P: RunnerPorts> Runner<'_, P> {
    /// Takes out what is over, for ever.
    pub(super) async fn end_what_is_over(&self) -> std::convert::Infallible {
        loop {
            let over =
                self.queue.take_over(self.ports.now(), |at| self.begun.borrow().contains_key(at) || self.holds(at));
            let end = async |(stored, is_silent): (Stored<Ticket>, bool)| self.end(&stored, is_silent).await;
            iter(over).map(end).buffer_unordered(AT_ONCE).for_each(|()| std::future::ready(())).await;
            let wait = self.queue.next_over_in(self.ports.now()).unwrap_or(LOOK_EVERY).min(LOOK_EVERY);
            tokio::select! {
                biased;
                () = self.queue.to_end.notified() => {}
                () = self.ports.sleep(wait) => {}
            }
        }
    }

    async fn end(&self, stored: &Stored<Ticket>, is_silent: bool) {
        let run = &stored.record.run;
        let ended = if is_silent { self.withdraw(stored).await } else { self.expire(stored).await };
        let ended = match ended {
            Err(StoreError::Unreadable(unreadable)) => self.refuse(stored, &unreadable).await,
            ended @ (Ok(()) | Err(StoreError::Call(_) | StoreError::Contended { .. })) => ended,
        };
        // Where the ticket still is, it is looked at again after a while.
        self.queue.end_again(run, self.ports.now() + AGAIN_AFTER);
        if let Err(error) = ended {
            self.ports.log(&format!("run {run} could not be taken out of the queue; trying again: {error}"));
        }
    }

    /// Removes a ticket under whose token nobody waits: its run ended, or is about to be submitted anew. That of a notebook
    /// that executes stays: whoever looks into the inbox must see it.
    pub(super) async fn withdraw(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        let run = &stored.record.run;
        let key = self.layout.ticket(&self.me.instance, run);
        let read = store::read::<Ticket>(&self.ports, &key).await?;
        if read.as_ref().is_none_or(|read| read.etag != stored.etag) {
            self.queue.learn(&self.me.instance, run, read);
            return Ok(());
        }
        let at = self.attempt_of(&stored.record);
        let is_pending = self.begun.borrow().get(&at).is_some_and(Option::is_some);
        if is_pending || self.holds(&at) {
            self.queue.keep(run);
            return Ok(());
        }
        self.remove_ticket(stored).await?;
        self.ports.log(&format!("nobody waits for run {run} any more; its ticket was removed"));
        Ok(())
    }

    /// Whether the attempt is being served.
    fn holds(&self, at: &AttemptRef) -> bool {
        self.held.borrow().as_ref() == Some(at)
    }

    /// Ends a run that waited too long.
    async fn expire(&self, stored: &Stored<Ticket>) -> Result<(), StoreError> {
        let ticket = &stored.record;
        let now = self.ports.now();
        let at = self.attempt_of(ticket);
        let Some(failure) = queue_timeout(ticket, now) else { return Ok(()) };
        if !self.is_waited_for(stored).await? {
            return Ok(());
        }
        match self.fence(&at).await? {
            Fence::Claimed(_) => {
                let report = Report { failure: Some(failure), ..begun(&at, ticket, None, now) };
                let report = self.put_report(&at, report).await?;
                self.answer(&at, &report).await
            }
            Fence::Reported(report) => self.answer(&at, &report).await,
            Fence::Taken => self.drop_ticket(stored).await,
        }
    }
}
