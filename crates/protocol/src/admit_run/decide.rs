//! AdmitRun's decisions: which trigger this is, whether it was handled, and what the run's request is.

use chrono::{DateTime, Utc};
use serde_json::Value;

use reveille_domain::age::{EVENT_SKEW, age, is_ahead, seconds};
use reveille_domain::error::Failure;
use reveille_domain::event::Event;
use reveille_domain::ids::hex_hash;
use reveille_domain::input::{self, Input};
use reveille_domain::limits::{DEDUPE_WINDOW, MAX_REQUEST_BYTES};
use reveille_domain::placeholders::{self, PlaceholderFacts};
use reveille_domain::records::{Execution, Request, RunRef, TriggerRecord};

/// The key of the record that answers this event, if an event started the execution and it can be recognised.
/// One object under two rules is two triggers: everything else of the input is part of the key. An input that is refused
/// has one too: the event has one outcome, however often it is delivered.
#[must_use]
pub fn trigger_key(raw: &Value) -> Option<String> {
    if raw.get("rerun") == Some(&Value::Bool(true)) {
        return None;
    }
    let identity = event(raw)?.identity()?;
    let mut rest = input::without_nulls(raw);
    rest.as_object_mut()?.remove("event");
    let mut canonical = String::new();
    write_canonical(&rest, &mut canonical);
    Some(hex_hash(&[&identity, &canonical]))
}

/// Why nothing is to be run for the object of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSelected {
    /// The input's `keys` do not take its key.
    OtherKey,
    /// It is a "folder" of the S3 console or of Hadoop, and holds nothing.
    Folder,
}

/// The key of the event's object, if nothing is to be run for it, and why.
#[must_use]
pub fn not_selected(input: &Input) -> Option<(NotSelected, &str)> {
    let event = Event::new(input.event.as_ref()?);
    let key = event.key()?;
    if event.is_folder() {
        return Some((NotSelected::Folder, key));
    }
    input.keys.as_ref().filter(|keys| !keys.take(key)).map(|_| (NotSelected::OtherKey, key))
}

/// The event of an input, valid or not.
#[must_use]
pub fn event(raw: &Value) -> Option<Event<'_>> {
    raw.get("event").map(Event::new)
}

/// JSON with the keys of every object sorted, so that two inputs that mean the same hash the same, however they were
/// written.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort();
            out.push('{');
            for name in names {
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write_canonical(&fields[name.as_str()], out);
                out.push(',');
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Whether this start is a duplicate of the one that holds the trigger.
#[must_use]
pub fn is_duplicate(
    holder: &TriggerRecord,
    me: &Execution,
    event_time: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    if holder.execution_arn == me.arn && holder.start_time == me.start_time {
        return false;
    }
    // Nobody started in the future.
    if is_ahead(holder.start_time, now) {
        return false;
    }
    // Started later than the window after the event's own time and its first start: a person re-ran an old input, or
    // replayed a dead-letter queue. An event without a time cannot be told to be old. Of two deliveries, the one that
    // started first may come here second.
    event_time.is_none_or(|time| age(time.max(holder.start_time).min(me.start_time), me.start_time) <= DEDUPE_WINDOW)
}

/// An event of the future starts nothing: whoever made it up would answer the real one, when that comes, by its trigger.
///
/// # Errors
/// `InvalidRequest` when the event's own time is after the start of the execution.
pub fn check_event_time(event: Option<Event<'_>>, me: &Execution) -> Result<(), Failure> {
    match event.and_then(Event::time) {
        Some(time) if time - me.start_time > EVENT_SKEW => Err(input::invalid(format!(
            "event.time: {} is after the start of this execution ({}), and an event cannot start anything before it happened. Start the execution without \"event\", or with the event as EventBridge delivered it",
            seconds(time),
            seconds(me.start_time)
        ))),
        Some(_) | None => Ok(()),
    }
}

/// The request of an admitted run.
///
/// # Errors
/// `InvalidRequest` when a placeholder has no value.
pub fn request(input: Input, execution: &Execution, now: DateTime<Utc>) -> Result<Request, Failure> {
    let run = execution.run();
    let facts = PlaceholderFacts { event: input.event.as_ref().map(Event::new), run: &run, instance: &input.instance };
    let parameters = placeholders::fill(input.parameters, &facts).map_err(input::invalid)?;
    let request = Request {
        run,
        execution_arn: execution.arn.clone(),
        admitted_at: now,
        instance: input.instance,
        notebook: input.notebook,
        parameters,
        kernel: input.kernel,
        html: input.html,
        limits: input.limits,
        when_busy: input.when_busy,
        on_runner_lost: input.on_runner_lost,
    };
    check_request_size(&request)?;
    Ok(request)
}

/// What is stored is bounded, not only what came in: the runner must be able to read it.
fn check_request_size(request: &Request) -> Result<(), Failure> {
    let size = json_bytes(request);
    if size <= MAX_REQUEST_BYTES {
        return Ok(());
    }
    let sizes = request.parameters.iter().map(|(name, value)| (json_bytes(value), name));
    let (largest, name) = sizes.max().map_or((0, ""), |(bytes, name)| (bytes, name.as_str()));
    Err(input::invalid(format!(
        "parameters.{name}: with its placeholders filled it is {largest} bytes of JSON, and the whole request {size}; at most {MAX_REQUEST_BYTES} are accepted"
    )))
}

/// Bytes of a value as JSON. What cannot be written as JSON is as large as can be.
fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |json| json.len())
}

/// What the state machine carries of the run.
#[must_use]
pub fn run_ref(request: &Request, request_sha256: String, attempt: u32) -> RunRef {
    RunRef {
        id: request.run.clone(),
        attempt,
        instance: request.instance.clone(),
        admitted_at: request.admitted_at,
        limits: request.limits,
        when_busy: request.when_busy,
        on_runner_lost: request.on_runner_lost,
        request_sha256: Some(request_sha256),
    }
}

/// Whether what is now where this execution's request was recorded is that request. When it was admitted, only the record
/// says; all else follows from the execution's input, which nobody can change.
#[must_use]
pub fn is_same_request(existing: &Request, asked: &Request) -> bool {
    *existing == Request { admitted_at: existing.admitted_at, ..asked.clone() }
}

#[cfg(test)]
mod tests;
