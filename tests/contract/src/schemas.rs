//! The JSON Schemas of what others write and read: the input, the outcome, the event, and what the command writes.
//!
//! Names, values and bounds come from the domain's types and constants. What a type cannot say (a pattern, a sentence for a
//! reader) is here, and `tests/schemas.rs` holds it to what the product takes.

use reveille_domain::error::{Code, Evidence, FailedCell, Failure, MAX_MESSAGE_CHARS};
use reveille_domain::ids::MAX_INSTANCE_NAME;
use reveille_domain::input::{Html, LANGUAGES, Limits, OnRunnerLost, WhenBusy};
use reveille_domain::limits::{
    Bounds, MAX_FILE_NAME_BYTES, MAX_KERNEL_CHARS, MAX_NOTEBOOK_BYTES, MAX_PARAMETER_NAME, MAX_PARAMETERS,
    QUEUE_SECONDS, RUN_SECONDS, START_SECONDS, STOP_SECONDS,
};
use reveille_domain::records::{Outcome, Phase, Phases, Rest, RunStatus};
use reveille_domain::run_event::{DETAIL_TYPE, EventStatus, RunEvent, SOURCE};
use serde_json::{Map, Value, json};

use crate::names::names;
use crate::python;

pub mod command;
mod languages;

/// Where the schemas are published.
pub const FOLDER: &str = "docs/schemas";

/// Each schema: its file's name, and the schema.
#[must_use]
pub fn all() -> [(&'static str, Value); 4] {
    [
        ("input.json", input()),
        ("outcome.json", outcome()),
        ("event.json", event()),
        ("command.json", command::command()),
    ]
}

/// A schema as its file has it: sorted, so that it is the same whatever map the JSON library was built with.
#[must_use]
pub fn text(mut schema: Value) -> String {
    schema.sort_all_objects();
    format!("{schema:#}\n")
}

/// What a Python script says that has jsonschema's validator, which we did not write.
#[must_use]
pub fn validated(script: &str, input: &Value) -> Value {
    // No format is checked, and loading the grammar of one takes ten times as long as all the rest.
    python(&format!("import json, re, sys\nsys.modules['rfc3987_syntax'] = None\n{script}"), input)
}

/// The schema without its room for later fields: what this version writes is all there.
#[must_use]
pub fn closed(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => {
            let mut closed: Map<String, Value> =
                fields.iter().map(|(name, value)| (name.clone(), closed(value))).collect();
            if fields.get("properties").is_some_and(Value::is_object) && fields.contains_key("type") {
                closed.insert("additionalProperties".to_owned(), false.into());
            }
            Value::Object(closed)
        }
        Value::Array(items) => items.iter().map(closed).collect(),
        scalar => scalar.clone(),
    }
}

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The input of an execution (docs/input.md).
#[must_use]
pub fn input() -> Value {
    let mut conditions = vec![json!({
        "description": "Keys are of the object of an event.",
        "if": {"properties": {"keys": {"type": "object"}}, "required": ["keys"]},
        "then": {"required": ["event"], "properties": {"event": object_event()}}
    })];
    conditions.extend(LANGUAGES.iter().map(languages::of_language));
    json!({
        "$schema": DIALECT,
        "title": "Input of a Reveille execution",
        "description": "What docs/input.md describes. A schema cannot say everything: the whole input is also bounded in bytes and depth, \
            lengths count bytes, seconds are written without a point, and a whole number in a parameter is within 2^53.",
        "type": "object",
        "additionalProperties": false,
        "required": ["instance", "notebook"],
        "properties": {
            "instance": instance("The notebook instance to run on."),
            "notebook": notebook(),
            "parameters": or_null(&parameters()),
            "event": {"description": "The whole EventBridge event, put there by a rule."},
            "keys": or_null(&json!({
                "description": "Which keys of objects are taken.",
                "type": "object",
                "additionalProperties": false,
                "properties": {
                    "prefix": {"type": ["string", "null"], "description": "What the key begins with."},
                    "suffix": {"type": ["string", "null"], "description": "What the key ends with."}
                }
            })),
            "limits": or_null(&limits()),
            "whenBusy": one_of::<WhenBusy>("What happens when other runs hold the instance.", "queue"),
            "kernel": {
                "description": "The kernel, instead of the one that the notebook names.",
                "type": ["string", "null"],
                "pattern": "^\\.*[A-Za-z0-9_][A-Za-z0-9._-]*$",
                "maxLength": MAX_KERNEL_CHARS
            },
            "html": one_of::<Html>("Whether everything that the notebook shows is in output.html, scripts too, or nothing runs in it.", "full"),
            "onRunnerLost": one_of::<OnRunnerLost>("What happens when the runner is lost after it took the run.", "fail"),
            "rerun": {"type": ["boolean", "null"], "default": false, "description": "Run although the event was handled already."}
        },
        "allOf": conditions
    })
}

/// `outcome.json` (docs/output.md).
#[must_use]
pub fn outcome() -> Value {
    let mut properties = Map::new();
    for name in names::<Outcome>() {
        properties.insert(name.to_owned(), outcome_field(name));
    }
    json!({
        "$schema": DIALECT,
        "title": "Outcome of a Reveille run",
        "description": "outcome.json, and the output of a succeeded execution, as docs/output.md describes it. A field without a value is left \
            out. Later versions may add fields.",
        "type": "object",
        "required": ["run", "attempt", "status", "outputs", "phases", "instanceAfter", "executionArn", "redriveCount", "concludedAt"],
        "properties": properties
    })
}

/// The event, as a target receives it (docs/output.md).
#[must_use]
pub fn event() -> Value {
    let fields = names::<RunEvent>();
    let mut properties = Map::new();
    for name in &fields {
        properties.insert((*name).to_owned(), event_field(name));
    }
    json!({
        "$schema": DIALECT,
        "title": "Event of a Reveille run",
        "description": "What EventBridge delivers for each outcome, and for a run's progress if the stack has PublishProgress, as docs/output.md describes it. \
            In the detail a field without a value is null. Later versions may add fields.",
        "type": "object",
        "required": ["source", "detail-type", "detail"],
        "properties": {
            "source": {"const": SOURCE},
            "detail-type": {"const": DETAIL_TYPE},
            "detail": {"type": "object", "required": fields, "properties": properties}
        }
    })
}

fn outcome_field(name: &str) -> Value {
    match name {
        "code" => codes("The failure's code: a page of docs/errors has its name."),
        "failure" => failure(),
        "phases" => object::<Phases>("The phases that took place.", &[], |_| phase()),
        "redriveCount" => whole("The redrive under which the outcome was written.", 0),
        "admittedAt" => time("When the run was admitted."),
        "concludedAt" => time("When the run was concluded."),
        "sourceSha256" => {
            json!({"type": "string", "maxLength": 64, "description": "SHA-256 of the notebook that ran."})
        }
        "runnerVersion" => {
            json!({"type": "string", "maxLength": 32, "description": "The version of the runner that executed the notebook."})
        }
        shared => shared_field(shared),
    }
}

fn event_field(name: &str) -> Value {
    match name {
        "code" => or_null(&outcome_field("code")),
        "message" => or_null(&failure_field("message")),
        "evidence" => or_null(&evidence()),
        "status" => {
            json!({"enum": names::<EventStatus>(), "description": "How far the run is (QUEUED, RUNNING), or how it ended."})
        }
        "outcome" => or_null(
            &json!({"type": "string", "pattern": "^s3://", "description": "Where outcome.json is, if the run ended."}),
        ),
        "card" => json!({
            "description": "The same for a person: line01 and on, each without a quotation mark and a backslash.",
            "type": "object",
            "additionalProperties": {"type": "string"}
        }),
        nullable @ ("instance" | "instanceAfter" | "notebook" | "htmlError") => or_null(&shared_field(nullable)),
        shared => shared_field(shared),
    }
}

/// The fields that the outcome and the event have in common.
fn shared_field(name: &str) -> Value {
    match name {
        "run" => json!({"type": "string", "minLength": 1, "description": "The run's id."}),
        "attempt" => whole("The attempt.", 1),
        "status" => json!({"enum": names::<RunStatus>(), "description": "How the run ended."}),
        "instance" => instance("The instance, if the input named one."),
        // A record may be older than a rule of the input's.
        "notebook" => json!({"type": "string", "minLength": 1, "description": "The notebook, if the input was valid."}),
        "outputs" => json!({
            "description": "Where each output is: notebook, html and log, those that were kept.",
            "type": "object",
            "additionalProperties": {"type": "string", "pattern": "^s3://"}
        }),
        "htmlError" => {
            json!({"type": "string", "description": "Why there is no html although there is an output notebook."})
        }
        "instanceAfter" => json!({"enum": names::<Rest>(), "description": "What became of the instance."}),
        "executionArn" => json!({"type": "string", "minLength": 1, "description": "The execution."}),
        unknown => panic!("{unknown} has no schema yet: describe it here, and in docs/output.md"),
    }
}

fn failure() -> Value {
    object::<Failure>("What the execution fails with.", &["code", "message"], failure_field)
}

fn failure_field(name: &str) -> Value {
    match name {
        "code" => codes("The failure's code."),
        "message" => json!({
            "type": "string",
            "maxLength": MAX_MESSAGE_CHARS,
            "description": "What happened, to which thing, and what to do next."
        }),
        "evidence" => evidence(),
        unknown => panic!("{unknown} has no schema yet"),
    }
}

fn evidence() -> Value {
    object::<Evidence>("What is kept of the failure.", &[], |name| match name {
        "cell" => object::<FailedCell>(
            "The cell that raised.",
            &["number", "errorName", "errorValue", "tracebackTail"],
            |name| match name {
                "number" => whole("The cell's place in the source notebook; 0 is the injected parameters cell.", 0),
                "errorName" => json!({"type": "string", "description": "The exception's class."}),
                "errorValue" => json!({"type": "string", "description": "The exception's text."}),
                "tracebackTail" => lines("The last lines of the traceback."),
                unknown => panic!("{unknown} has no schema yet"),
            },
        ),
        "logTail" => lines("The last lines of the run's log."),
        unknown => panic!("{unknown} has no schema yet"),
    })
}

fn phase() -> Value {
    object::<Phase>("A phase.", &["startedAt", "endedAt", "seconds"], |name| match name {
        "startedAt" => time("When it began."),
        "endedAt" => time("When it ended."),
        "seconds" => json!({"type": "number", "minimum": 0, "description": "Seconds between, with milliseconds."}),
        unknown => panic!("{unknown} has no schema yet"),
    })
}

/// The schema of a struct: every field that it is read by.
fn object<'de, T: serde::Deserialize<'de>>(
    description: &str,
    required: &[&str],
    field: impl Fn(&str) -> Value,
) -> Value {
    let properties: Map<String, Value> = names::<T>().into_iter().map(|name| (name.to_owned(), field(name))).collect();
    json!({"description": description, "type": "object", "required": required, "properties": properties})
}

fn instance(description: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "pattern": "^[A-Za-z0-9](-*[A-Za-z0-9])*$",
        "maxLength": MAX_INSTANCE_NAME
    })
}

fn notebook() -> Value {
    let part = MAX_FILE_NAME_BYTES + 1;
    json!({
        "description": "A path below the instance's notebook folder, or s3://bucket/key.ipynb.",
        "type": "string",
        "pattern": "[^/]\\.ipynb$",
        "not": {"pattern": "^\\s|[\\u0000-\\u001f\\u007f-\\u009f]|\\{\\{"},
        "if": {"pattern": "^s3://"},
        "then": {
            "pattern": "^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/",
            "not": {"anyOf": [
                {"pattern": "^s3://[^/]*\\.\\.", "description": "Two periods in a row in the bucket."},
                {"pattern": "^s3://[0-9]+\\.[0-9]+\\.[0-9]+\\.[0-9]+/", "description": "A bucket like an IP address."},
                {"pattern": "^s3://(xn--|sthree-|amzn-s3-demo-)", "description": "Beginnings that S3 reserves."},
                {"pattern": "^s3://[^/]*(\\.mrap|--table-s3)/", "description": "Endings that S3 reserves."},
                {"pattern": "^s3://[^/]*\\.amazonaws\\.com(\\.cn)?/", "description": "The address of a host of AWS."},
                {"pattern": "/\\.\\.?/", "description": "A . or .. part of the key."},
                // Some engines count no further than 1,000 in one place.
                {"pattern": "^s3://[^/]*/[\\s\\S]{512}[\\s\\S]{513}", "description": "A key of over 1,024 characters."}
            ]}
        },
        "else": {
            "maxLength": MAX_NOTEBOOK_BYTES,
            "not": {"anyOf": [
                {"pattern": "(^|/)\\.?\\.?/", "description": "An empty, . or .. part."},
                {"pattern": "://|\\\\", "description": "A URI, or a backslash."},
                {"pattern": "^[^/]*:/|^([Ss]3|[Aa][Rr][Nn]|[Hh][Tt][Tt][Pp][Ss]?|[Ff][Ii][Ll][Ee]):", "description": "The beginning of a URI."},
                {"pattern": "^~/", "description": "A home folder."},
                {"pattern": format!("[^/]{{{part}}}"), "description": "A name that no file can have."}
            ]}
        }
    })
}

fn parameters() -> Value {
    json!({
        "description": "The notebook's parameters.",
        "type": "object",
        "maxProperties": MAX_PARAMETERS,
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": MAX_PARAMETER_NAME}
    })
}

fn limits() -> Value {
    let bounds = |name: &str| match name {
        "startSeconds" => START_SECONDS,
        "queueSeconds" => QUEUE_SECONDS,
        "runSeconds" => RUN_SECONDS,
        "stopSeconds" => STOP_SECONDS,
        unknown => panic!("{unknown} has no schema yet"),
    };
    let mut limits = object::<Limits>("Time limits, in whole seconds.", &[], |name| {
        let Bounds { min, default, max } = bounds(name);
        json!({"type": ["integer", "null"], "minimum": min, "maximum": max, "default": default})
    });
    limits["additionalProperties"] = false.into();
    limits
}

/// The event of an object: what `keys` need.
fn object_event() -> Value {
    let object =
        json!({"type": "object", "required": ["key"], "properties": {"key": {"type": "string", "minLength": 1}}});
    let detail = json!({"type": "object", "required": ["object"], "properties": {"object": object}});
    json!({"type": "object", "required": ["detail"], "properties": {"detail": detail}})
}

fn one_of<'de, T: serde::Deserialize<'de>>(description: &str, default: &str) -> Value {
    let mut values: Vec<Value> = names::<T>().into_iter().map(Value::from).collect();
    assert!(values.contains(&default.into()), "{default}");
    values.push(Value::Null);
    json!({"description": description, "enum": values, "default": default})
}

fn codes(description: &str) -> Value {
    json!({"description": description, "enum": names::<Code>()})
}

fn or_null(schema: &Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

fn whole(description: &str, minimum: u32) -> Value {
    json!({"type": "integer", "minimum": minimum, "maximum": u32::MAX, "description": description})
}

fn lines(description: &str) -> Value {
    json!({"type": "array", "items": {"type": "string"}, "description": description})
}

fn time(description: &str) -> Value {
    json!({
        "description": description,
        "type": "string",
        "format": "date-time",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]{1,9})?Z$"
    })
}
