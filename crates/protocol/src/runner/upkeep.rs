//! What goes on beside a notebook that executes: its progress and the lease are written with every beat, a person is looked
//! for, and a verdict from elsewhere is listened for. None of them waits for another.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::age::age;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Cells, Clock, Log, Sleep};
use reveille_domain::records::{Progress, Report, Ticket};

use super::attempt::{PROGRESS_EVERY, UPLOAD_TRIES};
use super::decide::beat_every;
use super::{LOOK_EVERY, Runner, RunnerPorts};
use crate::left;
use crate::store;

impl<P: RunnerPorts> Runner<'_, P> {
    /// Executes the attempt, uploads what it left, and composes the report.
    pub(super) async fn execute_beside_upkeep(
        &self,
        at: &AttemptRef,
        ticket: &Ticket,
        claimed_at: DateTime<Utc>,
    ) -> Report {
        let every = beat_every(ticket.heartbeat_seconds);
        tokio::select! {
            biased;
            report = self.execute(at, ticket, claimed_at) => report,
            never = self.show_progress(at, every) => match never {},
            never = self.keep_lease(every) => match never {},
            never = self.watch_person() => match never {},
        }
    }

    /// Writes progress.json with every beat, and soon after a cell changed.
    async fn show_progress(&self, at: &AttemptRef, every: Duration) -> std::convert::Infallible {
        let every_delta = TimeDelta::from_std(every).unwrap_or(TimeDelta::MAX);
        let mut shown = None;
        // The cell that runs, and when that was seen first.
        let mut begun = (0, None);
        loop {
            let (now, cells) = (self.ports.now(), self.cells.get());
            if begun.0 != cells.cell {
                begun = (cells.cell, Some(now));
            }
            if shown.is_none_or(|(shown_at, shown)| is_due(shown_at, now, every_delta) || shown != cells) {
                let Cells { cell, cells: of, done } = cells;
                let progress = Progress { cell, cells: of, at: now, since: begun.1, done: Some(done) };
                match store::put(&self.ports, &self.layout.progress(at), &progress).await {
                    Ok(()) => shown = Some((now, cells)),
                    Err(error) => {
                        self.ports.log(&format!("progress of run {} could not be written: {error}", at.run));
                    }
                }
            }
            self.ports.sleep(every.min(PROGRESS_EVERY)).await;
        }
    }

    /// Says in the lease with every beat that this runner lives: the run may be aborted at any moment. A write that failed is
    /// tried again soon: whoever may stop the instance takes an old lease for that of a dead runner, and a runner that was cut
    /// off and is back, perhaps beside a person, must be seen before.
    async fn keep_lease(&self, every: Duration) -> std::convert::Infallible {
        let mut pause = every;
        loop {
            self.ports.sleep(pause).await;
            pause = every;
            if self.ours.get()
                && let Err(failure) = self.say_alive().await
            {
                self.ports.log(&format!("the lease could not be written for a beat: {failure}"));
                pause = every.min(PROGRESS_EVERY);
            }
        }
    }

    /// Looks for a person, and tells the lease of a new sign. One that failed to be told is told at the next look.
    async fn watch_person(&self) -> std::convert::Infallible {
        loop {
            self.ports.sleep(LOOK_EVERY.to_std().unwrap_or_default()).await;
            if !self.ours.get() {
                continue;
            }
            self.look_for_person().await;
            // A heartbeat may be an hour: if this runner dies before the next beat, the lease is all that tells of a person.
            if self.person.borrow().is_news_to(&self.told.get())
                && let Err(failure) = self.say_alive().await
            {
                self.ports.log(&format!("could not record in the lease that a person is working: {failure}"));
            }
        }
    }

    /// Names what the notebook left in somebody else's report; a function names it in the outcome. It is tried as
    /// patiently as an upload; without it the outputs are in their place all the same.
    pub(super) async fn add_outputs(&self, at: &AttemptRef, existing: &Report, left: &Report) {
        if existing.with_outputs_of(left).is_none() {
            return;
        }
        let trouble = format!("the outputs of run {} could not be named in its report", at.run);
        let add = async || left::add_to_report(self.layout, &self.ports, at, left).await;
        if let Err(error) = self.patiently(UPLOAD_TRIES, &trouble, add).await {
            self.ports.log(&format!("{trouble}: {error}"));
        }
    }

    /// Returns when the attempt has its verdict from elsewhere: its execution was stopped by a person, or took this runner for
    /// lost.
    pub(super) async fn verdict_elsewhere(&self, at: &AttemptRef, every: Duration) {
        loop {
            self.ports.sleep(every).await;
            let report = store::read::<Report>(&self.ports, &self.layout.report(at)).await;
            // What cannot be read is no verdict: the notebook goes on, and its outputs are kept.
            if report.is_ok_and(|report| report.is_some()) {
                self.ports.log(&format!("run {} was decided elsewhere: its notebook is being ended", at.run));
                return;
            }
        }
    }
}

/// Whether the time for another one has come. A clock that was set back makes it due.
fn is_due(shown_at: DateTime<Utc>, now: DateTime<Utc>, every: TimeDelta) -> bool {
    now < shown_at || age(shown_at, now) >= every
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_due_after_a_beat_and_when_the_clock_was_set_back() {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        for (now, expected) in [(100, false), (114, false), (115, true), (999, true), (99, true), (0, true)] {
            assert_eq!(is_due(at(100), at(now), TimeDelta::seconds(15)), expected, "{now}");
        }
    }
}
