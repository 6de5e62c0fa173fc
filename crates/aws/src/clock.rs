//! AWS's clock: how far this machine's own is off, as AWS's answers tell.
//!
//! A machine whose clock is wrong is not refused. S3 takes requests that were signed up to 15 minutes off, and the SDK
//! corrects the time that it signs with by the answers. So what such a machine writes arrives, and a record that carries its
//! own time would look old, or not yet written, to everybody else. Owns that offset. Never sets a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_runtime_api::http::Response;
use chrono::{DateTime, TimeDelta, Utc};

use crate::foreign;

/// By how many seconds an answer may be older than the moment at which it is read, and nothing is learned: one try takes 5 s
/// at most, and the time in an answer has no fractions. Records are compared in tens of seconds.
const TOLERANCE: i64 = 15;

/// How far AWS's clock is ahead of this machine's, in seconds; negative where it is behind. Zero until it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offset(Arc<AtomicI64>);

impl Offset {
    pub(crate) fn get(&self) -> TimeDelta {
        TimeDelta::try_seconds(self.0.load(Ordering::Relaxed)).unwrap_or_default()
    }

    /// Learns from the time of an answer, if it is AWS's own and new.
    pub(crate) fn learn(&self, response: &Response, now: DateTime<Utc>) {
        let header = |name: &str| response.headers().get(name);
        // One that a cache kept has an age.
        if !foreign::has_request_id(response) || header("age").is_some() {
            return;
        }
        let Some(at) = header("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok()) else { return };
        let told = at.signed_duration_since(now).num_seconds();
        // What is known stays as long as it is about right: a clock that moved with each answer would run backwards.
        if told.abs_diff(self.0.load(Ordering::Relaxed)) > TOLERANCE.unsigned_abs() {
            self.0.store(told, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(headers: &[(&'static str, &'static str)]) -> Response {
        let mut response = Response::new(200.try_into().unwrap(), "".into());
        for (name, value) in headers {
            response.headers_mut().insert(*name, *value);
        }
        response
    }

    const AWSS: (&str, &str) = ("x-amz-request-id", "1");
    const NOON: (&str, &str) = ("date", "Sun, 06 Nov 1994 12:00:00 GMT");

    fn at(clock: &str) -> DateTime<Utc> {
        format!("1994-11-06T{clock}Z").parse().unwrap()
    }

    fn learnt(offset: &Offset, response: &Response, clock: &str) -> i64 {
        offset.learn(response, at(clock));
        offset.get().num_seconds()
    }

    #[test]
    fn a_clock_that_is_off_is_known_by_an_answer_and_one_that_is_right_stays_as_it_is() {
        let offset = Offset::default();
        let awss = answer(&[AWSS, NOON]);
        assert_eq!(learnt(&offset, &awss, "12:00:06.2"), 0, "a slow answer");
        assert_eq!(learnt(&offset, &awss, "12:10:00"), -600, "ahead");
        assert_eq!(learnt(&offset, &awss, "12:10:05"), -600, "about the same");
        assert_eq!(learnt(&offset, &awss, "11:40:00"), 1_200, "behind");
        assert_eq!(learnt(&offset, &awss, "12:00:01"), -1, "corrected");
    }

    #[test]
    fn only_an_answer_of_awss_tells_the_time() {
        for headers in [&[NOON][..], &[AWSS], &[AWSS, NOON, ("age", "600")], &[AWSS, ("date", "noon")]] {
            assert_eq!(learnt(&Offset::default(), &answer(headers), "13:00:00"), 0, "{headers:?}");
        }
    }
}
