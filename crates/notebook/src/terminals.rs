//! Does a program run in a terminal of a person?
//!
//! Jupyter tells when a terminal last read or printed something. A long job that prints nothing is told by the process
//! table alone: a process with a controlling pseudo-terminal that is not the shell the terminal was opened with. It counts
//! in the foreground and in the background, in Jupyter's terminals, in `tmux` (attached or not) and in a Session Manager
//! shell, for as long as it lives; a program that waits for a key (an editor, a pager, `top`) too, because nothing tells it
//! from one that works. A shell that is idle does not count, nor does a job that was suspended.
//!
//! What is not seen: a program that took its shell's place (`exec`), and one that left its terminal (`nohup` alone keeps
//! it; `setsid` and daemons leave it).

use std::fs;
use std::path::Path;

use crate::execution::MARKER;

/// Major numbers of pseudo-terminals, `/dev/pts/N` (Linux, Documentation/admin-guide/devices.txt).
const PSEUDO_TERMINALS: std::ops::RangeInclusive<u64> = 136..=143;
/// Entries of /proc that are looked at: the default of the kernel's own limit of processes, `pid_max`.
const MAX_ENTRIES: usize = 32_768;

/// Whether one does, on the machine whose `/proc` this is. Programs of our own runs are no person's.
#[must_use]
pub fn program_runs(proc: &Path) -> bool {
    let Ok(entries) = fs::read_dir(proc) else { return false };
    entries.take(MAX_ENTRIES).flatten().any(|entry| {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
        is_process && is_in_terminal(&entry.path()) && !is_ours(&entry.path())
    })
}

/// Whether the process runs in a pseudo-terminal and is not its shell. One that ended meanwhile does not.
fn is_in_terminal(process: &Path) -> bool {
    fs::read(process.join("stat")).is_ok_and(|stat| runs_in_terminal(&stat).unwrap_or(false))
}

/// Reads `/proc/PID/stat` (proc(5)): `pid (comm) state ppid pgrp session tty_nr`. The name is the program's own choice and
/// may hold blanks and brackets: what counts comes after its last bracket.
fn runs_in_terminal(stat: &[u8]) -> Option<bool> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let pid = std::str::from_utf8(&stat[..stat.iter().position(|byte| *byte == b' ')?]).ok()?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    let state = fields.next()?;
    let session = fields.nth(2)?;
    let terminal: u64 = fields.next()?.parse().ok()?;
    let runs = matches!(state, "R" | "S" | "D");
    Some(runs && session != pid && PSEUDO_TERMINALS.contains(&(terminal >> 8 & 0xfff)))
}

/// What a notebook of ours starts with `!` has a terminal of its own, too. Our processes are our own user's, so that their
/// environment can be read; one that cannot be read is somebody else's.
fn is_ours(process: &Path) -> bool {
    let marker = format!("{MARKER}=");
    let environment = fs::read(process.join("environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|entry| entry.starts_with(marker.as_bytes()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn stat(comm: &str, state: char, session: u32, terminal: u64) -> Vec<u8> {
        format!("42 ({comm}) {state} 7 42 {session} {terminal} 42 4194304 1 0").into_bytes()
    }

    const PTS_3: u64 = 136 << 8 | 3;

    #[test]
    fn a_program_beside_the_shell_of_a_pseudo_terminal_runs_in_it() {
        for state in ['R', 'S', 'D'] {
            assert_eq!(runs_in_terminal(&stat("sleep", state, 41, PTS_3)), Some(true), "{state}");
        }
        assert_eq!(runs_in_terminal(&stat("bash", 'S', 42, PTS_3)), Some(false), "an idle shell");
        for state in ['T', 't', 'Z', 'X'] {
            assert_eq!(runs_in_terminal(&stat("sleep", state, 41, PTS_3)), Some(false), "{state}");
        }
        assert_eq!(runs_in_terminal(&stat("sshd", 'S', 41, 0)), Some(false), "no terminal");
        assert_eq!(runs_in_terminal(&stat("agetty", 'S', 41, 4 << 8 | 1)), Some(false), "the console");
    }

    #[test]
    fn a_programs_name_is_no_field() {
        assert_eq!(runs_in_terminal(&stat("x) S 1 1 42 0 (y", 'R', 41, PTS_3)), Some(true));
        assert_eq!(runs_in_terminal(&stat(") R 7 42 41 34819", 'S', 42, PTS_3)), Some(false));
        for garbage in ["", "42", "42 (sleep)", "42 (sleep) S 1", "42 (sleep) S 1 42 41 x"] {
            assert_eq!(runs_in_terminal(garbage.as_bytes()), None, "{garbage}");
        }
    }

    #[test]
    fn a_process_of_our_own_run_is_no_persons() {
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join("42");
        fs::create_dir(&process).unwrap();
        fs::write(process.join("stat"), stat("sleep", 'S', 41, PTS_3)).unwrap();
        fs::create_dir(proc.path().join("self")).unwrap();
        assert!(program_runs(proc.path()), "another user's environment is not readable");
        fs::write(process.join("environ"), b"PATH=/bin\0REVEILLE_RUN=nightly/boot\0").unwrap();
        assert!(!program_runs(proc.path()));
        fs::write(process.join("environ"), b"PATH=/bin\0TEXT=REVEILLE_RUN=x\0").unwrap();
        assert!(program_runs(proc.path()));
        assert!(!program_runs(&proc.path().join("missing")));
    }
}
