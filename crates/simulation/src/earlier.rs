//! A runner of the version before, as functions of this version meet it: on an instance that booted before its stack was updated.
//!
//! - Owns: which fields of each record it knew. What it writes has no others (a lease that it overwrites loses them), and of what it
//!   reads it sees no others.
//! - Never: what it decided. The decisions that are played are this version's, with what such a runner could know.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::definition::root;

/// The fields of its records, by their kinds.
const KNOWN: &str = "tests/contract/released/2026-11-26/fields.json";

type Fields = BTreeMap<String, BTreeSet<String>>;

thread_local! {
    static FIELDS: RefCell<Fields> = RefCell::new(read());
}

/// Nothing, where the file cannot be read: then every record is empty, and no schedule ends well.
fn read() -> Fields {
    let text = std::fs::read_to_string(root().join(KNOWN)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Lets the runners of this thread know one field less, in a test of the simulation itself.
pub fn forget(kind: &str, field: &str) {
    FIELDS.with_borrow_mut(|fields| fields.get_mut(kind).is_some_and(|known| known.remove(field)));
}

/// Which kind of record a key is of. Outputs are none.
fn kind(key: &str) -> Option<&'static str> {
    match key.split('/').next()? {
        "leases" => Some("lease"),
        "inbox" => Some("ticket"),
        "runs" => match key.rsplit('/').next()? {
            "claim.json" => Some("claim"),
            "progress.json" => Some("progress"),
            "report.json" => Some("report"),
            "request.json" => Some("request"),
            _ => None,
        },
        _ => None,
    }
}

/// A record with the fields that it knew. What is no record, or cannot be read, stays as it is.
#[must_use]
pub fn known(key: &str, body: Vec<u8>) -> Vec<u8> {
    let Some(kind) = kind(key) else { return body };
    let Ok(Value::Object(mut record)) = serde_json::from_slice(&body) else { return body };
    FIELDS.with_borrow(|fields| record.retain(|name, _| fields.get(kind).is_some_and(|known| known.contains(name))));
    serde_json::to_vec(&record).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use super::known;

    fn after(key: &str, body: &str) -> String {
        String::from_utf8_lossy(&known(key, body.into())).into_owned()
    }

    #[test]
    fn what_it_did_not_know_is_gone() {
        let claim = r#"{"by":"runner","runnerVersion":"9.9.9"}"#;
        assert_eq!(after("runs/nb-0/r/1/claim.json", claim), r#"{"by":"runner"}"#);
        assert_eq!(after("runs/nb-0/r/1/outcome.json", claim), claim, "it is none of its records");
        assert_eq!(after("inbox/nb-0/r", r#"{"liveOutputSeconds":5,"run":"r"}"#), r#"{"run":"r"}"#);
        assert_eq!(after("leases/nb-0.json", r#"{"later":1,"state":"idle"}"#), r#"{"state":"idle"}"#);
        assert_eq!(after("leases/nb-0.json", "no JSON"), "no JSON");
    }
}
