//! What is wrong with a number or a string of a JSON text, in words.

use crate::limits::MAX_WHOLE_NUMBER;

/// What keeps a number from reaching a notebook as it is written. Other fields are bounded by their types, and nothing computes
/// with numbers inside an event.
pub(super) fn number_problem(token: &str, is_parameter: bool) -> Option<String> {
    // Correctly rounded, as Python reads it.
    let double: f64 = token.parse().ok()?;
    if double.is_infinite() {
        let advice = if is_parameter { ": pass it as text" } else { "" };
        return Some(format!("a number is larger than any double{advice}"));
    }
    if !is_parameter {
        return None;
    }
    let is_whole = !token.contains(['.', 'e', 'E']);
    if is_whole && token.parse::<i64>().map_or(true, |number| number.unsigned_abs() > MAX_WHOLE_NUMBER) {
        return Some(format!(
            "a whole number is beyond ±{MAX_WHOLE_NUMBER}, which Step Functions does not promise to keep: pass it as text"
        ));
    }
    if is_whole && token == "-0" {
        return Some("a number is written -0: write 0, or -0.0".to_owned());
    }
    let mantissa = token.split(['e', 'E']).next().unwrap_or_default();
    if double == 0.0 && mantissa.contains(|digit: char| ('1'..='9').contains(&digit)) {
        return Some("a number is too small for a double, which would make it 0: pass it as text".to_owned());
    }
    None
}

/// RFC 8259, section 6.
pub(super) fn is_number(token: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = token.strip_prefix('-').unwrap_or(token);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}

pub(super) fn string_problem(token: &str, error: &serde_json::Error) -> &'static str {
    if error.is_eof() {
        "a string has no closing quote"
    } else if token.bytes().any(|byte| byte < 0x20) {
        "a string has a control character that is not escaped"
    } else if has_lone_surrogate(token) {
        "a string has half of a surrogate pair (an escape from \\ud800 to \\udfff), which is not a character"
    } else {
        "a string has an escape that JSON does not know"
    }
}

fn has_lone_surrogate(token: &str) -> bool {
    let mut rest = token;
    while let Some(at) = rest.find('\\') {
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let escape = &rest[at..];
        let used = match unit(escape) {
            Some(0xd800..=0xdbff) => match escape.get(6..).and_then(unit) {
                Some(0xdc00..=0xdfff) => 12,
                _ => return true,
            },
            Some(0xdc00..=0xdfff) => return true,
            Some(_) => 6,
            None => 2,
        };
        rest = escape.get(used..).unwrap_or_default();
    }
    false
}
