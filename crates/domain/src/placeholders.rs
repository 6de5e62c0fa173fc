//! `{{ name }}` in string parameters: the trigger's facts, put in before anything is recorded.

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use crate::event::Event;
use crate::ids::{InstanceName, RunId};
use crate::limits::MAX_REQUEST_BYTES;

/// Every placeholder there is.
pub const NAMES: [&str; 8] = ["bucket", "key", "etag", "size", "time", "date", "run", "instance"];

/// Where placeholders take their values from.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The event, if one started the execution.
    pub event: Option<Event<'a>>,
    /// The run.
    pub run: &'a RunId,
    /// The instance.
    pub instance: &'a InstanceName,
}

impl Facts<'_> {
    fn value(&self, name: &str) -> Option<String> {
        let event = self.event.as_ref();
        match name {
            "bucket" => event?.bucket().map(str::to_owned),
            "key" => event?.key().map(str::to_owned),
            "etag" => event?.etag().map(str::to_owned),
            "size" => event?.size().map(|size| size.to_string()),
            "time" => Some(event?.time()?.to_rfc3339_opts(SecondsFormat::Secs, true)),
            "date" => Some(event?.time()?.format("%Y-%m-%d").to_string()),
            "run" => Some(self.run.to_string()),
            "instance" => Some(self.instance.to_string()),
            _ => None,
        }
    }
}

/// Replaces every placeholder in every string of the parameters, at any depth. Keys of objects are left as they are.
///
/// # Errors
/// A sentence that names the parameter and the placeholder that has no value here, or does not exist.
pub fn fill(parameters: Map<String, Value>, facts: &Facts<'_>) -> Result<Map<String, Value>, String> {
    // Bounded while it grows: a thousand times a long key would fill a function's memory before anybody looks at the size.
    let mut room = MAX_REQUEST_BYTES;
    parameters
        .into_iter()
        .map(|(name, value)| {
            let value =
                fill_value(value, facts, &mut room).map_err(|problem| format!("parameters.{name}: {problem}"))?;
            Ok((name, value))
        })
        .collect()
}

fn fill_value(value: Value, facts: &Facts<'_>, room: &mut usize) -> Result<Value, String> {
    match value {
        Value::String(text) => fill_text(&text, facts, room).map(Value::String),
        Value::Array(items) => items.into_iter().map(|item| fill_value(item, facts, room)).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| Ok((name, fill_value(field, facts, room)?)))
            .collect::<Result<Map<_, _>, _>>()
            .map(Value::Object),
        other => Ok(other),
    }
}

fn too_large(name: &str) -> String {
    format!(
        "its placeholders, {{{{ {name} }}}} among them, make the parameters larger than the {MAX_REQUEST_BYTES} bytes that are accepted; use them less often"
    )
}

/// One pass, so that a value which itself looks like a placeholder (a hostile S3 key) is never filled again.
fn fill_text(text: &str, facts: &Facts<'_>, room: &mut usize) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("{{") {
        let Some(length) = rest[start..].find("}}") else { break };
        let name = rest[start + 2..start + length].trim();
        let value = facts.value(name).ok_or_else(|| no_value(name, facts))?;
        *room = room.checked_sub(value.len()).ok_or_else(|| too_large(name))?;
        filled.push_str(&rest[..start]);
        filled.push_str(&value);
        rest = &rest[start + length + 2..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn no_value(name: &str, facts: &Facts<'_>) -> String {
    let shown: String = name.chars().take(40).collect();
    if !NAMES.contains(&name) {
        return format!("there is no placeholder {{{{ {shown} }}}}; there are {}", NAMES.join(", "));
    }
    if facts.event.is_none() {
        return format!("{{{{ {shown} }}}} has no value: no event started this execution; write the value itself");
    }
    format!("{{{{ {shown} }}}} has no value: the event that started this execution does not carry it")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn with<T>(event: Option<&Value>, test: impl FnOnce(&Facts<'_>) -> T) -> T {
        let run = RunId::of("r", "arn", DateTime::UNIX_EPOCH);
        let instance = InstanceName::parse("nightly").unwrap();
        test(&Facts { event: event.map(Event::new), run: &run, instance: &instance })
    }

    fn s3(key: &str) -> Value {
        json!({"source": "aws.s3", "time": "2026-11-23T16:05:06Z",
            "detail": {"bucket": {"name": "in"}, "object": {"key": key, "size": 7, "etag": "e", "sequencer": "1"}}})
    }

    #[test]
    fn facts_are_put_in_at_any_depth() {
        let parameters = json!({"source": "s3://{{ bucket }}/{{key}}", "n": 1, "deep": [{"day": "{{ date }}"}],
            "t": "{{ time }} {{ size }} {{ etag }} {{ instance }}"});
        let filled = with(Some(&s3("a b.csv")), |facts| fill(parameters.as_object().unwrap().clone(), facts)).unwrap();
        assert_eq!(
            Value::Object(filled),
            json!({"source": "s3://in/a b.csv", "n": 1, "deep": [{"day": "2026-11-23"}],
                "t": "2026-11-23T16:05:06Z 7 e nightly"})
        );
    }

    #[test]
    fn a_key_that_looks_like_a_placeholder_stays_text() {
        let filled = with(Some(&s3("{{ run }}")), |facts| fill_text("{{ key }}", facts, &mut 1_000)).unwrap();
        assert_eq!(filled, "{{ run }}");
    }

    #[test]
    fn a_placeholder_without_a_value_is_refused_by_name() {
        let no_event = with(None, |facts| fill(json!({"day": "{{ date }}"}).as_object().unwrap().clone(), facts));
        assert_eq!(
            no_event.unwrap_err(),
            "parameters.day: {{ date }} has no value: no event started this execution; write the value itself"
        );
        let schedule = json!({"source": "aws.events", "time": "2026-11-23T16:05:06Z", "resources": ["r"]});
        let no_key = with(Some(&schedule), |facts| fill_text("{{ key }}", facts, &mut 1_000)).unwrap_err();
        assert!(no_key.contains("does not carry it"), "{no_key}");
        let unknown = with(None, |facts| fill_text("{{ kye }}", facts, &mut 1_000)).unwrap_err();
        assert!(unknown.contains("no placeholder {{ kye }}"), "{unknown}");
    }

    #[test]
    fn braces_that_open_no_placeholder_stay() {
        with(None, |facts| {
            assert_eq!(fill_text("a {{ b", facts, &mut 1_000).unwrap(), "a {{ b");
            assert_eq!(fill_text("{ } }}", facts, &mut 1_000).unwrap(), "{ } }}");
        });
    }
}
