//! What earlier versions left: their records are read, what this version writes has all that they read, and this version's runner does with
//! the policy that they gave it.
//!
//! The definitions beside them are played by `crates/simulation/tests/upgrade.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use reveille_contract_tests::policy::{Grant, grants};
use reveille_contract_tests::wildcards::matches;
use reveille_contract_tests::{files_below, iam, read, root};
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

/// What the runner may do now and could not with the policy of an earlier version, and which test shows that it does without. An instance
/// has that policy until its own stack is deployed, and the new runner at its next boot. What a runner cannot do without has no place
/// here: then docs/upgrade.md says in the version's section that the instances' stacks come first.
const DOES_WITHOUT: [(&str, &str, &str); 3] = [
    ("s3:PutObject", "}live/", "crates/protocol/tests/runner_live.rs::what_is_denied_is_not_asked_for_again"),
    // Of the on-start script, which comes with the policy: an earlier one starts the runner that its settings name.
    (
        "s3:GetObject",
        "}runner.sha256",
        "crates/lifecycle/tests/on_start/follow.rs::the_runner_is_the_one_that_the_stack_names",
    ),
    (
        "s3:GetObject",
        "/artifacts/reveille-runner*",
        "crates/lifecycle/tests/on_start/main.rs::an_object_with_another_checksum_is_never_started",
    ),
];

/// The grants of an earlier version's policy of the runner, an action and a resource each.
fn earlier_grants(version: &str) -> Vec<(String, String)> {
    let policy = read(&format!("tests/contract/released/{version}/runner-policy.json"));
    let policy: Value = serde_json::from_str(&policy).unwrap();
    let mut granted = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        assert_eq!(statement["Effect"], "Allow");
        for action in iam::texts(&statement["Action"]) {
            granted.extend(iam::texts(&statement["Resource"]).into_iter().map(|on| (action.clone(), on)));
        }
    }
    granted
}

/// What these do not allow of what the runner calls. (What it may do is what it calls: the end-to-end tests hold the two together.)
fn lacking(earlier: &[(String, String)], now: &[Grant]) -> Vec<(String, String)> {
    let allows =
        |grant: &Grant| earlier.iter().any(|(action, on)| *action == grant.action && matches(on, &grant.resource));
    let lacking = now.iter().filter(|grant| !allows(grant));
    lacking.map(|grant| (grant.action.clone(), grant.resource.clone())).collect()
}

/// docs/upgrade.md: "its runner works with the `instance.yaml` of the version before it"
#[test]
fn the_runner_does_without_what_an_earlier_policy_does_not_allow() {
    let role = iam::roles("infra/instance.yaml").pop().expect("a role");
    let now = grants(&role, &[]);
    for version in versions() {
        let earlier = earlier_grants(&version);
        let lacking = lacking(&earlier, &now);
        let excused = |(action, on): &(String, String)| {
            DOES_WITHOUT.iter().any(|(known, part, _)| known == action && on.contains(part))
        };
        let needed: Vec<_> = lacking.iter().filter(|call| !excused(call)).collect();
        assert!(needed.is_empty(), "{version}: the runner lacks {needed:?}; see DOES_WITHOUT");
        for (action, part, test) in DOES_WITHOUT {
            let is_lacking = lacking.iter().any(|(known, on)| known == action && on.contains(part));
            assert!(is_lacking, "{version} allows {action} on {part}: it needs no reason any more");
            let (file, name) = test.split_once("::").unwrap();
            assert!(read(file).contains(&format!("fn {name}(")), "{test}");
        }
        // What makes this fail: any grant that the runner uses and that an earlier policy does not have.
        for place in 0..earlier.len() {
            let mut less = earlier.clone();
            let (action, on) = less.remove(place);
            // The key of its own runner was a parameter, which is none of the runner's calls now.
            let used = now.iter().any(|grant| grant.action == action && matches(&on, &grant.resource));
            assert_eq!(self::lacking(&less, &now).len() > lacking.len(), used, "{version}: {action} on {on}");
        }
    }
}

/// The simulation gives an earlier runner these fields and no others.
#[test]
fn an_earlier_versions_records_have_the_fields_that_its_runner_knew() {
    for file in kept() {
        let version = version(&file);
        let known = read(&format!("tests/contract/released/{version}/fields.json"));
        let known: BTreeMap<String, BTreeSet<String>> = serde_json::from_str(&known).unwrap();
        let Some(known) = known.get(&kind(&file)) else { continue };
        let record: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for name in record.as_object().unwrap().keys() {
            assert!(known.contains(name), "{}: {name} is not in fields.json", file.display());
        }
    }
}

#[test]
fn each_earlier_version_is_played_by_the_simulation() {
    let test = read("crates/simulation/tests/upgrade.rs");
    let runner = read("crates/simulation/src/earlier.rs");
    let last = versions().into_iter().max().expect("a version");
    assert!(runner.contains(&format!("/{last}/fields.json")), "crates/simulation/src/earlier.rs plays {last}");
    let versions = versions();
    assert!(!versions.is_empty());
    for name in versions {
        assert!(test.contains(&format!("\"{name}\"")), "crates/simulation/tests/upgrade.rs does not play {name}");
        let definition = root().join("tests/contract/released").join(&name).join("notebook_run.asl.json");
        assert!(definition.is_file(), "{name} has no definition");
    }
}
