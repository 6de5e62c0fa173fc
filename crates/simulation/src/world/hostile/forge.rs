//! Records that a hostile notebook forges, plants and removes: its lease, and those of its instance's runs.

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::PutCondition;
use reveille_domain::{Code, RunId};
use serde_json::{Value, json};

use super::{ANOTHER, Role};
use crate::hostility::{Hostility, REPLACED_NOTEBOOK};
use crate::world::boots::Boot;

const FUTURE: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";
/// Attempts that never are.
const ATTEMPTS: [&str; 4] = ["0", "7", "101", "4294967295"];

impl Role<'_> {
    pub(super) fn forge_lease(&mut self, kind: Hostility) {
        let key = format!("leases/{}.json", self.instance);
        match kind {
            Hostility::LeaseGone => return self.delete(&key),
            Hostility::LeaseUnreadable => return self.put(&key, b"{\"instance\": ".to_vec()),
            Hostility::LeaseOversized => return self.put(&key, vec![b' '; MAX_RECORD_BYTES + 1]),
            _ => {}
        }
        let somebody = self.attempt(None);
        let mut lease = self.read(&key).filter(Value::is_object).unwrap_or_else(|| {
            json!({"instance": self.instance, "state": "open", "nonce": "forged", "at": self.now(),
                "startedBy": "nobody-0123456789", "certain": true})
        });
        lease["nonce"] = json!(format!("forged{}", self.world.fresh()));
        let now = self.now();
        let at = [now.clone(), json!(PAST), json!(FUTURE)][self.roll(3)].clone();
        let fields = match kind {
            Hostility::LeaseOfTheFuture => {
                let state = ["open", "busy", "closing", "starting", "unsure"][self.roll(5)];
                json!({"at": FUTURE, "state": state, "personAt": FUTURE})
            }
            Hostility::LeaseOfAnotherBoot => json!({"bootId": "boot-elsewhere", "at": at}),
            Hostility::LeaseUnbound => json!({"bootId": null, "state": "open", "at": at, "seenUp": false}),
            Hostility::LeaseEnded => json!({"ended": true, "at": at}),
            Hostility::LeaseUncertain => {
                let state = ["open", "unsure", "starting"][self.roll(3)];
                json!({"certain": false, "state": state, "at": at, "seenUp": true})
            }
            Hostility::LeaseClosing => {
                let closer = ["function", "runner"][self.roll(2)];
                json!({"state": "closing", "closer": closer, "at": at})
            }
            Hostility::LeaseBusyWithNobody => {
                let busy = json!({"instance": self.instance, "run": "nobody-0123456789", "attempt": 1});
                json!({"state": "busy", "busy": busy, "at": at})
            }
            Hostility::LeaseBusyWithARun => match somebody {
                Some(at) => json!({"state": "busy", "busy": at, "at": now}),
                None => return,
            },
            Hostility::LeaseOfAPerson => json!({"personAt": now, "at": now}),
            Hostility::LeaseForeign => json!({"instance": ANOTHER}),
            // Kept young.
            _ => json!({"at": now}),
        };
        if let (Some(lease), Some(fields)) = (lease.as_object_mut(), fields.as_object()) {
            lease.extend(fields.clone());
        }
        self.put_json(&key, &lease);
    }

    pub(super) fn forge_record(&mut self, kind: Hostility, me: &AttemptRef, boot: &Boot) {
        let Some(at) = self.attempt(Some(me)) else { return };
        let folder = format!("runs/{}/{}/{}/", at.instance, at.run, at.attempt);
        let claim = folder.clone() + "claim.json";
        let report = folder.clone() + "report.json";
        let now = self.now();
        let claimed = |by: &str, boot: &str, when: &Value| json!({"by": by, "nonce": "forged", "bootId": boot, "at": when, "attempt": at});
        let reported = |run: &RunId, failure: Option<Value>, outputs: Value| {
            let mut report =
                json!({"run": run, "attempt": at.attempt, "by": "runner", "outputs": outputs, "endedAt": now});
            if let Some(failure) = failure {
                report["failure"] = failure;
            }
            report
        };
        match kind {
            Hostility::ClaimOfAnotherBoot => self.put_json(&claim, &claimed("runner", "boot-elsewhere", &now)),
            Hostility::ClaimReleased => self.put_json(&claim, &claimed("release", &boot.id, &now)),
            Hostility::ClaimOfTheFuture => self.put_json(&claim, &claimed("runner", &boot.id, &json!(FUTURE))),
            Hostility::ClaimUnreadable => self.put(&claim, b"[]".to_vec()),
            Hostility::ReportOfSuccess => self.put_json(&report, &reported(&at.run, None, json!({}))),
            Hostility::ReportOfFailure => {
                let code = Code::ALL[self.roll(Code::ALL.len() as u64)];
                let failure = json!({"code": code, "message": format!("\u{1b}[31m{}", "forged ".repeat(400))});
                self.put_json(&report, &reported(&at.run, Some(failure), json!({})));
            }
            Hostility::ReportForeign => {
                self.put_json(&report, &reported(&RunId::from_key("another-0123456789"), None, json!({})));
            }
            Hostility::ReportElsewhere => {
                let outputs =
                    json!({"notebook": "s3://runs/runs/payroll/r/1/output.ipynb", "html": "https://evil.example"});
                self.put_json(&report, &reported(&at.run, None, outputs));
            }
            Hostility::ReportUnreadable => self.put(&report, b"not a report".to_vec()),
            Hostility::ReportOversized => self.put(&report, vec![b'['; MAX_RECORD_BYTES + 1]),
            Hostility::ProgressForged => {
                let when = [now.clone(), json!(FUTURE)][self.roll(2)].clone();
                self.put_json(&(folder + "progress.json"), &json!({"cell": 4, "cells": 5, "at": when}));
            }
            _ => self.put(&(folder + "output.ipynb"), b"<script>".to_vec()),
        }
    }

    pub(super) fn plant(&mut self, me: &AttemptRef) {
        let Some(at) = self.attempt(Some(me)) else { return };
        let run = format!("runs/{}/{}/", at.instance, at.run);
        let attempt = ATTEMPTS[self.roll(4)];
        for key in [
            format!("{run}{attempt}/claim.json"),
            format!("{run}{attempt}/report.json"),
            format!("{run}1/deeper/report.json"),
            format!("{run}x/progress.json"),
            format!("runs/{}/claim.json/claim.json", at.instance),
        ] {
            self.put(&key, b"{}".to_vec());
        }
    }

    /// Somebody else, with a role that may: not this one's policy.
    pub(super) fn replace_request(&mut self) {
        let Some(at) = self.attempt(None) else { return };
        let key = format!("runs/{}/{}/request.json", at.instance, at.run);
        let Some(mut request) = self.world.bucket.record::<Value>(&key) else { return };
        request["notebook"] = json!(REPLACED_NOTEBOOK);
        self.struck = true;
        self.world.say(|| format!("  somebody replaces {key}"));
        self.world.bucket.put(&key, request.to_string().into_bytes(), &PutCondition::Always);
    }
}
