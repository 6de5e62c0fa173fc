//! Tasks and time of a simulation: one thread, and a clock that stands still while anything can run.
//!
//! - When nothing can run, the clock goes to the next time that somebody waits for. What waits for one time goes on in the
//!   order in which it began to wait, so that a simulation repeats itself.
//! - It does what a paused current-thread runtime of tokio with a `LocalSet` does, in the same order, at a third of the cost:
//!   a simulated machine waits some thousand times, and each time tokio looks at the real clock and walks its timer wheel.
//! - tokio's `select!`, `Notify`, `oneshot` and `watch` need no runtime and are used with it; its `time` and `task` are not.

mod executor;
#[cfg(test)]
mod tests;
mod time;
mod timers;

pub use executor::{AbortHandle, block_on, block_on_with, deadlines, spawn};
pub use time::{Instant, SimulatedSleep, sleep, sleep_until};
