//! The JSON Schemas of what the command writes with `--output json`: one for each verb.
//!
//! The command is a program, so its types cannot be asked for their names. Instead, whatever a test makes it write is held to these
//! schemas ([`faults`]): the answers of the end-to-end scenarios, and those from an AWS that a test makes up.

use reveille_domain::Code;
use serde_json::{Map, Value, json};

use super::{DIALECT, validated};
use crate::names::names;

mod runs;
mod stack;
mod triggers;

/// Verbs that have verbs of their own.
const FAMILIES: [&str; 4] = ["schedule", "on-upload", "on-run", "undelivered"];

/// The schemas of all verbs, in one document: each is at `#/$defs/<verb>`.
#[must_use]
pub fn command() -> Value {
    let verbs: Map<String, Value> = verbs().into_iter().map(|(verb, schema)| (verb.to_owned(), schema)).collect();
    json!({
        "$schema": DIALECT,
        "title": "What the reveille command writes with --output json",
        "description": "The schema of a verb is at #/$defs/VERB. Later versions may add fields, so ignore those that you do not know. \
            A field is null if it has no value, or if its value is not known.",
        "$defs": verbs,
    })
}

/// The verb that these words call; `None`: it is none that writes JSON.
#[must_use]
pub fn verb(words: &[&str]) -> Option<String> {
    let known = verbs();
    let is_known = |verb: &String| known.iter().any(|(name, _)| name == verb);
    let first = words.first()?;
    let pair = words.get(1).map(|second| format!("{first} {second}")).filter(|_| FAMILIES.contains(first));
    pair.filter(is_known).or_else(|| Some((*first).to_owned()).filter(is_known))
}

/// The verb and the answer, if these words ask for JSON and something was written. What is no JSON is a text that fits no schema.
#[must_use]
pub fn answer(words: &[&str], written: &[u8]) -> Option<(String, Value)> {
    let asks = words.windows(2).any(|pair| pair == ["--output", "json"]) && !written.is_empty();
    let verb = verb(words).filter(|_| asks)?;
    let answer = serde_json::from_slice(written)
        .unwrap_or_else(|error| format!("no JSON: {error}: {}", String::from_utf8_lossy(written)).into());
    Some((verb, answer))
}

/// The verbs that have a schema.
#[must_use]
pub fn with_schema() -> Vec<&'static str> {
    verbs().into_iter().map(|(verb, _)| verb).collect()
}

/// What is wrong with answers, each with its verb. This version writes no field that its schema lacks.
#[must_use]
pub fn faults(answers: &[(String, Value)]) -> Vec<String> {
    let script = r"
from jsonschema import Draft202012Validator
asked = json.load(sys.stdin)
faults = []
for verb, answer in asked['answers']:
    for error in Draft202012Validator(asked['schemas'][verb]).iter_errors(answer):
        faults.append(f'{verb}: {error.json_path}: {error.message}'[:600])
print(json.dumps(faults))
";
    let schemas: Map<String, Value> =
        verbs().into_iter().map(|(verb, schema)| (verb.to_owned(), super::closed(&schema))).collect();
    serde_json::from_value(validated(script, &json!({"schemas": schemas, "answers": answers}))).unwrap()
}

fn verbs() -> Vec<(&'static str, Value)> {
    let rule = |more: &[(&str, Value)]| all(&[&triggers::rule()[..], more].concat(), "A rule.");
    let upload = rule(&[
        (
            "bucket",
            or_null(text("The bucket whose objects start runs; null if the rule's pattern names none, or several.")),
        ),
        (
            "prefix",
            or_null(text(
                "What their keys begin with; null if the rule's pattern says more than a prefix and a suffix.",
            )),
        ),
        ("suffix", or_null(text("What their keys end with; null as for the prefix."))),
        (
            "wildcard",
            or_null(text(
                "What their keys match, where `*` stands for any characters; null: the prefix and the suffix say all.",
            )),
        ),
    ]);
    let link = rule(&[
        (
            "afterNotebook",
            or_null(text("The notebook whose runs the rule waits for; null if it takes several, or any.")),
        ),
        ("afterInstance", or_null(text("The instance of those runs; null if the rule takes several, or any."))),
    ]);
    vec![
        ("runs", list(runs::run(&[]), "The newest first.")),
        ("show", runs::run(&[("cost", runs::cost())])),
        ("queue", runs::queue()),
        ("rerun", runs::rerun()),
        ("instances", list(runs::instance(), "The instances of the account in this region.")),
        ("schedule add", triggers::schedule()),
        ("schedule list", list(triggers::schedule(), "The stack's schedules.")),
        ("on-upload add", upload.clone()),
        ("on-upload list", list(upload, "The stack's rules on uploads.")),
        ("on-upload test", list(triggers::tested(), "What each rule on the bucket makes of the key.")),
        ("on-run add", link.clone()),
        ("on-run list", list(link, "The stack's rules on runs.")),
        ("undelivered", list(triggers::message(), "The messages that could be seen.")),
        ("undelivered replay", list(triggers::replayed(), "What became of each message.")),
        ("doctor", list(stack::finding(), "Each check.")),
        ("explain", stack::explain()),
        ("deploy", stack::deploy()),
        ("destroy", stack::destroy()),
        ("attach", stack::attach()),
        ("detach", stack::detach()),
    ]
}

/// An object all of whose fields are always written.
fn all(fields: &[(&str, Value)], description: &str) -> Value {
    some(fields, &[], description)
}

/// An object; some of its fields are not always written.
fn some(fields: &[(&str, Value)], optional: &[(&str, Value)], description: &str) -> Value {
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().chain(optional).map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    json!({"description": description, "type": "object", "required": required, "properties": properties})
}

fn list(items: Value, description: &str) -> Value {
    let mut list = json!({"description": description, "type": "array"});
    list["items"] = items;
    list
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn flag(description: &str) -> Value {
    json!({"type": "boolean", "description": description})
}

fn number(description: &str) -> Value {
    json!({"type": "number", "minimum": 0, "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

fn or_null(schema: Value) -> Value {
    let either = vec![schema, json!({"type": "null"})];
    json!({"anyOf": either})
}

fn one_of(values: &[&str], description: &str) -> Value {
    json!({"enum": values, "description": description})
}

fn code() -> Value {
    json!({"enum": names::<Code>(), "description": "The error code; docs/errors has a page on each."})
}

fn notebook() -> Value {
    text("The notebook.")
}

fn on_instance() -> Value {
    text("The notebook instance.")
}

fn arn() -> Value {
    text("The execution's ARN.")
}
