//! The functions that Step Functions adds to `JSONata` ("Transforming data with `JSONata`", "`JSONata` functions
//! provided by Step Functions"), and those that must not look at the machine's own clock and dice.

use std::rc::Rc;

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::clock::{ExecutionClock, iso};
use super::random::Random;

/// The longest array that `$range` makes: that of the intrinsic `States.ArrayRange`, which it stands for ("Intrinsic
/// functions": 1,000 elements).
const RANGE_LIMIT: usize = 1000;

/// What functions draw on.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    pub random: Rc<Random>,
    pub clock: ExecutionClock,
}

/// Makes `name` callable, when it is one of the functions of this module.
pub(crate) fn register(evaluator: &mut Evaluator, name: &str, sources: &Sources) -> Result<(), EvaluatorError> {
    let random = Rc::clone(&sources.random);
    let clock = sources.clock;
    match name {
        "hash" => evaluator.register_fn(name, hash),
        "parse" => evaluator.register_fn(name, parse),
        "partition" => evaluator.register_fn(name, partition),
        "range" => evaluator.register_fn(name, range),
        "uuid" => evaluator.register_fn(name, move |_: &[JValue]| Ok(JValue::from(random.uuid()))),
        "random" => evaluator.register_fn_override(name, move |arguments: &[JValue]| Ok(draw(arguments, &random))),
        "millis" => evaluator.register_fn_override(name, move |_: &[JValue]| Ok(JValue::from(clock.now_ms()))),
        "now" => evaluator.register_fn_override(name, move |arguments: &[JValue]| now(arguments, clock)),
        "eval" => evaluator
            .register_fn_override(name, |_: &[JValue]| Err(failed("T1006: Attempted to invoke a non-function"))),
        _ => Ok(()),
    }
}

fn failed(message: &str) -> EvaluatorError {
    EvaluatorError::EvaluationError(message.to_owned())
}

/// `$random()`, or `$random(seed)`, which is always the same for the same seed.
fn draw(arguments: &[JValue], random: &Random) -> JValue {
    match arguments.first().and_then(JValue::as_f64) {
        Some(seed) => JValue::from(Random::new(seed.to_bits()).unit()),
        None => JValue::from(random.unit()),
    }
}

fn now(arguments: &[JValue], clock: ExecutionClock) -> Result<JValue, EvaluatorError> {
    if arguments.is_empty() {
        return Ok(JValue::from(iso(clock.now_ms())));
    }
    Err(failed("$now with a picture is not supported here: write $fromMillis($millis(), picture)"))
}

fn parse(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    match arguments {
        [JValue::Undefined] => Ok(JValue::Undefined),
        [text] => {
            let text =
                text.as_str().ok_or_else(|| failed("T0410: Argument 1 of function \"parse\" is not a string"))?;
            JValue::from_json_str(text).map_err(|error| failed(&format!("$parse was given no JSON: {error}")))
        }
        _ => Err(failed("T0410: $parse takes one argument")),
    }
}

fn hash(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [Some(data), Some(algorithm)] = [arguments.first(), arguments.get(1)].map(|value| value?.as_str()) else {
        return Err(failed("T0410: $hash takes a string and the name of an algorithm"));
    };
    let digest = match algorithm {
        "MD5" => hex(&Md5::digest(data)),
        "SHA-1" => hex(&Sha1::digest(data)),
        "SHA-256" => hex(&Sha256::digest(data)),
        "SHA-384" => hex(&Sha384::digest(data)),
        "SHA-512" => hex(&Sha512::digest(data)),
        other => {
            return Err(failed(&format!(
                "$hash by {other} does not exist: use MD5, SHA-1, SHA-256, SHA-384 or SHA-512"
            )));
        }
    };
    Ok(JValue::from(digest))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn partition(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let (items, size) = (arguments.first().and_then(JValue::as_array), arguments.get(1).and_then(whole));
    match (items, size.and_then(|size| usize::try_from(size).ok())) {
        (Some(items), Some(size)) if size > 0 => {
            let parts: Vec<_> = items.chunks(size).map(|part| JValue::from(part.to_vec())).collect();
            Ok(JValue::from(parts))
        }
        _ => Err(failed("T0410: $partition takes an array and a positive whole number")),
    }
}

fn range(arguments: &[JValue]) -> Result<JValue, EvaluatorError> {
    let [Some(first), Some(last), Some(step)] = [0, 1, 2].map(|index| whole(arguments.get(index)?)) else {
        return Err(failed("T0410: $range takes three whole numbers"));
    };
    if step == 0 {
        return Err(failed("$range takes a step that is not 0"));
    }
    let within = |number: &i64| if step > 0 { *number <= last } else { *number >= last };
    let numbers: Vec<_> = std::iter::successors(Some(first), |number| number.checked_add(step))
        .take_while(within)
        .take(RANGE_LIMIT + 1)
        .map(JValue::from)
        .collect();
    if numbers.len() > RANGE_LIMIT {
        return Err(failed("$range makes more than 1000 numbers"));
    }
    Ok(JValue::from(numbers))
}

/// Whole numbers up to 2^53, which an `f64` holds exactly.
#[expect(clippy::cast_possible_truncation, reason = "checked: whole and within 2^53")]
fn whole(value: &JValue) -> Option<i64> {
    let number = value.as_f64()?;
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn evaluate(source: &str) -> Result<Value, String> {
        let expression = crate::expression::Expression::compile(source).unwrap();
        let sources = Sources { random: Rc::new(Random::new(1)), clock: ExecutionClock::starting_at(0) };
        let mut evaluator = Evaluator::new();
        for name in &expression.reads().functions {
            register(&mut evaluator, name, &sources).unwrap();
        }
        let value = evaluator.evaluate(expression.ast(), &JValue::Undefined);
        value.map(|value| super::super::value::to_json(&value)).map_err(|error| error.message().to_owned())
    }

    #[test]
    fn parse_reads_json() {
        assert_eq!(evaluate(r#"$parse('{"a": [1, null]}').a[0]"#), Ok(json!(1)));
        assert!(evaluate("$parse('{')").is_err());
    }

    #[test]
    fn range_and_partition_make_arrays() {
        assert_eq!(evaluate("$range(1, 7, 3)"), Ok(json!([1, 4, 7])));
        assert_eq!(evaluate("$range(3, 1, -1)"), Ok(json!([3, 2, 1])));
        assert!(evaluate("$range(1, 2000, 1)").is_err());
        assert!(evaluate("$range(1, 2, 0)").is_err());
        assert_eq!(evaluate("$partition([1, 2, 3], 2)"), Ok(json!([[1, 2], [3]])));
        assert!(evaluate("$partition([1], 0)").is_err());
    }

    #[test]
    fn hash_is_the_standard_one() {
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(evaluate("$hash('abc', 'SHA-256')"), Ok(json!(abc)));
        assert_eq!(evaluate("$hash('abc', 'MD5')"), Ok(json!("900150983cd24fb0d6963f7d28e17f72")));
        assert_eq!(evaluate("$hash('abc', 'SHA-1')"), Ok(json!("a9993e364706816aba3e25717850c26c9cd0d89d")));
        assert!(evaluate("$hash('abc', 'CRC')").unwrap_err().contains("CRC"));
    }

    #[test]
    fn chance_and_time_come_from_their_sources() {
        assert_eq!(evaluate("$uuid()"), evaluate("$uuid()"));
        assert_eq!(evaluate("$random(5)"), evaluate("$random(5)"));
        assert_ne!(evaluate("$random(5)"), evaluate("$random(6)"));
        assert_eq!(evaluate("$now()"), Ok(json!("1970-01-01T00:00:00.000Z")));
        assert_eq!(evaluate("$millis()"), Ok(json!(0)));
        assert!(evaluate("$eval('1')").unwrap_err().starts_with("T1006"));
    }
}
