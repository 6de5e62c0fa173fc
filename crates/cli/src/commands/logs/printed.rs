//! How far a log was printed: pieces follow each other, and the final log goes on where the last piece ended.

use crate::clients::Piece;

/// The final log keeps so much of its beginning; behind it may be a line that says how much is left out, and then its end.
const HEAD: usize = 1 << 20;

/// The place up to which a log was printed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Printed(u64);

impl Printed {
    /// Whether nothing of it was printed.
    pub(super) const fn is_nothing(self) -> bool {
        self.0 == 0
    }

    /// What is new in a piece, behind a line that tells of what is missing before it.
    pub(super) fn piece(&mut self, piece: &Piece) -> Vec<u8> {
        let end = piece.from.saturating_add(piece.bytes.len() as u64);
        if end <= self.0 {
            return Vec::new();
        }
        let mut new = gap(piece.from.saturating_sub(self.0));
        let known = usize::try_from(self.0.saturating_sub(piece.from)).unwrap_or(usize::MAX);
        new.extend(piece.bytes.iter().skip(known));
        self.0 = end;
        new
    }

    /// What is new in the final log.
    pub(super) fn rest(self, log: &[u8]) -> Vec<u8> {
        let place = usize::try_from(self.0).unwrap_or(usize::MAX);
        if place <= log.len().min(HEAD) {
            return log[place..].to_vec();
        }
        // What was kept of it ends before that place.
        let Some(behind) = log.get(HEAD..).filter(|behind| !behind.is_empty()) else { return Vec::new() };
        let (left_out, tail) = left_out(behind).unwrap_or((0, behind));
        let begins = HEAD.saturating_add(left_out);
        let mut new = gap(begins.saturating_sub(place) as u64);
        new.extend(tail.iter().skip(place.saturating_sub(begins)));
        new
    }
}

/// In the words of the final log.
fn gap(bytes: u64) -> Vec<u8> {
    if bytes == 0 { Vec::new() } else { format!("[{bytes} bytes are left out here]\n").into_bytes() }
}

/// How much is left out, as the line says that begins here, and what comes behind it.
fn left_out(text: &[u8]) -> Option<(usize, &[u8])> {
    let line = text.strip_prefix(b"\n[")?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let tail = line[digits..].strip_prefix(b" bytes are left out here]\n")?;
    Some((std::str::from_utf8(&line[..digits]).ok()?.parse().ok()?, tail))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::{HEAD, Printed};
    use crate::clients::Piece;

    fn piece(from: u64, text: &str) -> Piece {
        Piece { from, bytes: text.into(), at: Utc::now() }
    }

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn each_byte_is_printed_once_and_what_is_missing_is_told() {
        let mut printed = Printed::default();
        assert!(printed.is_nothing());
        assert_eq!(text(printed.piece(&piece(0, "one\n"))), "one\n");
        assert_eq!(text(printed.piece(&piece(0, "one\n"))), "", "it was sent twice");
        assert_eq!(text(printed.piece(&piece(2, "e\ntwo\n"))), "two\n");
        assert_eq!(text(printed.piece(&piece(18, "five\n"))), "[10 bytes are left out here]\nfive\n");
        let mut late = Printed::default();
        assert_eq!(text(late.piece(&piece(4, "two\n"))), "[4 bytes are left out here]\ntwo\n");
        assert_eq!(
            text(late.piece(&piece(u64::MAX, "end"))).len(),
            "[18446744073709551607 bytes are left out here]\nend".len()
        );
    }

    #[test]
    fn the_final_log_goes_on_where_the_last_piece_ended() {
        let short = b"one\ntwo\n";
        assert_eq!(text(Printed::default().rest(short)), "one\ntwo\n");
        assert_eq!(text(Printed(4).rest(short)), "two\n");
        assert_eq!(text(Printed(8).rest(short)), "");
        assert_eq!(text(Printed(9).rest(short)), "", "what was kept of it ends earlier");
        // The first MiB, 100 bytes that are left out, and the end.
        let long = [&vec![b'x'; HEAD][..], b"\n[100 bytes are left out here]\nthe end\n"].concat();
        let head = HEAD as u64;
        assert_eq!(text(Printed(head - 1).rest(&long)), "x\n[100 bytes are left out here]\nthe end\n");
        assert_eq!(text(Printed(head + 60).rest(&long)), "[40 bytes are left out here]\nthe end\n");
        assert_eq!(text(Printed(head + 100).rest(&long)), "the end\n");
        assert_eq!(text(Printed(head + 104).rest(&long)), "end\n");
        // Between one and two MiB nothing is left out.
        let whole = [&vec![b'x'; HEAD][..], b"and more\n"].concat();
        assert_eq!(text(Printed(head + 4).rest(&whole)), "more\n");
    }
}
