//! The processes of this machine, and what each was started with: its environment and its command line, as `/proc` tells them.
//!
//! Owns the reading, and the moment in which `/proc` tells nothing. Never sends a signal, and never decides whose a process is.
//!
//! A process that starts a program (execve(2)) gives up its old memory before its new one has arguments. In between `/proc` shows it with an
//! empty environment and an empty command line, as it shows a zombie. Whoever takes that for an answer does not see a process that has just
//! been started: on a busy machine, it misses 19 of 20 that it looks at as soon as their parent goes
//! on. So this crate waits until that moment is over.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

/// Between two looks at a process that starts a program. The kernel needs some microseconds, and its turn on a processor.
const PAUSE: Duration = Duration::from_millis(1);
/// The longest wait for one process. One that is frozen, or whose disk hangs, is told as the kernel shows it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The ids of all processes.
///
/// # Errors
/// `/proc` cannot be read.
pub fn pids() -> io::Result<impl Iterator<Item = i32>> {
    // Processes come and go while we look: one that is gone is no fault.
    Ok(fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The environment of a process: `NAME=value`, each ended by a zero. Empty for a zombie and for a thread of the kernel. Blocks for a second at
/// most.
///
/// # Errors
/// It is gone, or not ours to read. Some kernels say so of a zombie, too.
pub fn environment(pid: i32) -> io::Result<Vec<u8>> {
    started_with(pid, "environ")
}

/// The command line of a process, each argument ended by a zero. Empty for a zombie and for a thread of the kernel. Blocks for a second at
/// most.
///
/// # Errors
/// It is gone.
pub fn command_line(pid: i32) -> io::Result<Vec<u8>> {
    started_with(pid, "cmdline")
}

/// Whether an environment has exactly this entry, `NAME=value`.
#[must_use]
pub fn has(environment: &[u8], entry: &[u8]) -> bool {
    environment.split(|byte| *byte == 0).any(|one| one == entry)
}

fn started_with(pid: i32, file: &str) -> io::Result<Vec<u8>> {
    let path = format!("/proc/{pid}/{file}");
    when_started(|| fs::read(&path), || is_starting(pid), PATIENCE)
}

/// What `read` gives, and as long as that is nothing because the process `is_starting` a program, what it gives later.
fn when_started(
    mut read: impl FnMut() -> io::Result<Vec<u8>>,
    mut is_starting: impl FnMut() -> bool,
    patience: Duration,
) -> io::Result<Vec<u8>> {
    let begun = Instant::now();
    loop {
        let found = read()?;
        if !found.is_empty() {
            return Ok(found);
        }
        if !is_starting() {
            // It may have got through with it since.
            return read();
        }
        if begun.elapsed() > patience {
            return Ok(found);
        }
        thread::sleep(PAUSE);
    }
}

/// Whether a process has memory of its own that nobody has put an environment into yet. A zombie and a thread of the kernel have no memory and
/// so no program; the environment of a program that was given none ends where it begins, which is not at 0.
fn is_starting(pid: i32) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
        && fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| end_of_environment(&stat) == Some(0))
}

/// `env_end` of `/proc/PID/stat` (proc(5)), its field 51. The second field is the name of the program, which may hold anything; the third comes
/// after its last parenthesis.
fn end_of_environment(stat: &str) -> Option<u64> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(51 - 3)?.parse().ok()
}

#[cfg(test)]
mod tests;
