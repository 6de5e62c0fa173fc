//! Programs of the version before: a runner, as functions of this version meet it on an instance that booted before its stack was updated;
//! and functions, as runs of this version meet them after their stack went back.
//!
//! - Owns: which fields of each record, and which arguments, they knew. What they write has no others (a lease that they overwrite loses
//!   them), and of what they read they see no others.
//! - Never: what they decided. The decisions that are played are this version's, with what such a program could know.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::definition::{EARLIER, root};
use crate::schedule::Step;

/// The fields of the records, by their kinds: those that the runner writes or reads, and the others.
const KNOWN: [&str; 2] =
    ["tests/contract/released/2026-11-26/fields.json", "tests/contract/released/2026-11-26/function-fields.json"];

/// The words that a field may hold, where it holds one of some: a record with another could not be read.
const VALUES: &str = "tests/contract/released/2026-11-26/values.json";

type Fields = BTreeMap<String, BTreeSet<String>>;

thread_local! {
    static FIELDS: RefCell<Fields> = RefCell::new(KNOWN.into_iter().flat_map(read).collect());
    static WORDS: RefCell<Fields> = RefCell::new(read(VALUES));
    static ARGUMENTS: Fields = arguments_of_steps();
}

/// Nothing, where the file cannot be read: then every record is empty, and no schedule ends well.
fn read(file: &str) -> Fields {
    let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// What the definition passes to each step, by the step's name.
fn arguments_of_steps() -> Fields {
    let text = std::fs::read_to_string(root().join(EARLIER)).unwrap_or_default();
    let definition: Value = serde_json::from_str(&text).unwrap_or_default();
    let passed = |step: Step| {
        let is_its = |state: &str| state.to_lowercase() == step.name().replace('_', "");
        let states = definition["States"].as_object()?;
        let (_, state) = states.iter().find(|(state, _)| is_its(state))?;
        let payload = state.pointer("/Arguments/Payload")?.as_object()?;
        Some((step.name().to_owned(), payload.keys().cloned().collect()))
    };
    Step::ALL.into_iter().filter_map(passed).collect()
}

/// The arguments that a step knew, of those that a later definition passes. A sweep has none of its own.
#[must_use]
pub(crate) fn arguments(step: Step, mut payload: Value) -> Value {
    ARGUMENTS.with(|arguments| {
        if let (Some(known), Value::Object(passed)) = (arguments.get(step.name()), &mut payload) {
            passed.retain(|name, _| known.contains(name));
        }
    });
    payload
}

/// Lets the earlier programs of this thread know one field less, in a test of the simulation itself.
pub fn forget(kind: &str, field: &str) {
    FIELDS.with_borrow_mut(|fields| fields.get_mut(kind).is_some_and(|known| known.remove(field)));
}

/// The same with a word of a field, such as `lease.state`: what a later version's new word is to them.
pub fn forget_word(field: &str, word: &str) {
    WORDS.with_borrow_mut(|words| words.get_mut(field).is_some_and(|known| known.remove(word)));
}

/// Which kind of record a key is of. Outputs are none.
fn kind(key: &str) -> Option<&'static str> {
    match key.split('/').next()? {
        "leases" => Some("lease"),
        "inbox" => Some("ticket"),
        "triggers" => Some("trigger"),
        "runs" => match key.rsplit('/').next()? {
            "claim.json" => Some("claim"),
            "outcome.json" => Some("outcome"),
            "progress.json" => Some("progress"),
            "report.json" => Some("report"),
            "request.json" => Some("request"),
            _ => None,
        },
        _ => None,
    }
}

/// Whether each word of a record was one that it knew.
fn knows_each_word(kind: &str, record: &serde_json::Map<String, Value>) -> bool {
    WORDS.with_borrow(|words| {
        record.iter().all(|(name, value)| {
            let known = words.get(&format!("{kind}.{name}"));
            known.zip(value.as_str()).is_none_or(|(known, word)| known.contains(word))
        })
    })
}

/// A record with the fields that it knew; what it could not read, if a word was new to it. What is no record stays as it is.
#[must_use]
pub fn known(key: &str, body: Vec<u8>) -> Vec<u8> {
    let Some(kind) = kind(key) else { return body };
    let Ok(Value::Object(mut record)) = serde_json::from_slice(&body) else { return body };
    if !knows_each_word(kind, &record) {
        return b"a word of a later version".to_vec();
    }
    FIELDS.with_borrow(|fields| record.retain(|name, _| fields.get(kind).is_some_and(|known| known.contains(name))));
    serde_json::to_vec(&record).unwrap_or(body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{arguments, known};
    use crate::schedule::Step;

    fn after(key: &str, body: &str) -> String {
        String::from_utf8_lossy(&known(key, body.into())).into_owned()
    }

    #[test]
    fn what_it_did_not_know_is_gone() {
        let claim = r#"{"by":"runner","runnerVersion":"9.9.9"}"#;
        assert_eq!(after("runs/nb-0/r/1/claim.json", claim), r#"{"by":"runner"}"#);
        assert_eq!(after("runs/nb-0/r/1/outcome.json", r#"{"run":"r","runnerVersion":"9"}"#), r#"{"run":"r"}"#);
        assert_eq!(after("triggers/0", r#"{"run":"r","later":1}"#), r#"{"run":"r"}"#);
        assert_eq!(after("runs/nb-0/r/1/log.txt", claim), claim, "it is none of its records");
        assert_eq!(after("inbox/nb-0/r", r#"{"liveOutputSeconds":5,"run":"r"}"#), r#"{"run":"r"}"#);
        assert_eq!(after("leases/nb-0.json", r#"{"later":1,"state":"open"}"#), r#"{"state":"open"}"#);
        assert_eq!(after("leases/nb-0.json", r#"{"state":"resting"}"#), "a word of a later version");
        assert_eq!(after("leases/nb-0.json", "no JSON"), "no JSON");
    }
    #[test]
    fn an_argument_that_it_did_not_know_is_not_passed() {
        let later = json!({"execution": "e", "run": "r", "ofALaterVersion": 1});
        assert_eq!(arguments(Step::CheckInstance, later.clone()), json!({"execution": "e", "run": "r"}));
        assert_eq!(arguments(Step::Sweep, later.clone()), later, "the definition does not call it");
    }
}
