//! `PublishProgress`: which records are told of, and that nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::Failure;
use reveille_domain::ports::{CallErrorKind, StartAnswer};
use reveille_protocol::Stack;
use reveille_protocol::publish_progress::{PublishProgressOutput, publish_progress};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

const TICKET: &str = "inbox/nightly/daily-1";
const CLAIM: &str = "runs/nightly/daily-1/2/claim.json";
const REQUEST: &str = "runs/nightly/daily-1/request.json";
const ARN: &str = "arn:aws:states:eu-west-1:111122223333:execution:NotebookRun:daily";

fn ticket() -> Value {
    json!({"run": "daily-1", "attempt": 2, "instance": "nightly", "executionArn": ARN, "admittedAt": now(), "queuedAt": now(),
        "heartbeatSeconds": 300, "queueSeconds": 60, "taskToken": "a secret token"})
}

fn claim() -> Value {
    json!({"by": "runner", "nonce": "n", "at": now(), "attempt": {"instance": "nightly", "run": "daily-1", "attempt": 2}})
}

fn request() -> Value {
    json!({"run": "daily-1", "executionArn": ARN, "admittedAt": now(), "instance": "nightly", "notebook": "reports/daily.ipynb",
        "parameters": {"secret": "a secret value"}, "whenBusy": "queue", "onRunnerLost": "fail",
        "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60}})
}

fn world(records: &[(&str, Value)]) -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for (key, record) in records {
        world.put(key, record);
    }
    world
}

fn created(stack: &Stack, world: &StepWorld, bucket: &str, key: &str) -> Result<PublishProgressOutput, Failure> {
    // With what else S3 says.
    let call = json!({"version": "0", "bucket": {"name": bucket}, "object": {"key": key, "size": 7, "etag": "e", "sequencer": "1"},
        "reason": "PutObject"});
    block_on(publish_progress(stack, world, serde_json::from_value(call).unwrap()))
}

/// What is published when a key is created; nothing else happens.
fn told(world: &StepWorld, bucket: &str, key: &str) -> Vec<Value> {
    let before = world.objects.borrow().clone();
    let answer = created(&stack(), world, bucket, key).unwrap();
    let published = world.published.take();
    assert_eq!(published.is_empty(), answer == PublishProgressOutput::NothingToTell, "{answer:?}");
    assert_eq!(*world.objects.borrow(), before);
    published
}

#[test]
fn a_ticket_is_a_run_that_waits_and_a_claim_one_that_runs() {
    let waiting = world(&[(TICKET, ticket()), (REQUEST, request())]);
    let queued = told(&waiting, "b", TICKET).pop().unwrap();
    let running = world(&[(TICKET, ticket()), (CLAIM, claim()), (REQUEST, request())]);
    let runs = told(&running, "b", CLAIM).pop().unwrap();
    for (event, status) in [(&queued, "QUEUED"), (&runs, "RUNNING")] {
        let expected = json!({"run": "daily-1", "attempt": 2, "status": status, "code": null, "message": null, "evidence": null,
            "instance": "nightly", "instanceAfter": null, "notebook": "reports/daily.ipynb", "outputs": {}, "htmlError": null,
            "outcome": null, "executionArn": ARN, "card": event["card"]});
        assert_eq!(*event, expected);
        assert_eq!(event["card"]["line01"], format!("{status}: reports/daily.ipynb on nightly"));
        assert!(!event.to_string().contains("secret"), "neither a parameter nor a token: {event}");
    }
}

/// S3's events come late, and in any order.
#[test]
fn what_is_past_by_now_is_not_told() {
    let claimed = world(&[(TICKET, ticket()), (CLAIM, claim()), (REQUEST, request())]);
    assert_eq!(told(&claimed, "b", TICKET), [] as [Value; 0], "it runs");
    let broken = world(&[(TICKET, ticket()), (CLAIM, json!("no claim")), (REQUEST, request())]);
    assert_eq!(told(&broken, "b", TICKET), [] as [Value; 0], "something stands where its claim does");
    let ended = world(&[(REQUEST, request())]);
    assert_eq!(told(&ended, "b", TICKET), [] as [Value; 0], "it has ended");
    assert_eq!(told(&ended, "b", CLAIM), [] as [Value; 0], "the claim was deleted by hand");
}

#[test]
fn only_a_runners_claim_is_a_run_that_runs() {
    let mut given_up = claim();
    given_up["by"] = "release".into();
    let mut copied = claim();
    copied["attempt"]["run"] = "another".into();
    for (claim, tells) in [(claim(), 1), (given_up, 0), (copied, 0), (json!({"by": "runner"}), 0), (json!([]), 0)] {
        let world = world(&[(CLAIM, claim.clone()), (REQUEST, request())]);
        assert_eq!(told(&world, "b", CLAIM).len(), tells, "{claim}");
    }
    // Of an earlier version.
    let mut earlier = claim();
    earlier.as_object_mut().unwrap().remove("attempt");
    assert_eq!(told(&world(&[(CLAIM, earlier), (REQUEST, request())]), "b", CLAIM).len(), 1);
}

#[test]
fn a_run_that_nobody_asked_for_is_not_told_of() {
    for lacking in [None, Some(json!("no request")), Some(json!({"run": "daily-1"}))] {
        let records: Vec<_> = lacking.clone().map(|request| (REQUEST, request)).into_iter().collect();
        for (key, record) in [(TICKET, ticket()), (CLAIM, claim())] {
            let world = world(&[records.clone(), vec![(key, record)]].concat());
            assert_eq!(told(&world, "b", key), [] as [Value; 0], "{key}: {lacking:?}");
        }
    }
    // Whatever a record says of itself, its key says whose it is.
    let (mut other, mut elsewhere) = (request(), request());
    other["run"] = "daily-2".into();
    elsewhere["instance"] = "weekly".into();
    for replaced in [other, elsewhere] {
        assert_eq!(told(&world(&[(CLAIM, claim()), (REQUEST, replaced)]), "b", CLAIM), [] as [Value; 0]);
    }
    let (mut other, mut elsewhere) = (ticket(), ticket());
    other["run"] = "daily-2".into();
    elsewhere["instance"] = "weekly".into();
    for copied in [other, elsewhere] {
        assert_eq!(told(&world(&[(TICKET, copied), (REQUEST, request())]), "b", TICKET), [] as [Value; 0]);
    }
}

#[test]
fn other_objects_are_not_even_read() {
    let world = world(&[(TICKET, ticket()), (CLAIM, claim()), (REQUEST, request())]);
    world.faults.borrow_mut().push(StepFault {
        action: "s3:GetObject",
        key_end: "",
        kind: CallErrorKind::Refused,
        times: 9,
    });
    for key in [
        REQUEST,
        "runs/nightly/daily-1/2/report.json",
        "inbox/nightly/a/b",
        "inbox/../x",
        "",
        "team/inbox/nightly/daily-1",
    ] {
        assert_eq!(told(&world, "b", key), [] as [Value; 0], "{key}");
    }
    for bucket in ["c", "", "B"] {
        assert_eq!(told(&world, bucket, TICKET), [] as [Value; 0], "{bucket}");
    }
    let mut below = stack();
    below.layout.prefix = "team/".into();
    assert_eq!(created(&below, &world, "b", TICKET), Ok(PublishProgressOutput::NothingToTell), "another stack's");
}

/// Lambda calls again. A run does not notice.
#[test]
fn a_call_that_failed_fails_the_invocation() {
    for (key, end) in [(TICKET, TICKET), (TICKET, "claim.json"), (TICKET, "request.json"), (CLAIM, "claim.json")] {
        let records = [(TICKET, ticket()), (REQUEST, request())];
        let world = world(&records);
        if key == CLAIM {
            world.put(CLAIM, &claim());
        }
        let kind = CallErrorKind::Throttled;
        world.faults.borrow_mut().push(StepFault { action: "s3:GetObject", key_end: end, kind, times: 1 });
        assert!(created(&stack(), &world, "b", key).is_err(), "{key}: {end}");
        assert_eq!(world.published.borrow().len(), 0);
        assert!(
            matches!(created(&stack(), &world, "b", key), Ok(PublishProgressOutput::Published { .. })),
            "{key}: {end}"
        );
    }
    let mut deaf = world(&[(TICKET, ticket()), (REQUEST, request())]);
    deaf.publishing = Err(reveille_domain::ports::CallError {
        kind: CallErrorKind::AccessDenied,
        action: "events:PutEvents",
        resource: "default".into(),
        message: "No.".into(),
    });
    let failure = created(&stack(), &deaf, "b", TICKET).unwrap_err();
    assert!(failure.message.contains("events:PutEvents"), "{failure}");
}
