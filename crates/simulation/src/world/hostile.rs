//! A hostile notebook: while it executes, and afterwards as a process that it left behind, until its boot ends, it does
//! what its instance's role may do. Each effect passes the policy ([`crate::policy`]); what that denies has no effect.

use std::rc::Rc;

use reveille_asl::simulated;
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::PutCondition;
use serde_json::{Value, json};

use super::armed::RESTART_MS;
use super::boots::Boot;
use super::{World, pass_ms, time};
use crate::fault::Fault;
use crate::hostility::Hostility;
use crate::lies::Lie;
use crate::policy;
use crate::schedule::Strike;

mod answers;
mod forge;
mod reach;

/// The instance that no schedule has.
const ANOTHER: &str = "payroll";

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
                let task = simulated::spawn(async move { world.strike(&on, &me, strike).await });
                boot.tasks.borrow_mut().push(task);
            }
        }
    }

    async fn strike(self: &Rc<Self>, boot: &Rc<Boot>, me: &AttemptRef, strike: Strike) {
        simulated::sleep(strike.after).await;
        for _ in 0..strike.times {
            pass_ms(self.pick(3, 40)).await;
            let Role { struck, denied, .. } = self.act(boot, me, strike.kind).await;
            if struck {
                self.ledger.struck(&boot.instance, strike.kind, self.now_ms());
            }
            if struck || denied && strike.kind.is_denied() {
                self.fired(Fault::Notebook(strike.kind), &boot.instance);
            }
            simulated::sleep(strike.every).await;
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
        let own = || resource.contains(&format!("/{}", self.instance));
        let lied = match self.world.lie {
            Some(Lie::WritesForFunctions) => own() && action == "s3:PutObject",
            Some(Lie::ReachesOthers) => !own() && action.starts_with("s3:"),
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
            self.world.created(key);
        }
    }

    fn put_json(&mut self, key: &str, record: &Value) {
        self.put(key, record.to_string().into_bytes());
    }

    fn delete(&mut self, key: &str) {
        if self.may("s3:DeleteObject", key)
            && let Some(etag) = self.world.bucket.etag_of(key)
        {
            self.struck = true;
            self.world.say(|| format!("  a notebook on {}: deletes {key}", self.instance));
            self.world.bucket.delete(key, &etag);
        }
    }

    fn read(&mut self, key: &str) -> Option<Value> {
        if self.may("s3:GetObject", key) { self.world.bucket.record(key) } else { None }
    }

    fn now(&self) -> Value {
        json!(time(self.world.now_ms()))
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
}
