//! An execution's input as text: what it says whatever it is, and what is wrong with it.
//!
//! AWS does not promise which JSON texts reach a function, and a JSON reader stops at the first thing that it cannot hold (a
//! number beyond a double, half of a surrogate pair, deep nesting). So the text is looked at before a reader is. Owns the rules
//! for texts and numbers. Never shows a value: parameters may be what only the notebook should see.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use crate::limits::MAX_INPUT_DEPTH;
use crate::shown;

mod tokens;

use tokens::{is_number, number_problem, string_problem};

/// An execution's input, as it came: JSON or not.
#[derive(Clone, PartialEq, Eq)]
pub struct InputText(String);

impl InputText {
    /// The text of an input.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for InputText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InputText({} bytes)", self.0.len())
    }
}

impl From<&Value> for InputText {
    fn from(value: &Value) -> Self {
        Self(value.to_string())
    }
}

/// From an engine that holds its inputs as JSON values. The functions cut the text out of their payload instead, with [`field`].
impl<'de> Deserialize<'de> for InputText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from(&Value::deserialize(deserializer)?))
    }
}

/// Where the value of a field of a text's outermost object lies; the last one, if there are several. It is found in texts that
/// no JSON reader accepts, as long as brackets and quotes are where they belong.
#[must_use]
pub fn field(text: &str, name: &str) -> Option<Range<usize>> {
    let bytes = text.as_bytes();
    let mut found = None;
    let mut at = after_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return None;
    }
    at += 1;
    loop {
        at = after_space(bytes, at);
        match bytes.get(at) {
            Some(b',') => at += 1,
            Some(b'"') => {
                let end = string_end(bytes, at);
                let is_it = is_name(&text[at..end], name);
                at = after_space(bytes, end);
                if bytes.get(at) != Some(&b':') {
                    return found;
                }
                at = after_space(bytes, at + 1);
                let end = value_end(bytes, at);
                if is_it {
                    found = Some(at..end);
                }
                at = end;
            }
            _ => return found,
        }
    }
}

/// Whether a string, in its quotes, is this name. Only one with an escape has to be read for that.
fn is_name(string: &str, name: &str) -> bool {
    if string.contains('\\') {
        return serde_json::from_str::<String>(string).is_ok_and(|key| key == name);
    }
    string.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) == Some(name)
}

fn after_space(bytes: &[u8], at: usize) -> usize {
    let space = bytes.iter().skip(at).take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    at + space.count()
}

/// Behind the closing quote of the string that begins here, or the end of the text.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            // The escaped byte is skipped; one of several bytes has no quote in it.
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Behind the value that begins here: at the comma or bracket that ends it.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => return at,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Checks that a text is JSON whose every value reaches a notebook as it is written.
///
/// # Errors
/// A sentence that says where and what, without any value.
pub fn check(text: &str) -> Result<(), String> {
    if text.starts_with('\u{feff}') {
        return Err("the input: it starts with a byte order mark (U+FEFF); remove it".to_owned());
    }
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, path: Vec::new(), depth: 0 };
    reader.value()?;
    reader.skip_space();
    if reader.at < text.len() { Err(reader.problem("it goes on after the end of its value")) } else { Ok(()) }
}

const COMMA_AT_THE_END: &str = "it is not JSON: nothing follows a comma here, so remove the comma";

/// Fields that are named in a problem: below them lies what belongs to a user.
const NAMED_LEVELS: usize = 2;

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Names of the fields around this place.
    path: Vec<String>,
    depth: usize,
}

impl Reader<'_> {
    fn problem(&self, what: &str) -> String {
        let named: Vec<String> = self.path.iter().take(NAMED_LEVELS).map(shown::name).collect();
        let place = if named.is_empty() { "the input".to_owned() } else { named.join(".") };
        format!("{place}: {what} (at byte {} of the input)", self.at)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        self.at = after_space(self.bytes, self.at);
    }

    fn is_parameter(&self) -> bool {
        self.path.first().is_some_and(|name| name == "parameters")
    }

    /// What helps with a parameter only: no other field takes a text for a number.
    fn for_a_parameter<'s>(&self, advice: &'s str) -> &'s str {
        if self.is_parameter() { advice } else { "" }
    }

    fn not_a_number(&self) -> String {
        self.problem(&format!("NaN and Infinity are not JSON{}", self.for_a_parameter(": pass them as text")))
    }

    fn value(&mut self) -> Result<(), String> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.literal(),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<(), String>) -> Result<(), String> {
        if self.depth == MAX_INPUT_DEPTH {
            let or_else = self.for_a_parameter(": pass it as text, or put it into S3 and pass its URI");
            return Err(self.problem(&format!("it is nested more than {MAX_INPUT_DEPTH} levels deep{or_else}")));
        }
        self.depth += 1;
        self.at += 1;
        read(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<(), String> {
        let mut names = BTreeSet::new();
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.skip_space();
            match self.peek() {
                Some(b'"') => {}
                Some(b'}') => return Err(self.problem(COMMA_AT_THE_END)),
                _ => return Err(self.unexpected("a field's name in double quotes")),
            }
            let name = self.string()?;
            self.path.push(name.clone());
            if !names.insert(name) {
                return Err(self.problem("a field is written twice, and only one of them could count"));
            }
            self.skip_space();
            if self.peek() != Some(b':') {
                return Err(self.unexpected("a colon"));
            }
            self.at += 1;
            self.value()?;
            self.path.pop();
            if self.ends(b'}')? {
                return Ok(());
            }
        }
    }

    fn array(&mut self) -> Result<(), String> {
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value()?;
            if self.ends(b']')? {
                return Ok(());
            }
            self.skip_space();
            if self.peek() == Some(b']') {
                return Err(self.problem(COMMA_AT_THE_END));
            }
        }
    }

    /// Whether the object or list ends here; else a comma was read.
    fn ends(&mut self, close: u8) -> Result<bool, String> {
        self.skip_space();
        let next = self.peek();
        if next != Some(b',') && next != Some(close) {
            return Err(self.unexpected("a comma or the closing bracket"));
        }
        self.at += 1;
        Ok(next == Some(close))
    }

    fn literal(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at..];
        if let Some(word) = ["true", "false", "null"].into_iter().find(|word| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        if rest.starts_with("NaN") || rest.starts_with("Infinity") {
            return Err(self.not_a_number());
        }
        if rest.starts_with(['\'', '“', '”', '‘', '’', '`']) {
            return Err(self.problem("it is not JSON: a text is written in straight double quotes"));
        }
        if rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return Err(
                self.problem("it is not JSON: a word without quotes must be true, false or null, in lower case")
            );
        }
        Err(self.unexpected("a value"))
    }

    fn unexpected(&self, expected: &str) -> String {
        match self.peek() {
            None => self.problem(&format!("it ends where {expected} was expected, so it is not JSON")),
            Some(_) => self.problem(&format!("it is not JSON: {expected} was expected here")),
        }
    }

    /// A string, with its escapes replaced.
    fn string(&mut self) -> Result<String, String> {
        let start = self.at;
        let end = string_end(self.bytes, start);
        let Some(token) = self.text.get(start..end).filter(|token| token.ends_with('"')) else {
            return Err(self.problem("a string has no closing quote"));
        };
        // The reader of JSON knows what a string may hold; what it refuses is told apart here. A quote at the end may be an escaped
        // one, or the first.
        let string = match serde_json::from_str(token) {
            Ok(string) => string,
            Err(error) => return Err(self.problem(string_problem(token, &error))),
        };
        self.at = end;
        Ok(string)
    }

    fn number(&mut self) -> Result<(), String> {
        let rest = &self.text[self.at..];
        if rest.starts_with("-Infinity") {
            return Err(self.not_a_number());
        }
        let length = rest.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E'));
        let token = &rest[..length.count()];
        if !is_number(token) {
            return Err(self.problem("a number is not written as JSON writes numbers"));
        }
        if let Some(what) = number_problem(token, self.is_parameter()) {
            return Err(self.problem(&what));
        }
        self.at += token.len();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
