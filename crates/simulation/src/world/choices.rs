//! The choices of one play: what waits, what may come next, and what was chosen.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::Duration;

use reveille_asl::simulated;
use tokio::sync::Notify;

use super::told::Told;
use super::{World, state};
use crate::schedule::{Action, Deed, Hand};

/// How many choices of a kind one play may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// An effect is let go before one that has waited longer. [`ANY`]: as often as there are.
    pub orders: u8,
    /// Time passes though an effect waits: it comes after whatever is due next.
    pub holds: u8,
    /// An effect goes wrong.
    pub faults: u8,
    /// The person does something.
    pub deeds: u8,
    /// The second run arrives when it is chosen to; otherwise when the schedule says.
    pub arrivals: u8,
}

/// What is tried once in each situation. A situation is [`state::situation`]: minutes in which a runner lists an empty inbox are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// Each is tried at each moment.
    Nothing,
    /// That an effect is held.
    Holds,
    /// Whatever is not the usual: faults, deeds and holds.
    All,
}

/// No bound.
pub const ANY: u8 = u8::MAX;

/// What the person may do.
pub const DEEDS: [Deed; 6] = [
    Deed::Start { index: 0, work: Duration::from_mins(20) },
    Deed::Stop { index: 0 },
    Deed::Restart { index: 0 },
    Deed::Work { index: 0, work: Duration::from_mins(20) },
    Deed::Abort { trigger: 0 },
    Deed::Redrive { trigger: 0 },
];

/// What becomes of an effect that is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// It happens, and its caller is told.
    Goes,
    /// It does not happen, and no answer comes.
    NotReached,
    /// It happens, and no answer comes.
    AnswerLost,
    /// It happens, and its caller's process dies before it is told.
    DiesAfter,
}

/// One thing that may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Effect(usize, Decision),
    /// Time passes, though effects wait.
    Hold,
    Deed(usize),
    /// The second run arrives.
    Arrival,
}

/// A remote call that waits.
struct Waiting {
    number: u64,
    stream: String,
    what: String,
    is_write: bool,
    let_go: Rc<Cell<Option<Decision>>>,
    waker: Option<Waker>,
}

/// How a play ended, as far as the search is concerned.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// Every choice, by its number among those there were.
    pub taken: Vec<u8>,
    /// For each choice after the prefix: how many there were.
    pub widths: Vec<u8>,
    /// Whether it came to a state that was seen.
    pub pruned: bool,
}

/// Whether a state is new: asked at every choice after the prefix.
pub type IsNew = Rc<dyn Fn(u64) -> bool>;

/// The choices of one play.
pub struct Choices {
    prefix: Vec<u8>,
    course: RefCell<Course>,
    left: Cell<Budget>,
    settles_slowly: bool,
    is_new: IsNew,
    once: Once,
    /// Whether a situation is new.
    is_new_situation: IsNew,
    waiting: RefCell<Vec<Waiting>>,
    next_number: Cell<u64>,
    /// What each actor was told so far, as a number.
    streams: RefCell<BTreeMap<String, u64>>,
    counts: RefCell<BTreeMap<String, u64>>,
    /// Rung when the play need not go on.
    pub(crate) over: Notify,
}

impl Choices {
    /// The choices of a play that follows `prefix`, and then takes the first each time.
    #[must_use]
    pub fn new(prefix: Vec<u8>, budget: Budget, once: Once, is_new: IsNew, is_new_situation: IsNew) -> Rc<Self> {
        Rc::new(Self {
            prefix,
            course: RefCell::default(),
            left: Cell::new(budget),
            settles_slowly: budget.holds > 0 || budget.faults > 0 && budget.deeds > 0,
            once,
            is_new,
            is_new_situation,
            waiting: RefCell::default(),
            next_number: Cell::new(0),
            streams: RefCell::default(),
            counts: RefCell::default(),
            over: Notify::new(),
        })
    }

    /// What was chosen.
    #[must_use]
    pub fn course(&self) -> Course {
        self.course.borrow().clone()
    }

    /// Whether the play came to a state that was seen.
    pub(crate) fn is_pruned(&self) -> bool {
        self.course.borrow().pruned
    }

    /// Whether the sweep that has something to do may itself be disturbed: by an effect that is held, or by a fault where it is a
    /// deed that it repairs.
    pub(crate) const fn settles_slowly(&self) -> bool {
        self.settles_slowly
    }

    /// Whether the second run is still to arrive.
    pub(crate) fn awaits_arrival(&self) -> bool {
        self.left.get().arrivals > 0
    }

    /// The second run arrives now, if it has not.
    pub(crate) fn arrive(&self, world: &Rc<World>) {
        let mut left = self.left.get();
        if left.arrivals > 0 {
            left.arrivals -= 1;
            self.left.set(left);
            world.spawn_open(Rc::clone(world).deliver(1));
        }
    }

    /// The next number of its own that somebody gives: the order between actors must not show in it.
    pub(crate) fn count(&self, whose: &str) -> u64 {
        let mut counts = self.counts.borrow_mut();
        let count = counts.entry(whose.to_owned()).or_default();
        *count += 1;
        *count
    }

    /// Waits until the effect is let go.
    pub(crate) async fn gate(&self, stream: &str, what: String, action: Action) -> Decision {
        let is_write = !matches!(action, Action::Get | Action::List | Action::Describe | Action::DescribeExecution);
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        let let_go = Rc::new(Cell::new(None));
        let (stream, answer) = (stream.to_owned(), Rc::clone(&let_go));
        self.waiting.borrow_mut().push(Waiting { number, stream, what, is_write, let_go: answer, waker: None });
        let _given_up = Leave { choices: self, number };
        std::future::poll_fn(|context| {
            if let Some(decision) = let_go.get() {
                return Poll::Ready(decision);
            }
            let mut waiting = self.waiting.borrow_mut();
            if let Some(mine) = waiting.iter_mut().find(|waiting| waiting.number == number) {
                mine.waker = Some(context.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Its caller was told this.
    pub(crate) fn told(&self, stream: &str, what: &str, answer: &impl Told, now_ms: i64) {
        let mut streams = self.streams.borrow_mut();
        let stream = streams.entry(stream.to_owned()).or_default();
        let mut hasher = DefaultHasher::new();
        (*stream, what, now_ms).hash(&mut hasher);
        answer.tell(&mut hasher);
        *stream = hasher.finish();
    }

    /// Whoever it was, nothing is left of what it knew.
    pub(crate) fn forget(&self, stream: &str) {
        self.streams.borrow_mut().remove(stream);
    }

    /// What may come next, the usual first.
    fn options(&self) -> Vec<Next> {
        let left = self.left.get();
        let waiting = self.waiting.borrow();
        let mut options = Vec::new();
        let reach = if left.orders > 0 { waiting.len() } else { waiting.len().min(1) };
        options.extend((0..reach).map(|at| Next::Effect(at, Decision::Goes)));
        if left.faults > 0 {
            for at in 0..reach {
                options.push(Next::Effect(at, Decision::NotReached));
                options.push(Next::Effect(at, Decision::DiesAfter));
                if waiting[at].is_write {
                    options.push(Next::Effect(at, Decision::AnswerLost));
                }
            }
        }
        if left.arrivals > 0 && !waiting.is_empty() {
            options.push(Next::Arrival);
        }
        if left.deeds > 0 && !waiting.is_empty() {
            options.extend((0..DEEDS.len()).map(Next::Deed));
        }
        // The last: it may be left untried.
        if left.holds > 0 && !waiting.is_empty() {
            options.push(Next::Hold);
        }
        options
    }

    /// Nothing can run: chooses what comes next. `false`: time passes.
    pub(crate) fn choose(&self, world: &Rc<World>) -> bool {
        if self.is_pruned() {
            return false;
        }
        let options = self.options();
        let Some(usual) = options.first().copied() else { return false };
        if options.len() == 1 {
            return self.take(world, usual);
        }
        let at = self.course.borrow().taken.len();
        let chosen = match self.prefix.get(at) {
            Some(chosen) => *chosen,
            None if (self.is_new)(self.state(world)) => {
                let tried = self.tried(world, &options);
                let width = u8::try_from(tried).expect("few things wait at once");
                self.course.borrow_mut().widths.push(width);
                0
            }
            None => {
                self.course.borrow_mut().pruned = true;
                self.over.notify_one();
                return true;
            }
        };
        self.course.borrow_mut().taken.push(chosen);
        self.take(world, options[usize::from(chosen)])
    }

    fn take(&self, world: &Rc<World>, next: Next) -> bool {
        let mut left = self.left.get();
        match next {
            Next::Effect(at, decision) => {
                if at > 0 && left.orders != ANY {
                    left.orders -= 1;
                }
                if decision != Decision::Goes {
                    left.faults -= 1;
                }
                self.left.set(left);
                let waiting = self.waiting.borrow_mut().remove(at);
                world.say(|| format!("    > {} {} {decision:?}", waiting.stream, waiting.what));
                waiting.let_go.set(Some(decision));
                if let Some(waker) = waiting.waker {
                    waker.wake();
                }
                true
            }
            Next::Hold => {
                left.holds -= 1;
                self.left.set(left);
                world.say(|| "    > time passes, and the effects wait".to_owned());
                false
            }
            Next::Deed(number) => {
                left.deeds -= 1;
                self.left.set(left);
                let hand = Hand { at: Duration::ZERO, deed: DEEDS[number] };
                world.say(|| format!("    > the person: {:?}", hand.deed));
                world.spawn_open(Rc::clone(world).lend(hand));
                true
            }
            Next::Arrival => {
                world.say(|| "    > the second run arrives".to_owned());
                self.arrive(world);
                true
            }
        }
    }

    /// How many of the options are tried, from the first on.
    fn tried(&self, world: &World, options: &[Next]) -> usize {
        let in_an_old_one = match self.once {
            Once::All => 1,
            Once::Holds if options.last() == Some(&Next::Hold) => options.len() - 1,
            Once::Holds | Once::Nothing => return options.len(),
        };
        if self.is_new_situation(world) { options.len() } else { in_an_old_one }
    }

    /// Whether nothing but the usual was tried in this situation before.
    fn is_new_situation(&self, world: &World) -> bool {
        let mut hasher = DefaultHasher::new();
        self.left.get().hash(&mut hasher);
        for waiting in self.waiting.borrow().iter() {
            (&waiting.stream, &waiting.what).hash(&mut hasher);
        }
        state::situation(world, &mut hasher);
        (self.is_new_situation)(hasher.finish())
    }

    /// The whole state, as a number: whatever what comes next may depend on.
    fn state(&self, world: &World) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.left.get().hash(&mut hasher);
        self.streams.borrow().hash(&mut hasher);
        let waiting = self.waiting.borrow();
        // In their order: the usual choice is the first.
        for waiting in waiting.iter() {
            (&waiting.stream, &waiting.what).hash(&mut hasher);
        }
        simulated::deadlines().hash(&mut hasher);
        state::of(world, &mut hasher);
        hasher.finish()
    }
}

/// A call that is given up does not wait any more.
struct Leave<'a> {
    choices: &'a Choices,
    number: u64,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.choices.waiting.borrow_mut().retain(|waiting| waiting.number != self.number);
    }
}
