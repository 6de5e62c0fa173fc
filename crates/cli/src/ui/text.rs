//! Text that fits: cut or wrapped by the columns that it takes on a terminal, not by its bytes or characters. What comes from outside is
//! made plain by the domain's one function for that.

use std::fmt::Write;

use reveille_domain::shown;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    advice,
    shell::{self, Place},
};

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

/// Breaks a sentence between words; a word that is longer than a line (a key, an id) is broken where the line ends. A command stays
/// whole. If no line has room for it, a shell reads its lines as one.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    laid_out(words(&shown::plain(text), width), width)
}

/// The same of what somebody else wrote: a command in it is none that we advise.
pub(crate) fn wrap_quoted(text: &str, width: usize) -> Vec<String> {
    laid_out(words_of_sentence(&shown::plain(text), width), width)
}

/// A command that a person pastes: a shell reads its lines as one.
pub(crate) fn command_lines(command: &str, width: usize) -> Vec<String> {
    laid_out(words_of_command(command, width), width)
}

fn laid_out(words: Vec<Word>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut has_ended = false;
    for word in words {
        let needed = word.text.width() + if word.goes_on { GOES_ON.len() } else { 0 };
        let begins = word.goes_on && !word.goes_back;
        match lines.last_mut() {
            Some(line) if !begins && !has_ended && line.width() + 1 + needed <= width => {
                line.push(' ');
                line.push_str(&word.text);
            }
            Some(line) if word.goes_back => {
                line.push_str(GOES_ON);
                lines.push(word.text);
            }
            // In lines of its own, which a person copies whole.
            _ if begins => lines.push(word.text),
            _ => lines.extend(broken(&word.text, width)),
        }
        has_ended = word.goes_back && !word.goes_on;
    }
    lines
}

/// What tells a shell that a command goes on.
const GOES_ON: &str = " \\";

/// A word of a sentence, and whether it is in one command with the word before it, and with the word behind it.
struct Word {
    text: String,
    goes_back: bool,
    goes_on: bool,
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

/// The words of a sentence. A command is one, and so is what stands in quotes or in braces, if it fits a line: a person copies it, and broken in
/// two it is another.
fn words(text: &str, width: usize) -> Vec<Word> {
    let mut all = Vec::new();
    let mut from = 0;
    for command in advice::commands(text) {
        // With its backticks, and what ends the sentence behind it.
        let start = text[..command.start].trim_end_matches(|sign: char| !sign.is_whitespace()).len().max(from);
        let end = text[command.end..].find(char::is_whitespace).map_or(text.len(), |at| command.end + at);
        all.extend(words_of_sentence(&text[from..start], width));
        all.extend(words_of_command(&text[start..end], width));
        from = end;
    }
    all.extend(words_of_sentence(&text[from..], width));
    all
}

fn words_of_sentence(text: &str, width: usize) -> Vec<Word> {
    let single: Vec<(usize, &str)> = placed_words(text).collect();
    let (mut words, mut at) = (Vec::new(), 0);
    while at < single.len() {
        let more = end_of_quoted(&single[at..]).unwrap_or_default();
        let ((start, first), (last, word)) = (single[at], single[at + more]);
        // As it is: two blanks in a key are two.
        let quoted = &text[start..last + word.len()];
        let fits = quoted.width() <= width && !quoted.contains('\n');
        words.push(Word { text: if fits { quoted } else { first }.to_owned(), goes_back: false, goes_on: false });
        at += if fits { more + 1 } else { 1 };
    }
    words
}

/// The words, and where each begins.
fn placed_words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    let placed = text.split_inclusive(char::is_whitespace).map(move |piece| {
        at += piece.len();
        (at - piece.len(), piece.trim_end())
    });
    placed.filter(|(_, word)| !word.is_empty())
}

/// The words of a command: one if it fits a line. Otherwise it is split where a shell splits it, and so never in quotes, where a line's end is a
/// part of the value.
fn words_of_command(text: &str, width: usize) -> Vec<Word> {
    if text.width() <= width {
        return vec![Word { text: text.to_owned(), goes_back: false, goes_on: false }];
    }
    let mut single = vec![String::new()];
    for (_, sign, place) in shell::places(text) {
        match single.last_mut() {
            Some(word) if !sign.is_whitespace() || place == Place::Quoted => word.push(sign),
            _ => single.push(String::new()),
        }
    }
    let mut all: Vec<String> = Vec::new();
    for word in single.into_iter().filter(|word| !word.is_empty()) {
        let needed = word.width() + GOES_ON.len();
        // An option and its value stay together where there is room, or none for the value either.
        let stays = |option: &String| option.width() + 1 + needed <= width || needed > width;
        match all.last_mut() {
            Some(option) if is_option(option) && !is_option(&word) && stays(option) => {
                option.push(' ');
                option.push_str(&word);
            }
            _ => all.push(word),
        }
    }
    let last = all.len().saturating_sub(1);
    let word = |(at, text)| Word { text, goes_back: at > 0, goes_on: at < last };
    all.into_iter().enumerate().map(word).collect()
}

fn is_option(word: &str) -> bool {
    word.starts_with('-') && !word.contains(' ')
}

/// Which of these words ends what the first one begins to quote.
fn end_of_quoted(words: &[(usize, &str)]) -> Option<usize> {
    let first = words.first()?.1.trim_start_matches('(');
    let (begin, end) =
        [("'", "'"), ("`", "`"), ("{{", "}}")].into_iter().find(|(begin, _)| first.starts_with(begin))?;
    let ends = |(index, (_, word)): (usize, &(usize, &str))| {
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
mod tests;
