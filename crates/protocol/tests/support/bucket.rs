//! What a bucket with conditional writes answers, and a record that lies in it. An entity tag is the object's own text.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::{GetAnswer, Object, PutAnswer, PutCondition};
use reveille_domain::records::{Claim, Claimant};

pub type Objects = BTreeMap<String, Vec<u8>>;

/// An earlier claim of an attempt, of this time.
pub fn claim(by: Claimant, of: &AttemptRef, boot_id: Option<&str>, at: DateTime<Utc>) -> Claim {
    Claim {
        by,
        nonce: "earlier".into(),
        boot_id: boot_id.map(str::to_owned),
        at,
        attempt: Some(of.clone()),
        runner_version: None,
    }
}

/// Two bodies have one tag only if they are equal: the nonces make every write another body.
fn etag(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

pub fn keys_after(objects: &Objects, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let keys = objects.keys().filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
    keys.take(limit).cloned().collect()
}

pub fn get(objects: &Objects, key: &str) -> GetAnswer {
    match objects.get(key) {
        None => GetAnswer::Nothing,
        Some(body) if body.len() > MAX_RECORD_BYTES => GetAnswer::TooLarge { etag: etag(body) },
        Some(body) => GetAnswer::Object(Object { body: body.clone(), etag: etag(body) }),
    }
}

pub fn put(objects: &mut Objects, key: &str, body: Vec<u8>, condition: PutCondition) -> PutAnswer {
    let existing = objects.get(key).map(|body| etag(body));
    let holds = match condition {
        PutCondition::Always => true,
        PutCondition::IfAbsent => existing.is_none(),
        PutCondition::IfMatch(expected) => existing == Some(expected),
    };
    if !holds {
        return PutAnswer::ConditionFailed;
    }
    let written = etag(&body);
    objects.insert(key.to_owned(), body);
    PutAnswer::Written(written)
}

/// Whether it was removed.
pub fn delete(objects: &mut Objects, key: &str, expected: &str) -> bool {
    let holds = objects.get(key).is_some_and(|body| etag(body) == expected);
    if holds {
        objects.remove(key);
    }
    holds
}
