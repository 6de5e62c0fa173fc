use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::ids::RunId;
use crate::records::Reporter;

const AT: &str = "2026-11-23T10:00:00Z";

fn report(run: &str, attempt: u32, output: Option<&str>) -> Report {
    Report {
        run: RunId::from_key(run),
        attempt,
        by: Reporter::Runner,
        runner_version: None,
        failure: None,
        source_sha256: None,
        outputs: output.map(|uri| BTreeMap::from([("notebook".to_owned(), uri.to_owned())])).unwrap_or_default(),
        html_error: None,
        queued_at: None,
        started_at: None,
        ended_at: chrono::DateTime::UNIX_EPOCH,
    }
}

#[test]
fn a_report_belongs_to_its_own_attempt_and_so_do_its_outputs() {
    for prefix in ["", "team/"] {
        let key = format!("{prefix}runs/nightly/r-1/2/report.json");
        let own = format!("s3://b/{prefix}runs/nightly/r-1/2/output.ipynb");
        assert_eq!(report("r-1", 2, Some(&own)).foreign_to(&key), None);
        assert!(report("r-2", 2, None).foreign_to(&key).is_some(), "another run");
        assert!(report("r-1", 1, None).foreign_to(&key).is_some(), "another attempt");
        assert!(report("1", 2, None).foreign_to(&key).is_some(), "the end of the run's name");
        for other in ["s3://b/runs/nightly/r-2/2/output.ipynb", "s3://b/runs/other/r-1/2/output.ipynb", "output.ipynb"]
        {
            assert!(report("r-1", 2, Some(other)).foreign_to(&key).is_some(), "{other}");
        }
    }
}

/// Only a run whose request named no valid instance has an outcome without one, and it has a folder of its own.
#[test]
fn an_outcome_belongs_to_its_own_attempt() {
    let foreign = |field: &str, value: serde_json::Value, key: &str| {
        let mut outcome = serde_json::json!({"run": "r-1", "attempt": 1, "status": "SUCCEEDED", "instance": "nightly",
            "outputs": {}, "phases": {}, "instanceAfter": "atRest", "executionArn": "arn:r", "redriveCount": 0,
            "concludedAt": "2026-11-23T10:00:00Z"});
        outcome[field] = value;
        serde_json::from_value::<Outcome>(outcome).unwrap().foreign_to(key)
    };
    for prefix in ["", "team/"] {
        let key = format!("{prefix}runs/nightly/r-1/1/outcome.json");
        assert_eq!(foreign("status", "FAILED".into(), &key), None);
        for (field, value) in [
            ("run", "r-2".into()),
            ("attempt", 2.into()),
            ("instance", "payroll".into()),
            ("instance", serde_json::Value::Null),
        ] {
            assert!(foreign(field, value.clone(), &key).is_some(), "{field}: {value}");
        }
        let invalid = format!("{prefix}runs/_invalid/r-1/1/outcome.json");
        assert_eq!(foreign("instance", serde_json::Value::Null, &invalid), None);
    }
}

fn key_end<R: Record>(record: serde_json::Value) -> Option<String> {
    serde_json::from_value::<R>(record).unwrap().key_end()
}

/// A record that was copied to another key is nobody's there. What names no key may be under any.
#[test]
fn each_kind_of_record_names_the_end_of_its_key_if_it_can() {
    let at = || json!({"instance": "nightly", "run": "r-1", "attempt": 2});
    let claim = json!({"by": "runner", "nonce": "n", "at": AT});
    let mut claim_of_attempt = claim.clone();
    claim_of_attempt["attempt"] = at();
    let ticket = json!({"run": "r-1", "attempt": 2, "executionArn": "a", "admittedAt": AT, "queuedAt": AT,
        "heartbeatSeconds": 300, "queueSeconds": 60, "taskToken": "t"});
    let mut ticket_of_instance = ticket.clone();
    ticket_of_instance["instance"] = "nightly".into();
    for (end, expected) in [
        (key_end::<Claim>(claim), None),
        (key_end::<Claim>(claim_of_attempt), Some("/runs/nightly/r-1/2/claim.json")),
        (key_end::<Ticket>(ticket), Some("/r-1")),
        (key_end::<Ticket>(ticket_of_instance), Some("/inbox/nightly/r-1")),
        (key_end::<Progress>(json!({"cell": 1, "cells": 2, "at": AT})), None),
        (key_end::<TriggerRecord>(json!({"executionArn": "a", "startTime": AT, "run": "r-1"})), None),
    ] {
        assert_eq!(end.as_deref(), expected);
    }
    let mut lease = Lease::starting(&RunId::from_key("r-1"), "n".into(), None, chrono::DateTime::UNIX_EPOCH);
    assert_eq!(lease.key_end(), None);
    lease.instance = InstanceName::parse("nightly").ok();
    assert_eq!(lease.key_end().as_deref(), Some("/leases/nightly.json"));
}

/// Under a key, the end of a path is a record's own run only if a run cannot be a piece of a path.
#[test]
fn no_record_names_a_piece_of_a_path_as_its_run() {
    for run in ["nightly/r-1", "runs/nightly/r-1", "..", ""] {
        let report = serde_json::to_value(report(run, 2, None)).unwrap();
        assert!(serde_json::from_value::<Report>(report).is_err(), "{run}");
        let at = serde_json::json!({"instance": "nightly", "run": run, "attempt": 1});
        assert!(serde_json::from_value::<crate::layout::AttemptRef>(at).is_err(), "{run}");
    }
}

#[test]
fn what_a_damaged_record_holds_is_never_told() {
    for body in [r#"{"run": "secret"}"#, r#""secret""#, "secret", r#"{"secret": 1"#] {
        let damage = Damage::of(&serde_json::from_str::<Ticket>(body).unwrap_err());
        assert!(!damage.to_string().contains("secret"), "{damage}");
    }
    let damage = |body: &str| Damage::of(&serde_json::from_str::<Ticket>(body).unwrap_err()).to_string();
    assert_eq!(damage(""), "is empty");
    assert!(damage("{").contains("not valid JSON"));
    assert!(damage("[]").contains("not a record of this kind"));
}

#[test]
fn each_kind_says_what_removing_it_means() {
    let advice: Vec<String> = RecordKind::ALL
        .into_iter()
        .map(|kind| {
            let key = "leases/nightly.json".to_owned();
            Unreadable { kind, key, etag: String::new(), damage: Damage::TooLarge }.advice()
        })
        .collect();
    for (index, text) in advice.iter().enumerate() {
        assert!(!advice[..index].contains(text), "{text}");
    }
    assert!(advice[7].contains("aws sagemaker stop-notebook-instance --notebook-instance-name nightly"), "{advice:?}");
}
