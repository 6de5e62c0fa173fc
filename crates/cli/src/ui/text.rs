//! Text that fits: cut or wrapped by the columns that it takes on a terminal, not by its bytes or characters. What comes from outside is
//! made plain by the domain's one function for that.

use std::fmt::Write;

use reveille_domain::shown;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A text that is plain, and without tabs: how many columns one takes, only the terminal knows.
fn plain(text: &str) -> String {
    shown::plain(text).replace('\t', "    ")
}

/// A value as a shell reads it, whatever is in it, and as a person sees it: what cannot be seen is written as bash and zsh have it.
pub(crate) fn for_shell(value: &str) -> String {
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "_-./:,+@=".contains(sign);
    if !value.is_empty() && value.chars().all(is_plain) {
        return value.to_owned();
    }
    if !value.contains(shown::is_hidden) {
        return format!("'{}'", value.replace('\'', r"'\''"));
    }
    let mut escaped = String::new();
    for sign in value.chars() {
        match sign {
            '\'' | '\\' => escaped.extend(['\\', sign]),
            _ if shown::is_hidden(sign) => {
                for byte in sign.to_string().bytes() {
                    // A text takes whatever is written to it.
                    let _ = write!(escaped, "\\x{byte:02x}");
                }
            }
            _ => escaped.push(sign),
        }
    }
    format!("$'{escaped}'")
}

/// So many of a thing whose plural ends in "s": `1 run`, `2 runs`.
pub(crate) fn how_many(count: impl Into<u64>, one: &str) -> String {
    let count = count.into();
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

/// A name, or the word for none in its place.
pub(crate) fn or_none(name: Option<&str>) -> String {
    name.unwrap_or("(none)").to_owned()
}

/// The first line of a text, cut to a width. What is left out shows as an ellipsis.
pub(crate) fn cut(text: &str, width: usize) -> String {
    let text = plain(text);
    let line = text.lines().next().unwrap_or_default();
    if line.width() <= width {
        return line.to_owned();
    }
    let (kept, _) = split(line, width.saturating_sub(1));
    format!("{kept}…")
}

/// The same of a path, of which the end tells more: `…/monthly/report.ipynb`.
pub(crate) fn cut_path(path: &str, width: usize) -> String {
    let text = plain(path);
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

/// Columns of `Usage: `, below which a usage goes on.
const USAGE: usize = 7;

/// Breaks a sentence between words; a word that is longer than a line (a key, an id) is broken where the line ends.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(&shown::plain(text), width) {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.extend(broken(&word, width)),
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
    plain(text).lines().flat_map(fit).collect()
}

/// A line of a page of help, which has colours, broken between words where it is wider than the terminal. clap breaks all lines but those of the usage.
pub(crate) fn usage(line: &str, width: usize) -> Vec<String> {
    let columns = |text: &str| shown::plain(text).width();
    if columns(line) <= width {
        return vec![line.to_owned()];
    }
    let indent = line.len() - line.trim_start().len();
    let mut lines = vec![format!("{:indent$}", "")];
    for word in line[indent..].split(' ') {
        match lines.last_mut() {
            Some(last) if last.trim().is_empty() => last.push_str(word),
            Some(last) if columns(last) + 1 + columns(word) <= width => {
                last.push(' ');
                last.push_str(word);
            }
            _ => lines.push(format!("{:USAGE$}{word}", "")),
        }
    }
    lines
}

/// The words of a sentence. What stands in quotes or in braces is one, if it fits a line: a person copies it, and broken in two it is another.
fn words(text: &str, width: usize) -> Vec<String> {
    let single: Vec<&str> = text.split_whitespace().collect();
    let (mut words, mut at) = (Vec::new(), 0);
    while at < single.len() {
        let end = end_of_quoted(&single[at..]).unwrap_or_default();
        let quoted = single[at..=at + end].join(" ");
        let fits = quoted.width() <= width;
        words.push(if fits { quoted } else { single[at].to_owned() });
        at += if fits { end + 1 } else { 1 };
    }
    words
}

/// Which of these words ends what the first one begins to quote.
fn end_of_quoted(words: &[&str]) -> Option<usize> {
    let first = words.first()?.trim_start_matches('(');
    let (begin, end) =
        [("'", "'"), ("`", "`"), ("{{", "}}")].into_iter().find(|(begin, _)| first.starts_with(begin))?;
    let ends = |(index, word): (usize, &&str)| {
        let inside = if index == 0 { &first[begin.len()..] } else { word };
        inside.trim_end_matches(['.', ',', ';', ':', ')', '?']).ends_with(end)
    };
    words.iter().enumerate().position(ends)
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

    use super::{cut, cut_path, fitted, for_shell, usage, wrap};

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
    fn a_shell_reads_values_as_they_are() {
        assert_eq!(for_shell("http://127.0.0.1:4566"), "http://127.0.0.1:4566");
        assert_eq!(for_shell(""), "''");
        assert_eq!(for_shell("a b"), "'a b'");
        assert_eq!(for_shell("it's $(id)"), r"'it'\''s $(id)'");
        assert_eq!(for_shell("a'\\\n\u{202e}é"), r"$'a\'\\\x0a\xe2\x80\xaeé'");
    }

    #[test]
    fn what_is_to_be_copied_is_not_broken() {
        assert_eq!(wrap("write: --cron '0 8 ? * MON *'", 24), ["write: --cron", "'0 8 ? * MON *'"]);
        assert_eq!(wrap("it is `a b`, or `c` (`d e`)", 12), ["it is `a b`,", "or `c`", "(`d e`)"]);
        assert_eq!(wrap("no {{ key }}; it", 9), ["no {{ key", "}}; it"], "no line has room for it");
        assert_eq!(wrap("no {{ key }}; it", 10), ["no", "{{ key }};", "it"]);
        assert_eq!(wrap("the functions' logs and 'tis", 14), ["the functions'", "logs and 'tis"], "nothing is quoted");
    }

    #[test]
    fn a_usage_goes_on_below_its_beginning() {
        let line = "\u{1b}[1mUsage:\u{1b}[0m a b [OPTIONS] <NAME>";
        assert_eq!(usage(line, 80), [line]);
        assert_eq!(usage(line, 22), ["\u{1b}[1mUsage:\u{1b}[0m a b [OPTIONS]", "       <NAME>"]);
        assert_eq!(usage("       a b [OPTIONS] <NAME>", 21), ["       a b [OPTIONS]", "       <NAME>"]);
    }

    #[test]
    fn a_tab_is_some_blanks() {
        assert_eq!((cut("a\tb", 80), fitted("\ta", 80)), ("a    b".to_owned(), vec!["    a".to_owned()]));
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
