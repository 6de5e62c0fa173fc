//! `Retry`: whether a failed state is tried again, and when.

use std::time::Duration;

use serde_json::{Map, Value};

use super::failure::Failure;
use super::random::Random;

/// One retrier, with AWS's defaults filled in ("Handling errors in Step Functions workflows", "Retrying after an
/// error").
#[derive(Debug)]
pub(crate) struct Retrier {
    error_equals: Vec<String>,
    interval_seconds: f64,
    max_attempts: u32,
    backoff_rate: f64,
    max_delay_seconds: Option<f64>,
    full_jitter: bool,
}

/// The most that AWS takes for `IntervalSeconds` and `MaxAttempts`.
const MAX_WHOLE: u64 = 99_999_999;

/// `MaxDelaySeconds` must be less than this: a year and a day.
const MAX_DELAY_LIMIT: u64 = 31_622_400;

impl Retrier {
    /// Reads one retrier; an error names the field and what is wrong with it.
    pub(crate) fn compile(
        body: &Map<String, Value>,
        error_equals: Vec<String>,
    ) -> Result<Self, (&'static str, &'static str)> {
        let interval = whole(body, "IntervalSeconds", 1, 1..=MAX_WHOLE)?;
        let max_attempts = whole(body, "MaxAttempts", 3, 0..=MAX_WHOLE)?;
        let max_delay = match body.get("MaxDelaySeconds") {
            None => None,
            Some(_) => Some(whole(body, "MaxDelaySeconds", 0, 1..=MAX_DELAY_LIMIT - 1)?),
        };
        let backoff_rate = match body.get("BackoffRate").map(Value::as_f64) {
            None => 2.0,
            Some(Some(rate)) if rate >= 1.0 => rate,
            Some(_) => return Err(("BackoffRate", "is not a number of at least 1")),
        };
        let full_jitter = match body.get("JitterStrategy").map(Value::as_str) {
            None | Some(Some("NONE")) => false,
            Some(Some("FULL")) => true,
            Some(_) => return Err(("JitterStrategy", "is neither FULL nor NONE")),
        };
        Ok(Self {
            error_equals,
            interval_seconds: seconds(interval),
            max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
            backoff_rate,
            max_delay_seconds: max_delay.map(seconds),
            full_jitter,
        })
    }

    /// The wait before retry number `retry` (from 1): the interval grows by the rate each time, up to the largest
    /// delay; FULL jitter then takes any part of it.
    fn delay(&self, retry: u32, random: &Random) -> Duration {
        let exponent = i32::try_from(retry.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.interval_seconds * self.backoff_rate.powi(exponent);
        let bounded = grown.min(self.max_delay_seconds.unwrap_or(seconds(MAX_WHOLE)));
        let delay = if self.full_jitter { bounded * random.unit() } else { bounded };
        Duration::from_secs_f64(delay)
    }
}

fn whole(
    body: &Map<String, Value>,
    field: &'static str,
    default: u64,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, (&'static str, &'static str)> {
    match body.get(field) {
        None => Ok(default),
        Some(value) => value
            .as_u64()
            .filter(|number| range.contains(number))
            .ok_or((field, "is not a whole number in AWS's range")),
    }
}

#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn seconds(whole: u64) -> f64 {
    whole as f64
}

/// The counters of one stay in a state: each retrier has its own, and they begin anew with each stay.
#[derive(Debug)]
pub(crate) struct Attempts<'a> {
    retriers: &'a [Retrier],
    used: Vec<u32>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(retriers: &'a [Retrier]) -> Self {
        Self { retriers, used: vec![0; retriers.len()] }
    }

    /// The wait before the state is tried again; `None` when it is not. The first retrier that matches decides.
    pub(crate) fn next(&mut self, failure: &Failure, random: &Random) -> Option<Duration> {
        let index = self.retriers.iter().position(|retrier| failure.matches(&retrier.error_equals))?;
        let (retrier, used) = (&self.retriers[index], &mut self.used[index]);
        if *used >= retrier.max_attempts {
            return None;
        }
        *used += 1;
        Some(retrier.delay(*used, random))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn retrier(body: &Value) -> Retrier {
        Retrier::compile(body.as_object().unwrap(), vec!["States.ALL".to_owned()]).unwrap()
    }

    fn delays(body: &Value) -> Vec<f64> {
        let retriers = [retrier(body)];
        let mut attempts = Attempts::new(&retriers);
        let failure = Failure::new("Mine", None);
        std::iter::from_fn(|| attempts.next(&failure, &Random::new(1))).map(|delay| delay.as_secs_f64()).collect()
    }

    // BackoffRate multiplies the interval after each retry ("Handling errors", the fields of a retrier).
    #[test]
    fn the_delay_grows_by_the_rate() {
        assert_eq!(delays(&json!({"IntervalSeconds": 3, "MaxAttempts": 2, "BackoffRate": 1})), [3.0, 3.0]);
        assert_eq!(delays(&json!({"IntervalSeconds": 3, "MaxAttempts": 3, "BackoffRate": 2})), [3.0, 6.0, 12.0]);
    }

    // Defaults: IntervalSeconds 1, MaxAttempts 3, BackoffRate 2.0.
    #[test]
    fn the_defaults_are_those_of_aws() {
        assert_eq!(delays(&json!({})), [1.0, 2.0, 4.0]);
    }

    // MaxDelaySeconds is the longest interval between two attempts.
    #[test]
    fn the_delay_is_bounded() {
        let body = json!({"IntervalSeconds": 1, "MaxAttempts": 5, "MaxDelaySeconds": 5});
        assert_eq!(delays(&body), [1.0, 2.0, 4.0, 5.0, 5.0]);
    }

    // MaxAttempts 0: the error is never retried.
    #[test]
    fn no_attempts_means_no_retry() {
        assert!(delays(&json!({"MaxAttempts": 0})).is_empty());
    }

    // JitterStrategy FULL: any delay between 0 and the interval.
    #[test]
    fn full_jitter_takes_a_part_of_the_delay() {
        let retrier = retrier(&json!({"IntervalSeconds": 10, "JitterStrategy": "FULL"}));
        let random = Random::new(1);
        let delays: Vec<_> = (0..100).map(|_| retrier.delay(1, &random).as_secs_f64()).collect();
        assert!(delays.iter().all(|delay| (0.0..10.0).contains(delay)));
        assert!(delays.iter().any(|delay| *delay < 2.0) && delays.iter().any(|delay| *delay > 8.0));
    }

    // "Handling errors", the example of a state with two retriers that fails with ErrorA, ErrorB, ErrorC and ErrorB:
    // waits of one, two and five seconds, and then no retry, since the first retrier has reached its two attempts.
    #[test]
    fn the_example_of_the_document_comes_out() {
        let retrier = |body: Value, errors: &[&str]| {
            let errors = errors.iter().map(|error| (*error).to_owned()).collect();
            Retrier::compile(body.as_object().unwrap(), errors).unwrap()
        };
        let retriers = [
            retrier(json!({"IntervalSeconds": 1, "BackoffRate": 2.0, "MaxAttempts": 2}), &["ErrorA", "ErrorB"]),
            retrier(json!({"IntervalSeconds": 5}), &["ErrorC"]),
        ];
        let mut attempts = Attempts::new(&retriers);
        let random = Random::new(1);
        let waits = ["ErrorA", "ErrorB", "ErrorC", "ErrorB"]
            .map(|error| attempts.next(&Failure::new(error, None), &random).map(|wait| wait.as_secs()));
        assert_eq!(waits, [Some(1), Some(2), Some(5), None]);
    }

    #[test]
    fn each_retrier_counts_for_itself_and_the_first_match_decides() {
        let one = |name: &str| {
            let body = json!({"MaxAttempts": 1});
            Retrier::compile(body.as_object().unwrap(), vec![name.to_owned()]).unwrap()
        };
        let retriers = [one("A"), one("States.ALL")];
        let mut attempts = Attempts::new(&retriers);
        let random = Random::new(1);
        let mut next = |error: &str| attempts.next(&Failure::new(error, None), &random).is_some();
        assert_eq!([next("A"), next("A"), next("B"), next("B")], [true, false, true, false]);
    }

    #[test]
    fn values_that_aws_refuses_are_refused() {
        for body in [
            json!({"IntervalSeconds": 0}),
            json!({"MaxAttempts": -1}),
            json!({"BackoffRate": 0.9}),
            json!({"MaxDelaySeconds": 0}),
            json!({"JitterStrategy": "HALF"}),
        ] {
            assert!(Retrier::compile(body.as_object().unwrap(), Vec::new()).is_err(), "{body}");
        }
    }
}
