//! The event that started an execution: what identifies it, and which facts a notebook may ask for.
//!
//! Shapes: "Amazon S3 event notifications with EventBridge" and "EventBridge scheduled events" in the AWS documentation.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::Value;

use crate::ids::hex_hash;

/// The `source` of Reveille's own event, which may start another run.
pub const SOURCE: &str = "reveille";

/// The `source` of the event that our schedules make, because EventBridge Scheduler sends none.
const SCHEDULER: &str = "aws.scheduler";

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

    /// The zone of a schedule of EventBridge Scheduler: its name in the IANA database. Those who make our schedules put it there;
    /// one that was made before has none.
    #[must_use]
    pub fn time_zone(self) -> Option<&'a str> {
        self.text("/detail/timeZone").filter(|_| self.text("/source") == Some(SCHEDULER))
    }

    /// The event's own time on the clock of its zone: of UTC, if it names none. `None`: it has no time, or this version does not know the zone.
    #[must_use]
    pub fn local_time(self) -> Option<DateTime<Tz>> {
        let zone = self.time_zone().map_or(Some(Tz::UTC), |name| name.parse().ok())?;
        Some(self.time()?.with_timezone(&zone))
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

    /// Whether its object is no file but a folder: nothing, under a key that ends with a slash, as the S3 console makes of "Create folder",
    /// or with what Hadoop's and EMR's clients put there (AWS re:Post, "How do I prevent a Hadoop or Spark job from creating `_$folder$` files").
    #[must_use]
    pub fn is_folder(self) -> bool {
        self.text("/source") == Some(S3)
            && self.key().is_some_and(is_folder_key)
            // Where an event has no size (a deletion), the key alone tells.
            && self.size().unwrap_or_default() == 0
    }

    /// Whether it is no event of EventBridge but a notification as S3 sends it by itself, with `Records`: its fields have other names, and
    /// it may be about several objects.
    #[must_use]
    pub fn is_notification(self) -> bool {
        self.0.pointer("/Records").is_some_and(Value::is_array) && self.text("/source").is_none()
    }

    /// What makes two deliveries the same event: bucket, key and sequencer of an S3 event; rule and time of a
    /// schedule; run, attempt and status of an event of our own, which is published again under another id when a step is
    /// tried again. Otherwise its source and id; of S3's events only writes and deletions have a sequencer. `None` when it
    /// has none of these, so nothing can be recognised.
    ///
    /// An event of an EventBridge replay has another identity than the original: one for each replay, however often it is delivered.
    #[must_use]
    pub fn identity(self) -> Option<String> {
        let source = self.text("/source")?;
        let own = match source {
            S3 => self.write().map(|[bucket, key, sequencer]| hex_hash(&[source, bucket, key, sequencer])),
            "aws.events" | SCHEDULER => {
                let firing = self.text("/resources/0").zip(self.text("/time"));
                firing.map(|(rule, time)| hex_hash(&[source, rule, time]))
            }
            SOURCE => self.ended_attempt().map(|[run, attempt, status]| hex_hash(&[source, &run, &attempt, &status])),
            _ => None,
        };
        let original = own.or_else(|| Some(hex_hash(&[source, self.text("/id")?])))?;
        Some(match self.text(REPLAY_NAME) {
            Some(replay) => hex_hash(&[&original, replay]),
            None => original,
        })
    }

    /// The run, the attempt and the status of an event of our own.
    fn ended_attempt(self) -> Option<[String; 3]> {
        let attempt = self.0.pointer("/detail/attempt")?.as_u64()?;
        Some([self.text("/detail/run")?.to_owned(), attempt.to_string(), self.text("/detail/status")?.to_owned()])
    }

    /// The bucket, the key and the sequencer: what names one write of one object, however often and under whatever id it is told.
    fn write(self) -> Option<[&'a str; 3]> {
        Some([self.bucket()?, self.key()?, self.text("/detail/object/sequencer")?])
    }
}

const S3: &str = "aws.s3";

/// The field that EventBridge adds to events of a replay: the replay's name
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-archive.html>, the managed rule's pattern).
const REPLAY_NAME: &str = "/replay-name";

/// Whether an object of this key, if it is empty, stands for a folder: the S3 console's, or Hadoop's and EMR's.
#[must_use]
pub fn is_folder_key(key: &str) -> bool {
    key.ends_with('/') || key.ends_with("_$folder$")
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

    /// docs/input.md: "An event that EventBridge replays from an archive is another event in each replay"
    #[test]
    fn an_event_of_a_replay_is_another_event_in_each_replay() {
        let s3 = json!({"bucket": {"name": "b"}, "object": {"key": "k", "sequencer": "a"}});
        for (source, detail) in [("aws.s3", s3), ("my.application", json!({}))] {
            let event = |replay: Option<&str>| {
                let mut event = json!({"id": "1", "source": source, "time": "2026-11-23T16:00:00Z", "detail": detail});
                if let Some(replay) = replay {
                    event["replay-name"] = json!(replay);
                }
                Event::new(&event).identity().unwrap()
            };
            assert_eq!(event(Some("monday")), event(Some("monday")), "delivered twice: {source}");
            assert_ne!(event(Some("monday")), event(None), "{source}");
            assert_ne!(event(Some("monday")), event(Some("tuesday")), "{source}");
        }
    }

    #[test]
    fn a_schedule_is_identified_by_rule_and_time() {
        let event = |time: &str| json!({"id": "x", "source": "aws.events", "time": time, "resources": ["arn:rule"], "detail": {}});
        let one = event("2026-11-23T16:00:00Z");
        let two = event("2026-11-24T16:00:00Z");
        assert_ne!(Event::new(&one).identity(), Event::new(&two).identity());
    }

    /// A step that is tried again publishes again: EventBridge gives the second one another id.
    #[test]
    fn our_own_event_is_the_same_however_often_it_is_published() {
        let event = |id: &str, attempt: u32, status: &str| {
            json!({"id": id, "source": "reveille", "time": "2026-11-23T16:00:00Z", "detail-type": "Notebook Run Status Change",
                "detail": {"run": "daily-0b1f6f3c55", "attempt": attempt, "status": status}})
        };
        let identity = |value: &Value| Event::new(value).identity().unwrap();
        assert_eq!(identity(&event("1", 1, "SUCCEEDED")), identity(&event("2", 1, "SUCCEEDED")));
        assert_ne!(
            identity(&event("1", 1, "SUCCEEDED")),
            identity(&event("1", 2, "SUCCEEDED")),
            "a redrive ran it again"
        );
        assert_ne!(identity(&event("1", 1, "SUCCEEDED")), identity(&event("1", 1, "FAILED")));
        let mut odd = event("1", 1, "SUCCEEDED");
        odd["detail"] = json!({"run": 7});
        let mut other = odd.clone();
        other["id"] = json!("2");
        assert_ne!(identity(&odd), identity(&other), "by source and id");
    }

    /// S3 gives a sequencer to writes and deletions only.
    #[test]
    fn an_event_without_what_names_it_is_known_by_source_and_id() {
        let restored: Value = serde_json::from_str(RESTORED).unwrap();
        let identity = |value: &Value| Event::new(value).identity();
        assert!(identity(&restored).is_some());
        assert_eq!(identity(&restored), identity(&restored.clone()));
        let mut other = restored.clone();
        other["id"] = json!("27793124-05d4-b198-2fde-7ededc63b103");
        assert_ne!(identity(&restored), identity(&other));
        for source in ["aws.s3", "aws.events", "aws.scheduler", "aws.sagemaker", "my.application"] {
            let event = |id: &str| json!({"id": id, "source": source, "detail": {}});
            assert!(identity(&event("1")).is_some(), "{source}");
            assert_eq!(identity(&event("1")), identity(&event("1")), "{source}");
            assert_ne!(identity(&event("1")), identity(&event("2")), "{source}");
            for missing in ["resources", "time"] {
                let mut firing =
                    json!({"id": "1", "source": source, "time": "2026-11-23T16:00:00Z", "resources": ["r"]});
                firing.as_object_mut().unwrap().remove(missing);
                assert!(identity(&firing).is_some(), "{source} without {missing}");
            }
        }
    }

    /// As EventBridge delivers it.
    const RESTORED: &str = r#"{"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Restore Completed", "source": "aws.s3", "account": "123456789012",
        "time": "2026-11-25T19:18:10Z", "region": "us-east-1", "resources": ["arn:aws:s3:::b"],
        "detail": {"version": "0", "bucket": {"name": "b"}, "object": {"key": "k.csv", "size": 5,
        "etag": "b1946ac92492d2347c6235b4d2611184"}, "request-id": "N4N7GDK58NMKJ12R", "requester": "s3.amazonaws.com",
        "source-storage-class": "GLACIER"}}"#;

    /// docs/input.md: "An empty object under any other key is a file."
    #[test]
    fn a_folder_is_no_file() {
        let of = |key: &str, size: Value| {
            let event =
                json!({"source": "aws.s3", "detail": {"bucket": {"name": "b"}, "object": {"key": key, "size": size}}});
            Event::new(&event).is_folder()
        };
        assert!(of("incoming/new folder/", json!(0)) && of("/", json!(0)) && of("a/b/", Value::Null));
        assert!(of("incoming/day=1_$folder$", json!(0)) && of("incoming_$folder$", Value::Null), "Hadoop's");
        assert!(!of("incoming/_SUCCESS", json!(0)), "a marker of a job that is done is a file");
        assert!(!of("incoming/a_$folder$", json!(1)) && !of("incoming/a_$folder$.csv", json!(0)));
        assert!(!of("incoming/data/", json!(1)), "an object with content, whatever its name");
        assert!(!Event::new(&json!({"source": "my.app", "detail": {"object": {"key": "a/", "size": 0}}})).is_folder());
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
