//! Finds and ends every process that carries a marker in its environment.
//!
//! Kernels, and what cells start, open sessions of their own: process groups do not find them, their
//! inherited environment does. A process that replaces its environment cannot be found this way.

use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Between asking to end and killing: enough to flush files, short against a run.
const GRACE: Duration = Duration::from_secs(2);
/// Between two looks at the process table.
const PAUSE: Duration = Duration::from_millis(20);
/// A killed process is gone in a moment, but not one that has gigabytes to give back on a busy machine. What forks faster
/// than it is killed is stopped by the end of the instance.
const KILL_LIMIT: Duration = Duration::from_mins(1);

/// The processes whose environment has `name=value`, ourselves excepted.
pub(crate) struct Marked {
    entry: Vec<u8>,
}

impl Marked {
    pub(crate) fn new(name: &str, value: &str) -> Self {
        Self { entry: format!("{name}={value}").into_bytes() }
    }

    /// Those alive now. Each is held by a pidfd that was opened *before* its environment was read, so that
    /// no signal reaches another process that got the same number since.
    fn alive(&self) -> Vec<OwnedFd> {
        let Ok(pids) = reveille_processes::pids() else {
            return Vec::new();
        };
        pids.filter(|pid| i64::from(*pid) != i64::from(std::process::id()))
            .filter_map(|pid| {
                let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
                // Gone in the meantime, or another user's.
                let environment = reveille_processes::environment(pid).ok()?;
                reveille_processes::has(&environment, &self.entry).then_some(handle)
            })
            .collect()
    }

    /// Sends `signal` to all alive now; how many there were.
    pub(crate) fn signal(&self, signal: Signal) -> usize {
        let alive = self.alive();
        for process in &alive {
            // Gone in the meantime, which is what is wanted.
            let _gone = pidfd_send_signal(process, signal);
        }
        alive.len()
    }

    /// Asks all to end, waits a little, kills until none is left. True when none is left.
    pub(crate) async fn end(&self) -> bool {
        if self.signal(Signal::TERM) == 0 {
            return true;
        }
        let asked = tokio::time::Instant::now();
        while asked.elapsed() < GRACE {
            tokio::time::sleep(PAUSE).await;
            if self.alive().is_empty() {
                return true;
            }
        }
        let killing = tokio::time::Instant::now();
        while self.signal(Signal::KILL) > 0 {
            if killing.elapsed() > KILL_LIMIT {
                return false;
            }
            tokio::time::sleep(PAUSE).await;
        }
        true
    }
}
