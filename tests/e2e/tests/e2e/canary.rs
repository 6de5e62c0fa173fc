//! Secrets that pass through a run, in its parameters, its environment and its token, appear only where they belong.

use std::path::Path;

use chrono::{DateTime, Utc};
use reveille_e2e_tests::{LocalAws, Notebook, Run, until};
use reveille_instance_model::Hook;
use serde_json::{Value, json};

use crate::Scenario;
use crate::stacks::{Queue, queue, received, service, typed};

pub const ALL: &[Scenario] =
    &[("canary::a_secret_is_in_no_log_event_mail_or_message", |h, w| h.block_on(secrets_stay(w)))];

const INSTANCE: &str = "canary";
const PARAMETER: &str = "canary-in-a-parameter-7f3a";
const ENVIRONMENT: &str = "canary-in-the-environment-91c2";

/// A place where no secret may be: its name, its text, and what proves that it is the place of this run.
struct Place {
    name: String,
    text: String,
    proof: &'static str,
}

impl Place {
    fn new(name: impl Into<String>, text: impl Into<String>, proof: &'static str) -> Self {
        Self { name: name.into(), text: text.into(), proof }
    }
}

async fn secrets_stay(world: &LocalAws) {
    let since = Utc::now();
    let commands =
        format!("export MY_OWN={ENVIRONMENT} PIP_EXTRA_INDEX_URL=https://me:{ENVIRONMENT}@127.0.0.1:9/simple");
    world.local().create_instance_with_commands(INSTANCE, &(commands + "\n")).await.expect("the instance is created");
    // It proves that both arrive, or nothing here would.
    let arrived = format!(
        "import os\nassert secret.startswith('canary-in-a-') and nested['deep'] == [secret]\nassert len(os.environ['PIP_EXTRA_INDEX_URL']) > {}",
        ENVIRONMENT.len()
    );
    let notebook = Notebook::of(&[&arrived, Notebook::GATE, "raise ValueError('the sum is wrong')"]);
    world.put_notebook(INSTANCE, "run.ipynb", &notebook.with_parameters("secret = nested = None"));
    let events = queue(world, "canary-events").await;
    let pattern = json!({"source": ["reveille"], "detail": {"instance": [INSTANCE]}});
    service(world, &format!("events put-rule --name canary --event-pattern '{pattern}'")).await;
    service(world, &format!("events put-targets --rule canary --targets Id=queue,Arn={}", events.arn)).await;
    let mails = queue(world, "canary-mails").await;
    mails.subscribe(world).await;

    let parameters = json!({"secret": PARAMETER, "nested": {"deep": [PARAMETER]}});
    let run =
        world.start_execution(&json!({"instance": INSTANCE, "notebook": "run.ipynb", "parameters": parameters})).await;
    run.until_claimed(INSTANCE).await;
    let token = token(world).await;
    let commands = Place::new("the command lines of the instance", command_lines(world), "reveille-runner");
    world.open_gate(INSTANCE);
    run.assert_failed(INSTANCE, "NotebookFailed").await;
    run.until_outputs(INSTANCE).await;
    // Inputs that are refused: what is said of them quotes no value.
    let mut refused = Vec::new();
    // (A placeholder that there is none of is named, but not the text around it.)
    let around = json!({"secret": format!("{PARAMETER} {{{{ nothing }}}}")});
    for odd in [json!(PARAMETER), json!([PARAMETER]), json!({"not a name": PARAMETER}), around] {
        let input = json!({"instance": INSTANCE, "notebook": "run.ipynb", "parameters": odd});
        let run = world.start_execution(&input).await;
        assert_eq!(run.ended().await.status, "FAILED", "{input}");
        refused.push(run);
    }

    let runs: Vec<&Run> = [&run].into_iter().chain(&refused).collect();
    let mut places = vec![commands];
    for run in &runs {
        places.push(Place::new(format!("how {} ended", run.arn), ended(run).await, "error"));
    }
    places.extend(of_the_instance(world));
    places.extend(of_the_bucket(world).await);
    // Each run logs, publishes and mails something of its own, some of it after it has ended.
    places.push(Place::new("the functions' logs", until_logged(world, since, &runs).await, "REPORT RequestId"));
    // The queue of events gets this instance's only, that of mails everybody's.
    places.push(until_received(world, &events, &runs, "\"NotebookFailed\"").await);
    places.push(until_received(world, &mails, &runs, "run.ipynb on canary (NotebookFailed)").await);
    for Place { name, text, proof } in places {
        assert!(text.contains(proof), "{name} has no '{proof}', so this looked at nothing");
        for secret in [PARAMETER, ENVIRONMENT, &token] {
            if let Some(at) = text.find(secret) {
                let from = text.floor_char_boundary(at.saturating_sub(300));
                panic!("{name}: a secret is in it, after: {}", &text[from..at]);
            }
        }
    }
    world.until_status(INSTANCE, "Stopped").await;
}

/// The token of the run that is first in the inbox.
async fn token(world: &LocalAws) -> String {
    let keys = world.keys(&format!("inbox/{INSTANCE}/")).await;
    let ticket = world.object(&keys[0]).await.expect("the ticket of a run that waits");
    let ticket: Value = serde_json::from_slice(&ticket).unwrap();
    ticket["taskToken"].as_str().expect("a token").to_owned()
}

fn command_lines(world: &LocalAws) -> String {
    let processes = world.processes(INSTANCE);
    // One may end meanwhile.
    let lines = processes.iter().filter_map(|id| reveille_processes::command_line(*id).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ") + "\n").collect()
}

async fn ended(run: &Run<'_>) -> String {
    let ended = run.ended().await;
    json!({"error": ended.error, "cause": ended.cause, "output": ended.output}).to_string()
}

/// What SageMaker would send to CloudWatch, and the logs on the instance.
fn of_the_instance(world: &LocalAws) -> Vec<Place> {
    let read = |file: &Path| String::from_utf8_lossy(&std::fs::read(file).expect("a log")).into_owned();
    let service = world.local().service();
    let logs = service.machine(INSTANCE).root().join("var/log");
    let on_start = Place::new("the on-start log", read(&service.log_file(INSTANCE, Hook::OnStart)), "reveille: ");
    let ours = [("reveille-on-start.log", "the runner is ready"), ("reveille-runner.log", "the notebook starts")];
    let ours = ours.map(|(name, proof)| Place::new(name, read(&logs.join(name)), proof));
    [on_start].into_iter().chain(ours).collect()
}

/// Every record of the instance, but for those that are the request and the notebook themselves.
async fn of_the_bucket(world: &LocalAws) -> Vec<Place> {
    let mut places = Vec::new();
    for key in world.keys(&format!("runs/{INSTANCE}/")).await {
        if !["request.json", "output.ipynb", "output.html"].iter().any(|own| key.ends_with(own)) {
            let text = String::from_utf8_lossy(&world.object(&key).await.expect("the object")).into_owned();
            places.push(Place::new(key, text, ""));
        }
    }
    for name in ["claim.json", "report.json", "outcome.json", "log.txt"] {
        assert!(places.iter().any(|place| place.name.ends_with(name)), "{name} is looked at");
    }
    places
}

async fn function_logs(world: &LocalAws, since: DateTime<Utc>) -> String {
    let groups = "aws logs describe-log-groups --query 'logGroups[].logGroupName' --output text";
    // ministack gives the first 10,000 and no token for the next: after an hour of other scenarios, none of this one's.
    let from = since.timestamp_millis();
    let messages = format!(
        "aws logs filter-log-events --start-time {from} --log-group-name \"$group\" --query 'events[].message' --output text"
    );
    // Another scenario may take a stack of its own away meanwhile, with its logs.
    let gone = format!("[ -z \"$({groups} --log-group-name-prefix \"$group\")\" ]");
    typed(world, &format!("for group in $({groups}); do {messages} || {gone} || exit 1; done")).await
}

/// The functions' logs, once there are lines of each run.
async fn until_logged(world: &LocalAws, since: DateTime<Utc>, runs: &[&Run<'_>]) -> String {
    until("the functions' lines of each run", async || {
        let text = function_logs(world, since).await;
        runs.iter().all(|run| text.contains(&run.arn)).then_some(text)
    })
    .await
}

/// What came so far, once a message of each of these runs did.
async fn until_received(world: &LocalAws, queue: &Queue, runs: &[&Run<'_>], proof: &'static str) -> Place {
    let mut all = String::new();
    let text = until(&format!("a message of each run in {}", queue.url), async || {
        all += &received(world, &queue.url).await.join("\n");
        runs.iter().all(|run| all.contains(&run.arn)).then(|| all.clone())
    })
    .await;
    Place::new(format!("what came to {}", queue.url), text, proof)
}
