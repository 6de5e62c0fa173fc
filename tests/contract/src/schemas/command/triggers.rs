//! Triggers, and the events that they could not deliver.

use serde_json::{Value, json};

use super::super::time;
use super::{all, arn, count, flag, notebook, on_instance, one_of, or_null, text};

pub(super) fn schedule() -> Value {
    all(
        &[
            ("name", text("Its name.")),
            ("enabled", flag("Whether it is on; false: it is paused.")),
            ("notebook", or_null(notebook())),
            ("instance", or_null(on_instance())),
            ("expression", text("When it starts a run, as EventBridge Scheduler has it.")),
            ("zone", text("The IANA time zone of the expression.")),
            ("startAt", or_null(time("It starts no run before this time."))),
            ("endAt", or_null(time("It starts no run after this time."))),
            ("next", json!({"type": "array", "items": time("A time."), "description": "The next times."})),
            ("problem", or_null(text("What is wrong with it."))),
        ],
        "A schedule.",
    )
}

pub(super) fn rule() -> Vec<(&'static str, Value)> {
    vec![
        ("name", text("Its name.")),
        ("enabled", flag("Whether it is on; false: it is paused.")),
        ("madeByCommand", flag("Whether the command made it, and not a template.")),
        ("notebook", or_null(notebook())),
        ("instance", or_null(on_instance())),
        ("problem", or_null(text("What is wrong with it."))),
    ]
}

pub(super) fn tested() -> Value {
    let parameters = json!({"type": "object", "description": "The notebook's parameters, placeholders filled in."});
    all(
        &[
            ("name", text("The rule's name.")),
            ("starts", flag("Whether it would start a run.")),
            ("why", or_null(text("Why it would not."))),
            ("notebook", or_null(notebook())),
            ("instance", or_null(on_instance())),
            ("parameters", or_null(parameters)),
        ],
        "A rule.",
    )
}

pub(super) fn message() -> Value {
    let trigger = all(
        &[
            ("kind", one_of(&["rule", "schedule", "unknown"], "What it is.")),
            ("name", text("Its name.")),
            ("arn", or_null(text("Its ARN."))),
        ],
        "The trigger that could not deliver it.",
    );
    let body = json!({"description": "What could not be delivered, without parameters; null if it was cut."});
    all(
        &[
            ("message", text("The message's id.")),
            ("since", or_null(time("When it came into the queue."))),
            ("trigger", trigger),
            ("about", or_null(text("The file, the run or the time that it is about."))),
            ("code", or_null(text("EventBridge's error code."))),
            ("reason", or_null(text("EventBridge's sentence."))),
            ("retries", or_null(count("How often EventBridge tried."))),
            ("body", body),
        ],
        "An event that was not delivered.",
    )
}

pub(super) fn replayed() -> Value {
    all(
        &[
            ("message", text("The message's id.")),
            ("run", or_null(text("The id of the run that it started."))),
            ("executionArn", or_null(arn())),
            ("problem", or_null(text("What went wrong."))),
        ],
        "A message.",
    )
}
