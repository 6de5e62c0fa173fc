//! The fields of the input contract: which there are, and what their absence means.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Keys;
use crate::ids::InstanceName;
use crate::shown;

/// The fields of an input.
pub(super) const FIELDS: [&str; 11] = [
    "instance",
    "notebook",
    "parameters",
    "event",
    "keys",
    "limits",
    "whenBusy",
    "kernel",
    "html",
    "onRunnerLost",
    "rerun",
];

/// The fields that an input cannot do without, and what to give.
pub(super) const REQUIRED: [(&str, &str); 2] = [
    ("instance", "give the name of a notebook instance"),
    ("notebook", "give an s3:// URI or a path below the instance's notebook folder"),
];

/// The fields that are objects of the contract, and the fields of each.
pub(super) const NESTED: [(&str, &[&str], &str); 2] = [
    ("limits", &["startSeconds", "queueSeconds", "runSeconds", "stopSeconds"], r#"{"runSeconds": 600}"#),
    ("keys", &["prefix", "suffix"], r#"{"prefix": "daily/"}"#),
];

/// An input's fields, as far as their types.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RawInput {
    pub instance: InstanceName,
    pub notebook: String,
    #[serde(default)]
    pub parameters: Map<String, Value>,
    #[serde(default)]
    pub event: Option<Value>,
    #[serde(default)]
    pub keys: Option<Keys>,
    #[serde(default)]
    pub limits: RawLimits,
    /// Any value, because a reader takes an object of a variant for the variant, and its words name no variant.
    #[serde(default)]
    pub when_busy: Option<Value>,
    #[serde(default)]
    pub kernel: Option<String>,
    #[serde(default)]
    pub html: Option<Value>,
    #[serde(default)]
    pub on_runner_lost: Option<Value>,
    #[serde(default)]
    pub rerun: bool,
}

/// The limits as they were written, to be told in their own words.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the input contract's names carry their unit")]
pub(super) struct RawLimits {
    pub start_seconds: Option<Value>,
    pub queue_seconds: Option<Value>,
    pub run_seconds: Option<Value>,
    pub stop_seconds: Option<Value>,
}

/// Checks that there are no other fields than those of the contract, that the required ones are there, and that its objects are
/// objects: a list would be taken for their fields in order.
pub(super) fn check(input: &Value) -> Result<(), String> {
    // Unknown fields first: a required one may be missing because its name is misspelt.
    check_names("the input", input, &FIELDS)?;
    for (name, give) in REQUIRED {
        match input.get(name) {
            None => return Err(format!("the input: missing field `{name}`; {give}")),
            Some(Value::Null) => return Err(format!("{name}: it is null, and a run needs it; {give}")),
            Some(_) => {}
        }
    }
    for (name, fields, example) in NESTED {
        match input.get(name) {
            None | Some(Value::Null) => {}
            Some(object @ Value::Object(_)) => check_names(name, object, fields)?,
            Some(_) => return Err(format!("{name}: it must be an object, as in {example}")),
        }
    }
    Ok(())
}

fn check_names(place: &str, object: &Value, fields: &[&str]) -> Result<(), String> {
    let names = object.as_object().into_iter().flatten().map(|(name, _)| name);
    match names.into_iter().find(|name| !fields.contains(&name.as_str())) {
        Some(unknown) => {
            Err(format!("{place}: unknown field {}; the fields are {}", shown::quoted(unknown), fields.join(", ")))
        }
        None => Ok(()),
    }
}

/// The input with one way of saying nothing: a field of the contract that is null is left out. What is inside `parameters` and `event` is
/// the user's, and stays.
#[must_use]
pub fn without_nulls(input: &Value) -> Value {
    let Value::Object(fields) = input else { return input.clone() };
    let mut fields = fields.clone();
    for (name, _, _) in NESTED {
        if let Some(Value::Object(nested)) = fields.get_mut(name) {
            nested.retain(|_, value| !value.is_null());
        }
    }
    fields.retain(|_, value| !value.is_null());
    Value::Object(fields)
}

/// One of a few words, or the default. A value of another type is not quoted: it may be of any size, and not meant for a message.
pub(super) fn one_of<T: Copy + Default>(field: &str, value: Option<&Value>, all: &[(&str, T)]) -> Result<T, String> {
    let Some(value) = value else { return Ok(T::default()) };
    let found = all.iter().find(|(name, _)| value.as_str() == Some(*name));
    found.map(|(_, one)| *one).ok_or_else(|| {
        let names: Vec<String> = all.iter().map(|(name, _)| format!("{name:?}")).collect();
        let given = value.as_str().map_or_else(|| kind(value).to_owned(), shown::quoted);
        format!("{field}: {given} is not allowed; write one of {}", names.join(", "))
    })
}

/// What a value is, without the value.
pub(super) const fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Number(_) => "a number",
        Value::Bool(_) => "a boolean",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
        Value::Null => "null",
    }
}

/// The field that takes most of an input, and how many bytes of JSON its value has: a parameter is named by itself, because that is what
/// somebody can shorten.
pub(super) fn largest_field(input: &Value) -> Option<(String, usize)> {
    let largest = |fields: &Map<String, Value>| {
        let sizes = fields.iter().map(|(name, value)| (name.clone(), value.to_string().len()));
        sizes.max_by_key(|(_, size)| *size)
    };
    let (name, size) = largest(input.as_object()?)?;
    let parameters = input.get("parameters").and_then(Value::as_object).filter(|_| name == "parameters");
    // Of many small ones none is to blame.
    let one = parameters.and_then(largest).filter(|(_, of_one)| *of_one * 2 > size);
    Some(match one {
        Some((one, size)) => (format!("parameters.{}", shown::name(one)), size),
        None => (shown::name(name), size),
    })
}
