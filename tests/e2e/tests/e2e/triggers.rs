//! Executions that EventBridge starts: an object that lands, and a schedule.

use reveille_e2e_tests::{LocalAws, Notebook, until};
use reveille_local::{INSTANCE, NOTEBOOK};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("triggers::an_object_that_lands_starts_a_run_with_its_key", |h, w| h.block_on(object_lands(w))),
    ("triggers::a_second_delivery_is_already_handled", |h, w| h.block_on(second_delivery(w))),
    ("triggers::an_event_without_a_sequencer_is_already_handled", |h, w| h.block_on(restored_twice(w))),
    ("triggers::a_folder_of_the_console_is_not_selected", |h, w| h.block_on(folder(w))),
    ("triggers::an_object_that_the_trigger_does_not_ask_for_is_not_selected", |h, w| h.block_on(another_key(w))),
    ("triggers::a_schedule_fires", |h, w| h.block_on(schedule(w))),
];

async fn object_lands(world: &LocalAws) {
    let show = Notebook::of(&["print(source, size)"]).with_parameters("source = size = None");
    world.put_notebook(INSTANCE, NOTEBOOK, &show);
    let bucket = world.local().trigger_bucket();
    let key = "incoming/it's \"odd\" $(x) ü+&.csv";
    world.put_object(bucket, "elsewhere/a.csv", b"a").await;
    world.put_object(bucket, "incoming/a.txt", b"a").await;
    world.put_object(bucket, key, b"a,b\n1,2\n").await;
    let run = until("the object's run", async || world.executions_of(INSTANCE).await.pop()).await;
    run.assert_succeeded(INSTANCE).await;
    let request = run.record(INSTANCE, "request.json").await.unwrap();
    assert_eq!(request["parameters"], json!({"source": format!("s3://{bucket}/{key}"), "size": "8"}));
    let output = run.text(INSTANCE, "1/output.ipynb").await.unwrap();
    assert!(output.contains("$(x) ü+&.csv"), "the key reached the notebook");
    assert_eq!(world.executions_of(INSTANCE).await.len(), 1, "prefix and suffix select");
    world.assert_at_rest(INSTANCE, 1).await;
}

async fn second_delivery(world: &LocalAws) {
    world.instance_with("duplicate", &Notebook::of(&["print('once')"])).await;
    let event = json!({"id": "e", "source": "aws.s3", "time": chrono::Utc::now().to_rfc3339(),
        "detail": {"bucket": {"name": "in"}, "object": {"key": "k", "sequencer": "1"}}});
    let input = json!({"instance": "duplicate", "notebook": "run.ipynb", "event": event});
    let first = world.start_execution(&input).await;
    first.ended().await;
    let second = world.start_execution(&input).await;
    let ended = second.ended().await;
    assert_eq!(ended.status, "SUCCEEDED");
    assert_eq!(ended.output["decision"], "duplicate");
    assert_eq!(ended.output["heldBy"], first.arn);
    assert_eq!(second.records("duplicate").await, Vec::<String>::new());
    first.assert_succeeded("duplicate").await;
    world.assert_at_rest("duplicate", 1).await;

    let mut again = input.clone();
    again["rerun"] = true.into();
    let third = world.start_execution(&again).await;
    third.assert_succeeded("duplicate").await;
    world.assert_at_rest("duplicate", 2).await;
}

/// `Object Restore Completed`, as S3 sends it: twice, with the same id.
async fn restored_twice(world: &LocalAws) {
    let notebook = Notebook::of(&["print(k)"]).with_parameters("k = None");
    world.instance_with("restored", &notebook).await;
    let event = json!({"version": "0", "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Restore Completed", "source": "aws.s3", "account": "123456789012",
        "time": chrono::Utc::now().to_rfc3339(), "region": "us-east-1", "resources": ["arn:aws:s3:::b"],
        "detail": {"version": "0", "bucket": {"name": "b"}, "object": {"key": "k.csv", "size": 5,
        "etag": "b1946ac92492d2347c6235b4d2611184"}, "request-id": "N4N7GDK58NMKJ12R", "requester": "s3.amazonaws.com",
        "source-storage-class": "GLACIER"}});
    let input =
        json!({"instance": "restored", "notebook": "run.ipynb", "parameters": {"k": "{{ key }}"}, "event": event});
    let first = world.start_execution(&input).await;
    first.assert_succeeded("restored").await;
    let ended = world.start_execution(&input).await.ended().await;
    assert_eq!((ended.status.as_str(), ended.output["decision"].as_str()), ("SUCCEEDED", Some("duplicate")));
    assert_eq!(ended.output["heldBy"], first.arn);
    world.assert_at_rest("restored", 1).await;
}

/// What "Create folder" in the S3 console puts: no file, so nothing is started and nothing recorded.
async fn folder(world: &LocalAws) {
    let event = json!({"id": "e", "source": "aws.s3", "detail-type": "Object Created", "time": chrono::Utc::now().to_rfc3339(),
        "detail": {"bucket": {"name": "in"}, "object": {"key": "incoming/new folder/", "size": 0,
        "etag": "d41d8cd98f00b204e9800998ecf8427e", "sequencer": "3"}}});
    let mut input = json!({"instance": "folders", "notebook": "run.ipynb", "event": event});
    for keys in [json!(null), json!({"prefix": "incoming/"})] {
        input["keys"] = keys;
        let execution = world.start_execution(&input).await;
        let ended = execution.ended().await;
        assert_eq!((ended.status.as_str(), ended.output["decision"].as_str()), ("SUCCEEDED", Some("folder")));
        assert_eq!(ended.output["key"], "incoming/new folder/");
        assert_eq!(execution.records("folders").await, Vec::<String>::new());
    }
}

/// As a rule starts it that cannot tell the key apart: there is nothing to run, and nothing is recorded.
async fn another_key(world: &LocalAws) {
    let key = "incoming/orders.csv.gz";
    let event = json!({"id": "e", "source": "aws.s3", "time": chrono::Utc::now().to_rfc3339(),
        "detail": {"bucket": {"name": "in"}, "object": {"key": key, "sequencer": "2"}}});
    let keys = json!({"prefix": "incoming/orders.csv", "suffix": ".csv"});
    let input = json!({"instance": "not-selected", "notebook": "run.ipynb", "keys": keys, "event": event});
    let execution = world.start_execution(&input).await;
    let ended = execution.ended().await;
    assert_eq!((ended.status.as_str(), ended.output["decision"].as_str()), ("SUCCEEDED", Some("otherKey")));
    assert_eq!(ended.output["key"], key);
    assert_eq!(execution.records("not-selected").await, Vec::<String>::new());
}

/// The template's rule fires every minute.
async fn schedule(world: &LocalAws) {
    world.instance("scheduled").await;
    let notebook = Notebook::of(&["print('day', day)"]).with_parameters("day = None");
    world.put_notebook("scheduled", "day.ipynb", &notebook);
    let run = until("a run that the rule starts", async || {
        for run in world.executions_of("scheduled").await {
            // One that fired before the instance was there has failed as it should.
            if run.ended().await.error != "InstanceNotFound" {
                return Some(run);
            }
        }
        None
    })
    .await;
    run.assert_succeeded("scheduled").await;
    let input = run.input().await;
    assert_eq!(input["event"]["source"], "aws.events");
    let day = input["event"]["time"].as_str().unwrap()[..10].to_owned();
    assert!(run.text("scheduled", "1/output.ipynb").await.unwrap().contains(&format!("day {day}")));
}
