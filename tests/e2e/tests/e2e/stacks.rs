//! The small stacks of triggers, deployed as whoever uses them types it, and a run through each.

use std::collections::BTreeMap;

use reveille_e2e_tests::{LocalAws, Notebook, until};
use serde_json::{Value, json};

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("stacks::an_upload_starts_a_run_and_its_success_the_next", |h, w| h.block_on(upload_and_next(w))),
    ("stacks::a_schedule_of_scheduler_starts_a_run", |h, w| h.block_on(schedule(w))),
    ("stacks::whoever_subscribes_is_told_of_a_failure", |h, w| h.block_on(told(w))),
    ("stacks::the_alarms_are_of_the_stack", |h, w| h.block_on(alarms(w))),
];

/// What bash prints of a command that succeeds.
pub async fn typed(world: &LocalAws, command: &str) -> String {
    let output = world.type_in(command).await;
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub async fn deploy(world: &LocalAws, stack: &str, template: &str, parameters: &str) {
    // On a busy machine the first answer may take longer than the minute after which the CLI asks again, and the second call is refused.
    let command = format!(
        "aws cloudformation deploy --cli-read-timeout 0 --stack-name {stack} --template-file infra/{template} --parameter-overrides {parameters}"
    );
    typed(world, &command).await;
}

async fn upload_and_next(world: &LocalAws) {
    world.instance("chained").await;
    let first = Notebook::of(&["print(source)"]).with_parameters("source = None");
    world.put_notebook("chained", "first.ipynb", &first);
    let second = Notebook::of(&["print('day', day)"]).with_parameters("day = None");
    world.put_notebook("chained", "second.ipynb", &second);
    let bucket = world.local().trigger_bucket();
    let upload = format!("Bucket={bucket} Prefix=chain/ Suffix=.csv Instance=chained Notebook=first.ipynb");
    deploy(world, "chain-upload", "trigger-upload.yaml", &upload).await;
    let next = "AfterInstance=chained AfterNotebook=first.ipynb Instance=chained Notebook=second.ipynb";
    deploy(world, "chain-run", "trigger-run.yaml", &format!("{next} 'Parameters={{\"day\": \"{{{{ date }}}}\"}}'"))
        .await;

    world.put_object(bucket, "chain/a.txt", b"a").await;
    world.put_object(bucket, "chain/a b.csv", b"a,b\n1,2\n").await;
    let first = world.execution_of("chained", "first.ipynb").await;
    first.assert_succeeded("chained").await;
    let request = first.record("chained", "request.json").await.unwrap();
    assert_eq!(request["parameters"], json!({"source": format!("s3://{bucket}/chain/a b.csv")}));
    let next = world.execution_of("chained", "second.ipynb").await;
    next.assert_succeeded("chained").await;
    let mut input = next.input().await;
    assert_eq!(input["event"]["detail"]["executionArn"], first.arn);
    let day = input["event"]["time"].as_str().unwrap()[..10].to_owned();
    assert!(next.text("chained", "1/output.ipynb").await.unwrap().contains(&format!("day {day}")));

    // ConcludeRun, tried again, publishes again: EventBridge gives that event another id.
    input["event"]["id"] = "published-again".into();
    let again = world.start_execution(&input).await.ended().await;
    assert_eq!((again.status.as_str(), &again.output["heldBy"]), ("SUCCEEDED", &json!(next.arn)));

    deploy(world, "chain-upload", "trigger-upload.yaml", &format!("{upload} State=DISABLED")).await;
    let rule = "aws cloudformation describe-stacks --stack-name chain-upload --query 'Stacks[0].Outputs[0].OutputValue' --output text";
    let state =
        typed(world, &format!("aws events describe-rule --name \"$({rule})\" --query State --output text")).await;
    assert_eq!(state, "DISABLED", "the trigger is paused");
    world.until_status("chained", "Stopped").await;
}

async fn schedule(world: &LocalAws) {
    let notebook = Notebook::of(&["print('due', due)"]).with_parameters("due = None");
    world.instance_with("by-scheduler", &notebook).await;
    let due = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S").to_string();
    let parameters = format!(
        "'ScheduleExpression=at({due})' TimeZone=UTC Instance=by-scheduler Notebook=run.ipynb 'Parameters={{\"due\": \"{{{{ time }}}}\"}}'"
    );
    deploy(world, "once", "trigger-schedule.yaml", &parameters).await;
    let run = world.execution_of("by-scheduler", "run.ipynb").await;
    run.assert_succeeded("by-scheduler").await;
    let input = run.input().await;
    assert_eq!(input["event"]["time"], format!("{due}Z"));
    let schedule = input["event"]["resources"][0].as_str().unwrap();
    assert!(schedule.contains(":schedule/default/once-"), "{schedule}");
    assert!(run.text("by-scheduler", "1/output.ipynb").await.unwrap().contains(&format!("due {due}Z")));

    let again = world.start_execution(&input).await.ended().await;
    assert_eq!((again.status.as_str(), &again.output["heldBy"]), ("SUCCEEDED", &json!(run.arn)));
    world.assert_at_rest("by-scheduler", 1).await;
}

/// A command of a service whose endpoint this version of the aws command does not take from the environment.
pub async fn service(world: &LocalAws, command: &str) -> String {
    typed(world, &format!("aws --endpoint-url \"$AWS_ENDPOINT_URL\" {command}")).await
}

/// What such a command prints, as JSON; some print nothing.
pub async fn aws(world: &LocalAws, command: &str) -> Value {
    let printed = service(world, &format!("{command} --output json")).await;
    if printed.is_empty() { Value::Null } else { serde_json::from_str(&printed).expect("JSON") }
}

/// What the stack of these tests gives, by name.
pub async fn outputs(world: &LocalAws) -> BTreeMap<String, String> {
    outputs_of(world, "reveille").await
}

/// What a stack gives, by name.
pub async fn outputs_of(world: &LocalAws, stack: &str) -> BTreeMap<String, String> {
    let describe = format!("cloudformation describe-stacks --stack-name {stack} --query 'Stacks[0].Outputs'");
    let outputs = aws(world, &describe).await;
    let text = |output: &Value, member: &str| output[member].as_str().expect("a text").to_owned();
    let outputs = outputs.as_array().expect("outputs").iter();
    outputs.map(|output| (text(output, "OutputKey"), text(output, "OutputValue"))).collect()
}

/// A queue to which somebody sends.
pub struct Queue {
    pub url: String,
    pub arn: String,
}

pub async fn queue(world: &LocalAws, name: &str) -> Queue {
    let url = service(world, &format!("sqs create-queue --queue-name {name} --query QueueUrl --output text")).await;
    let attributes =
        format!("sqs get-queue-attributes --queue-url {url} --attribute-names QueueArn --query Attributes.QueueArn");
    let arn = service(world, &format!("{attributes} --output text")).await;
    Queue { url, arn }
}

impl Queue {
    /// Lets the stack's topic send it what it mails.
    pub async fn subscribe(&self, world: &LocalAws) {
        let topic = &outputs(world).await["NotificationsTopicArn"];
        let to = format!("--protocol sqs --notification-endpoint {}", self.arn);
        service(world, &format!("sns subscribe --topic-arn {topic} {to}")).await;
    }
}

/// What is in a queue: events as they are, mails without SNS's envelope.
pub async fn received(world: &LocalAws, url: &str) -> Vec<String> {
    let received = format!("sqs receive-message --queue-url {url} --max-number-of-messages 10 --query Messages[].Body");
    let bodies = aws(world, &received).await;
    let bodies = bodies.as_array().into_iter().flatten().map(|body| body.as_str().expect("a text").to_owned());
    let message = |body: String| {
        let envelope: Value = serde_json::from_str(&body).expect("JSON");
        envelope["Message"].as_str().map_or(body, str::to_owned)
    };
    bodies.map(message).collect()
}

/// What a mail would say: the topic hands it to a queue too.
async fn told(world: &LocalAws) {
    let notebook = Notebook::of(&["print(1)", "raise ValueError('no \"amount\" \\\\ here')"]);
    world.instance_with("told", &notebook).await;
    let mails = queue(world, "told").await;
    mails.subscribe(world).await;

    let run = world.run("told").await;
    run.assert_failed("told", "NotebookFailed").await;
    let card = until("the mail of the failure", async || {
        // Other scenarios' runs fail too.
        received(world, &mails.url).await.into_iter().find(|message| message.contains(" on told "))
    })
    .await;
    let lines: Vec<String> =
        card.lines().map(|line| serde_json::from_str(line).expect("each line by itself")).collect();
    assert_eq!(lines[0], "FAILED: run.ipynb on told (NotebookFailed)");
    assert_eq!(lines[2], "Cell 2: ValueError: no 'amount' / here");
    assert!(lines.iter().any(|line| line.starts_with("Output: s3://") && line.ends_with("/1/output.html")), "{card}");
    assert!(lines.iter().any(|line| line.contains("redrive-execution") && line.contains(&run.arn)), "{card}");
}

async fn alarms(world: &LocalAws) {
    deploy(world, "alarms", "alarms.yaml", "SilentSeconds=3600").await;
    let alarms = aws(world, "cloudwatch describe-alarms --alarm-name-prefix alarms").await;
    let alarms = alarms["MetricAlarms"].as_array().unwrap();
    assert_eq!(alarms.len(), 11);
    for alarm in alarms {
        let topic = alarm["AlarmActions"][0].as_str().unwrap();
        assert!(topic.starts_with("arn:aws:sns:") && topic.contains("Notifications"), "{alarm}");
    }
    let body = "cloudwatch get-dashboard --dashboard-name alarms-us-east-1 --query DashboardBody --output text";
    let body: Value = serde_json::from_str(&service(world, body).await).unwrap();
    assert!(body.to_string().contains(world.local().state_machine()), "the graphs are of this stack's state machine");
}
