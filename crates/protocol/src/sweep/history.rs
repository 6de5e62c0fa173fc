//! The history, kept whole: what ended and is not in it is entered.
//!
//! A pass goes through the executions from the newest on, a page at a time, and lists the history beside them: what is in both
//! costs two requests for a thousand. The first pass goes back as far as Step Functions knows, and so enters the runs of earlier
//! versions; a later one goes back to what ended since some minutes before the one before. A sweep does as much of it as it has time for after
//! everything else, and describes so few executions that nobody else's calls are throttled; the next one goes on behind that.
//!
//! Nothing else depends on it, so it has a place of its own (`history.json`), and what goes wrong here fails no sweep: the answer
//! counts it. What is still under way a while before the function's time is over is given up. No execution holds up the ones
//! behind it for long: what cannot be entered is passed over, remembered, and tried again for an hour (see [`missed`]).

use std::collections::BTreeSet;
use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::stream::iter;
use futures_util::{Stream, StreamExt};
use reveille_domain::history::{Entry, Group, HistoryPass, HistoryPlace, Order, backwards};
use reveille_domain::limits::{
    HISTORY_CUT, HISTORY_TIME, MAX_HISTORY_DESCRIBED, MAX_HISTORY_HELD, MAX_HISTORY_PAGES, SWEEP_PAGE, SWEEPS_AT_ONCE,
};
use reveille_domain::ports::{
    Clock, DescribeWholeExecution, EndedExecution, GetAnswer, GetObject, ListEndedExecutions, ListObjects,
    PutCondition, PutObject, Sleep,
};
use reveille_domain::{Code, Failure, RunId};

use super::swept::Swept;
use crate::stack::Stack;

mod decide;
mod enter;
mod missed;

use decide::{ended, is_fresh, is_long, is_over, next_pass, run_of, wanted};
use enter::{Looked, NotEntered, enter_ended};

/// What the sweeper needs for this.
pub trait HistoryPorts:
    Clock + Sleep + GetObject + PutObject + ListObjects + DescribeWholeExecution + ListEndedExecutions
{
}

impl<P> HistoryPorts for P where
    P: Clock + Sleep + GetObject + PutObject + ListObjects + DescribeWholeExecution + ListEndedExecutions
{
}

/// Goes on with the pass that is under way, or begins one, as far as the time of a sweep that began then allows.
pub async fn keep_whole<P: HistoryPorts>(stack: &Stack, ports: &P, begun: DateTime<Utc>, swept: &mut Swept) {
    let left = (begun + HISTORY_CUT - ports.now()).to_std().unwrap_or_default();
    let end = begun + HISTORY_TIME;
    if ports.now() >= end {
        return;
    }
    let mut keeper = Keeper { stack, ports, end, left: MAX_HISTORY_DESCRIBED, kept: None, swept };
    tokio::select! {
        biased;
        () = keeper.keep() => {}
        () = ports.sleep(left) => keeper.swept.history_failed(&gave_up()),
    }
    let Some(Kept { before, place }) = keeper.kept else { return };
    if place == before {
        return;
    }
    let written = serde_json::to_vec(&place).unwrap_or_default();
    if let Err(error) = ports.put_object(&stack.layout.history_place(), written, PutCondition::Always).await {
        swept.history_failed(&error.into());
    }
}

fn gave_up() -> Failure {
    Failure::new(
        Code::ServiceUnavailable,
        "What the history lacks could not be looked through in time. The next sweep goes on with it.",
    )
}

/// The place, as it was read and as it is now. What was done before the time was over is kept.
struct Kept {
    before: HistoryPlace,
    place: HistoryPlace,
}

/// One sweep's work on the history.
struct Keeper<'a, P> {
    stack: &'a Stack,
    ports: &'a P,
    /// It begins nothing after this.
    end: DateTime<Utc>,
    /// Executions that it may still describe.
    left: usize,
    kept: Option<Kept>,
    swept: &'a mut Swept,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Page {
    /// All of it was looked at.
    Done,
    /// There is more of it, and the place says where.
    Rest,
    /// The sweep ends here.
    Stopped,
}

impl<P: HistoryPorts> Keeper<'_, P> {
    async fn keep(&mut self) {
        let before = match self.read().await {
            Ok(place) => place,
            Err(failure) => return self.swept.history_failed(&failure),
        };
        let mut place = before.clone();
        let pass = place.pass.take().unwrap_or_else(|| next_pass(&place, self.ports.now()));
        // Nobody kept the history for so long that it may lack any number of runs.
        place.is_whole &= !is_long(&pass);
        place.pass = Some(pass);
        self.kept = Some(Kept { before, place });
        self.go_on().await;
        missed::try_again(self).await;
    }

    /// The place; the beginning is as good as any.
    async fn read(&self) -> Result<HistoryPlace, Failure> {
        Ok(match self.ports.get_object(&self.stack.layout.history_place()).await? {
            GetAnswer::Object(object) => serde_json::from_slice(&object.body).unwrap_or_default(),
            GetAnswer::Nothing | GetAnswer::TooLarge { .. } => HistoryPlace::default(),
        })
    }

    /// The pass that is under way; none: it came to its end.
    fn pass(&mut self) -> Option<&mut HistoryPass> {
        self.kept.as_mut()?.place.pass.as_mut()
    }

    async fn go_on(&mut self) {
        let mut is_idle = self.kept.as_ref().is_some_and(|kept| kept.before.is_whole && kept.before.pass.is_none());
        for _ in 0..MAX_HISTORY_PAGES {
            let Some(pass) = self.pass().cloned() else { return };
            if self.ports.now() >= self.end {
                return;
            }
            let page = match self.ports.list_executions(pass.redriven, pass.page.as_deref(), SWEEP_PAGE).await {
                Ok(Some(page)) => page,
                // The page is no longer known. What was entered is in the history, so the way to it is short.
                Ok(None) => {
                    self.moved_to(HistoryPass { page: None, after: None, ..pass });
                    continue;
                }
                Err(error) => return self.swept.history_failed(&error.into()),
            };
            let wanted = wanted(&pass, &page.executions);
            is_idle &= wanted.is_empty();
            match self.look_at(&pass, &wanted).await {
                Page::Done => {}
                Page::Rest => continue,
                Page::Stopped => return,
            }
            if let Some(next) = page.next.filter(|_| !is_over(&pass, &page.executions)) {
                self.moved_to(HistoryPass { page: Some(next), after: None, ..pass });
            } else if pass.redriven {
                return self.is_at_its_end(&pass, is_idle);
            } else {
                self.moved_to(HistoryPass { redriven: true, page: None, after: None, ..pass });
            }
        }
    }

    fn moved_to(&mut self, pass: HistoryPass) {
        if let Some(now) = self.pass() {
            *now = HistoryPass { held: 0, ..pass };
        }
    }

    fn is_at_its_end(&mut self, pass: &HistoryPass, is_idle: bool) {
        let Some(Kept { before, place }) = &mut self.kept else { return };
        if is_idle && is_fresh(before, pass) {
            // Nothing ended: there is nothing to write down.
            *place = before.clone();
        } else {
            *place = ended(pass, place);
        }
    }

    /// Enters those of a page that are not in the history.
    async fn look_at(&mut self, pass: &HistoryPass, wanted: &[&EndedExecution]) -> Page {
        if wanted.is_empty() {
            return Page::Done;
        }
        let known = match self.known(pass, wanted).await {
            Ok(Some(known)) => known,
            Ok(None) => return Page::Stopped,
            Err(failure) => {
                self.swept.history_failed(&failure);
                return Page::Stopped;
            }
        };
        let remembered = self.remembered();
        let is_missing = |ended: &&&EndedExecution| !known.contains(&run_of(ended)) && !remembered.contains(&ended.arn);
        let missing: Vec<&str> = wanted.iter().filter(is_missing).map(|ended| ended.arn.as_str()).collect();
        if missing.is_empty() {
            return Page::Done;
        }
        if self.left == 0 || self.ports.now() >= self.end {
            return Page::Stopped;
        }
        if pass.held >= MAX_HISTORY_HELD {
            return self.look_at_passed(pass, &missing[..missing.len().min(self.left).min(SWEEPS_AT_ONCE)]).await;
        }
        // Whatever becomes of this sweep, the next one knows that it came no further.
        if let Some(pass) = self.pass() {
            pass.held += 1;
        }
        let batch = &missing[..missing.len().min(self.left)];
        let (mut done, mut stays) = (0, false);
        let mut looks = pin!(looks(self.stack, self.ports, batch, self.end));
        while let Some((arn, looked)) = looks.next().await {
            (done, stays) = (done + 1, self.stays(pass, arn, looked) || stays);
        }
        self.left -= done;
        if stays || done == 0 {
            return Page::Stopped;
        }
        if done == missing.len() {
            return Page::Done;
        }
        self.moved_to(HistoryPass { after: Some(batch[done - 1].to_owned()), ..pass.clone() });
        Page::Stopped
    }

    /// Notes what came of one. Answers whether the place stays where it is, because the same may go well soon.
    fn stays(&mut self, pass: &HistoryPass, arn: &str, looked: Result<Looked, NotEntered>) -> bool {
        match looked {
            Ok(Looked::Done) => false,
            Ok(Looked::NotYet) => {
                self.remember(arn);
                false
            }
            Err(NotEntered::Run(failure)) => {
                self.swept.history_failed(&failure);
                let stays = may_pass(&failure);
                if !stays {
                    self.remember(arn);
                }
                stays
            }
            // No other could be entered either, and this is no fault of theirs.
            Err(NotEntered::History(failure)) => {
                self.swept.history_failed(&failure);
                self.moved_to(pass.clone());
                true
            }
        }
    }

    /// The same after several sweeps that came no further: these are passed before they are looked at, so that nothing that may
    /// become of them holds up what is behind them.
    async fn look_at_passed(&mut self, pass: &HistoryPass, batch: &[&str]) -> Page {
        for arn in batch {
            self.remember(arn);
        }
        self.moved_to(HistoryPass { after: batch.last().map(|last| (*last).to_owned()), ..pass.clone() });
        let mut looks = pin!(looks(self.stack, self.ports, batch, self.end));
        while let Some((arn, looked)) = looks.next().await {
            self.left -= 1;
            self.was_tried(arn, looked);
        }
        Page::Rest
    }

    /// The runs that started when these did and whose entry is whole; `None`: the time is over. Of those that were redriven, none: an entry
    /// may be of an earlier attempt.
    async fn known(&self, pass: &HistoryPass, wanted: &[&EndedExecution]) -> Result<Option<BTreeSet<RunId>>, Failure> {
        let mut known = BTreeSet::new();
        let started = || wanted.iter().map(|ended| ended.started_at);
        let (Some(newest), Some(oldest)) = (started().max(), started().min()) else { return Ok(Some(known)) };
        if pass.redriven {
            return Ok(Some(known));
        }
        for group in Group::ALL {
            let folder = Order::All.folder(&self.stack.layout, group);
            let mut after = format!("{folder}{}", backwards(newest));
            for _ in 0..MAX_HISTORY_PAGES {
                if self.ports.now() >= self.end {
                    return Ok(None);
                }
                let keys = self.ports.list_objects_after(&folder, Some(&after), SWEEP_PAGE).await?;
                let entries: Vec<Entry> = keys.iter().filter_map(|key| Entry::read(&folder, key)).collect();
                let is_behind = entries.last().is_some_and(|entry| entry.started < oldest);
                known.extend(entries.into_iter().filter(|entry| entry.is_last_in(group)).map(|entry| entry.at.run));
                match keys.into_iter().nth(SWEEP_PAGE - 1).filter(|_| !is_behind) {
                    Some(last) => after = last,
                    None => break,
                }
            }
        }
        Ok(Some(known))
    }
}

/// Looks at executions, some at a time, and begins nothing after `end`. What comes of each is answered as it comes: the rest may take for ever.
fn looks<'t, P: HistoryPorts>(
    stack: &'t Stack,
    ports: &'t P,
    batch: &'t [&'t str],
    end: DateTime<Utc>,
) -> impl Stream<Item = (&'t str, Result<Looked, NotEntered>)> {
    let look = move |arn: &'t &'t str| async move { (*arn, enter_ended(stack, ports, arn).await) };
    let in_time = move |_: &&'t &'t str| std::future::ready(ports.now() < end);
    iter(batch).take_while(in_time).map(look).buffer_unordered(SWEEPS_AT_ONCE)
}

/// Whether the same may go well soon: AWS was asked too often, or did not answer.
const fn may_pass(failure: &Failure) -> bool {
    matches!(failure.code, Code::Throttled | Code::ServiceUnavailable)
}
