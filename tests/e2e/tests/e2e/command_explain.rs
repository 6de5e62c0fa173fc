//! `reveille explain`: why a run went as it did, and why a file started a run or none.

use reveille_e2e_tests::{LocalAws, Notebook, until};
use serde_json::{Value, json};

use crate::Scenario;
use crate::command::{answered, complained, ended, refused, reveille, said};
use crate::stacks::{aws, outputs};

pub const ALL: &[Scenario] = &[
    ("command_explain::a_run_is_explained_from_its_event_to_its_end", |h, w| h.block_on(of_a_run(w))),
    ("command_explain::a_file_that_started_nothing_says_why", |h, w| h.block_on(of_a_file(w))),
];

/// The sentences of an answer, each with what says so.
fn facts(answer: &Value) -> Vec<(&str, &str)> {
    let facts = answer["facts"].as_array().unwrap().iter();
    facts.map(|fact| (fact["what"].as_str().unwrap(), fact["source"].as_str().unwrap())).collect()
}

#[track_caller]
fn says(answer: &Value, what: &str, source: &str) {
    let facts = facts(answer);
    assert!(facts.iter().any(|(fact, by)| fact.contains(what) && *by == source), "{what} ({source}): {facts:#?}");
}

/// Two files land: the notebook of each fails, and the second waits for the first.
async fn of_a_run(world: &LocalAws) {
    const ON: &str = "explain-run";
    const RULE: &str = "explain-run-rule";
    let notebook =
        Notebook::of(&["print('looks for', 'orders')", "import time; time.sleep(8)", "raise ValueError('no orders')"]);
    world.instance_with(ON, &notebook).await;
    let bucket = world.local().trigger_bucket();
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", RULE, "--prefix", "why/"];
    ended(&reveille(world, &add).await, 0);
    world.put_object(bucket, "why/a.csv", b"a").await;
    until("the first run", async || world.executions_of(ON).await.pop()).await;
    world.put_object(bucket, "why/b.csv", b"b").await;
    let both = until("both runs", async || Some(world.executions_of(ON).await).filter(|all| all.len() == 2)).await;
    let mut explained = Vec::new();
    for execution in both {
        let arn = execution.arn.clone();
        execution.ended().await;
        explained.push(answered(world, &["explain", &arn]).await);
    }
    for answer in &explained {
        says(answer, &format!("s3://{bucket}/why/"), "the event");
        says(answer, "the execution started", "the execution");
        says(answer, "the run was admitted", "request.json");
        says(answer, "took the run and started the notebook", "claim.json");
        says(answer, "reported NotebookFailed", "report.json");
        says(answer, "the outcome was recorded: FAILED", "outcome.json");
        assert_eq!(answer["code"], "NotebookFailed");
        assert!(answer["next"][0].as_str().unwrap().starts_with("reveille logs "), "{answer:#}");
        let times: Vec<&str> =
            answer["facts"].as_array().unwrap().iter().filter_map(|fact| fact["at"].as_str()).collect();
        assert!(times.is_sorted(), "{times:?}");
    }
    let started: Vec<&Value> =
        explained.iter().filter(|it| facts(it).iter().any(|(fact, _)| fact.starts_with("it started "))).collect();
    assert_eq!(started.len(), 1, "one of the two started the instance: {explained:#?}");
    let waited: Vec<&Value> =
        explained.iter().filter(|it| facts(it).iter().any(|(fact, _)| fact.contains("it waited for "))).collect();
    assert_eq!(waited.len(), 1, "one of the two waited for the other: {explained:#?}");

    let file = format!("s3://{bucket}/why/a.csv");
    let of_file = answered(world, &["explain", &file]).await;
    assert!(of_file["verdict"].as_str().unwrap().contains("which is FAILED"), "{of_file:#}");
    says(&of_file, &format!("the rule {RULE} takes it"), "the rule");
    let run = of_file["runs"][0]["run"].as_str().unwrap();
    assert_eq!(of_file["next"], json!([format!("reveille explain {run}")]));
    let screen = said(&reveille(world, &["explain", run]).await);
    assert!(screen.starts_with(&format!("✗ FAILED  run.ipynb on {ON}")), "{screen}");
    assert!(screen.contains("docs/errors/NotebookFailed.md") && screen.contains("Next: reveille logs "), "{screen}");

    // The same event again: the execution answers it by naming the first.
    let first = world.executions_of(ON).await.into_iter().next().unwrap();
    let again = world.start_execution(&first.input().await).await;
    assert_eq!(again.ended().await.status, "SUCCEEDED");
    says(&answered(world, &["explain", &again.arn]).await, &first.arn, "the execution");
    ended(&reveille(world, &["on-upload", "remove", RULE]).await, 0);
}

async fn of_a_file(world: &LocalAws) {
    const ON: &str = "explain-file";
    const RULE: &str = "explain-file-rule";
    world.instance(ON).await;
    let bucket = "explain-in";
    aws(world, &format!("s3api create-bucket --bucket {bucket}")).await;
    let add = ["on-upload", "add", "run.ipynb", "--on", ON, "--bucket", bucket, "--name", RULE, "--suffix", ".csv"];
    ended(&reveille(world, &[&add[..], &["--fix-bucket"]].concat()).await, 0);
    let explain = async |key: &str| answered(world, &["explain", &format!("s3://{bucket}/{key}")]).await;

    world.put_object(bucket, "a.txt", b"a").await;
    let other = explain("a.txt").await;
    assert!(other["verdict"].as_str().unwrap().contains("no rule that is on takes it"), "{other:#}");
    says(&other, "the key does not end with .csv", "the rule");

    ended(&reveille(world, &["on-upload", "pause", RULE]).await, 0);
    world.put_object(bucket, "a.csv", b"a").await;
    let paused = explain("a.csv").await;
    says(&paused, "it is paused", "the rule");
    assert_eq!(paused["next"], json!([format!("reveille on-upload resume {RULE}")]));
    ended(&reveille(world, &["on-upload", "resume", RULE]).await, 0);
    let late = explain("a.csv").await;
    assert!(late["verdict"].as_str().unwrap().contains("although a rule takes it now"), "{late:#}");

    // Its event could not be delivered.
    let url = &outputs(world).await["UndeliveredEventsUrl"];
    let event = json!({"source": "aws.s3", "detail": {"bucket": {"name": bucket}, "object": {"key": "a.csv"}}});
    let attributes = json!({"ERROR_MESSAGE": {"DataType": "String", "StringValue": "not allowed"}});
    let send =
        format!("sqs send-message --queue-url {url} --message-body '{event}' --message-attributes '{attributes}'");
    let message = aws(world, &send).await["MessageId"].as_str().unwrap().to_owned();
    let undelivered = explain("a.csv").await;
    says(&undelivered, "could not be delivered (not allowed)", "the queue of undelivered events");
    assert_eq!(undelivered["next"], json!([format!("reveille undelivered replay {message}")]));
    ended(&reveille(world, &["undelivered", "discard", &message, "--yes"]).await, 0);

    let gone = explain("nowhere.csv").await;
    says(&gone, "it does not exist (any more)", "the bucket");
    refused(world, &["explain", &format!("s3://{bucket}/")], 2, "a key has").await;
    let of_code = answered(world, &["explain", "NotebookFailed"]).await;
    let codes = answered(world, &["explain"]).await;
    let listed = codes.as_array().unwrap().iter().find(|it| it["code"] == "NotebookFailed").unwrap();
    assert_eq!(listed["about"], of_code["about"]);
    let wrong = reveille(world, &["explain", "@first"]).await;
    ended(&wrong, 2);
    assert!(complained(&wrong).contains("@last"), "{}", complained(&wrong));
    ended(&reveille(world, &["on-upload", "remove", RULE]).await, 0);
}
