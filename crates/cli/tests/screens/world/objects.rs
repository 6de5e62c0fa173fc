//! S3: the stack's bucket with its records, and the buckets of triggers.

use reveille_domain::{
    InstanceName,
    layout::{AttemptRef, Layout},
};
use serde_json::{Value, json};

use super::{
    BUCKET, lab,
    runs::{self, WorldExecution},
};
use crate::{bucket, stub::StubCall};

const NOTIFICATIONS: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";

const ALL_BLOCKED: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

/// A call to S3 that changes nothing.
pub struct AskedObject<'a> {
    method: &'a str,
    pub bucket: &'a str,
    pub key: String,
    query: &'a str,
}

impl<'a> AskedObject<'a> {
    pub fn of(call: &StubCall<'a>) -> Option<Self> {
        let mut words = call.first.split_whitespace();
        let (method, path) = (words.next()?, words.next()?);
        let (place, query) = path.split_once('?').unwrap_or((path, ""));
        let place = place.trim_start_matches('/');
        let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
        ["GET", "HEAD"].contains(&method).then(|| Self { method, bucket, key: bucket::plain(key), query })
    }
}

pub fn no_such_key() -> (u16, String) {
    (404, "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>".to_owned())
}

pub fn answer(call: &StubCall<'_>) -> Option<(u16, String)> {
    let AskedObject { method, bucket, key, query } = AskedObject::of(call)?;
    if query.starts_with("notification") {
        return Some(notifications(bucket));
    }
    if bucket == "acme-incoming" && method == "HEAD" {
        return Some((if key.starts_with("orders/") { 200 } else { 404 }, String::new()));
    }
    if ![BUCKET, lab::BUCKET].contains(&bucket) {
        return None;
    }
    if query.starts_with("publicAccessBlock") {
        return Some((200, ALL_BLOCKED.to_owned()));
    }
    if query.starts_with("versioning") {
        return Some((200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".to_owned()));
    }
    let all = if bucket == BUCKET { all(call) } else { of_lab() };
    if method == "HEAD" {
        // Such an answer has no body.
        let is_there = key.is_empty() || all.iter().any(|(known, _)| *known == key);
        return Some((if is_there { 200 } else { 404 }, String::new()));
    }
    if query.contains("list-type=2") {
        return Some((200, bucket::list(query, all.iter().map(|(key, _)| key.as_str()))));
    }
    let found = all.into_iter().find(|(known, _)| *known == key);
    Some(
        found
            .map_or_else(no_such_key, |(_, body)| (200, body.as_str().map_or_else(|| body.to_string(), str::to_owned))),
    )
}

/// What a bucket tells others: the archive tells nobody, and one that is mistyped is none.
fn notifications(bucket: &str) -> (u16, String) {
    match bucket {
        "acme-archive" => (200, "<NotificationConfiguration/>".to_owned()),
        "acme-incomming" => (
            404,
            "<Error><Code>NoSuchBucket</Code><Message>The specified bucket does not exist</Message></Error>".to_owned(),
        ),
        _ => (200, NOTIFICATIONS.to_owned()),
    }
}

pub fn layout(bucket: &str) -> Layout {
    Layout { bucket: bucket.to_owned(), prefix: String::new() }
}

/// The records of the second stack: of the run that failed there.
fn of_lab() -> Vec<(String, Value)> {
    let layout = layout(lab::BUCKET);
    let failed = lab::executions().into_iter().filter(|it| it.why.is_none());
    let of = |it: WorldExecution| {
        let at = it.attempt();
        let outcome = (layout.outcome(&at), it.outcome());
        [outcome, (layout.attempt(&at) + "log.txt", Value::from("Executing cell 3 of 9\n売上 48,213 件\n"))]
    };
    failed.flat_map(of).collect()
}

/// The records: one run runs on `nightly`, and one waits.
fn all(call: &StubCall<'_>) -> Vec<(String, Value)> {
    let layout = layout(BUCKET);
    let nightly = InstanceName::parse("nightly").unwrap();
    let (runs, waits) =
        (WorldExecution::named("daily-sales-20261127T091000"), WorldExecution::named("orders-europe-west-6f1f0c2a"));
    let at = AttemptRef { instance: runs.instance.clone(), run: runs.run(), attempt: 1 };
    let lease = json!({"instance": "nightly", "state": "busy", "nonce": "n", "at": "2026-11-27T09:14:00Z",
        "startedBy": runs.run(), "startedAttempt": 1, "certain": true, "bootId": "b", "busy": at});
    let limits = json!({"startSeconds": 1_200, "queueSeconds": 3_600, "runSeconds": 7_200, "stopSeconds": 900});
    let request = json!({"run": runs.run(), "executionArn": runs.arn(), "admittedAt": runs.started,
        "instance": runs.instance, "notebook": runs.notebook, "parameters": {"day": "2026-11-26"}, "limits": limits,
        "whenBusy": "queue", "onRunnerLost": "fail", "html": "full"});
    let ticket = json!({"run": waits.run(), "attempt": 1, "instance": "nightly", "executionArn": waits.arn(),
        "admittedAt": waits.started, "queuedAt": waits.started, "heartbeatSeconds": 300, "queueSeconds": 3_600,
        "taskToken": "t"});
    let claim = json!({"by": "runner", "nonce": "n", "at": "2026-11-27T09:14:00Z", "attempt": at});
    let progress =
        json!({"cell": 9, "cells": 14, "at": "2026-11-27T09:29:40Z", "since": "2026-11-27T09:27:10Z", "done": 8});
    let known = runs::executions().into_iter().chain(runs::started(call));
    let of_ended = known.filter(|it| !["RUNNING", "SUCCEEDED"].contains(&it.status)).flat_map(|it| {
        let log = Value::from("2026-11-25T07:43:20Z Executing cell 7 of 12\nread 48,213 orders\n");
        let at = it.attempt();
        let attempt = layout.attempt(&at);
        [
            (layout.outcome(&at), it.outcome()),
            (attempt.clone() + "log.txt", log),
            (attempt + "output.html", json!("page")),
        ]
    });
    let now = [
        (layout.lease(&nightly), lease),
        (layout.request("nightly", &runs.run()), request),
        (layout.claim(&at), claim),
        (layout.progress(&at), progress),
        (layout.ticket(&nightly, &waits.run()), ticket),
    ];
    now.into_iter().chain(of_ended).collect()
}
