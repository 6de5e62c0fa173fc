//! The account whose screens are looked at: what each service answers, and to whom. Names are as long as people's are.

mod instances;
mod lab;
mod objects;
mod releases;
mod runs;
mod stacks;
mod triggers;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::stub::StubCall;

pub const MACHINE: &str = "arn:aws:states:us-east-1:111122223333:stateMachine:reveille-NotebookRun";
pub const BUCKET: &str = "reveille-runs-111122223333";
const QUEUE: &str = "arn:aws:sqs:us-east-1:111122223333:reveille-UndeliveredEvents";

/// As whom the command asks, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    WhoMay,
    /// AWS refuses every call.
    WhoMayNot,
    /// AWS refuses every call that starts or makes something.
    WhoMayOnlyLook,
    /// S3 refuses to show records.
    WhoMayNotRead,
    WithoutCredentials,
    /// In an account with two stacks, of which none has the usual name.
    BesideOtherStacks,
}

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
pub fn answer(call: &StubCall<'_>, asks: Asks) -> (u16, String) {
    match asks {
        Asks::WhoMayNot => return refusal("cloudformation:DescribeStacks"),
        Asks::WhoMayOnlyLook => {
            if let Some(permission) = permission_to_change(call) {
                return json_refusal(permission);
            }
        }
        Asks::WhoMayNotRead if call.first.contains(&format!("/{BUCKET}")) => return refusal("s3:GetObject"),
        Asks::WhoMay | Asks::WhoMayNotRead | Asks::WithoutCredentials | Asks::BesideOtherStacks => {}
    }
    let body = serde_json::from_str(call.body).unwrap_or_default();
    let found = instances::answer(call.action, &body)
        .or_else(|| triggers::answer(call, &body))
        .or_else(|| runs::answer(call, &body))
        .or_else(|| releases::answer(call))
        .or_else(|| objects::answer(call))
        .or_else(|| stacks::answer(call, asks));
    found.unwrap_or_else(|| panic!("nothing is made up for {} {}", call.first, call.body))
}

/// What it takes to start or make something.
fn permission_to_change(call: &StubCall<'_>) -> Option<&'static str> {
    Some(match call.action {
        "StartExecution" => "states:StartExecution",
        "PutRule" => "events:PutRule",
        action if action.starts_with("POST /schedules/") => "scheduler:CreateSchedule",
        _ => return None,
    })
}

fn not_authorized(permission: &str) -> String {
    format!(
        "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: {permission} because no identity-based policy allows the {permission} action"
    )
}

/// What a service with XML answers whoever may not ask.
fn refusal(permission: &str) -> (u16, String) {
    let error = format!("<Error><Code>AccessDenied</Code><Message>{}</Message></Error>", not_authorized(permission));
    // S3's has nothing around it.
    let all = if permission.starts_with("s3:") { error } else { format!("<ErrorResponse>{error}</ErrorResponse>") };
    (403, all)
}

/// What one with JSON does.
fn json_refusal(permission: &str) -> (u16, String) {
    missing("AccessDeniedException", &not_authorized(permission))
}

/// A JSON answer.
fn of(value: &Value) -> (u16, String) {
    (200, value.to_string())
}

fn missing(kind: &str, message: &str) -> (u16, String) {
    (400, json!({"__type": kind, "message": message}).to_string())
}

/// The bodies of the calls of an action that came before.
fn before<'a>(call: &'a StubCall<'_>, action: &'a str) -> impl Iterator<Item = Value> + 'a {
    let bodies = call.before.iter().filter_map(move |asked| asked.strip_prefix(action)?.strip_prefix(' '));
    bodies.map(|body| serde_json::from_str(body).unwrap_or_default())
}
