//! What was printed and nobody took yet, for who watches a run: bounded, whoever comes or does not come.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// More than this is not kept: the oldest goes. As much as the log's beginning, which is shown in full.
const KEPT_BYTES: usize = 1 << 20;
/// A line that is so long and has not ended is taken as it is.
const LONG_LINE: usize = 4 << 10;

/// A part of what was printed, with the place of its first byte in all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grown {
    /// The place.
    pub from: u64,
    /// The text; empty, if there is nothing new.
    pub bytes: Vec<u8>,
}

/// What a log has grown by. Clones are of the same log.
#[derive(Clone, Debug, Default)]
pub struct Growth(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// The place of the first byte that is kept.
    from: u64,
    bytes: VecDeque<u8>,
}

impl Growth {
    /// More was printed.
    pub(crate) fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend(bytes);
        let excess = kept.bytes.len().saturating_sub(KEPT_BYTES);
        kept.drop_first(excess);
    }

    /// Takes what was printed since the last time, up to the end of its last line. Where that is more than there is room for at its
    /// place, the newest of it is taken, and the rest left out.
    #[must_use]
    pub fn take(&self, room: impl FnOnce(u64) -> usize) -> Grown {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match kept.bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => last + 1,
            None if kept.bytes.len() > LONG_LINE => kept.bytes.len(),
            None => 0,
        };
        let excess = end.saturating_sub(room(kept.from));
        kept.drop_first(excess);
        let from = kept.from;
        let bytes: Vec<u8> = kept.bytes.drain(..end - excess).collect();
        kept.from += bytes.len() as u64;
        Grown { from, bytes }
    }
}

impl Kept {
    fn drop_first(&mut self, count: usize) {
        self.bytes.drain(..count);
        self.from += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::{Grown, Growth, KEPT_BYTES, LONG_LINE};

    fn take(growth: &Growth, room: usize) -> (u64, String) {
        let Grown { from, bytes } = growth.take(|_| room);
        (from, String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn what_is_taken_is_new_and_ends_with_a_line() {
        let growth = Growth::default();
        assert_eq!(growth.take(|_| 100), Grown::default());
        growth.add(b"one\ntw");
        assert_eq!(take(&growth, 100), (0, "one\n".to_owned()));
        assert_eq!(take(&growth, 100), (4, String::new()), "the line is still being written");
        growth.add(b"o\nthree\n");
        assert_eq!(take(&growth, 100), (4, "two\nthree\n".to_owned()));
        let long = "x".repeat(LONG_LINE + 1);
        growth.add(long.as_bytes());
        assert_eq!(take(&growth, 10_000), (14, long), "it may never end");
    }

    #[test]
    fn what_there_is_no_room_for_is_left_out_and_its_place_shows_it() {
        let growth = Growth::default();
        growth.add(b"one\ntwo\nthree\nfo");
        assert_eq!(take(&growth, 6), (8, "three\n".to_owned()));
        growth.add(b"ur\n");
        assert_eq!(take(&growth, 6), (14, "four\n".to_owned()));
    }

    #[test]
    fn of_what_nobody_takes_the_newest_is_kept() {
        let growth = Growth::default();
        for _ in 0..3 {
            growth.add(&vec![b'x'; KEPT_BYTES]);
        }
        growth.add(b"the end\n");
        let (from, text) = take(&growth, 8);
        assert_eq!((from, text.as_str()), (3 * KEPT_BYTES as u64, "the end\n"));
    }
}
