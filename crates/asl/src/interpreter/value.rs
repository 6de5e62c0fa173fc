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
    size_at(value, 0)
}

fn size_at(value: &JValue, depth: usize) -> Result<usize, NotJson> {
    if depth > MAX_DEPTH {
        return Err(NotJson);
    }
    match value {
        JValue::Null | JValue::Bool(true) => Ok(4),
        JValue::Bool(false) => Ok(5),
        JValue::Number(number) if number.is_finite() => Ok(number_size(*number)),
        JValue::String(text) => Ok(string_size(text)),
        JValue::Array(items) => {
            let mut total = 2 + items.len().saturating_sub(1);
            for item in items {
                total += size_at(item, depth + 1)?;
            }
            Ok(total)
        }
        JValue::Object(members) => {
            let mut total = 2 + members.len().saturating_sub(1);
            for (key, member) in members.iter() {
                total += string_size(key) + 1 + size_at(member, depth + 1)?;
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
