//! Text that fits: cut or wrapped by the columns that it takes on a terminal, not by its bytes or characters. What comes from outside is
//! made plain by the domain's one function for that.

use reveille_domain::shown;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The first line of a text, cut to a width. What is left out shows as an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let text = shown::plain(text);
    let line = text.lines().next().unwrap_or_default();
    if line.width() <= width {
        return line.to_owned();
    }
    let (kept, _) = split(line, width.saturating_sub(1));
    format!("{kept}…")
}

/// The same of a path, of which the end tells more: `…/monthly/report.ipynb`.
pub(crate) fn cut_path(path: &str, width: usize) -> String {
    let text = shown::plain(path);
    let line = text.lines().next().unwrap_or_default();
    if line.width() <= width {
        return line.to_owned();
    }
    let mut start = line.len();
    for (index, _) in line.char_indices().rev() {
        if line[index..].width() + 1 > width {
            break;
        }
        start = index;
    }
    format!("…{}", &line[start..])
}

/// Breaks a sentence between words; a word that is longer than a line (a key, an id) is broken where the line ends.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in shown::plain(text).split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.extend(broken(word, width)),
        }
    }
    lines
}

/// A text of several lines, each broken between words where it is wider than a width, with its own indent. Lines that fit stay as they are: they may
/// be a program's, in columns.
pub(crate) fn fitted(text: &str, width: usize) -> Vec<String> {
    let fit = |line: &str| {
        if line.width() <= width {
            return vec![line.to_owned()];
        }
        let indent = &line[..line.len() - line.trim_start().len()];
        // An item of a list goes on below its words.
        let hanging = if line.trim_start().starts_with("- ") { "  " } else { "" };
        let room = width.saturating_sub(indent.width() + hanging.len()).max(1);
        let pieces = wrap(line, room).into_iter().enumerate();
        pieces.map(|(index, piece)| format!("{indent}{}{piece}", if index == 0 { "" } else { hanging })).collect()
    };
    shown::plain(text).lines().flat_map(fit).collect()
}

fn broken(word: &str, width: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let (piece, left) = split(rest, width);
        let (piece, left) = if left.is_empty() { (piece, left) } else { rest.split_at(joint(piece)) };
        // A width that holds no character at all must end too.
        let (piece, left) = if piece.is_empty() { (rest, "") } else { (piece, left) };
        pieces.push(piece.to_owned());
        rest = left;
    }
    pieces
}

/// Where a piece of a path, an ARN or an address ends best: behind its last joint, unless that leaves half a line.
fn joint(piece: &str) -> usize {
    piece.rfind(['/', ':', '?', '&']).map(|at| at + 1).filter(|at| *at > piece.len() / 2).unwrap_or(piece.len())
}

/// Splits a text after as many characters as a width holds.
fn split(text: &str, width: usize) -> (&str, &str) {
    let mut taken = 0;
    for (index, character) in text.char_indices() {
        taken += character.width().unwrap_or_default();
        if taken > width {
            return text.split_at(index);
        }
    }
    (text, "")
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr;

    use super::{cut, cut_path, fitted, wrap};

    #[test]
    fn a_text_of_lines_keeps_those_that_fit() {
        let text = "it ended; its log ends with:\n | a  b |\n  File \"/a/b.py\", line 3";
        assert_eq!(
            fitted(text, 16),
            ["it ended; its", "log ends with:", " | a  b |", "  File", "  \"/a/b.py\",", "  line 3"]
        );
        assert_eq!(fitted(text, usize::MAX).join("\n"), text);
        assert_eq!(fitted(" - an item of a list", 13), [" - an item", "   of a list"]);
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        assert_eq!(cut("é\nx", 80), "é");
        assert_eq!(cut(&"é".repeat(200), 91).width(), 91);
        assert_eq!(cut("日本語", 4), "日…");
        assert_eq!(cut("abcd", 4), "abcd");
    }

    #[test]
    fn a_path_that_is_cut_keeps_its_end() {
        assert_eq!(cut_path("reports/monthly/summary.ipynb", 15), "…/summary.ipynb");
        assert_eq!(cut_path("a.ipynb", 7), "a.ipynb");
        assert_eq!(cut_path("日本語.ipynb", 9), "…語.ipynb");
        assert_eq!((cut_path("a.ipynb", 1), cut_path("", 0)), ("…".to_owned(), String::new()));
    }

    #[test]
    fn nothing_in_a_text_moves_the_cursor() {
        let hostile = "a\u{1b}[2J\u{9b}1Ab\rc\u{202e}\u{1b}cd";
        assert_eq!(cut(hostile, 80), "ab");
        assert_eq!(wrap(hostile, 80), ["ab cd"]);
    }

    #[test]
    fn sentences_break_between_words_and_long_words_where_the_line_ends() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable", 4), ["unbr", "eaka", "ble"]);
        assert_eq!(
            wrap("s3://bucket/orders/europe.csv", 20),
            ["s3://bucket/orders/", "europe.csv"],
            "a path at a joint"
        );
        assert_eq!(wrap("a/unbreakable", 8), ["a/unbrea", "kable"], "and not after a few characters");
        assert_eq!(wrap("日本語", 1), ["日本語"], "no endless loop");
        assert!(wrap("", 10).is_empty());
    }
}
