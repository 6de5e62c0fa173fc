//! The simulated clock.

use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::executor::{WakerIdentity, here, identity};
use super::timers::TimerKey;

/// A point of simulated time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// Now.
    #[must_use]
    pub fn now() -> Self {
        Self(Duration::from_millis(here(super::executor::Executor::now_ms)))
    }

    /// The time from an earlier one to this; nothing, if it was later.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// Waits until a time.
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct SimulatedSleep {
    /// The clock counts in whole milliseconds: what is due within one is due at its end.
    at_ms: u64,
    timer: Option<Timer>,
}

/// Where it waits, and whose waker waits there: a machine's many waits are looked at each time that one of them is over, nearly
/// always by the same task.
#[derive(Debug)]
struct Timer {
    at: TimerKey,
    waker: WakerIdentity,
}

/// Waits for a while.
pub fn sleep(duration: Duration) -> SimulatedSleep {
    sleep_until(Instant::now() + duration)
}

/// Waits until a time.
pub fn sleep_until(deadline: Instant) -> SimulatedSleep {
    let at_ms = deadline.0.as_nanos().div_ceil(1_000_000);
    SimulatedSleep { at_ms: u64::try_from(at_ms).unwrap_or(u64::MAX), timer: None }
}

impl Future for SimulatedSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        here(|executor| {
            if executor.now_ms() >= self.at_ms {
                return Poll::Ready(());
            }
            let waker = identity(context.waker());
            match &mut self.timer {
                Some(timer) if timer.waker == waker => {}
                Some(timer) => {
                    timer.waker = waker;
                    executor.wake_instead(timer.at, context.waker());
                }
                None => {
                    let at = executor.wake_at(self.at_ms, context.waker());
                    self.timer = Some(Timer { at, waker });
                }
            }
            Poll::Pending
        })
    }
}

impl Drop for SimulatedSleep {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            here(|executor| executor.forget(timer.at));
        }
    }
}
