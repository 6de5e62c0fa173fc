//! A stack that publishes how far its runs are, before they end.

use reveille_contract_tests::schemas::{self, closed, validated};
use reveille_e2e_tests::{LocalAws, Notebook, until};
use serde_json::{Value, json};

use crate::Scenario;
use crate::account::{AccountStack, started};
use crate::permissions;
use crate::release::ended;
use crate::stacks::{queue, received, service};

pub const ALL: &[Scenario] = &[("progress::runs_are_told_of_as_they_wait_and_run", |h, w| h.block_on(told(w)))];

/// The stack, and its instance.
const STACK: &str = "telling";

/// The events of the stack's runs so far.
struct Events<'a> {
    world: &'a LocalAws,
    url: String,
    seen: Vec<Value>,
}

impl Events<'_> {
    /// Waits for the event of a run.
    async fn has(&mut self, execution: &str, status: &str) {
        let what = format!("{status} of {execution}");
        until(&what, async || {
            let bodies = received(self.world, &self.url).await;
            self.seen.extend(bodies.iter().map(|body| serde_json::from_str::<Value>(body).expect("JSON")));
            let is =
                |event: &Value| event["detail"]["executionArn"] == execution && event["detail"]["status"] == status;
            self.seen.iter().any(is).then_some(())
        })
        .await;
    }
}

/// docs/output.md#progress. The second run waits for the first, whose notebook waits for the gate.
async fn told(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let stack = AccountStack::new(world, folder.path(), STACK).await;
    let mails = queue(world, "telling-mails").await;
    let events = queue(world, "telling-events").await;
    let pattern = json!({"source": ["reveille"], "detail": {"instance": [STACK]}});
    service(world, &format!("events put-rule --name telling --event-pattern '{pattern}'")).await;
    service(world, &format!("events put-targets --rule telling --targets Id=queue,Arn={}", events.arn)).await;
    let polls = "StartPollSeconds=1 StopPollSeconds=1 HeartbeatSeconds=30 RunsPrefix=team/";
    stack.deploy(&format!("PublishProgress=true NotifyStatuses=QUEUED,RUNNING {polls}")).await.unwrap();
    let bucket = stack.shell.output_of(STACK, "RunsBucketName").await;
    let topic = stack.shell.output_of(STACK, "NotificationsTopicArn").await;
    let to = format!("--protocol sqs --notification-endpoint {}", mails.arn);
    service(world, &format!("sns subscribe --topic-arn {topic} {to}")).await;
    let settings = format!("REVEILLE_BUCKET='{bucket}'\nREVEILLE_PREFIX='team/'\n");
    world.local().create_instance_with_commands(STACK, &settings).await.expect("the instance is created");
    world.put_notebook(STACK, "run.ipynb", &Notebook::of(&[Notebook::GATE]));

    let mut events = Events { world, url: events.url, seen: Vec::new() };
    let first = started(&stack.shell, STACK, STACK).await;
    events.has(&first, "RUNNING").await;
    let second = started(&stack.shell, STACK, STACK).await;
    events.has(&second, "QUEUED").await;
    world.open_gate(STACK);
    for execution in [&first, &second] {
        assert_eq!(ended(world, execution).await["status"], "SUCCEEDED");
        events.has(execution, "RUNNING").await;
        events.has(execution, "SUCCEEDED").await;
    }
    assert_schema(&events.seen);
    let mails = received(world, &mails.url).await;
    for line in [r#""QUEUED: run.ipynb on telling""#, r#""RUNNING: run.ipynb on telling""#] {
        assert!(mails.iter().any(|mail| mail.starts_with(line)), "{line} is in none of {mails:?}");
    }
    assert!(!mails.iter().any(|mail| mail.contains("SUCCEEDED")), "{mails:?}");

    let (faults, told) = permissions::faults_of(world, STACK, &["PublishProgress"], "events:PutEvents").await;
    assert_eq!(faults, Vec::<String>::new());
    assert!(told.contains(&"PublishProgressFunctionRole".to_owned()), "{told:?}");
    service(world, "events remove-targets --rule telling --ids queue").await;
    service(world, "events delete-rule --name telling").await;
    stack.delete().await;
}

/// Each event fits the published schema, without room for other fields.
fn assert_schema(events: &[Value]) {
    let script = "from jsonschema import Draft202012Validator\n\
        asked = json.load(sys.stdin)\n\
        validator = Draft202012Validator(asked['schema'])\n\
        print(json.dumps([error.message for event in asked['events'] for error in validator.iter_errors(event)]))";
    let kept = |event: &Value| json!({"source": event["source"], "detail-type": event["detail-type"], "detail": event["detail"]});
    let events: Vec<Value> = events.iter().map(kept).collect();
    let errors = validated(script, &json!({"schema": closed(&schemas::event()), "events": events}));
    assert_eq!(errors, json!([]), "{events:?}");
}
