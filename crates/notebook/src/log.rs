//! log.txt: what the driver and the cells wrote, bounded.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::task::JoinHandle;

use crate::growth::Growth;
use crate::regular;

/// The first part is written as it comes, so that it is there whatever dies.
const HEAD_BYTES: usize = 1 << 20;
/// The last part is kept in memory, and written at the end.
const TAIL_BYTES: usize = 1 << 20;
/// A process that escaped may hold the pipe open: after the end we read no longer than this.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// Lines and bytes of the end that go into an error.
const SHOWN_LINES: usize = 20;
const SHOWN_BYTES: u64 = 4_000;

/// Copies a pipe into log.txt until it is closed.
pub(crate) struct Log {
    path: PathBuf,
    pump: Option<JoinHandle<()>>,
    growth: Growth,
}

impl Log {
    /// Starts copying; the writer goes to the processes. Appends to a log that is there already.
    pub(crate) fn start(path: &Path) -> io::Result<(Self, PipeWriter)> {
        let (reader, writer): (PipeReader, PipeWriter) = io::pipe()?;
        let receiver = Receiver::from_owned_fd(OwnedFd::from(reader))?;
        let file = regular::append(path)?;
        let growth = Growth::default();
        let pump = tokio::spawn(copy(receiver, file, growth.clone()));
        Ok((Self { path: path.to_owned(), pump: Some(pump), growth }, writer))
    }

    /// What it grows by.
    pub(crate) fn growth(&self) -> Growth {
        self.growth.clone()
    }

    /// Waits until everything written so far is in the file.
    pub(crate) async fn finish(&mut self) {
        if let Some(mut pump) = self.pump.take()
            && tokio::time::timeout(DRAIN_LIMIT, &mut pump).await.is_err()
        {
            pump.abort();
        }
    }

    /// The log's last lines, oldest first.
    pub(crate) fn tail(&self) -> Vec<String> {
        let bytes = regular::end(&self.path, SHOWN_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].iter().map(ToString::to_string).collect()
    }
}

async fn copy(mut from: Receiver, mut file: File, growth: Growth) {
    let mut buffer = vec![0; 64 << 10];
    let mut bounded = Bounded::default();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        growth.add(&buffer[..read]);
        let head = bounded.take(&buffer[..read]);
        // A full disk must not stop the reading: the notebook would hang on a full pipe.
        let _full = file.write_all(head);
    }
    let _full = file.write_all(&bounded.rest());
}

/// Lets the first bytes through and keeps the last.
#[derive(Default)]
struct Bounded {
    passed: usize,
    left_out: usize,
    tail: VecDeque<u8>,
}

impl Bounded {
    /// The part of `bytes` that still belongs to the head; the rest is kept as the tail.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD_BYTES - self.passed));
        self.passed += head.len();
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(TAIL_BYTES);
        self.tail.drain(..excess);
        self.left_out += excess;
        head
    }

    fn rest(self) -> Vec<u8> {
        let mut rest = Vec::new();
        if self.left_out > 0 {
            rest.extend(format!("\n[{} bytes are left out here]\n", self.left_out).bytes());
        }
        rest.extend(self.tail);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounded, HEAD_BYTES, TAIL_BYTES};

    #[test]
    fn a_short_log_passes_unchanged() {
        let mut bounded = Bounded::default();
        assert_eq!(bounded.take(b"one\n"), b"one\n");
        assert_eq!(bounded.take(b"two\n"), b"two\n");
        assert!(bounded.rest().is_empty());
    }

    #[test]
    fn a_long_log_keeps_its_head_and_its_tail() {
        let mut bounded = Bounded::default();
        let mut written = 0;
        for _ in 0..5 {
            written += bounded.take(&vec![b'x'; TAIL_BYTES]).len();
        }
        bounded.take(b"the end");
        let rest = bounded.rest();
        assert_eq!(written, HEAD_BYTES);
        assert!(rest.ends_with(b"the end"));
        assert!(rest.starts_with(format!("\n[{} bytes are left out", 3 * TAIL_BYTES + 7).as_bytes()));
        assert!(rest.len() < TAIL_BYTES + 100);
    }
}
