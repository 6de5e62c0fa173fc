//! The times that somebody waits for.
//!
//! - Owns: in which order they come. Of one time, whoever began to wait first goes on first.
//! - A wait that is given up is only marked: most are, long before their time, and taking one out of the middle costs more than
//!   passing it by when it comes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::task::Waker;

/// Who waits.
pub(super) enum Waiting {
    /// A task of the executor, by its number: nothing is counted for it.
    Task(u64),
    /// Anybody else.
    Other(Waker),
}

/// A wait, for whoever may give it up.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimerKey {
    number: u64,
    place: usize,
}

/// What is known of a wait that goes on.
struct Place {
    number: u64,
    who: Option<Waiting>,
}

/// The waits of a thread. Their numbers are never used again, so that a wait of an earlier simulation is nobody's.
#[derive(Default)]
pub(super) struct Timers {
    /// The time, the number, and the place.
    due: BinaryHeap<Reverse<(u64, u64, usize)>>,
    places: Vec<Place>,
    free: Vec<usize>,
    next: u64,
}

impl Timers {
    pub(super) fn add(&mut self, at_ms: u64, who: Waiting) -> TimerKey {
        let number = self.next;
        self.next += 1;
        let new = Place { number, who: Some(who) };
        let place = if let Some(place) = self.free.pop() {
            self.places[place] = new;
            place
        } else {
            self.places.push(new);
            self.places.len() - 1
        };
        self.due.push(Reverse((at_ms, number, place)));
        TimerKey { number, place }
    }

    /// Somebody else waits in its place now; answers whoever did.
    pub(super) fn replace(&mut self, key: TimerKey, who: Waiting) -> Option<Waiting> {
        let known = self.places.get_mut(key.place).filter(|known| known.number == key.number)?;
        known.who.as_mut().map(|known| std::mem::replace(known, who))
    }

    /// Gives a wait up; answers who waited, if it had not come.
    pub(super) fn take(&mut self, key: TimerKey) -> Option<Waiting> {
        let known = self.places.get_mut(key.place).filter(|known| known.number == key.number)?;
        let who = known.who.take()?;
        self.free.push(key.place);
        Some(who)
    }

    /// The next time that somebody waits for.
    pub(super) fn first(&mut self) -> Option<u64> {
        while let Some(Reverse((at_ms, number, place))) = self.due.peek().copied() {
            if self.is_awaited(number, place) {
                return Some(at_ms);
            }
            self.due.pop();
        }
        None
    }

    /// Whoever waits for that time, the first of them; it is over for them then.
    pub(super) fn come(&mut self, at_ms: u64) -> Option<Waiting> {
        while let Some(Reverse((at, number, place))) = self.due.peek().copied() {
            if at != at_ms {
                return None;
            }
            self.due.pop();
            if let Some(who) = self.take(TimerKey { number, place }) {
                return Some(who);
            }
        }
        None
    }

    /// All times that somebody waits for, in order.
    pub(super) fn all(&self) -> Vec<u64> {
        let waits = self.due.iter().filter(|Reverse((_, number, place))| self.is_awaited(*number, *place));
        let mut times: Vec<u64> = waits.map(|Reverse((at_ms, ..))| *at_ms).collect();
        times.sort_unstable();
        times
    }

    /// Forgets them all; answers who waited.
    pub(super) fn clear(&mut self) -> Vec<Waiting> {
        self.due.clear();
        self.free.clear();
        self.places.drain(..).filter_map(|place| place.who).collect()
    }

    fn is_awaited(&self, number: u64, place: usize) -> bool {
        self.places.get(place).is_some_and(|known| known.number == number && known.who.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(who: Option<Waiting>) -> Option<u64> {
        match who? {
            Waiting::Task(number) => Some(number),
            Waiting::Other(_) => None,
        }
    }

    #[test]
    fn of_one_time_whoever_began_first_goes_on_first() {
        let mut timers = Timers::default();
        for (at_ms, who) in [(20, 1), (10, 2), (20, 3), (10, 4)] {
            timers.add(at_ms, Waiting::Task(who));
        }
        assert_eq!(timers.all(), [10, 10, 20, 20]);
        for at_ms in [10, 20] {
            assert_eq!(timers.first(), Some(at_ms));
            let mut come = Vec::new();
            while let Some(who) = task(timers.come(at_ms)) {
                come.push(who);
            }
            assert_eq!(come, if at_ms == 10 { [2, 4] } else { [1, 3] });
        }
        assert_eq!(timers.first(), None);
    }

    #[test]
    fn what_was_given_up_never_comes_and_its_place_is_anothers() {
        let mut timers = Timers::default();
        let given_up = timers.add(10, Waiting::Task(1));
        assert_eq!(task(timers.take(given_up)), Some(1));
        assert_eq!(task(timers.take(given_up)), None, "it is given up once");
        let other = timers.add(30, Waiting::Task(2));
        assert_eq!(timers.places.len(), 1, "one place serves both");
        assert!(timers.replace(given_up, Waiting::Task(9)).is_none(), "the place is not its own any more");
        assert_eq!(task(timers.replace(other, Waiting::Task(3))), Some(2));
        assert_eq!((timers.all(), timers.first()), (vec![30], Some(30)));
        assert_eq!(task(timers.come(30)), Some(3));
        assert_eq!(task(timers.take(other)), None, "it came");
    }

    #[test]
    fn a_wait_of_an_earlier_simulation_is_nobodys() {
        let mut timers = Timers::default();
        let earlier = timers.add(10, Waiting::Task(1));
        assert_eq!(timers.clear().len(), 1);
        timers.add(10, Waiting::Task(2));
        assert_eq!(task(timers.take(earlier)), None);
        assert_eq!(task(timers.come(10)), Some(2));
    }
}
