//! S3: the stack's bucket with its records, and the buckets of triggers.

use std::collections::BTreeSet;

use reveille_domain::{
    InstanceName,
    layout::{AttemptRef, Layout},
};
use serde_json::{Value, json};

use super::{
    BUCKET,
    runs::{ALL, WorldExecution},
};
use crate::stub::StubCall;

const NOTIFICATIONS: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";

const ALL_BLOCKED: &str = "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls>\
<BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>";

pub fn answer(call: &StubCall<'_>) -> Option<(u16, String)> {
    let mut words = call.first.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let (place, query) = path.split_once('?').unwrap_or((path, ""));
    let (bucket, key) = place.trim_start_matches('/').split_once('/').unwrap_or((place.trim_start_matches('/'), ""));
    if !["GET", "HEAD"].contains(&method) {
        return None;
    }
    if query.starts_with("notification") {
        return Some((200, NOTIFICATIONS.to_owned()));
    }
    if bucket != BUCKET {
        return None;
    }
    if query.starts_with("publicAccessBlock") {
        return Some((200, ALL_BLOCKED.to_owned()));
    }
    if query.starts_with("versioning") {
        return Some((200, "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>".to_owned()));
    }
    if method == "HEAD" {
        // Such an answer has no body.
        let key = plain(key);
        let is_there = key.is_empty() || all().iter().any(|(known, _)| *known == key);
        return Some((if is_there { 200 } else { 404 }, String::new()));
    }
    if query.contains("list-type=2") {
        return Some((200, list(query)));
    }
    let key = plain(key);
    let found = all().into_iter().find(|(known, _)| *known == key);
    Some(found.map_or_else(
        || (404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
        |(_, body)| (200, body.as_str().map_or_else(|| body.to_string(), str::to_owned)),
    ))
}

fn plain(text: &str) -> String {
    text.replace("%2F", "/").replace("%20", " ")
}

/// Folders below a prefix, or the keys.
fn list(query: &str) -> String {
    let field = |name: &str| {
        let value = query.split('&').find_map(|part| part.strip_prefix(&format!("{name}="))).unwrap_or_default();
        plain(value)
    };
    let prefix = field("prefix");
    let keys = all().into_iter().map(|(key, _)| key).filter(|key| key.starts_with(&prefix));
    let folder = |key: String| key[prefix.len()..].find('/').map(|end| key[..=prefix.len() + end].to_owned());
    let lines: BTreeSet<String> = if field("delimiter").is_empty() {
        keys.map(|key| {
            format!("<Contents><Key>{key}</Key><LastModified>2026-11-27T09:20:00Z</LastModified></Contents>")
        })
        .collect()
    } else {
        keys.filter_map(folder).map(|it| format!("<CommonPrefixes><Prefix>{it}</Prefix></CommonPrefixes>")).collect()
    };
    format!("<ListBucketResult>{}</ListBucketResult>", lines.into_iter().collect::<String>())
}

pub fn layout() -> Layout {
    Layout { bucket: BUCKET.to_owned(), prefix: String::new() }
}

/// The records: one run runs on `nightly`, and one waits.
fn all() -> Vec<(String, Value)> {
    let layout = layout();
    let nightly = InstanceName::parse("nightly").unwrap();
    let (runs, waits) =
        (WorldExecution::named("daily-sales-20261127T091000"), WorldExecution::named("orders-europe-west-6f1f0c2a"));
    let at = AttemptRef { instance: runs.instance.into(), run: runs.run(), attempt: 1 };
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
    let of_ended = ALL.iter().filter(|it| !["RUNNING", "SUCCEEDED"].contains(&it.status)).flat_map(|it| {
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
