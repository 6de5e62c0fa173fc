//! A terminal of so many columns, and what a person sees on it in the end.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    process::{Command, Stdio},
    thread,
};

use rustix::{
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};

/// What stands on a terminal when a program has ended, and its exit code.
pub struct Seen {
    /// With the colours' sequences.
    pub text: String,
    pub code: Option<i32>,
}

/// Runs a program at a terminal, where a person answers its question.
pub fn at_terminal(mut command: Command, columns: u16, answer: &str) -> Seen {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let ours = openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = ioctl_tiocgptpeer(&ours, flags).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 50, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let terminal = || Stdio::from(theirs.try_clone().unwrap());
    command.stdin(terminal()).stdout(terminal()).stderr(terminal()).env("TERM", "xterm-256color");
    let mut child = command.spawn().unwrap();
    // The terminal ends for its reader when the last one that has it open does.
    drop((command, theirs));
    let ours = File::from(ours);
    let answer = answer.to_owned();
    let reader = thread::spawn(move || all_of(ours, &answer));
    let code = child.wait().unwrap().code();
    let text = reader.join().unwrap();
    Seen { text: in_the_end(&text), code }
}

/// All that is written to a terminal; its question is answered.
fn all_of(mut terminal: File, answer: &str) -> String {
    let (mut all, mut part, mut is_answered) = (Vec::new(), [0; 4096], false);
    loop {
        match terminal.read(&mut part) {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // Nobody has the other end any more.
            Err(_) => break,
        }
        if !is_answered && String::from_utf8_lossy(&all).contains("[y/N] ") {
            is_answered = true;
            terminal.write_all(answer.as_bytes()).unwrap();
        }
    }
    String::from_utf8(all).unwrap()
}

/// What is left of lines that were written over.
fn in_the_end(written: &str) -> String {
    let lines = written.split("\r\n").map(|line| line.rsplit("\r\x1b[2K").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// A text without its colours.
pub fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once('m').map_or(part, |(_, rest)| rest))
}

/// Whether a text has no sequence but those of colours.
pub fn has_only_tones(text: &str) -> bool {
    let is_tone = |rest: &str| {
        let code = rest.strip_prefix('[').and_then(|rest| rest.split_once('m'));
        code.is_some_and(|(code, _)| code.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'))
    };
    text.split('\x1b').skip(1).all(is_tone)
}
