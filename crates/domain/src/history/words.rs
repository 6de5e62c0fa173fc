//! How facts are written in keys, with characters that S3 calls safe: letters, digits, `-`, `_`, `.`, and `!` before two digits
//! for a byte of anything else.

use serde_json::Value;

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
pub fn cut(part: &str, most: usize) -> &str {
    let mut end = 0;
    let mut at = 0;
    while at < part.len() {
        let (start, length) = match part.as_bytes()[at] {
            // A byte that goes on with a character of several begins with the bits 10.
            b'!' => (!matches!(part.as_bytes().get(at + 1), Some(b'8' | b'9' | b'A' | b'B')), 3),
            _ => (true, 1),
        };
        if start && at <= most {
            end = at;
        }
        at += length;
    }
    if part.len() <= most { part } else { &part[..end] }
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

/// What started a run, in a few words, from its input.
#[must_use]
pub fn trigger(input: &Value) -> String {
    let event = &input["event"];
    match event["source"].as_str() {
        None => "by hand".to_owned(),
        Some("aws.s3") => event["detail"]["object"]["key"].as_str().unwrap_or("upload").to_owned(),
        Some("aws.events" | "aws.scheduler") => "schedule".to_owned(),
        Some(source) => source.to_owned(),
    }
}

pub fn trigger_of(input: &InputText) -> String {
    trigger(&serde_json::from_str(input.as_str()).unwrap_or_default())
}
