//! The tasks of a thread.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::timers::{TimerKey, Timers, Waiting};

/// So many tasks go on before the main future is looked at again.
const TURNS: usize = 61;
/// The number of the main future, which is not a task.
const MAIN: u64 = u64::MAX;

type Future_ = Pin<Box<dyn Future<Output = ()>>>;

/// What two wakers that are the same have in common; while one is kept, no other can come to be at its address.
pub(super) type WakerIdentity = (usize, usize);

pub(super) fn identity(waker: &Waker) -> WakerIdentity {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

struct Task {
    /// `None` while it is polled, and once it has ended.
    future: Option<Future_>,
    /// `None` while it is polled. It stays when the task has ended: its address is no other waker's in this simulation.
    waker: Option<Waker>,
    /// Whether it stands in the queue, or is to be put there after its poll.
    notified: bool,
    cancelled: bool,
}

/// The tasks and timers of a thread; numbers are never used again, so that a waker of an earlier simulation wakes nothing.
#[derive(Default)]
pub(super) struct Executor {
    active: Cell<bool>,
    now_ms: Cell<u64>,
    first: Cell<u64>,
    tasks: RefCell<Vec<Task>>,
    ready: RefCell<VecDeque<u64>>,
    polled: Cell<Option<u64>>,
    /// Who is polled, the main future too, and by which waker.
    waits: Cell<(u64, WakerIdentity)>,
    main_notified: Cell<bool>,
    timers: RefCell<Timers>,
}

thread_local! {
    static HERE: Executor = Executor::default();
}

/// Does something with this thread's executor.
pub(super) fn here<T>(what: impl FnOnce(&Executor) -> T) -> T {
    HERE.with(what)
}

struct Bell(u64);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        here(|executor| executor.notify(self.0));
    }

    fn wake_by_ref(self: &Arc<Self>) {
        here(|executor| executor.notify(self.0));
    }
}

impl Executor {
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    /// Has `waker` woken at a time; answers what [`Self::forget`] takes.
    pub(super) fn wake_at(&self, at_ms: u64, waker: &Waker) -> TimerKey {
        assert!(self.active.get(), "simulated time passes only inside simulated::block_on");
        self.timers.borrow_mut().add(at_ms, self.waiting(waker))
    }

    /// Somebody else waits in its place now.
    pub(super) fn wake_instead(&self, timer: TimerKey, waker: &Waker) {
        let before = self.timers.borrow_mut().replace(timer, self.waiting(waker));
        drop(before);
    }

    pub(super) fn forget(&self, timer: TimerKey) {
        // Let go of outside: what the waker drops may look for a timer itself.
        let forgotten = self.timers.borrow_mut().take(timer);
        drop(forgotten);
    }

    /// Nearly always it is the task that is being polled: then its number is enough.
    fn waiting(&self, waker: &Waker) -> Waiting {
        let (number, own) = self.waits.get();
        if own == identity(waker) { Waiting::Task(number) } else { Waiting::Other(waker.clone()) }
    }

    fn notify(&self, number: u64) {
        if number == MAIN {
            return self.main_notified.set(true);
        }
        let mut tasks = self.tasks.borrow_mut();
        let Some(task) = number.checked_sub(self.first.get()).and_then(|index| tasks.get_mut(index_of(index))) else {
            return;
        };
        let is_new = !std::mem::replace(&mut task.notified, true);
        if is_new && self.polled.get() != Some(number) {
            self.ready.borrow_mut().push_back(number);
        }
    }

    fn add(&self, future: Future_) -> u64 {
        assert!(self.active.get(), "simulated::spawn is called only inside simulated::block_on");
        let mut tasks = self.tasks.borrow_mut();
        let number = self.first.get() + tasks.len() as u64;
        let waker = Waker::from(Arc::new(Bell(number)));
        tasks.push(Task { future: Some(future), waker: Some(waker), notified: true, cancelled: false });
        self.ready.borrow_mut().push_back(number);
        number
    }

    fn is_turn_of_main(&self, waker: &Waker) -> bool {
        self.waits.set((MAIN, identity(waker)));
        self.main_notified.take()
    }

    fn cancel(&self, number: u64) {
        if let Some(index) = number.checked_sub(self.first.get())
            && let Some(task) = self.tasks.borrow_mut().get_mut(index_of(index))
        {
            task.cancelled = true;
        }
        self.notify(number);
    }

    /// Polls a task, or lets it go if it was cancelled.
    fn turn(&self, number: u64) {
        let index = index_of(number - self.first.get());
        let (future, waker) = {
            let task = &mut self.tasks.borrow_mut()[index];
            task.notified = false;
            let waker = if task.cancelled { None } else { task.waker.take() };
            (task.future.take(), waker)
        };
        let (Some(mut future), Some(waker)) = (future, waker) else { return };
        self.polled.set(Some(number));
        self.waits.set((number, identity(&waker)));
        let ended = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        self.polled.set(None);
        let mut tasks = self.tasks.borrow_mut();
        let task = &mut tasks[index];
        task.waker = Some(waker);
        if ended || task.cancelled {
            task.notified = true;
            drop(tasks);
            // Its end may spawn, wake and cancel others.
            return drop(future);
        }
        task.future = Some(future);
        if task.notified {
            self.ready.borrow_mut().push_back(number);
        }
    }

    /// The clock goes to the next time that somebody waits for. `false`: nobody waits.
    fn pass(&self) -> bool {
        let Some(at_ms) = self.timers.borrow_mut().first() else { return false };
        self.now_ms.set(at_ms);
        loop {
            let next = self.timers.borrow_mut().come(at_ms);
            match next {
                None => return true,
                Some(Waiting::Task(number)) => self.notify(number),
                Some(Waiting::Other(waker)) => waker.wake(),
            }
        }
    }
}

fn index_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Ends a task from outside.
#[derive(Debug, Clone)]
pub struct AbortHandle(u64);

impl AbortHandle {
    /// It is not polled any more; its future is dropped at its next turn.
    pub fn abort(&self) {
        here(|executor| executor.cancel(self.0));
    }
}

/// Begins a task beside the one that calls.
///
/// # Panics
/// Outside of [`block_on`].
pub fn spawn(future: impl Future<Output = ()> + 'static) -> AbortHandle {
    AbortHandle(here(|executor| executor.add(Box::pin(future))))
}

/// The times that somebody waits for, in milliseconds from the beginning, in order.
#[must_use]
pub fn deadlines() -> Vec<u64> {
    here(|executor| executor.timers.borrow().all())
}

/// Runs a future, and the tasks that it and they spawn, from time zero until it has ended. Tasks that have not ended then are
/// dropped.
///
/// # Panics
/// Inside another; or when nothing can ever happen any more though the future has not ended.
pub fn block_on<F: Future>(main: F) -> F::Output {
    block_on_with(main, || false)
}

/// As [`block_on`]; whenever nothing can run, and before time passes, `stands_still` may let something go on. `true`: it did.
///
/// # Panics
/// As [`block_on`].
pub fn block_on_with<F: Future>(main: F, mut stands_still: impl FnMut() -> bool) -> F::Output {
    let _whole = Whole::begin();
    let mut main = pin!(main);
    let waker = Waker::from(Arc::new(Bell(MAIN)));
    let next = || here(|executor| executor.ready.borrow_mut().pop_front());
    loop {
        if here(|executor| executor.is_turn_of_main(&waker))
            && let Poll::Ready(ended) = main.as_mut().poll(&mut Context::from_waker(&waker))
        {
            return ended;
        }
        let mut turns = 0;
        while turns < TURNS
            && let Some(number) = next()
        {
            here(|executor| executor.turn(number));
            turns += 1;
        }
        let idle = || here(|executor| executor.ready.borrow().is_empty() && !executor.main_notified.get());
        if idle() && !stands_still() {
            assert!(here(Executor::pass), "everything waits, and nothing is to come");
        }
    }
}

/// One simulation, from its beginning to its end, however it ends.
struct Whole;

impl Whole {
    fn begin() -> Self {
        here(|executor| {
            assert!(!executor.active.replace(true), "a simulation begins inside another");
            executor.now_ms.set(0);
            executor.polled.set(None);
            executor.main_notified.set(true);
        });
        Self
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let tasks = here(|executor| {
            let tasks = executor.tasks.take();
            executor.first.set(executor.first.get() + tasks.len() as u64);
            executor.ready.borrow_mut().clear();
            tasks
        });
        // What they drop may wake, cancel and forget.
        drop(tasks);
        let timers = here(|executor| executor.timers.borrow_mut().clear());
        drop(timers);
        here(|executor| {
            let late = executor.tasks.take();
            executor.first.set(executor.first.get() + late.len() as u64);
            executor.ready.borrow_mut().clear();
            executor.active.set(false);
            late
        });
    }
}
