//! A hostile notebook: while it executes, and afterwards as a process that it left behind, until its boot ends, it does
//! what its instance's role may do. Each effect passes the policy ([`crate::policy`]); what that denies has no effect.

use std::rc::Rc;

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_RECORD_BYTES;
use reveille_domain::ports::PutCondition;
use reveille_domain::{Code, RunId};
use serde_json::{Value, json};

use super::armed::RESTART_MS;
use super::boots::{Boot, By};
use super::{World, pass_ms, time};
use crate::fault::Fault;
use crate::hostility::{Hostility, REPLACED_NOTEBOOK};
use crate::lies::Lie;
use crate::policy;
use crate::schedule::Strike;

/// The instance that no schedule has.
const ANOTHER: &str = "payroll";
const FUTURE: &str = "2099-01-01T00:00:00Z";
const PAST: &str = "2020-01-01T00:00:00Z";
/// Attempts that never are.
const ATTEMPTS: [&str; 4] = ["0", "7", "101", "4294967295"];

impl World {
    /// A notebook has begun on a boot: if it is one of the schedule's hostile ones, it begins to strike.
    pub(super) fn turn_hostile(self: &Rc<Self>, boot: &Rc<Boot>, me: &AttemptRef) {
        if self.schedule.hostile.is_empty() {
            return;
        }
        let nth = self.ledger.notebooks_on(&boot.instance);
        for hostile in self.schedule.hostile.iter().filter(|hostile| hostile.nth == nth) {
            if self.schedule.instances[hostile.index].name != boot.instance {
                continue;
            }
            for strike in &hostile.strikes {
                let (world, boot, me, strike) = (Rc::clone(self), Rc::clone(boot), me.clone(), *strike);
                let on = Rc::clone(&boot);
                let task = tokio::task::spawn_local(async move { world.strike(&on, &me, strike).await });
                boot.tasks.borrow_mut().push(task.abort_handle());
            }
        }
    }

    async fn strike(self: &Rc<Self>, boot: &Rc<Boot>, me: &AttemptRef, strike: Strike) {
        tokio::time::sleep(strike.after).await;
        for _ in 0..strike.times {
            pass_ms(self.pick(3, 40)).await;
            let Role { struck, denied, .. } = self.act(boot, me, strike.kind).await;
            if struck {
                self.ledger.struck(&boot.instance, strike.kind, self.now_ms());
            }
            if struck || denied && strike.kind.is_denied() {
                self.fired(Fault::Notebook(strike.kind), &boot.instance);
            }
            tokio::time::sleep(strike.every).await;
        }
    }

    async fn act<'a>(self: &'a Rc<Self>, boot: &'a Rc<Boot>, me: &AttemptRef, kind: Hostility) -> Role<'a> {
        let mut role = Role { world: self, instance: &boot.instance, struck: false, denied: false };
        match kind {
            Hostility::LeaseOfTheFuture
            | Hostility::LeaseOfAnotherBoot
            | Hostility::LeaseUnbound
            | Hostility::LeaseEnded
            | Hostility::LeaseUncertain
            | Hostility::LeaseClosing
            | Hostility::LeaseBusyWithNobody
            | Hostility::LeaseBusyWithARun
            | Hostility::LeaseKeptYoung
            | Hostility::LeaseOfAPerson
            | Hostility::LeaseGone
            | Hostility::LeaseUnreadable
            | Hostility::LeaseOversized
            | Hostility::LeaseForeign => role.forge_lease(kind),
            Hostility::ClaimOfAnotherBoot
            | Hostility::ClaimReleased
            | Hostility::ClaimOfTheFuture
            | Hostility::ClaimUnreadable
            | Hostility::ReportOfSuccess
            | Hostility::ReportOfFailure
            | Hostility::ReportForeign
            | Hostility::ReportElsewhere
            | Hostility::ReportUnreadable
            | Hostility::ReportOversized
            | Hostility::ProgressForged
            | Hostility::OutputReplaced => role.forge_record(kind, me, boot),
            Hostility::PlantsRecords => role.plant(me),
            Hostility::RequestReplaced => role.replace_request(),
            Hostility::TicketGone => role.remove_ticket(),
            Hostility::TokenAnsweredWithSuccess
            | Hostility::TokenAnsweredWithFailure
            | Hostility::TokenBeaten
            | Hostility::TokenGuessed => role.answer(kind),
            Hostility::StopsItself => role.stop(boot),
            Hostility::KillsRunner | Hostility::EndsRunner => {
                if boot.runner.borrow().is_some() {
                    role.struck = true;
                    let again = (kind == Hostility::KillsRunner).then_some(RESTART_MS);
                    self.kill_runner(&boot.instance, again).await;
                }
            }
            Hostility::WritesForFunctions
            | Hostility::ReachesAnotherInstance
            | Hostility::ReachesTheStack
            | Hostility::RemovesPutOnce
            | Hostility::CallsOthers => role.reach_out(kind, me),
        }
        role
    }
}

/// What a process on an instance may do, and what came of it.
struct Role<'a> {
    world: &'a Rc<World>,
    instance: &'a str,
    struck: bool,
    denied: bool,
}

impl Role<'_> {
    fn may(&mut self, action: &str, resource: &str) -> bool {
        let own = resource.contains(&format!("/{}", self.instance));
        let lied = match self.world.lie {
            Some(Lie::WritesForFunctions) => own && action == "s3:PutObject",
            Some(Lie::ReachesOthers) => !own && action.starts_with("s3:"),
            _ => false,
        };
        let allowed = lied || policy::allows(self.instance, action, resource);
        if !allowed {
            self.denied = true;
            self.world.say(|| format!("  a notebook on {}: {action} {resource}: AccessDenied", self.instance));
        }
        allowed
    }

    fn put(&mut self, key: &str, body: Vec<u8>) {
        if self.may("s3:PutObject", key) {
            self.struck = true;
            self.world.say(|| {
                let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
                format!("  a notebook on {}: puts {key} {shown}", self.instance)
            });
            self.world.bucket.put(key, body, &PutCondition::Always);
        }
    }

    fn put_json(&mut self, key: &str, record: &Value) {
        self.put(key, record.to_string().into_bytes());
    }

    fn delete(&mut self, key: &str) {
        if self.may("s3:DeleteObject", key)
            && let Some(object) = self.world.bucket.get(key)
        {
            self.struck = true;
            self.world.say(|| format!("  a notebook on {}: deletes {key}", self.instance));
            self.world.bucket.delete(key, &object.etag);
        }
    }

    fn read(&mut self, key: &str) -> Option<Value> {
        if self.may("s3:GetObject", key) { self.world.bucket.record(key) } else { None }
    }

    fn now(&self) -> Value {
        json!(time(self.world.now_ms()))
    }

    fn forge_lease(&mut self, kind: Hostility) {
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

    fn roll(&self, sides: u64) -> usize {
        usize::try_from(self.world.pick(0, sides - 1)).unwrap_or_default()
    }

    /// An attempt of a run of its instance: mostly its newest, sometimes the next. `me`: as often its own.
    fn attempt(&self, me: Option<&AttemptRef>) -> Option<AttemptRef> {
        if let Some(me) = me
            && self.world.chance(50)
        {
            return Some(me.clone());
        }
        let executions = self.world.ledger.executions();
        let own: Vec<_> = executions.iter().filter(|known| known.instance == self.instance).collect();
        let known = own.get(self.roll(own.len().max(1) as u64))?;
        let redriven = if self.world.chance(70) { known.redrives } else { known.redrives + 1 };
        Some(AttemptRef { instance: self.instance.to_owned(), run: known.run.clone(), attempt: 1 + redriven })
    }

    fn forge_record(&mut self, kind: Hostility, me: &AttemptRef, boot: &Boot) {
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

    fn plant(&mut self, me: &AttemptRef) {
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
    fn replace_request(&mut self) {
        let Some(at) = self.attempt(None) else { return };
        let key = format!("runs/{}/{}/request.json", at.instance, at.run);
        let Some(mut request) = self.world.bucket.record::<Value>(&key) else { return };
        request["notebook"] = json!(REPLACED_NOTEBOOK);
        self.struck = true;
        self.world.say(|| format!("  somebody replaces {key}"));
        self.world.bucket.put(&key, request.to_string().into_bytes(), &PutCondition::Always);
    }

    /// Tickets of its instance, with their tokens: the role may read them.
    fn tickets(&mut self) -> Vec<(String, Value)> {
        if !self.may("s3:ListBucket", "") {
            return Vec::new();
        }
        let keys = self.world.bucket.list(&format!("inbox/{}/", self.instance), None, usize::MAX);
        keys.into_iter().filter_map(|key| Some((key.clone(), self.read(&key)?))).collect()
    }

    fn remove_ticket(&mut self) {
        let tickets = self.tickets();
        if !tickets.is_empty() {
            let (key, _) = &tickets[self.roll(tickets.len() as u64)];
            self.delete(key);
        }
    }

    fn answer(&mut self, kind: Hostility) {
        let tickets = self.tickets();
        let callbacks = self.world.service().callbacks();
        if kind == Hostility::TokenGuessed {
            if self.may("states:SendTaskSuccess", "a token") {
                self.struck = true;
                let answered = callbacks.send_task_success("guessed-token", "{}");
                if answered.is_ok() {
                    self.world.ledger.violation("G2", self.world.now_ms(), "a guessed token was answered".into());
                }
            }
            return;
        }
        if tickets.is_empty() {
            return;
        }
        let (_, ticket) = &tickets[self.roll(tickets.len() as u64)];
        let token = ticket["taskToken"].as_str().unwrap_or_default();
        let answered = match kind {
            Hostility::TokenAnsweredWithSuccess if self.may("states:SendTaskSuccess", "a token") => {
                callbacks.send_task_success(token, &json!({"run": "another-0123456789", "attempt": 9}).to_string())
            }
            Hostility::TokenAnsweredWithFailure if self.may("states:SendTaskFailure", "a token") => {
                let code = Code::ALL[self.roll(Code::ALL.len() as u64)].as_str();
                let error = [code, "States.Timeout", "Lambda.Unknown", "Anything"][self.roll(4)];
                let cause = json!({"errorType": error, "errorMessage": "forged"}).to_string();
                callbacks.send_task_failure(token, Some(error), Some(&cause))
            }
            Hostility::TokenBeaten if self.may("states:SendTaskHeartbeat", "a token") => {
                callbacks.send_task_heartbeat(token)
            }
            _ => return,
        };
        self.struck = answered.is_ok();
        self.world.say(|| format!("  a notebook on {}: {}: {answered:?}", self.instance, kind.name()));
    }

    fn stop(&mut self, boot: &Boot) {
        let resource = format!("notebook-instance/{}", boot.instance);
        if self.may("sagemaker:StopNotebookInstance", &resource) {
            self.struck = self.world.stop(&boot.instance, By::Person, "a notebook").is_ok();
        }
    }

    /// Tries what its policy denies, and is held to that.
    fn reach_out(&mut self, kind: Hostility, me: &AttemptRef) {
        let own = format!("runs/{}/{}/", me.instance, me.run);
        match kind {
            Hostility::WritesForFunctions => {
                let outcome = json!({"run": me.run, "attempt": me.attempt, "status": "SUCCEEDED", "instance": ANOTHER});
                for key in [
                    format!("{own}request.json"),
                    format!("{own}{}/outcome.json", me.attempt),
                    format!("inbox/{}/{}", me.instance, me.run),
                ] {
                    self.put_json(&key, &outcome);
                }
            }
            Hostility::ReachesAnotherInstance => {
                let others = self.world.ledger.executions().into_iter().filter(|known| known.instance != me.instance);
                let keys: Vec<String> = others
                    .flat_map(|other| {
                        let run = format!("runs/{}/{}/1/", other.instance, other.run);
                        let inbox = format!("inbox/{}/{}", other.instance, other.run);
                        [run.clone() + "claim.json", run + "report.json", inbox]
                    })
                    .chain(self.world.schedule.instances.iter().map(|plan| format!("leases/{}.json", plan.name)))
                    .chain([format!("leases/{ANOTHER}.json"), format!("inbox/{ANOTHER}/r")])
                    .filter(|key| *key != format!("leases/{}.json", me.instance))
                    .collect();
                for key in keys {
                    self.read(&key);
                    self.put_json(&key, &json!({}));
                    self.delete(&key);
                }
            }
            Hostility::ReachesTheStack => {
                let triggers = self.world.bucket.list("triggers/", None, usize::MAX);
                for key in triggers.into_iter().chain(["sweeper.json".into(), "artifacts/reveille-runner".into()]) {
                    self.put_json(&key, &json!({}));
                    self.delete(&key);
                }
            }
            Hostility::RemovesPutOnce => {
                for key in self.world.bucket.list(&format!("runs/{}/", me.instance), None, usize::MAX) {
                    self.delete(&key);
                }
            }
            _ => {
                let others = self.world.schedule.instances.iter().filter(|plan| plan.name != me.instance);
                let others: Vec<String> = others.map(|plan| plan.name.clone()).collect();
                for other in others {
                    let resource = format!("notebook-instance/{other}");
                    if self.may("sagemaker:StopNotebookInstance", &resource) {
                        self.struck = self.world.stop(&other, By::Person, "a notebook").is_ok();
                    }
                }
                for (action, resource) in [
                    ("sagemaker:StartNotebookInstance", format!("notebook-instance/{}", me.instance)),
                    ("states:StartExecution", "stateMachine:notebook-run".into()),
                    ("states:StopExecution", "execution".into()),
                    ("events:PutEvents", "event-bus/default".into()),
                ] {
                    self.struck |= self.may(action, &resource);
                }
            }
        }
        if self.struck {
            let what = format!("a notebook on {} did what is denied: {}", self.instance, kind.name());
            self.world.ledger.violation("G2", self.world.now_ms(), what);
        }
    }
}
