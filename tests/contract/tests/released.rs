//! What earlier versions left: their records are read, and what this version writes has all that they read.
//!
//! The definitions beside them are played by `crates/simulation/tests/upgrade.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reveille_contract_tests::{files_below, read, root};
use reveille_domain::records::{Claim, Lease, Outcome, Progress, Report, Request, Ticket, TriggerRecord};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The kinds of records of which each version left at least one.
const KINDS: [&str; 8] = ["claim", "lease", "outcome", "progress", "report", "request", "ticket", "trigger"];

fn kept() -> Vec<PathBuf> {
    let files = files_below(&root().join("tests/contract/released"));
    files.into_iter().filter(|file| file.parent().is_some_and(|folder| folder.ends_with("records"))).collect()
}

/// The folders of the earlier versions.
fn versions() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("tests/contract/released")).unwrap().flatten();
    let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
    folders.map(|folder| folder.file_name().into_string().unwrap()).collect()
}

/// `2026-11-26/records/claim.json` is of 2026-11-26.
fn version(file: &Path) -> &str {
    file.iter().rev().nth(2).and_then(|folder| folder.to_str()).unwrap()
}

/// `outcome-of-a-failure.json` is an outcome.
fn kind(file: &Path) -> String {
    let name = file.file_stem().unwrap().to_str().unwrap();
    name.split('-').next().unwrap().to_owned()
}

/// A record as this version reads it and writes it again.
fn again<T: DeserializeOwned + Serialize>(record: &Value) -> Result<Value, String> {
    let read: T = serde_json::from_value(record.clone()).map_err(|error| error.to_string())?;
    Ok(serde_json::to_value(read).unwrap())
}

fn as_now(kind: &str, record: &Value) -> Result<Value, String> {
    match kind {
        "claim" => again::<Claim>(record),
        "lease" => again::<Lease>(record),
        "outcome" => again::<Outcome>(record),
        "progress" => again::<Progress>(record),
        "report" => again::<Report>(record),
        "request" => again::<Request>(record),
        "ticket" => again::<Ticket>(record),
        "trigger" => again::<TriggerRecord>(record),
        other => panic!("{other} is no kind of record"),
    }
}

/// Whether everything of a record is in another one, with the same values.
fn holds(now: &Value, then: &Value) -> bool {
    match (now, then) {
        (Value::Object(now), Value::Object(then)) => {
            then.iter().all(|(name, value)| now.get(name).is_some_and(|now| holds(now, value)))
        }
        _ => now == then,
    }
}

#[test]
fn records_of_earlier_versions_are_read_and_nothing_of_them_is_lost() {
    let mut seen: BTreeMap<String, BTreeSet<String>> =
        versions().into_iter().map(|name| (name, BTreeSet::new())).collect();
    for file in kept() {
        let then: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        let now = as_now(&kind(&file), &then).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert!(holds(&now, &then), "{}: an earlier version misses something in {now}", file.display());
        seen.get_mut(version(&file)).expect("a version's").insert(kind(&file));
    }
    for (version, kinds) in seen {
        assert_eq!(kinds, KINDS.map(str::to_owned).into(), "{version}");
    }
}

/// A runner that is older than the functions, and functions that an update took back, read what newer ones wrote.
#[test]
fn records_with_fields_of_a_later_version_are_read() {
    for file in kept() {
        let mut later: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        later["ofALaterVersion"] = serde_json::json!({"a": 1});
        as_now(&kind(&file), &later).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

/// What makes the tests above fail: each field that is taken away from a record that needs it.
#[test]
fn a_record_that_lacks_what_is_needed_is_noticed() {
    let mut noticed = 0;
    for file in kept() {
        let whole: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for name in whole.as_object().unwrap().keys() {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(name);
            noticed += usize::from(as_now(&kind(&file), &less).is_err());
        }
    }
    assert!(noticed >= 20, "{noticed} fields are needed");
}

#[test]
fn each_earlier_version_is_played_by_the_simulation() {
    let test = read("crates/simulation/tests/upgrade.rs");
    let versions = versions();
    assert!(!versions.is_empty());
    for name in versions {
        assert!(test.contains(&format!("\"{name}\"")), "crates/simulation/tests/upgrade.rs does not play {name}");
        let definition = root().join("tests/contract/released").join(&name).join("notebook_run.asl.json");
        assert!(definition.is_file(), "{name} has no definition");
    }
}
