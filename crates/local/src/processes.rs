//! Finds and ends processes by a marker in their environment: ministack's functions have sessions of their own.

use std::time::{Duration, Instant};

use reveille_processes::{command_line, environment, has};
use rustix::process::{Pid, Signal, kill_process};

use crate::LocalError;

/// The variable that everything started by ministack inherits.
pub(crate) const MARKER: &str = "REVEILLE_LOCAL";
/// A killed process is gone in milliseconds; one in uninterruptible sleep is not, and then it is said.
const KILL_SECONDS: u64 = 5;
const LOOK: Duration = Duration::from_millis(20);

/// The environment of each process. Other people's processes cannot be read, and are not ours.
pub(crate) fn environments() -> impl Iterator<Item = (Pid, Vec<u8>)> {
    pids().filter_map(|pid| Some((Pid::from_raw(pid)?, environment(pid).ok()?)))
}

fn pids() -> impl Iterator<Item = i32> {
    reveille_processes::pids().into_iter().flatten()
}

/// The command lines of all processes, each argument ended by a zero.
pub(crate) fn command_lines() -> impl Iterator<Item = Vec<u8>> {
    pids().filter_map(|pid| command_line(pid).ok())
}

/// The processes with this marker.
pub(crate) fn marked(id: &str) -> Vec<Pid> {
    let needle = format!("{MARKER}={id}");
    environments().filter(|(_, environment)| has(environment, needle.as_bytes())).map(|(pid, _)| pid).collect()
}

/// Kills every process with this marker, again and again until there is none: one may be starting another.
///
/// # Errors
/// Some are left after five seconds.
pub(crate) fn kill_marked(id: &str) -> Result<(), LocalError> {
    let deadline = Instant::now() + Duration::from_secs(KILL_SECONDS);
    loop {
        let pids = marked(id);
        if pids.is_empty() {
            return Ok(());
        }
        for pid in &pids {
            // It may have ended by itself; the next look tells.
            let _ = kill_process(*pid, Signal::KILL);
        }
        if Instant::now() > deadline {
            return Err(LocalError::Leftovers { pids: pids.iter().map(|pid| pid.as_raw_nonzero().get()).collect() });
        }
        std::thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{MARKER, kill_marked, marked};

    #[test]
    fn marked_processes_are_killed_and_others_are_not() {
        let start = |id: &str| Command::new("sleep").arg("60").env(MARKER, id).spawn().unwrap();
        let id = format!("test-{}", std::process::id());
        let other = format!("{id}0");
        let (mut first, mut second, mut third) = (start(&id), start(&id), start(&other));
        // A zombie has no environment, so the children need not be collected for the kill to end.
        kill_marked(&id).unwrap();
        assert!(!first.wait().unwrap().success());
        assert!(!second.wait().unwrap().success());
        assert_eq!(marked(&other).len(), 1);
        kill_marked(&other).unwrap();
        third.wait().unwrap();
    }
}
