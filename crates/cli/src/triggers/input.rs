//! The input of the runs that a rule starts: what the templates of triggers write, from the same facts.

use reveille_domain::event::is_folder_key;
use serde_json::{Map, Value, json};

/// What EventBridge puts the event in place of.
pub(crate) const EVENT: &str = "<aws.events.event.json>";
/// What EventBridge Scheduler puts its facts in place of.
pub(crate) const SCHEDULE_ARN: &str = "<aws.scheduler.schedule-arn>";
pub(crate) const SCHEDULED_TIME: &str = "<aws.scheduler.scheduled-time>";
/// InputTransformer, `InputTemplate`: "Maximum length of 8192".
const MOST: usize = 8192;

/// The target's input template.
///
/// # Errors
/// A text that EventBridge would read as a word of its own, or would not take for its length.
pub(crate) fn template(input: &Map<String, Value>) -> Result<String, String> {
    let text = Value::Object(input.clone()).to_string();
    if let Some(sign) = text.chars().find(|sign| "<>".contains(*sign)) {
        return Err(format!(
            "`{sign}` cannot be in the notebook's name or in a parameter of this trigger, because an EventBridge rule reads <...> as a variable; leave it out, or let the notebook read it from a file"
        ));
    }
    let whole = with_event(&text, EVENT);
    let length = whole.chars().count();
    if length > MOST {
        return Err(format!(
            "the input has {length} characters, and an EventBridge rule takes at most {MOST}; let the notebook read the parameters from a file"
        ));
    }
    Ok(whole)
}

/// An input as text, with what stands for its event.
pub(crate) fn with_event(input: &str, event: &str) -> String {
    let all_but_the_brace = &input[..input.len() - 1];
    format!("{all_but_the_brace},\"event\":{event}}}")
}

/// Where events come from, as they say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin<'a> {
    partition: &'a str,
    account: &'a str,
    region: &'a str,
}

impl<'a> Origin<'a> {
    /// Somewhere: for what is checked without AWS.
    pub(crate) const SOME: Origin<'static> = Origin { partition: "aws", account: "111122223333", region: "us-east-1" };

    /// Where something with this ARN is, such as the state machine: `arn:aws:states:us-east-1:111122223333:stateMachine:name`.
    pub(crate) fn of(arn: &'a str) -> Self {
        match *arn.split(':').collect::<Vec<&'a str>>() {
            ["arn", partition, _, region, account, ..] if !region.is_empty() && !account.is_empty() => {
                Self { partition, account, region }
            }
            _ => Self::SOME,
        }
    }
}

/// An event of S3 for this object. What stands for a folder is empty.
pub(crate) fn sample(origin: Origin<'_>, bucket: &str, key: &str, time: &str) -> Value {
    let Origin { partition, account, region } = origin;
    let size = u64::from(!is_folder_key(key));
    json!({
        "version": "0", "id": "00000000-0000-0000-0000-000000000000", "detail-type": "Object Created", "source": "aws.s3",
        "account": account, "time": time, "region": region,
        "resources": [format!("arn:{partition}:s3:::{bucket}")],
        "detail": {
            "version": "0", "bucket": {"name": bucket},
            "object": {"key": key, "size": size, "etag": "b1946ac92492d2347c6235b4d2611184", "sequencer": "00617F08299329D189"},
            "request-id": "N4N7GDK58NMKJ12R", "requester": account, "source-ip-address": "192.0.2.1",
            "reason": "PutObject",
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Origin, sample};

    /// A pattern may ask for each of them.
    #[test]
    fn an_event_says_where_it_comes_from() {
        let china = Origin::of("arn:aws-cn:states:cn-north-1:999988887777:stateMachine:reveille");
        let event = sample(china, "in", "a/", "2026-11-26T08:00:00Z");
        assert_eq!(event["account"], "999988887777");
        assert_eq!(event["region"], "cn-north-1");
        assert_eq!(event["resources"][0], "arn:aws-cn:s3:::in");
        for arn in ["m", "", "arn:aws:states", "arn:aws:s3:::bucket"] {
            assert_eq!(Origin::of(arn), Origin::SOME, "{arn}");
        }
    }
}
