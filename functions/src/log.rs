//! The function's log: one bounded line of JSON for each thing that is said. Never a token, a parameter or a payload.

use reveille_domain::Failure;
use serde_json::{Map, Value};

use crate::api::LambdaInvocation;

/// Characters of one field. A failure's message has at most 2,001.
const MAX_FIELD_CHARS: usize = 2_048;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Info,
    /// A failure.
    Error,
}

#[derive(Debug)]
pub struct Line(Map<String, Value>);

impl Line {
    /// A line of this moment.
    #[must_use]
    pub fn new(level: Level) -> Self {
        let level = match level {
            Level::Info => "INFO",
            Level::Error => "ERROR",
        };
        Self(Map::new()).with("level", level).with("time", &chrono::Utc::now().to_rfc3339())
    }

    /// With a field.
    #[must_use]
    pub fn with(mut self, name: &'static str, text: &str) -> Self {
        self.0.insert(name.to_owned(), Value::from(bounded(text)));
        self
    }

    #[must_use]
    pub fn with_number(mut self, name: &'static str, number: u64) -> Self {
        self.0.insert(name.to_owned(), Value::from(number));
        self
    }

    /// With the invocation's ids.
    #[must_use]
    pub fn about(self, invocation: &LambdaInvocation) -> Self {
        self.ids(&invocation.request_id, invocation.trace_id.as_deref())
    }

    pub(crate) fn ids(self, request_id: &str, trace_id: Option<&str>) -> Self {
        let line = self.with("requestId", request_id);
        match trace_id {
            Some(id) => line.with("traceId", id),
            None => line,
        }
    }

    /// With a failure's code and message.
    #[must_use]
    pub fn failure(self, failure: &Failure) -> Self {
        self.with("code", failure.code.as_str()).with("message", &failure.message)
    }

    /// As it is written.
    #[must_use]
    pub fn json(self) -> Value {
        Value::Object(self.0)
    }

    /// Writes it.
    #[expect(clippy::print_stdout, reason = "standard output is a Lambda function's log")]
    pub fn write(self) {
        println!("{}", self.json());
    }
}

fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_FIELD_CHARS) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}
