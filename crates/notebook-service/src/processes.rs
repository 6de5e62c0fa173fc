//! The processes of a boot: found by the marks in their environment, and killed.
//!
//! Process groups and sessions do not hold them: kernels and runners start sessions of their own.
//! What every descendant keeps is its environment, so that is what is searched.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use reveille_processes::has;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open},
};

/// Between two looks at what is still alive, where the kernel does not tell when a process ends.
const POLL: Duration = Duration::from_millis(20);
/// How many processes are waited for at a time: each takes a descriptor of the service, which may have a thousand.
const AWAITED: usize = 64;
/// The longest wait for those that were killed: by then, others may have been started.
const KILL_ROUND: Duration = Duration::from_secs(1);
/// How long SIGKILL may take to be felt (a process in uninterruptible sleep feels it late).
const KILL_LIMIT: Duration = Duration::from_mins(1);

/// Why a boot could not be killed.
#[derive(Debug)]
pub enum KillError {
    /// `/proc` could not be read.
    Proc {
        /// What it said.
        source: io::Error,
    },
    /// Some processes outlived SIGKILL.
    Alive {
        /// The root of the instance.
        root: PathBuf,
        /// The boot id.
        boot: String,
        /// Their process ids.
        pids: Vec<i32>,
    },
}

impl fmt::Display for KillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proc { source } => {
                write!(
                    f,
                    "/proc cannot be read ({source}), so the processes of a boot cannot be found; run this on Linux with /proc mounted"
                )
            }
            Self::Alive { root, boot, pids } => write!(
                f,
                "processes {pids:?} of boot {boot} in {} outlived SIGKILL; look at them with ps",
                root.display()
            ),
        }
    }
}

impl std::error::Error for KillError {}

/// The ids of the living processes whose environment has `REVEILLE_ROOT=<root>` and
/// `REVEILLE_BOOT=<boot>`, in ascending order. Zombies have no environment and do not count.
///
/// # Errors
/// `/proc` cannot be read.
pub fn processes_of_boot(root: &Path, boot: &str) -> io::Result<Vec<i32>> {
    let root_mark = [b"REVEILLE_ROOT=", root.as_os_str().as_encoded_bytes()].concat();
    let boot_mark = [b"REVEILLE_BOOT=", boot.as_bytes()].concat();
    let mut pids = Vec::new();
    for pid in reveille_processes::pids()? {
        // Processes come and go while we look, and some are not ours to read: neither is a fault.
        let Ok(environment) = reveille_processes::environment(pid) else { continue };
        if has(&environment, &root_mark) && has(&environment, &boot_mark) {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    Ok(pids)
}

/// Sends a signal to each; one that is gone already is no fault.
fn send(pids: &[i32], signal: Signal) {
    for pid in pids {
        if let Some(pid) = Pid::from_raw(*pid) {
            let _ = kill_process(pid, signal);
        }
    }
}

/// Those of the processes whose parent is none of them: what an init would have started itself.
fn roots(pids: &[i32]) -> Vec<i32> {
    let parent = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name of a program may hold anything, a parenthesis too.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    pids.iter().filter(|pid| parent(pid).is_none_or(|parent| !pids.contains(&parent))).copied().collect()
}

/// Ends every process of a boot, as systemd ends services whose `KillMode` is `mixed`: those that were started by nobody in
/// the boot get SIGTERM, and end those that they started. When they are gone, or after `grace`, all get SIGKILL, again and
/// again until none is left. Blocks for that long. Tells how many there were at the beginning.
///
/// # Errors
/// `/proc` cannot be read, or processes outlive SIGKILL for a minute.
pub fn kill_boot(root: &Path, boot: &str, grace: Duration) -> Result<usize, KillError> {
    let find = || processes_of_boot(root, boot).map_err(|source| KillError::Proc { source });
    let begun = Instant::now();
    let mut pids = find()?;
    let count = pids.len();
    let told = roots(&pids);
    send(&told, Signal::TERM);
    let living = |pids: &[i32]| told.iter().copied().filter(|pid| pids.contains(pid)).collect::<Vec<_>>();
    let mut awaited = living(&pids);
    while !awaited.is_empty() && begun.elapsed() < grace {
        wait_for_an_end(&awaited, grace.saturating_sub(begun.elapsed()));
        pids = find()?;
        awaited = living(&pids);
    }
    while !pids.is_empty() {
        if begun.elapsed() > grace + KILL_LIMIT {
            return Err(KillError::Alive { root: root.to_owned(), boot: boot.to_owned(), pids });
        }
        send(&pids, Signal::KILL);
        let round = Instant::now();
        for pid in &pids {
            wait_for_an_end(&[*pid], KILL_ROUND.saturating_sub(round.elapsed()));
        }
        pids = find()?;
    }
    Ok(count)
}

/// Waits until one of these processes has ended, or for so long: to look for all processes of a boot, each process of this
/// computer is read. They must have been alive at the last look: one that had ended before would end the wait at once. May return early.
fn wait_for_an_end(pids: &[i32], limit: Duration) {
    let mut open = Vec::new();
    for pid in pids.iter().filter_map(|pid| Pid::from_raw(*pid)).take(AWAITED) {
        match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => open.push(descriptor),
            Err(Errno::SRCH) => {}
            // An old kernel, or no descriptor is left.
            Err(_) => return thread::sleep(POLL.min(limit)),
        }
    }
    if open.is_empty() {
        return;
    }
    let mut awaited: Vec<_> = open.iter().map(|descriptor| PollFd::new(descriptor, PollFlags::IN)).collect();
    // A signal to this process ends the wait: the caller looks again.
    let _ = poll(&mut awaited, Timespec::try_from(limit).ok().as_ref());
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    fn marked(root: &Path, boot: &str, script: &str) -> Child {
        Command::new("/bin/bash")
            .args(["-c", script])
            .env("REVEILLE_ROOT", root)
            .env("REVEILLE_BOOT", boot)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn finds_and_kills_only_the_processes_of_this_boot_and_root() {
        let root = PathBuf::from("/nowhere/kill-test");
        let ready = std::env::temp_dir().join(format!("reveille-kill-test-{}", std::process::id()));
        let script = format!("trap '' TERM; touch '{}'; while :; do sleep 0.1; done", ready.display());
        let mut ours = marked(&root, "boot-a", &script);
        let mut next_boot = marked(&root, "boot-ab", "sleep 60");
        let mut elsewhere = marked(Path::new("/nowhere/kill-test-2"), "boot-a", "sleep 60");
        let begun = Instant::now();
        while !ready.exists() {
            assert!(begun.elapsed() < Duration::from_mins(5), "the script never began");
            thread::sleep(POLL);
        }
        fs::remove_file(&ready).unwrap();
        assert!(processes_of_boot(&root, "boot-a").unwrap().contains(&i32::try_from(ours.id()).unwrap()));

        let killed = kill_boot(&root, "boot-a", Duration::from_millis(100)).unwrap();

        assert!(killed >= 1, "the trap makes SIGTERM useless, so SIGKILL did it");
        assert_eq!(processes_of_boot(&root, "boot-a").unwrap(), Vec::<i32>::new());
        assert!(!ours.wait().unwrap().success());
        assert_eq!(next_boot.try_wait().unwrap(), None, "another boot lives on");
        assert_eq!(elsewhere.try_wait().unwrap(), None, "another root lives on");
        next_boot.kill().unwrap();
        elsewhere.kill().unwrap();
        next_boot.wait().unwrap();
        elsewhere.wait().unwrap();
    }

    /// As systemd does: whoever started others ends them, with all the time it needs.
    #[test]
    fn only_who_was_started_by_nobody_in_the_boot_is_told_to_end_and_has_its_time() {
        let root = PathBuf::from("/nowhere/told-test");
        let folder = std::env::temp_dir().join(format!("reveille-told-test-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        // The child would tell of a SIGTERM; the parent ends only when it has seen that none came in a while.
        let script = format!(
            "cd '{}'
            (trap 'touch child-was-told' TERM; touch child; while :; do sleep 0.05; done) &
            trap 'sleep 1; [ -e child-was-told ] || touch parent-alone; exit' TERM
            while [ ! -e child ]; do sleep 0.05; done
            touch ready; while :; do sleep 0.05; done",
            folder.display()
        );
        let mut parent = marked(&root, "boot", &script);
        let begun = Instant::now();
        while !folder.join("ready").exists() {
            assert!(begun.elapsed() < Duration::from_mins(5), "the script never began");
            thread::sleep(POLL);
        }
        // This process's own child stays a zombie, which has no environment, until it is waited for.
        kill_boot(&root, "boot", Duration::from_hours(1)).unwrap();
        assert!(folder.join("parent-alone").exists(), "the parent had its time, and the child was not told");
        assert_eq!(processes_of_boot(&root, "boot").unwrap(), Vec::<i32>::new(), "and the child was killed");
        parent.wait().unwrap();
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_boot_without_processes_is_killed_at_once() {
        let (grace, begun) = (Duration::from_hours(1), Instant::now());
        assert_eq!(kill_boot(Path::new("/nowhere/none"), "none", grace).unwrap(), 0);
        assert!(begun.elapsed() < grace);
    }
}
