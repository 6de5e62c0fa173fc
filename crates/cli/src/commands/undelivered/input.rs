//! The input of an undelivered message's run: what the target makes of the event.

use serde_json::Value;

use crate::{
    clients::{DEFAULT_BUS, Source, Undelivered},
    triggers::{EVENT, SCHEDULE_ARN, SCHEDULED_TIME},
};

/// The rule's name and its bus, of its ARN: `...:rule/NAME`, or `...:rule/BUS/NAME`.
pub(super) fn rule_of(arn: &str) -> Option<(&str, &str)> {
    let (_, path) = arn.split_once(":rule/")?;
    let (bus, name) = path.rsplit_once('/').unwrap_or((DEFAULT_BUS, path));
    Some((name, bus)).filter(|_| !name.is_empty() && !bus.is_empty())
}

/// The input of a rule's run. The template is the target's; `None`: the target takes the event as it is.
///
/// # Errors
/// Why there is none, as the end of a sentence.
pub(super) fn of_rule(message: &Undelivered, template: Option<&str>) -> Result<String, String> {
    // Written anew, so that nothing in it is anything but an event.
    let event = parsed(&message.body)?.to_string();
    let Some(template) = template else { return Ok(event) };
    let input = template.replace(EVENT, &event);
    // What else a rule can put in (its own paths) is known to EventBridge only.
    let is_whole = template.matches('<').count() == template.matches(EVENT).count();
    match parsed(&input) {
        Ok(input) if is_whole => Ok(input.to_string()),
        _ => Err("this command does not know the form of its rule's input template".to_owned()),
    }
}

/// The input of a schedule's run.
///
/// # Errors
/// Why there is none, as the end of a sentence.
pub(super) fn of_schedule(message: &Undelivered, arn: &str, time: Option<&str>) -> Result<String, String> {
    if message.is_cut {
        return Err("EventBridge Scheduler truncated its input".to_owned());
    }
    // It stands within quotes already.
    let quoted = |text: &str| {
        let text = Value::from(text).to_string();
        text[1..text.len() - 1].to_owned()
    };
    let mut input = message.body.replace(SCHEDULE_ARN, &quoted(arn));
    if let Some(time) = time {
        input = input.replace(SCHEDULED_TIME, &quoted(time));
    }
    parsed(&input).map(|input| input.to_string())
}

fn parsed(text: &str) -> Result<Value, String> {
    let value = serde_json::from_str(text).ok().filter(Value::is_object);
    value.ok_or_else(|| "its body is not a JSON object, so it is not an event".to_owned())
}

/// What the message is about, for a person: the file, the run before, or the time.
pub(super) fn about(message: &Undelivered) -> Option<String> {
    let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
    let event = if matches!(message.source, Source::Schedule { .. }) { &body["event"] } else { &body };
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let object = text("/detail/bucket/name").zip(text("/detail/object/key"));
    let found = object.map(|(bucket, key)| format!("s3://{bucket}/{key}")).or_else(|| text("/detail/run"));
    let due = match &message.source {
        Source::Schedule { time, .. } => time.clone(),
        Source::Rule(_) | Source::Unknown => None,
    };
    found.or(due).or_else(|| text("/time"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{about, of_rule, of_schedule, rule_of};
    use crate::clients::{Source, undelivered_of_test as message};

    fn rule(body: &str) -> crate::clients::Undelivered {
        message(Source::Rule("arn:aws:events:eu-west-1:1:rule/orders".to_owned()), body)
    }

    #[test]
    fn rules_have_a_name_and_a_bus() {
        let arn = |path: &str| format!("arn:aws:events:eu-west-1:111122223333:{path}");
        assert_eq!(rule_of(&arn("rule/orders")), Some(("orders", "default")));
        assert_eq!(rule_of(&arn("rule/of-runs/next")), Some(("next", "of-runs")));
        assert_eq!(rule_of(&arn("rule/aws.partner/example.com/1/next")), Some(("next", "aws.partner/example.com/1")));
        for wrong in [arn("rule/"), arn("rule//a"), "nonsense".to_owned(), String::new()] {
            assert_eq!(rule_of(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_rules_run_gets_what_the_target_makes_of_the_event() {
        let template = r#"{"instance": "a", "parameters": {"k": "{{ key }}"}, "event": <aws.events.event.json>}"#;
        let event =
            json!({"source": "aws.s3", "detail": {"bucket": {"name": "in"}, "object": {"key": "a \"b\" é.csv"}}});
        let input: Value = serde_json::from_str(&of_rule(&rule(&event.to_string()), Some(template)).unwrap()).unwrap();
        assert_eq!(input, json!({"instance": "a", "parameters": {"k": "{{ key }}"}, "event": event}));
        assert_eq!(of_rule(&rule("{}"), None).unwrap(), "{}");
        assert_eq!(about(&rule(&event.to_string())).as_deref(), Some("s3://in/a \"b\" é.csv"));
    }

    #[test]
    fn what_is_no_event_starts_nothing() {
        let template = r#"{"instance": "a", "event": <aws.events.event.json>}"#;
        for body in ["", "[]", "7", "{", r#"{}, "instance": "b""#] {
            assert!(of_rule(&rule(body), Some(template)).unwrap_err().contains("is not a JSON object"), "{body}");
            assert_eq!(about(&rule(body)), None);
        }
        for template in [r#"{"event": <aws.events.event.json>, "time": <time>}"#, r#"{"time": "<time>"}"#, "nonsense"] {
            assert!(of_rule(&rule("{}"), Some(template)).unwrap_err().contains("does not know"), "{template}");
        }
    }

    #[test]
    fn a_schedules_run_gets_the_input() {
        let source = Source::Schedule { arn: "arn:s".to_owned(), time: Some("2026-11-26T08:00:00Z".to_owned()) };
        let body = r#"{"instance": "a", "event": {"time": "<aws.scheduler.scheduled-time>", "resources": ["<aws.scheduler.schedule-arn>"]}}"#;
        let mut cut = message(source, body);
        let input: Value =
            serde_json::from_str(&of_schedule(&cut, "arn:s", Some("2026-11-26T08:00:00Z")).unwrap()).unwrap();
        let event = json!({"time": "2026-11-26T08:00:00Z", "resources": ["arn:s"]});
        assert_eq!(input, json!({"instance": "a", "event": event}));
        assert_eq!(about(&cut).as_deref(), Some("2026-11-26T08:00:00Z"));
        let hostile = of_schedule(&cut, r#"", "instance": "b"#, None).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&hostile).unwrap()["instance"], "a");
        cut.is_cut = true;
        assert!(of_schedule(&cut, "arn:s", None).unwrap_err().contains("truncated its input"));
    }
}
