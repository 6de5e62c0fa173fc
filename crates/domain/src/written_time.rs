//! Times as records and arguments hold them: RFC 3339 in UTC, to the byte as `chrono` writes it.
//!
//! Whatever is read or written holds several. `chrono` reads every form of a time and formats through the general machinery, so
//! that a good part of reading a record was reading its times. The one form that we write is read and written here; every other
//! form is left to `chrono`, and so are its words about what is no time.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};
use serde::de::{Error, Visitor};
use serde::{Deserializer, Serialize, Serializer};

/// Writes a time.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    match Text::of(*at) {
        Some(text) => serializer.serialize_str(text.as_str()),
        None => at.serialize(serializer),
    }
}

/// Reads a time.
///
/// # Errors
/// The text is no time, or there is none.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    struct Time;

    impl Visitor<'_> for Time {
        type Value = DateTime<Utc>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an RFC 3339 formatted date and time string")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            match read(text) {
                Some(at) => Ok(at),
                None => text.parse().map_err(E::custom),
            }
        }
    }

    deserializer.deserialize_str(Time)
}

/// The same of a field that may be without one.
pub mod optional {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written(#[serde(with = "super")] DateTime<Utc>);

    /// Writes a time, or that there is none.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Written).serialize(serializer)
    }

    /// Reads a time, or that there is none.
    ///
    /// # Errors
    /// The text is no time.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(at)| at))
    }
}

/// The form: a year of four digits, to the second; behind it up to nine digits of its fraction, and "Z".
const TO_THE_SECOND: &[u8; 19] = b"0000-00-00T00:00:00";
const DIGITS: usize = 9;
/// The places of its numbers, from the year to the second.
const PLACES: [std::ops::Range<usize>; 6] = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19];

/// A time in that form.
struct Text {
    bytes: [u8; TO_THE_SECOND.len() + 1 + DIGITS + 1],
    length: usize,
}

impl Text {
    /// `None`: its year has other than four digits, or it is in a leap second.
    fn of(at: DateTime<Utc>) -> Option<Self> {
        let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999)?;
        let (fraction, digits) = match at.nanosecond() {
            0 => (0, 0),
            nanos @ 0..1_000_000_000 if nanos % 1_000_000 == 0 => (nanos / 1_000_000, 3),
            nanos @ 0..1_000_000_000 if nanos % 1_000 == 0 => (nanos / 1_000, 6),
            nanos @ 0..1_000_000_000 => (nanos, 9),
            _ => return None,
        };
        let mut text = Self { bytes: [0; _], length: TO_THE_SECOND.len() };
        text.bytes[..TO_THE_SECOND.len()].copy_from_slice(TO_THE_SECOND);
        let numbers = [year, at.month(), at.day(), at.hour(), at.minute(), at.second()];
        for (place, number) in PLACES.into_iter().zip(numbers) {
            write(&mut text.bytes[place], number);
        }
        if digits > 0 {
            text.bytes[text.length] = b'.';
            write(&mut text.bytes[text.length + 1..][..digits], fraction);
            text.length += 1 + digits;
        }
        text.bytes[text.length] = b'Z';
        text.length += 1;
        Some(text)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

/// A number, with zeros before it.
fn write(place: &mut [u8], mut number: u32) {
    for byte in place.iter_mut().rev() {
        *byte = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

/// `None`: it is of another form, or no time.
fn read(text: &str) -> Option<DateTime<Utc>> {
    let (second, rest) = text.as_bytes().split_first_chunk::<{ TO_THE_SECOND.len() }>()?;
    let is_of_the_form = |at: &usize| second[*at] == TO_THE_SECOND[*at];
    if ![4, 7, 10, 13, 16].iter().all(is_of_the_form) {
        return None;
    }
    let fraction = match rest.strip_suffix(b"Z")? {
        [] => 0,
        [b'.', digits @ ..] => nanoseconds(digits)?,
        _ => return None,
    };
    let [year, month, day, hour, minute, second] = PLACES.map(|place| number(&second[place]));
    let date = NaiveDate::from_ymd_opt(i32::try_from(year?).ok()?, month?, day?)?;
    Some(date.and_hms_nano_opt(hour?, minute?, second?, fraction)?.and_utc())
}

fn nanoseconds(digits: &[u8]) -> Option<u32> {
    let missing = DIGITS.checked_sub(digits.len()).filter(|missing| *missing < DIGITS)?;
    Some(number(digits)? * 10_u32.pow(u32::try_from(missing).ok()?))
}

/// Of at most nine digits.
fn number(digits: &[u8]) -> Option<u32> {
    let digit = |byte: &u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    digits.iter().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use serde::Deserialize;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Ours(#[serde(with = "super")] DateTime<Utc>);

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Maybe {
        #[serde(default, skip_serializing_if = "Option::is_none", with = "super::optional")]
        at: Option<DateTime<Utc>>,
    }

    fn times() -> Vec<DateTime<Utc>> {
        let mut times = vec![DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC, DateTime::UNIX_EPOCH];
        for text in [
            "0000-01-01T00:00:00Z",
            "-0001-12-31T23:59:59.5Z",
            "9999-12-31T23:59:59.999999999Z",
            "+10000-01-01T00:00:00Z",
            "2016-12-31T23:59:60.25Z",
            "2026-02-28T09:08:07.000000001Z",
            "2024-02-29T23:00:59.120Z",
            "2024-02-29T23:00:59.000120Z",
        ] {
            times.push(text.parse().unwrap());
        }
        let step = TimeDelta::nanoseconds(123_456_789_012_345_678);
        times.extend((0..500).map(|nth| DateTime::UNIX_EPOCH + step * nth));
        times.extend((0..500).map(|nth| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(98_765_432_109) * nth));
        times
    }

    #[test]
    fn a_time_is_written_to_the_byte_as_chrono_writes_it_and_read_as_chrono_reads_it() {
        for at in times() {
            let chronos = serde_json::to_value(at).unwrap();
            assert_eq!(serde_json::to_value(Ours(at)).unwrap(), chronos);
            assert_eq!(serde_json::from_value::<Ours>(chronos).unwrap(), Ours(at));
            assert_eq!(serde_json::to_value(Maybe { at: Some(at) }).unwrap(), json!({"at": at}));
        }
    }

    #[test]
    fn what_has_another_form_or_is_no_time_is_as_chrono_has_it() {
        let texts = [
            json!("2026-11-23T01:00:00.5+01:00"),
            json!("2026-11-23t01:00:00z"),
            json!("2026-11-23 01:00:00Z"),
            json!("2026-11-23T01:00:00"),
            json!("2026-11-23T01:00:00.Z"),
            json!("2026-11-23T01:00:00.1234567891Z"),
            json!("2026-11-23T01:00:00.12Z"),
            json!("2026-11-23T01:00:00,5Z"),
            json!("2026-11-23T01:00:60Z"),
            json!("2026-11-23T24:00:00Z"),
            json!("2026-02-29T01:00:00Z"),
            json!("2026-13-01T01:00:00Z"),
            json!("2026-11-2 T01:00:00Z"),
            json!("+026-11-23T01:00:00Z"),
            json!("2026-11-23T01:00:0Z"),
            json!("２026-11-23T01:00:00Z"),
            json!(""),
            json!("Z"),
            json!(null),
            json!(1_795_392_000),
        ];
        for text in texts {
            let words = |error: serde_json::Error| error.to_string();
            let chronos = serde_json::from_value::<DateTime<Utc>>(text.clone()).map_err(words);
            let ours = serde_json::from_value::<Ours>(text.clone()).map(|Ours(at)| at).map_err(words);
            assert_eq!(ours, chronos, "{text}");
        }
    }

    #[test]
    fn a_field_may_be_without_a_time() {
        for without in [json!({}), json!({"at": null})] {
            assert_eq!(serde_json::from_value::<Maybe>(without).unwrap(), Maybe { at: None });
        }
        assert_eq!(serde_json::to_value(Maybe { at: None }).unwrap(), json!({}));
        assert!(serde_json::from_value::<Maybe>(json!({"at": Value::from(1)})).is_err());
    }
}
