//! How facts are written in keys, with characters that S3 calls safe: letters, digits, `-`, `_`, `.`, and `!` before two digits
//! for a byte of anything else.

use serde_json::Value;

use crate::event::SOURCE;
use crate::records::{Rest, RunStatus};
use crate::text::InputText;

/// Stands where there is nothing. No encoded text is this.
pub const NONE: &str = "!";

/// A text as a part of a key.
pub fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut key, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            key.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(key, "!{byte:02X}");
        }
        key
    })
}

/// The text of a part of a key. What nobody encoded so is read as well as it can be.
pub fn decoded(part: &str) -> String {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        let byte = behind.first_chunk::<2>().and_then(|digits| std::str::from_utf8(digits).ok());
        match byte.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'!') {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The longest beginning of an encoded text that has at most so many bytes and splits no character.
pub fn begin(part: &str, most: usize) -> &str {
    let to = boundaries(part).take_while(|at| *at <= most).last();
    &part[..to.unwrap_or_default()]
}

/// The longest end of one that has at most so many bytes and splits no character.
pub fn end(part: &str, most: usize) -> &str {
    let from = boundaries(part).find(|at| part.len() - at <= most);
    &part[from.unwrap_or(part.len())..]
}

/// Where characters of an encoded text begin, and its end.
fn boundaries(part: &str) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        let byte = part.as_bytes().get(at)?;
        next += if *byte == b'!' { 3 } else { 1 };
        Some(at)
    })
    // A byte that goes on with a character of several begins with the bits 10.
    .filter(|at| {
        let goes_on = matches!(part.as_bytes().get(at + 1), Some(b'8' | b'9' | b'A' | b'B'));
        part.as_bytes()[*at] != b'!' || !goes_on
    })
    .chain(std::iter::once(part.len()))
}

pub const fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Succeeded => "SUCCEEDED",
        RunStatus::Failed => "FAILED",
        RunStatus::Skipped => "SKIPPED",
        RunStatus::Aborted => "ABORTED",
    }
}

pub fn status_of(word: &str) -> Option<RunStatus> {
    [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Skipped, RunStatus::Aborted]
        .into_iter()
        .find(|known| status(*known) == word)
}

pub const fn rest(rest: Rest) -> &'static str {
    match rest {
        Rest::AtRest => "atRest",
        Rest::HandedOver => "handedOver",
        Rest::LeftRunning => "leftRunning",
        Rest::NotTouched => "notTouched",
        Rest::NotConfirmed => "notConfirmed",
    }
}

pub fn rest_of(word: &str) -> Option<Rest> {
    [Rest::AtRest, Rest::HandedOver, Rest::LeftRunning, Rest::NotTouched, Rest::NotConfirmed]
        .into_iter()
        .find(|known| rest(*known) == word)
}

/// What kind of thing started a run. Not which: keys are read by more people than what they were uploaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TriggerKind {
    /// A person, or a program of theirs.
    Hand,
    /// An object in S3.
    Upload,
    /// A schedule.
    Schedule,
    /// Another run.
    Run,
    /// Another event.
    Event,
}

impl TriggerKind {
    /// What started the run with this input.
    #[must_use]
    pub fn of(input: &InputText) -> Self {
        let input: Value = serde_json::from_str(input.as_str()).unwrap_or_default();
        match input["event"]["source"].as_str() {
            None => Self::Hand,
            Some("aws.s3") => Self::Upload,
            Some("aws.events" | "aws.scheduler") => Self::Schedule,
            Some(SOURCE) => Self::Run,
            Some(_) => Self::Event,
        }
    }

    /// As a part of a key.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Hand => "hand",
            Self::Upload => "upload",
            Self::Schedule => "schedule",
            Self::Run => "run",
            Self::Event => "event",
        }
    }

    /// The kind of a part of a key; a later version may know more kinds of events.
    pub(super) fn of_word(word: &str) -> Self {
        let known = [Self::Hand, Self::Upload, Self::Schedule, Self::Run];
        known.into_iter().find(|known| known.word() == word).unwrap_or(Self::Event)
    }
}
