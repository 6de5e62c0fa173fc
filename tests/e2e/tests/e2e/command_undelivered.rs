//! The `reveille` command: what EventBridge could not deliver. The local EventBridge never writes to a dead-letter queue, so the scenario puts
//! there what AWS would.

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{answered, complained, ended, reveille, said};
use crate::stacks::{aws, outputs};

pub const ALL: &[Scenario] =
    &[("command_undelivered::an_event_is_listed_replayed_once_and_discarded", |h, w| h.block_on(replayed(w)))];

const ON: &str = "command-undelivered";
const RULE: &str = "lost-orders";

/// Puts a message into the stack's queue, and gives its id.
async fn put(world: &LocalAws, body: &Value, attributes: &[(&str, &str)]) -> String {
    let url = &outputs(world).await["UndeliveredEventsUrl"];
    let attributes: serde_json::Map<String, Value> = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!({"DataType": "String", "StringValue": value})))
        .collect();
    let (body, attributes) = (body.to_string(), Value::Object(attributes).to_string());
    assert!(!body.contains('\'') && !attributes.contains('\''), "for the shell");
    let send =
        format!("sqs send-message --queue-url {url} --message-body '{body}' --message-attributes '{attributes}'");
    aws(world, &send).await["MessageId"].as_str().unwrap().to_owned()
}

async fn listed(world: &LocalAws) -> Vec<Value> {
    answered(world, &["undelivered"]).await.as_array().unwrap().clone()
}

fn ids(messages: &[Value]) -> Vec<&str> {
    messages.iter().map(|message| message["message"].as_str().unwrap()).collect()
}

async fn replayed(world: &LocalAws) {
    let notebook = Notebook::of(&["print('got', source)"]).with_parameters("source = None");
    world.instance_with(ON, &notebook).await;
    let bucket = world.local().trigger_bucket();
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", RULE, "--prefix", "lost/"];
    let made = answered(world, &[&add[..], &["-p", "source", "s3://{{ bucket }}/{{ key }}"]].concat()).await;
    assert_eq!((&made["name"], &made["prefix"], &made["enabled"]), (&json!(RULE), &json!("lost/"), &json!(true)));
    let rule = aws(world, &format!("events describe-rule --name {RULE} --query Arn")).await;
    let rule = rule.as_str().unwrap();
    // Long ago: nothing takes it for the second delivery of an event that was handled.
    let event = |key: &str| {
        json!({"version": "0", "id": key, "detail-type": "Object Created", "source": "aws.s3", "account": "123456789012",
            "time": "2026-11-01T08:00:00Z", "region": "us-east-1", "resources": [format!("arn:aws:s3:::{bucket}")],
            "detail": {"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 5, "etag": "e", "sequencer": "1"}}})
    };
    let why = |rule: &'static str| {
        [
            ("ERROR_CODE", "NO_PERMISSIONS"),
            ("ERROR_MESSAGE", "not allowed"),
            ("RETRY_ATTEMPTS", "0"),
            ("RULE_ARN", rule),
        ]
    };
    let rule: &'static str = Box::leak(rule.to_owned().into_boxed_str());
    let first = put(world, &event("lost/a.csv"), &why(rule)).await;
    let gone = put(world, &event("lost/b.csv"), &why("arn:aws:events:us-east-1:1:rule/no-such-rule")).await;
    let unknown = put(world, &json!({"any": "thing"}), &[]).await;

    // Twice the same: looking takes nothing away.
    for _ in 0..2 {
        let messages = listed(world).await;
        let all = ids(&messages);
        assert!([&first, &gone, &unknown].iter().all(|id| all.contains(&id.as_str())), "{messages:?}");
        let mine = messages.iter().find(|message| message["message"] == first.as_str()).unwrap();
        assert_eq!(mine["trigger"], json!({"kind": "rule", "name": RULE, "arn": rule}));
        assert_eq!(
            (&mine["about"], &mine["code"], &mine["reason"], &mine["retries"]),
            (&json!(format!("s3://{bucket}/lost/a.csv")), &json!("NO_PERMISSIONS"), &json!("not allowed"), &json!(0))
        );
        assert!(mine["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{mine}");
    }

    // What cannot be replayed stays; what can is replayed, and gone.
    let refused = reveille(world, &["undelivered", "replay", &gone, &unknown]).await;
    ended(&refused, 1);
    assert!(complained(&refused).contains("the rule no-such-rule no longer exists"), "{}", complained(&refused));
    assert!(complained(&refused).contains("2 of 2 could not be replayed"), "{}", complained(&refused));
    let replayed = answered(world, &["undelivered", "replay", &first[..13]]).await;
    assert_eq!(replayed[0]["message"], first.as_str());
    let [run] = &world.executions_of(ON).await[..] else { panic!("one run") };
    assert_eq!(replayed[0]["executionArn"], run.arn.as_str());
    run.assert_succeeded(ON).await;
    assert_eq!(run.input().await["event"], event("lost/a.csv"), "as the rule hands it on");
    assert!(run.text(ON, "1/output.ipynb").await.unwrap().contains("/lost/a.csv"));
    let messages = listed(world).await;
    let all = ids(&messages);
    assert!(
        !all.contains(&first.as_str()) && all.contains(&gone.as_str()) && all.contains(&unknown.as_str()),
        "{all:?}"
    );
    ended(&reveille(world, &["undelivered", "replay", &first]).await, 5);

    started_and_killed(world, &put(world, &event("lost/c.csv"), &why(rule)).await, &event("lost/c.csv")).await;

    // Nobody can be asked on a pipe.
    let asked = reveille(world, &["undelivered", "discard", &gone]).await;
    ended(&asked, 2);
    assert!(complained(&asked).contains("--yes"), "{}", complained(&asked));
    let discarded = reveille(world, &["undelivered", "discard", &gone, &unknown, "--yes"]).await;
    ended(&discarded, 0);
    assert!(
        said(&discarded).contains(&format!("discarded {} (s3://{bucket}/lost/b.csv)", &gone[..8])),
        "{}",
        said(&discarded)
    );
    let messages = listed(world).await;
    assert!(ids(&messages).iter().all(|id| ![&gone, &unknown].contains(&&(*id).to_owned())), "{messages:?}");
    for (arguments, code) in [
        (&["undelivered", "replay"][..], 2),
        (&["undelivered", "replay", "a", "--all"], 2),
        (&["undelivered", "replay", ""], 5),
    ] {
        ended(&reveille(world, arguments).await, code);
    }
    ended(&reveille(world, &["on-upload", "remove", RULE]).await, 0);
}

/// A replay that was killed after it had started the execution: the next one starts none, and takes the message away.
async fn started_and_killed(world: &LocalAws, message: &str, event: &Value) {
    // One that ends at once, so that nothing waits for an instance.
    let input = json!({"instance": ON, "notebook": "run.ipynb", "keys": {"suffix": ".none"}, "event": event});
    let machine = world.local().state_machine();
    let start = format!(
        "stepfunctions start-execution --state-machine-arn {machine} --name undelivered-{message} --input '{input}'"
    );
    let before = aws(world, &start).await["executionArn"].clone();
    let executions = world.executions_of(ON).await.len();
    let replayed = answered(world, &["undelivered", "replay", message]).await;
    assert_eq!(replayed[0]["executionArn"], before, "{replayed}");
    assert_eq!(world.executions_of(ON).await.len(), executions, "none was started");
    assert!(!ids(&listed(world).await).contains(&message));
}
