//! The event that started an execution: what identifies it, and which facts a notebook may ask for.
//!
//! Shapes: "Amazon S3 event notifications with EventBridge" and "EventBridge scheduled events" in the AWS documentation.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::ids::hex_hash;

/// An EventBridge event, as the rule put it into the input. Hostile: every field may be missing or odd.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a>(&'a Value);

impl<'a> Event<'a> {
    /// Reads a value as an event.
    #[must_use]
    pub const fn new(event: &'a Value) -> Self {
        Self(event)
    }

    fn text(self, pointer: &str) -> Option<&'a str> {
        self.0.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// The event's own time, UTC. For a schedule the time it was due, for S3 the time of the write.
    #[must_use]
    pub fn time(self) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(self.text("/time")?).ok().map(|time| time.with_timezone(&Utc))
    }

    /// The bucket of an S3 event.
    #[must_use]
    pub fn bucket(self) -> Option<&'a str> {
        self.text("/detail/bucket/name")
    }

    /// The key of an S3 event. Not URL-encoded in EventBridge events.
    #[must_use]
    pub fn key(self) -> Option<&'a str> {
        self.text("/detail/object/key")
    }

    /// The object's entity tag.
    #[must_use]
    pub fn etag(self) -> Option<&'a str> {
        self.text("/detail/object/etag")
    }

    /// The object's size in bytes.
    #[must_use]
    pub fn size(self) -> Option<u64> {
        self.0.pointer("/detail/object/size").and_then(Value::as_u64)
    }

    /// What makes two deliveries the same event: bucket, key and sequencer of an S3 event; rule and time of a
    /// schedule; otherwise source and id. `None` when the event has none of these, so nothing can be recognised.
    #[must_use]
    pub fn identity(self) -> Option<String> {
        let source = self.text("/source")?;
        match source {
            "aws.s3" => Some(hex_hash(&[source, self.bucket()?, self.key()?, self.text("/detail/object/sequencer")?])),
            "aws.events" | "aws.scheduler" => {
                Some(hex_hash(&[source, self.text("/resources/0")?, self.text("/time")?]))
            }
            _ => Some(hex_hash(&[source, self.text("/id")?])),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_second_delivery_of_an_s3_event_is_the_same_event() {
        let event = |id: &str, sequencer: &str| {
            json!({"id": id, "source": "aws.s3", "time": "2026-11-23T16:00:00Z",
                "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": sequencer}}})
        };
        let identity = |value: &Value| Event::new(value).identity().unwrap();
        assert_eq!(identity(&event("1", "a")), identity(&event("2", "a")));
        assert_ne!(identity(&event("1", "a")), identity(&event("1", "b")));
    }

    #[test]
    fn a_schedule_is_identified_by_rule_and_time() {
        let event = |time: &str| json!({"id": "x", "source": "aws.events", "time": time, "resources": ["arn:rule"], "detail": {}});
        let one = event("2026-11-23T16:00:00Z");
        let two = event("2026-11-24T16:00:00Z");
        assert_ne!(Event::new(&one).identity(), Event::new(&two).identity());
    }

    #[test]
    fn odd_events_have_no_identity_and_no_facts() {
        for odd in [json!(null), json!(1), json!({}), json!({"source": "aws.s3"}), json!({"source": 3, "time": "soon"})]
        {
            let event = Event::new(&odd);
            assert_eq!(event.identity(), None);
            assert_eq!((event.time(), event.bucket(), event.size()), (None, None, None));
        }
    }
}
