//! `{{ name }}` in string parameters: the trigger's facts, put in before anything is recorded. With its braces doubled, as in
//! `{{{{ name }}}}`, it is the text `{{ name }}` itself.

use chrono::SecondsFormat;
use serde_json::{Map, Value};

use crate::event::Event;
use crate::ids::{InstanceName, RunId};
use crate::limits::MAX_REQUEST_BYTES;
use crate::shown;

/// Every placeholder there is.
pub const NAMES: [&str; 8] = ["bucket", "key", "etag", "size", "time", "date", "run", "instance"];

/// Where placeholders take their values from.
#[derive(Clone, Copy, Debug)]
pub struct PlaceholderFacts<'a> {
    /// The event, if one started the execution.
    pub event: Option<Event<'a>>,
    /// The run.
    pub run: &'a RunId,
    /// The instance.
    pub instance: &'a InstanceName,
}

impl PlaceholderFacts<'_> {
    fn value(&self, name: &str) -> Option<String> {
        let event = self.event.as_ref();
        match name {
            "bucket" => event?.bucket().map(str::to_owned),
            "key" => event?.key().map(str::to_owned),
            "etag" => event?.etag().map(str::to_owned),
            "size" => event?.size().map(|size| size.to_string()),
            "time" => Some(event?.local_time()?.to_rfc3339_opts(SecondsFormat::Secs, true)),
            "date" => Some(event?.local_time()?.format("%Y-%m-%d").to_string()),
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
pub fn fill(parameters: Map<String, Value>, facts: &PlaceholderFacts<'_>) -> Result<Map<String, Value>, String> {
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

fn fill_value(value: Value, facts: &PlaceholderFacts<'_>, room: &mut usize) -> Result<Value, String> {
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
        "placeholders, {{{{ {name} }}}} among them, make the parameters larger than the {MAX_REQUEST_BYTES} bytes that are accepted; use fewer of them"
    )
}

const OPEN: &str = "{{";
const CLOSE: &str = "}}";
/// No placeholder's name begins or ends with braces, so that these mean nothing else.
const LITERAL_OPEN: &str = "{{{{";
const LITERAL_CLOSE: &str = "}}}}";

/// One pass, so that a value which itself looks like a placeholder (a hostile S3 key) is never filled again.
fn fill_text(text: &str, facts: &PlaceholderFacts<'_>, room: &mut usize) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(OPEN) {
        let (before, opened) = rest.split_at(start);
        // What nothing closes is text.
        let Some(length) = opened.find(CLOSE) else { break };
        filled.push_str(before);
        if let Some(literal) = opened.strip_prefix(LITERAL_OPEN) {
            let end = literal.find(LITERAL_CLOSE).ok_or_else(half_literal)?;
            filled.push_str(OPEN);
            filled.push_str(&literal[..end]);
            filled.push_str(CLOSE);
            rest = &literal[end + LITERAL_CLOSE.len()..];
            continue;
        }
        let name = opened[OPEN.len()..length].trim();
        let value = facts.value(name).ok_or_else(|| no_value(name, facts))?;
        *room = room.checked_sub(value.len()).ok_or_else(|| too_large(name))?;
        filled.push_str(&value);
        rest = &opened[length + CLOSE.len()..];
    }
    filled.push_str(rest);
    Ok(filled)
}

/// Says nothing of what follows: it may be all of a parameter.
fn half_literal() -> String {
    "{{{{ is not closed by }}}}; write {{{{ x }}}} for the text {{ x }}, and {{ key }} for a placeholder".to_owned()
}

fn no_value(name: &str, facts: &PlaceholderFacts<'_>) -> String {
    // A mark that nobody sees came with the text: without it, the name would be one that there is.
    let shown = shown::bounded(&shown::revealed(name), shown::QUOTED_CHARS);
    if !NAMES.contains(&name) {
        return format!(
            "there is no placeholder {{{{ {shown} }}}}; there are {}. To write that text itself, double its braces: {{{{{{{{ {shown} }}}}}}}}",
            NAMES.join(", ")
        );
    }
    let Some(event) = facts.event else {
        return format!("{{{{ {shown} }}}} has no value: no event started this execution; write the value itself");
    };
    if let Some(zone) = event.time_zone().filter(|_| ["time", "date"].contains(&name) && event.time().is_some()) {
        let zone = shown::bounded(&shown::revealed(zone), shown::QUOTED_CHARS);
        return format!(
            "{{{{ {shown} }}}} has no value: this version of Reveille does not know the schedule's time zone {zone}; give the schedule another zone, or deploy a newer version"
        );
    }
    if event.is_notification() {
        return format!(
            "{{{{ {shown} }}}} has no value: the event is a notification with \"Records\", as S3 sends it by itself, and not an event of EventBridge; let the bucket send its events to EventBridge"
        );
    }
    format!("{{{{ {shown} }}}} has no value: the event that started this execution does not carry it")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;

    use super::*;

    fn with<T>(event: Option<&Value>, test: impl FnOnce(&PlaceholderFacts<'_>) -> T) -> T {
        let run = RunId::of("r", "arn", DateTime::UNIX_EPOCH);
        let instance = InstanceName::parse("nightly").unwrap();
        test(&PlaceholderFacts { event: event.map(Event::new), run: &run, instance: &instance })
    }

    fn s3(key: &str) -> Value {
        json!({"source": "aws.s3", "time": "2026-11-23T16:05:06Z",
            "detail": {"bucket": {"name": "in"}, "object": {"key": key, "size": 7, "etag": "e", "sequencer": "1"}}})
    }

    /// docs/input.md: "In every string of the parameters, at any depth, `{{ name }}` is replaced once, when the run
    /// is admitted."
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

    /// With an event that has all of them, and a run and an instance, which always are.
    #[test]
    fn every_placeholder_has_its_value() {
        with(Some(&s3("a.csv")), |facts| {
            let run = facts.run.as_str();
            let values = ["in", "a.csv", "e", "7", "2026-11-23T16:05:06Z", "2026-11-23", run, "nightly"];
            for (name, value) in NAMES.iter().zip(values) {
                let filled = fill_text(&format!("{{{{ {name} }}}}"), facts, &mut 1_000);
                assert_eq!(filled.as_deref(), Ok(value), "{name}");
            }
        });
    }

    /// docs/input.md: "Inserted values are not searched for placeholders: an object whose key is `{{ run }}` stays
    /// that text."
    #[test]
    fn a_key_that_looks_like_a_placeholder_stays_text() {
        let filled = with(Some(&s3("{{ run }}")), |facts| fill_text("{{ key }}", facts, &mut 1_000)).unwrap();
        assert_eq!(filled, "{{ run }}");
    }

    /// docs/input.md: "A placeholder that does not exist, or has no value here, is an
    /// [InvalidRequest](errors/InvalidRequest.md) that names it. It never becomes an empty string."
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
        let records = json!({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "a+b.csv"}}}]});
        let other = with(Some(&records), |facts| fill_text("{{ key }}", facts, &mut 1_000)).unwrap_err();
        assert!(other.contains("a notification with \"Records\"") && !other.contains("a+b.csv"), "{other}");
        let unknown = with(None, |facts| fill_text("{{ kye }}", facts, &mut 1_000)).unwrap_err();
        assert!(unknown.contains("no placeholder {{ kye }}"), "{unknown}");
    }

    /// docs/input.md: "For a schedule, `{{ time }}` and `{{ date }}` are in the schedule's time zone"
    #[test]
    fn a_schedules_time_and_day_are_those_of_its_zone() {
        let at = |zone: Value, time: &str| {
            let event =
                json!({"source": "aws.scheduler", "time": time, "resources": ["s"], "detail": {"timeZone": zone}});
            with(Some(&event), |facts| fill_text("{{ date }} {{ time }}", facts, &mut 1_000))
        };
        for (zone, time, filled) in [
            (json!("Asia/Tokyo"), "2026-11-23T21:30:00Z", "2026-11-24 2026-11-24T06:30:00+09:00"),
            (json!("America/Los_Angeles"), "2026-11-24T07:00:00Z", "2026-11-23 2026-11-23T23:00:00-08:00"),
            // The two times that a clock shows 02:30 on when summer ends.
            (json!("Europe/Berlin"), "2026-10-25T00:30:00Z", "2026-10-25 2026-10-25T02:30:00+02:00"),
            (json!("Europe/Berlin"), "2026-10-25T01:30:00Z", "2026-10-25 2026-10-25T02:30:00+01:00"),
            (json!("UTC"), "2026-11-23T21:30:00Z", "2026-11-23 2026-11-23T21:30:00Z"),
            // As schedules were made before.
            (Value::Null, "2026-11-23T21:30:00Z", "2026-11-23 2026-11-23T21:30:00Z"),
            (json!(9), "2026-11-23T21:30:00Z", "2026-11-23 2026-11-23T21:30:00Z"),
        ] {
            assert_eq!(at(zone, time).as_deref(), Ok(filled));
        }
        let unknown = at(json!("Mars/Olympus\u{202e}"), "2026-11-23T21:30:00Z").unwrap_err();
        assert!(
            unknown.starts_with("{{ date }} has no value: this version")
                && unknown.contains("zone Mars/Olympus\\u{202e};"),
            "{unknown}"
        );
        let timeless = at(json!("Mars/Olympus"), "soon").unwrap_err();
        assert!(timeless.contains("does not carry it"), "{timeless}");
        // Nobody else's event decides by it.
        let mut s3 = s3("k");
        s3["detail"]["timeZone"] = json!("Asia/Tokyo");
        let filled = with(Some(&s3), |facts| fill_text("{{ time }}", facts, &mut 1_000));
        assert_eq!(filled.as_deref(), Ok("2026-11-23T16:05:06Z"));
    }

    /// docs/input.md: "A `{{` without a `}}` after it, and a `}}` without a `{{` before it, stay as they are."
    #[test]
    fn braces_that_open_no_placeholder_stay() {
        with(None, |facts| {
            assert_eq!(fill_text("a {{ b", facts, &mut 1_000).unwrap(), "a {{ b");
            assert_eq!(fill_text("{ } }}", facts, &mut 1_000).unwrap(), "{ } }}");
        });
    }

    /// The text that becomes this one: what is between braces has them doubled.
    fn doubled(text: &str) -> String {
        match text.split_once(OPEN).and_then(|(before, rest)| Some((before, rest.split_once(CLOSE)?))) {
            Some((before, (inner, rest))) => format!("{before}{LITERAL_OPEN}{inner}{LITERAL_CLOSE}{}", doubled(rest)),
            None => text.to_owned(),
        }
    }

    /// docs/input.md: "Text between doubled braces is left alone."
    #[test]
    fn doubled_braces_are_the_text_itself() {
        with(Some(&s3("k")), |facts| {
            let filled = |text: &str| fill_text(text, facts, &mut 1_000);
            for (written, arrives) in [
                ("{{{{ x }}}}", "{{ x }}"),
                ("{{{{x}}}} and {{ key }} and {{{{ key }}}}", "{{x}} and k and {{ key }}"),
                ("{{{{}}}}", "{{}}"),
                ("{% for a in b %}{{{{ a.c | upper }}}}{% endfor %}", "{% for a in b %}{{ a.c | upper }}{% endfor %}"),
                ("{{{{ {{ key }} }}}}", "{{ {{ key }} }}"),
                // What was text stays text: nothing here opens anything that is closed.
                ("{\"a\": {\"b\": {\"c\": {\"d\": 1}}}}", "{\"a\": {\"b\": {\"c\": {\"d\": 1}}}}"),
                ("}}}} {{{{", "}}}} {{{{"),
            ] {
                assert_eq!(filled(written).unwrap(), arrives);
            }
            let half = filled("{{{{ x }} y").unwrap_err();
            assert!(half.starts_with("{{{{ is not closed by }}}}") && !half.contains(" y"), "{half}");
            let unknown = filled("{{ user.name }}").unwrap_err();
            assert!(unknown.ends_with("double its braces: {{{{ user.name }}}}"), "{unknown}");
            // What came along by a paste is seen.
            let marked = filled("{{ \u{200b}key }}").unwrap_err();
            assert!(marked.starts_with("there is no placeholder {{ \\u{200b}key }};"), "{marked}");
        });
    }

    /// Every text can be passed, whatever braces are in it, and comes out as it was.
    #[test]
    fn every_text_has_a_way_to_be_written() {
        let pieces = ["{", "}", "{{", "}}", "{{{{", "}}}}", " key ", "é"];
        with(Some(&s3("k")), |facts| {
            for number in 0..pieces.len().pow(4) {
                let text: String =
                    (0..4_u32).map(|place| pieces[number / pieces.len().pow(place) % pieces.len()]).collect();
                assert_eq!(fill_text(&doubled(&text), facts, &mut 1_000).as_deref(), Ok(text.as_str()));
            }
        });
    }
}
