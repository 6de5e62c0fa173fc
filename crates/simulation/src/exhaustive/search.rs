//! The search: every choice of every play, until none is left that leads to a state that was not seen.

use std::collections::HashSet;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::bounds::Core;
use crate::definition::Definitions;
use crate::lies::Lie;
use crate::play::{Played, play_chosen};
use crate::sabotage::{How, Sabotage};
use crate::schedule::Schedule;
use crate::world::choices::{Choices, Course, IsNew, Once};
use crate::world::ledger::Violation;

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// States that were visited: each world at a moment at which more than one thing could come next.
    pub states: usize,
    /// Plays from the beginning.
    pub plays: u64,
    /// Plays that went on to the end of their world, and were judged.
    pub ends: u64,
    /// Whether no choice is left.
    pub ended: bool,
    /// The first guarantee that broke, and the choices that broke it.
    pub broken: Option<(Vec<u8>, Violation)>,
}

/// How a search is made.
#[derive(Clone, Copy)]
pub struct Search {
    /// What is explored.
    pub core: Core,
    /// What is taken out of the protocol.
    pub sabotage: Option<Sabotage>,
    /// Threads.
    pub jobs: usize,
    /// It gives up after so many plays.
    pub most_plays: u64,
}

/// No part has so many plays: one that does not end says so.
pub const MOST_PLAYS: u64 = 2_000_000;

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, plays, ends, .. } = self;
        let end = if self.ended { "nothing is left" } else { "IT DID NOT END" };
        write!(formatter, "{states} states, {plays} plays, {ends} of them to their end: {end}")
    }
}

/// What the threads of a search share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    seen: Mutex<HashSet<u64>>,
    situations: Mutex<HashSet<u64>>,
    more: Condvar,
}

#[derive(Default)]
struct State {
    /// Choices that are still to be tried, each with those before it.
    open: Vec<Vec<u8>>,
    playing: usize,
    found: Found,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Search {
    /// Searches until the end, the first guarantee that breaks, or the most plays.
    ///
    /// # Errors
    /// The definition cannot be read.
    pub fn run(self) -> Result<Found, String> {
        let shared = Arc::new(Shared::default());
        locked(&shared.state).open.push(Vec::new());
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.jobs).map(|_| scope.spawn(|| self.work(&shared))).collect();
            threads.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| "a part of the search panicked; its message is above".to_owned())?
            })
        })?;
        let mut found = locked(&shared.state).found.clone();
        found.states = locked(&shared.seen).len();
        found.ended = found.broken.is_none() && locked(&shared.state).open.is_empty();
        Ok(found)
    }

    /// What happens along these choices.
    ///
    /// # Errors
    /// The definition cannot be read.
    pub fn replay(self, choices: Vec<u8>) -> Result<Vec<String>, String> {
        let (mut definitions, lie) = self.tools();
        let schedule = self.schedule();
        let machine = definitions.with(schedule.parameters)?;
        let anything: IsNew = Rc::new(|_| true);
        let choices = Choices::new(choices, self.core.budget, Once::Nothing, Rc::clone(&anything), anything);
        Ok(play_chosen(schedule, &machine, lie, &choices, true).timeline)
    }

    fn schedule(&self) -> Schedule {
        let sweeper = !matches!(self.sabotage.map(|sabotage| sabotage.how), Some(How::NoSweeper));
        Schedule { sweeper, ..self.core.schedule() }
    }

    fn tools(&self) -> (Definitions, Option<Lie>) {
        match self.sabotage.map(|sabotage| sabotage.how) {
            Some(How::Lie(lie)) => (Definitions::default(), Some(lie)),
            Some(How::Edit(edit)) => (Definitions::edited(edit), None),
            Some(How::NoSweeper) | None => (Definitions::default(), None),
        }
    }

    fn work(self, shared: &Arc<Shared>) -> Result<(), String> {
        let (mut definitions, lie) = self.tools();
        let schedule = self.schedule();
        let machine = definitions.with(schedule.parameters)?;
        while let Some(prefix) = self.next(shared) {
            let seen = Arc::clone(shared);
            let is_new = Rc::new(move |state| locked(&seen.seen).insert(state));
            let begun = prefix.len();
            let seen = Arc::clone(shared);
            let is_new_situation: IsNew = Rc::new(move |situation| locked(&seen.situations).insert(situation));
            let once = self.core.once_each_situation;
            let choices = Choices::new(prefix, self.core.budget, once, is_new, is_new_situation);
            let _playing = Playing(shared);
            let played = play_chosen(schedule.clone(), &machine, lie, &choices, false);
            add(shared, begun, choices.course(), &played);
        }
        Ok(())
    }

    /// The next choices to follow. `None`: nothing is left, or it is enough.
    fn next(&self, shared: &Shared) -> Option<Vec<u8>> {
        let mut state = locked(&shared.state);
        loop {
            if state.found.broken.is_some() || state.found.plays >= self.most_plays {
                return None;
            }
            if let Some(prefix) = state.open.pop() {
                state.playing += 1;
                state.found.plays += 1;
                return Some(prefix);
            }
            if state.playing == 0 {
                return None;
            }
            state = shared.more.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// One play. However it ends, also by a panic, the others learn that it plays no more.
struct Playing<'a>(&'a Shared);

impl Drop for Playing<'_> {
    fn drop(&mut self) {
        locked(&self.0.state).playing -= 1;
        self.0.more.notify_all();
    }
}

/// Adds a play: what it left untried, and what it broke.
fn add(shared: &Shared, begun: usize, course: Course, played: &Played) {
    let mut state = locked(&shared.state);
    for (at, width) in course.widths.iter().enumerate() {
        for other in 1..*width {
            let mut prefix = course.taken[..begun + at].to_vec();
            prefix.push(other);
            state.open.push(prefix);
        }
    }
    state.found.ends += u64::from(!course.pruned);
    if let (Some(violation), None) = (played.violations.first(), &state.found.broken) {
        state.found.broken = Some((course.taken, violation.clone()));
    }
}
