//! Values between expressions and the world: size, kind and conversion.

use std::rc::Rc;

use jsonata_core::value::{JMap, JValue};
use serde_json::Value;

/// The largest input, output or result of a state, and the largest variable, in bytes of UTF-8 ("Step Functions service
/// quotas": 256 KiB).
pub(crate) const SIZE_LIMIT: usize = 262_144;

/// Values nested deeper than this are refused rather than walked: nothing that is written by hand comes near it.
const MAX_DEPTH: usize = 512;

/// A value that JSON has no form for: a function, a regular expression, or an infinite number.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

/// An object of these fields.
pub(crate) fn object<const N: usize>(fields: [(&str, JValue); N]) -> JValue {
    let map: JMap = fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    JValue::Object(Rc::new(map))
}

pub(crate) fn from_json(value: Value) -> JValue {
    JValue::from(value)
}

/// The JSON of a value. What JSON has no form for has been refused before, where it came from.
pub(crate) fn to_json(value: &JValue) -> Value {
    match value {
        JValue::Bool(value) => Value::Bool(*value),
        JValue::String(text) => Value::String(text.to_string()),
        JValue::Array(items) => items.iter().map(to_json).collect(),
        JValue::Object(members) => members.iter().map(|(name, member)| (name.clone(), to_json(member))).collect(),
        // How a number is written is the library's to say.
        other => serde_json::to_value(other).unwrap_or(Value::Null),
    }
}

/// The length of a value as JSON text without spaces, in bytes.
pub(crate) fn size(value: &JValue) -> Result<usize, NotJson> {
    size_at::<Exact>(value, 0)
}

/// Whether a value is JSON that AWS passes on. Nearly all are far below its limit: then no text is looked into.
pub(crate) fn is_passed_on(value: &JValue) -> bool {
    let fits = |size: Result<usize, NotJson>| size.is_ok_and(|size| size <= SIZE_LIMIT);
    fits(size_at::<AtMost>(value, 0)) || fits(size(value))
}

/// How long a text and a number are in JSON.
trait Lengths {
    fn of_text(text: &str) -> usize;
    fn of_number(number: f64) -> usize;
}

/// Their exact lengths.
struct Exact;

/// An upper bound, for which no text is read.
struct AtMost;

impl Lengths for Exact {
    fn of_text(text: &str) -> usize {
        string_size(text)
    }

    fn of_number(number: f64) -> usize {
        number_size(number)
    }
}

/// The longest escape: `\u001f`.
const LONGEST_ESCAPE: usize = 6;
/// `-5e-324` without its exponent: the sign, `0.`, 323 zeros and a digit.
const LONGEST_NUMBER: usize = 327;

impl Lengths for AtMost {
    fn of_text(text: &str) -> usize {
        LONGEST_ESCAPE * text.len() + 2
    }

    fn of_number(_number: f64) -> usize {
        LONGEST_NUMBER
    }
}

fn size_at<L: Lengths>(value: &JValue, depth: usize) -> Result<usize, NotJson> {
    if depth > MAX_DEPTH {
        return Err(NotJson);
    }
    match value {
        JValue::Null | JValue::Bool(true) => Ok(4),
        JValue::Bool(false) => Ok(5),
        JValue::Number(number) if number.is_finite() => Ok(L::of_number(*number)),
        JValue::String(text) => Ok(L::of_text(text)),
        JValue::Array(items) => {
            let mut total = 2 + items.len().saturating_sub(1);
            for item in items {
                total += size_at::<L>(item, depth + 1)?;
            }
            Ok(total)
        }
        JValue::Object(members) => {
            let mut total = 2 + members.len().saturating_sub(1);
            for (key, member) in members.iter() {
                total += L::of_text(key) + 1 + size_at::<L>(member, depth + 1)?;
            }
            Ok(total)
        }
        _ => Err(NotJson),
    }
}

/// Whole numbers up to this are written without an exponent and fit an `i64`.
const WHOLE_LIMIT: f64 = 1e15;

#[expect(clippy::cast_possible_truncation, reason = "whole and below 1e15, so it fits")]
fn number_size(number: f64) -> usize {
    if number.fract() == 0.0 && number.abs() < WHOLE_LIMIT {
        let whole = number as i64;
        let digits = whole.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
        return digits + usize::from(whole < 0);
    }
    number.to_string().len()
}

fn string_size(text: &str) -> usize {
    // Few texts have any, and whether one has is found many bytes at a time.
    let odd = |byte: u8| u8::from(byte < 32) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    if text.bytes().fold(0, |any, byte| any | odd(byte)) == 0 {
        return text.len() + 2;
    }
    let escapes: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 8 | 12 => 1,
            0..32 => 5,
            _ => 0,
        })
        .sum();
    text.len() + 2 + escapes
}

/// What `JSONata` calls the kind of a value, as AWS's messages do.
pub(crate) fn kind(value: &JValue) -> &'static str {
    match value {
        JValue::Null => "null",
        JValue::Bool(_) => "boolean",
        JValue::Number(_) => "number",
        JValue::String(_) => "string",
        JValue::Array(_) => "array",
        JValue::Object(_) => "object",
        _ => "function",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_size_is_that_of_the_json_text() {
        for value in [
            json!(null),
            json!({"a": [1, -20, 0.5, "x\n\"y\"", true, false], "b": {}, "c": []}),
            json!("ü\u{1}"),
            json!(123_456_789),
        ] {
            let text = value.to_string();
            assert_eq!(size(&from_json(value)), Ok(text.len()), "{text}");
        }
    }

    #[test]
    fn what_is_passed_on_is_told_to_the_byte_whatever_is_in_it() {
        for (character, bytes) in [("a", 1), ("\n", 2), ("\u{1}", 6), ("ü", 2)] {
            let of = |chars: usize| JValue::from(character.repeat(chars));
            let most = (SIZE_LIMIT - 2) / bytes;
            assert_eq!((is_passed_on(&of(most)), is_passed_on(&of(most + 1))), (true, false), "{character:?}");
        }
        let numbers = |count: usize| JValue::from(vec![JValue::Number(1.0); count]);
        assert_eq!((is_passed_on(&numbers(131_071)), is_passed_on(&numbers(131_072))), (true, false));
        assert!(!is_passed_on(&JValue::Undefined));
    }

    #[test]
    fn no_text_and_no_number_is_longer_than_at_most() {
        for number in [0.0, -0.0, f64::MIN, f64::MAX, f64::MIN_POSITIVE, -f64::from_bits(1), f64::EPSILON, 1e15, 0.1] {
            assert!(Exact::of_number(number) <= AtMost::of_number(number), "{number:e}");
        }
        for text in ["", "\u{1}\u{1f}", "\"\\\n", "ü"] {
            assert!(Exact::of_text(text) <= AtMost::of_text(text), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        assert_eq!(size(&JValue::Number(f64::INFINITY)), Err(NotJson));
        assert_eq!(size(&JValue::builtin("sum")), Err(NotJson));
        assert_eq!(size(&JValue::Undefined), Err(NotJson));
    }

    #[test]
    fn values_go_both_ways() {
        let value = json!({"a": [1, 0.1, null, "x"]});
        assert_eq!(to_json(&from_json(value.clone())), value);
    }
}
