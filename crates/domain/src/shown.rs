//! Text as a person sees it, in a terminal, a console or an e-mail: nothing in it can move the cursor, hide or reorder other text,
//! or be so long that it pushes the rest away.
//!
//! Owns what may be printed of a text that somebody else wrote: an S3 key, a field's name, an exception, a service's words. Every
//! message, every piece of evidence and every line that the command prints comes through here.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

/// Characters of a value that a message quotes: enough to recognise it. The explanation around it needs the rest.
pub const QUOTED_CHARS: usize = 80;

/// Characters of somebody else's sentence inside a message (a service's, a library's, an operating system's): half of what a
/// message holds, so that what to do next always fits behind it.
pub const PHRASE_CHARS: usize = 1_000;

/// A text without terminal sequences and without any character that changes how other characters are shown. Line breaks and tabs stay.
#[must_use]
pub fn plain(text: &str) -> String {
    // Nearly every text: nothing in it is looked at twice.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) {
        return text.to_owned();
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => after_escape(&mut rest),
            '\u{9b}' => control_sequence(&mut rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => control_string(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            // A progress bar overwrites its line; each state of it gets a line of its own here.
            '\r' => kept.push('\n'),
            '\n' | '\t' => kept.push(character),
            _ if is_hidden(character) => {}
            _ => kept.push(character),
        }
    }
    kept
}

/// The same on one line: what breaks a line, and every run of spaces, is one space.
#[must_use]
pub fn line(text: &str) -> String {
    plain(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A value in quotes, as far as it is needed to recognise it. What cannot be seen is written as its escape.
#[must_use]
pub fn quoted(value: &str) -> String {
    let mut shown = String::new();
    let mut room = QUOTED_CHARS;
    for character in value.chars() {
        let escape = match character {
            '"' | '\\' => format!("\\{character}"),
            _ if is_hidden(character) => character.escape_debug().to_string(),
            _ => character.to_string(),
        };
        // Never a part of an escape: it would be the escape of something else.
        match room.checked_sub(escape.chars().count()) {
            Some(left) => room = left,
            None => return format!("\"{shown}…\" ({} bytes)", value.len()),
        }
        shown.push_str(&escape);
    }
    format!("\"{shown}\"")
}

/// A text with its invisible characters written as escapes.
#[must_use]
pub fn revealed(text: &str) -> String {
    let escaped = |character: char| {
        if is_hidden(character) { character.escape_debug().to_string() } else { character.to_string() }
    };
    text.chars().map(escaped).collect()
}

/// A name without quotes (a kernel's, a class's), on one line and bounded like a quoted value.
#[must_use]
pub fn name(value: impl fmt::Display) -> String {
    bounded(&line(&value.to_string()), QUOTED_CHARS)
}

/// Characters of a path, a URI or an ARN: a person has to find the thing. Longer ones are shown by both ends.
const THING_CHARS: usize = 300;

/// A path, a URI or an ARN, on one line.
#[must_use]
pub fn thing(value: impl fmt::Display) -> String {
    both_ends(line(&value.to_string()), THING_CHARS)
}

/// Somebody else's sentence inside a message: on one line, bounded, without its own full stop.
#[must_use]
pub fn phrase(words: impl fmt::Display) -> String {
    let words = line(&words.to_string());
    bounded(words.trim_end_matches('.'), PHRASE_CHARS)
}

/// A list of names, as many as a message has room for.
#[must_use]
pub fn names<T: AsRef<str>>(all: &[T]) -> String {
    let mut shown = String::new();
    for (index, next) in all.iter().enumerate() {
        let next = name(next.as_ref());
        if shown.chars().count() + next.chars().count() + 2 > PHRASE_CHARS {
            return format!("{shown} and {} more", all.len() - index);
        }
        if index > 0 {
            shown.push_str(", ");
        }
        shown.push_str(&next);
    }
    shown
}

/// At most so many characters, and a mark where some are missing.
#[must_use]
pub fn bounded(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// At most so many characters: a message's beginning, which says what happened, and its end, which says what to do. What is missing
/// is missing in between.
#[must_use]
pub fn both_ends(text: String, chars: usize) -> String {
    let all = text.chars().count();
    if all <= chars {
        return text;
    }
    let end = chars * 2 / 5;
    let start: String = text.chars().take(chars.saturating_sub(end + 3)).collect();
    let end: String = text.chars().skip(all - end).collect();
    format!("{start} … {end}")
}

/// Whether a character shows nothing itself, and changes what is shown around it: C0, DEL and C1; the marks that reorder text
/// (Unicode standard annex 9); line and paragraph separators; the byte order mark, annotations, deprecated formats and tags. What joins
/// letters and emoji (U+200C, U+200D) stays.
#[must_use]
pub const fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Behind an escape character: a sequence of ECMA-48 is dropped as a whole; of anything else, only the escape character. Sequences
/// inside of sequences leave text at most, since no control character is ever kept.
fn after_escape(rest: &mut Peekable<Chars<'_>>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            control_sequence(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            control_string(rest);
        }
        Some(' '..='~') => {
            while rest.next_if(|next| matches!(next, ' '..='/')).is_some() {}
            let _ = rest.next_if(|next| matches!(next, '0'..='~'));
        }
        Some(_) | None => {}
    }
}

/// Parameters, intermediates and one final character.
fn control_sequence(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|next| matches!(next, ' '..='?')).is_some() {}
    let _ = rest.next_if(|next| matches!(next, '@'..='~'));
}

/// Up to what ends a string (BEL, ST), for instance a window's title. One that nothing ends hides nothing: then its text is shown.
fn control_string(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    let mut length = 0;
    // At the first control character it ends, well or not, so that no text is looked at twice.
    while let Some(next) = ahead.next() {
        match next {
            '\u{7}' | '\u{9c}' => {
                *rest = ahead;
                return;
            }
            '\u{1b}' if ahead.peek() == Some(&'\\') => {
                ahead.next();
                *rest = ahead;
                return;
            }
            _ if next.is_control() || length == CONTROL_STRING_CHARS => return,
            _ => length += 1,
        }
    }
}

/// A window's title or a link's address is shorter. Longer ones are text to us.
const CONTROL_STRING_CHARS: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_sequences_go_and_text_stays() {
        for (hostile, shown) in [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}text", "text"),
            ("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link"),
            ("\u{1b}Pq#0\u{1b}\\after a DCS", "after a DCS"),
            ("\u{1b}(Bcharset\u{1b}7saved", "charsetsaved"),
            ("a\u{1b}cb", "ab"),
            ("\u{9b}31mC1\u{9d}0;t\u{9c}", "C1"),
            ("nested \u{1b}[\u{1b}[31m2J", "nested 2J"),
            ("nested \u{1b}\u{1b}[0m[2J", "nested [2J"),
            ("\u{1b}]unended and shown", "unended and shown"),
            ("\u{1b}]0;\u{1b}]0;inner\u{7}outer\u{7}after", "0;outerafter"),
            ("\u{9d}0;\u{9b}31mtitle\u{9c}after", "0;titleafter"),
            ("\u{1b}\u{9b}31mboth\u{1b}\u{9d}0;t\u{7}", "both"),
            ("\u{1b}[\u{9b}2Jin between\u{9b}\u{1b}c", "in between"),
            ("\u{85}next\u{8d}reverse\u{61c}\u{2067}\u{2069}isolates", "nextreverseisolates"),
            ("bell\u{7} back\u{8}space del\u{7f} nul\u{0}", "bell backspace del nul"),
            ("safe\u{202e}gnp.exe\u{2066}\u{200f}", "safegnp.exe"),
            ("one\r\ntwo\rthree\tfour\n", "one\ntwo\nthree\tfour\n"),
            ("👩\u{200d}👩 می\u{200c}خواهم é 日本", "👩\u{200d}👩 می\u{200c}خواهم é 日本"),
        ] {
            assert_eq!(plain(hostile), shown);
        }
    }

    /// Whatever is put together out of the pieces of sequences, no control character is left.
    #[test]
    fn no_combination_leaves_a_control_character() {
        let pieces =
            ["\u{1b}", "[", "]", "31", "m", "c", "\u{9b}", "\u{7}", "\\", "\r", "\u{202e}", "P", "\u{9c}", "x"];
        for number in 0..pieces.len().pow(4) {
            let text: String =
                (0..4_u32).map(|place| pieces[number / pieces.len().pow(place) % pieces.len()]).collect();
            let shown = plain(&text);
            assert!(!shown.chars().any(|c| is_hidden(c) && c != '\n'), "{text:?}: {shown:?}");
            assert!(!line(&text).chars().any(is_hidden), "{text:?}");
        }
    }

    #[test]
    fn a_text_of_introducers_takes_time_like_any_other() {
        let hostile = "\u{1b}]".repeat(800_000);
        assert_eq!(plain(&hostile), "");
        let unended = "\u{9d}x".repeat(800_000);
        assert_eq!(plain(&unended).len(), 800_000);
    }

    /// No title is so long: it may be a notebook's whole output.
    #[test]
    fn what_is_too_long_for_a_title_is_text() {
        for (length, shown) in [(4_096, 0), (4_097, 4_097)] {
            assert_eq!(plain(&format!("\u{1b}]{}\u{7}", "x".repeat(length))).len(), shown, "{length}");
        }
    }

    #[test]
    fn a_quoted_value_is_bounded_and_shows_its_escapes() {
        assert_eq!(quoted("a \"b\"\n"), r#""a \"b\"\n""#);
        assert_eq!(quoted("\u{202e}\u{1b}c"), r#""\u{202e}\u{1b}c""#);
        assert_eq!(quoted("it's 5 é"), "\"it's 5 é\"", "what can be seen is no escape");
        for letter in ["x", "é", "\u{1b}", "\u{e0001}", "\\", "\"", "👩"] {
            let shown = quoted(&letter.repeat(100_000));
            assert!(shown.chars().count() <= QUOTED_CHARS + 20, "{shown}");
            assert!(shown.contains("…\" (") && !shown.chars().any(is_hidden), "{shown}");
        }
    }

    #[test]
    fn names_and_phrases_are_one_bounded_line() {
        assert_eq!(name("a\r\nb\u{1b}[31m"), "a b");
        assert_eq!(name("x".repeat(200)).chars().count(), QUOTED_CHARS + 1);
        assert_eq!(phrase("it broke.\n"), "it broke");
        assert_eq!(phrase("word ".repeat(10_000)).chars().count(), PHRASE_CHARS + 1);
        assert_eq!(names(&["a", "b"]), "a, b");
        let many = names(&vec!["a-kernel"; 10_000]);
        assert_eq!((many.chars().count(), many.ends_with(", a-kernel and 9900 more")), (998 + 14, true), "{many}");
    }

    /// With the comma before it.
    #[test]
    fn a_name_that_just_fits_is_in_the_list() {
        let with_last = |last: usize| names(&[vec!["a-kernel".to_owned(); 99], vec!["é".repeat(last)]].concat());
        assert!(with_last(10).ends_with(&format!("a-kernel, {}", "é".repeat(10))), "{}", with_last(10));
        assert!(with_last(11).ends_with("a-kernel and 1 more"), "{}", with_last(11));
    }

    #[test]
    fn a_cut_message_keeps_its_beginning_and_its_end() {
        assert_eq!(both_ends("short".to_owned(), 100), "short");
        assert_eq!(both_ends("x".repeat(100), 100), "x".repeat(100));
        let cut = both_ends(format!("{}{}", "a".repeat(60), "b".repeat(41)), 100);
        assert_eq!(cut, format!("{} … {}", "a".repeat(57), "b".repeat(40)), "two fifths are the end");
        let message = both_ends(format!("The notebook {} failed. Do this.", "é".repeat(9_999)), 200);
        assert_eq!(message.chars().count(), 200);
        assert!(message.starts_with("The notebook é") && message.ends_with("é failed. Do this."), "{message}");
    }
}
