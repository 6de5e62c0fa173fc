use serde_json::json;

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn execution(name: &str, start: &str) -> Execution {
    Execution { arn: format!("arn:{name}"), name: name.into(), start_time: time(start), redrive_count: 0 }
}

fn holder(execution: &Execution) -> TriggerRecord {
    TriggerRecord { execution_arn: execution.arn.clone(), start_time: execution.start_time, run: execution.run() }
}

fn triggered(notebook: &str, sequencer: &str) -> Value {
    json!({"instance": "nightly", "notebook": notebook, "parameters": {"k": "{{ key }}"},
        "event": {"id": sequencer, "source": "aws.s3", "time": "2026-11-23T10:00:00Z",
            "detail": {"bucket": {"name": "in"}, "object": {"key": "k", "sequencer": sequencer}}}})
}

fn key(raw: &Value) -> Option<String> {
    trigger_key(raw)
}

#[test]
fn one_object_under_two_rules_is_two_triggers() {
    assert_eq!(key(&triggered("a.ipynb", "1")), key(&triggered("a.ipynb", "1")));
    assert_ne!(key(&triggered("a.ipynb", "1")), key(&triggered("b.ipynb", "1")));
    assert_ne!(key(&triggered("a.ipynb", "1")), key(&triggered("a.ipynb", "2")));
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let one: Value = serde_json::from_str(r#"{"a": {"x": 1, "y": [{"p": 1, "q": 2}]}, "b": 2}"#).unwrap();
    let two: Value = serde_json::from_str(r#"{"b": 2, "a": {"y": [{"q": 2, "p": 1}], "x": 1}}"#).unwrap();
    let canonical = |value: &Value| {
        let mut out = String::new();
        write_canonical(value, &mut out);
        out
    };
    assert_eq!(canonical(&one), canonical(&two));
    assert_ne!(canonical(&one), canonical(&Value::Null));
}

/// docs/input.md: "An execution with `"rerun": true`, or without an event, is never a duplicate."
#[test]
fn without_an_event_or_with_rerun_nothing_is_a_duplicate() {
    assert_eq!(key(&json!({"instance": "a", "notebook": "a.ipynb"})), None);
    let mut rerun = triggered("a.ipynb", "1");
    rerun["rerun"] = json!(true);
    assert_eq!(key(&rerun), None);
}

/// Also where prefix and suffix share characters, or one holds the other.
///
/// docs/input.md: "The two may overlap: `daily/data.csv` matches."
#[test]
fn a_key_is_taken_when_it_begins_and_ends_so() {
    for (prefix, suffix, key, taken) in [
        ("incoming/", ".csv", "incoming/a.csv", true),
        ("incoming/", ".csv", "incoming/.csv", true),
        ("incoming/", ".csv", "incoming/a.txt", false),
        ("incoming/", ".csv", "outgoing/a.csv", false),
        ("incoming/orders.csv", ".csv", "incoming/orders.csv", true),
        ("incoming/orders.csv", ".csv", "incoming/orders.csv.csv", true),
        ("incoming/orders.csv", ".csv", "incoming/orders.csv.gz", false),
        ("daily/", "/data.csv", "daily/data.csv", true),
        ("daily/", "/data.csv", "daily/1/data.csv", true),
        ("daily/", "/data.csv", "daily/mydata.csv", false),
        ("incoming/orders", "orders.csv", "incoming/orders.csv", true),
        ("a", "aa", "aa", true),
        ("aa", "a", "aa", true),
        ("aa", "aa", "a", false),
        ("", ".csv", "a.csv", true),
        ("incoming/", "", "incoming/a", true),
    ] {
        let mut raw = triggered("a.ipynb", "1");
        raw["event"]["detail"]["object"]["key"] = json!(key);
        raw["keys"] = json!({"prefix": prefix, "suffix": suffix});
        let input = input::parse(&raw).unwrap();
        let expected = (!taken).then_some((NotSelected::OtherKey, key));
        assert_eq!(not_selected(&input), expected, "{prefix} {suffix} {key}");
    }
    assert_eq!(not_selected(&input::parse(&triggered("a.ipynb", "1")).unwrap()), None, "without keys, every key");
}

/// docs/input.md: "A later execution runs: somebody may be re-running an old input, or starting an undelivered event by hand."
#[test]
fn a_start_inside_the_window_is_a_duplicate_and_a_later_one_is_a_person() {
    let event_time = Some(time("2026-11-23T10:00:00Z"));
    let now = time("2026-11-23T10:20:00Z");
    let first = execution("one", "2026-11-23T10:00:01Z");
    assert!(!is_duplicate(&holder(&first), &first, event_time, now), "its own retry is no duplicate");
    assert!(is_duplicate(&holder(&first), &execution("two", "2026-11-23T10:15:01Z"), event_time, now));
    assert!(!is_duplicate(&holder(&first), &execution("two", "2026-11-23T10:15:02Z"), event_time, now));
    let late = execution("late", "2026-11-23T10:16:00Z");
    let twice = execution("twice", "2026-11-23T10:16:05Z");
    assert!(is_duplicate(&holder(&late), &twice, event_time, now), "an event that came late, and twice");
    let again = execution("one", "2026-11-23T10:00:02Z");
    assert!(is_duplicate(&holder(&first), &again, None, now), "a name used again is another execution");
}

/// A replay comes long after the event; EventBridge delivers it at least once, as any other.
#[test]
fn an_event_of_a_replay_runs_once_for_each_replay() {
    let replayed = |replay: &str| {
        let mut raw = triggered("a.ipynb", "1");
        raw["event"]["replay-name"] = json!(replay);
        trigger_key(&raw)
    };
    assert!(replayed("monday") != trigger_key(&triggered("a.ipynb", "1")) && replayed("monday") != replayed("again"));
    assert_eq!(replayed("monday"), replayed("monday"));
    let event_time = Some(time("2026-11-23T10:00:00Z"));
    let first = execution("one", "2026-11-24T10:00:01Z");
    let second = execution("two", "2026-11-24T10:00:09Z");
    assert!(is_duplicate(&holder(&first), &second, event_time, time("2026-11-24T10:00:10Z")));
}

/// Of two deliveries, the one that started later may be the first to reach the record.
#[test]
fn a_holder_that_started_after_me_makes_a_duplicate_unless_it_started_in_the_future() {
    let event_time = Some(time("2026-11-23T10:00:00Z"));
    let (early, late) = (execution("early", "2026-11-23T10:00:01Z"), execution("late", "2026-11-23T10:09:00Z"));
    assert!(is_duplicate(&holder(&late), &early, event_time, time("2026-11-23T10:09:30Z")));
    let never = execution("never", "2099-01-01T00:00:00Z");
    assert!(!is_duplicate(&holder(&never), &early, event_time, time("2026-11-23T10:09:30Z")));
    assert!(!is_duplicate(&holder(&never), &early, None, time("2026-11-23T10:09:30Z")));
}

#[test]
fn an_event_of_the_future_is_refused() {
    let me = execution("one", "2026-11-23T10:00:00Z");
    let check = |time: &str| {
        let event = json!({"source": "aws.events", "time": time, "resources": ["arn:rule"]});
        check_event_time(Some(Event::new(&event)), &me)
    };
    for fits in ["2026-11-23T10:00:00Z", "2026-11-23T10:00:02Z", "2020-01-01T00:00:00Z", "soon", ""] {
        assert!(check(fits).is_ok(), "{fits}");
    }
    assert!(check_event_time(None, &me).is_ok());
    for ahead in ["2026-11-23T10:00:03Z", "2026-11-23T10:01:00Z", "2026-11-24T02:00:00+02:00", "9999-12-31T23:59:59Z"] {
        let failure = check(ahead).unwrap_err();
        assert_eq!(failure.code, reveille_domain::Code::InvalidRequest, "{ahead}");
        assert!(failure.message.contains("event.time"), "{failure}");
    }
}

#[test]
fn the_request_has_its_placeholders_filled() {
    let raw = triggered("a.ipynb", "1");
    let me = execution("one", "2026-11-23T10:00:01Z");
    let request = request(input::parse(&raw).unwrap(), &me, me.start_time).unwrap();
    assert_eq!(request.parameters["k"], "k");
    assert_eq!(run_ref(&request, String::new(), 2).attempt, 2);
}

/// When it was admitted, only the record says.
#[test]
fn a_request_that_was_recorded_earlier_is_the_same_one() {
    let me = execution("one", "2026-11-23T10:00:01Z");
    let at = |text| request(input::parse(&triggered("a.ipynb", "1")).unwrap(), &me, time(text)).unwrap();
    let (first, again) = (at("2026-11-23T10:00:02Z"), at("2026-11-23T11:00:00Z"));
    assert!(first != again && is_same_request(&first, &again));
    let other = Request { kernel: Some("python3".into()), ..first.clone() };
    assert!(!is_same_request(&other, &again));
}

fn filled(key: &str, parameters: &Value) -> Result<Request, Failure> {
    let mut raw = triggered("a.ipynb", "1");
    raw["event"]["detail"]["object"]["key"] = json!(key);
    raw["parameters"] = parameters.clone();
    let me = execution("one", "2026-11-23T10:00:01Z");
    request(input::parse(&raw).unwrap(), &me, me.start_time)
}

/// docs/input.md: "With its placeholders filled, the whole request may have at most 262,144 bytes of JSON. If it has more,
/// the message names the parameter."
#[test]
fn what_placeholders_make_of_an_input_is_bounded_too() {
    let times = |count: usize| json!({"few": "x", "keys": "{{key}}".repeat(count)});
    assert!(filled(&"k".repeat(1_024), &times(100)).is_ok());
    let refused = |key: &str, parameters: &Value| {
        let failure = filled(key, parameters).unwrap_err();
        assert_eq!(failure.code, reveille_domain::Code::InvalidRequest);
        assert!(failure.message.contains(&MAX_REQUEST_BYTES.to_string()), "{failure}");
        failure.message
    };
    assert!(refused(&"k".repeat(1_024), &times(1_000)).contains("parameters.keys"));
    // Each is small; together they are not.
    let many: serde_json::Map<String, Value> =
        (0..100).map(|number| (format!("p{number}"), json!(["{{ key }}", {"deep": "{{ key }}"}]))).collect();
    assert!(refused(&"k".repeat(2_000), &Value::Object(many)).contains("parameters.p"));
    // As JSON a control character is six bytes.
    let control = refused(&"\u{1}".repeat(1_024), &times(100));
    assert!(control.contains("parameters.keys") && control.contains("614402 bytes"), "{control}");
    // Nothing that is filled is filled again, and no key makes memory out of nothing.
    assert!(refused(&"{{key}}".repeat(4_000), &times(4_000)).contains("parameters.keys"));
}

/// A refused input is recognised as well: two deliveries of its event have one trigger, and another text has another.
#[test]
fn an_input_that_no_reader_holds_is_recognised_by_its_event() {
    let key = |value: &str, id: &str, more: &str| {
        let event = format!(r#"{{"source": "mine", "id": "{id}"}}"#);
        let text = format!(r#"{{"parameters": {{"x": {value}}}, "event": {event}{more}}}"#);
        trigger_key(&input::outline(&reveille_domain::InputText::new(text)))
    };
    for value in ["1", "1e400", "NaN"] {
        assert!(key(value, "1", "").is_some(), "{value}");
        assert_eq!(key(value, "1", ""), key(value, "1", ""));
        assert_ne!(key(value, "1", ""), key(value, "2", ""));
        assert_ne!(key(value, "1", ""), key("[1e400]", "1", ""));
        assert_eq!(key(value, "1", r#", "rerun": true"#), None);
    }
}
