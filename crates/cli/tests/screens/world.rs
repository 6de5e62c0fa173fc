//! The account whose screens are looked at: what each service answers. Names are as long as people's are.

mod instances;
mod objects;
mod runs;
mod stacks;
mod triggers;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::stub::StubCall;

pub const MACHINE: &str = "arn:aws:states:us-east-1:111122223333:stateMachine:reveille-NotebookRun";
pub const BUCKET: &str = "reveille-runs-111122223333";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:reveille-UndeliveredEvents";

/// A Friday morning.
pub fn now() -> DateTime<Utc> {
    at("2026-11-27T09:30:00Z")
}

/// A time.
fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// The same as AWS's JSON has it.
fn seconds(text: &str) -> i64 {
    at(text).timestamp()
}

/// What AWS answers.
pub fn answer(call: &StubCall<'_>) -> (u16, String) {
    let body = serde_json::from_str(call.body).unwrap_or_default();
    let found = instances::answer(call.action, &body)
        .or_else(|| triggers::answer(call, &body))
        .or_else(|| runs::answer(call.action, &body))
        .or_else(|| objects::answer(call))
        .or_else(|| stacks::answer(call.body));
    found.unwrap_or_else(|| panic!("nothing is made up for {} {}", call.first, call.body))
}

/// What it answers whoever may not ask.
pub fn refusal() -> (u16, String) {
    let message =
        "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: cloudformation:DescribeStacks";
    (
        403,
        format!("<ErrorResponse><Error><Code>AccessDenied</Code><Message>{message}</Message></Error></ErrorResponse>"),
    )
}

/// A JSON answer.
fn of(value: &Value) -> (u16, String) {
    (200, value.to_string())
}

fn missing(kind: &str, message: &str) -> (u16, String) {
    (400, json!({"__type": kind, "message": message}).to_string())
}
