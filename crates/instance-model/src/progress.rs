//! How states change by themselves, and by what the world reports back.

use std::mem;

use crate::{
    Account, BootNumber, Effect, FaultKind, Hook, NotebookInstanceStatus, ScriptResult, Time,
    instance::{BootPlan, Due, Phase, Provisioned},
};

/// AWS's words for want of capacity.
const NO_CAPACITY: &str = "Insufficient notebook instance capacity. Retry later or with a different instance type.";

/// AWS's words for a lifecycle script that failed, whatever the cause: they always speak of time.
fn lifecycle_reason(config_arn: &str, instance_arn: &str) -> String {
    format!(
        "Notebook Instance Lifecycle Config '{config_arn}' for Notebook Instance '{instance_arn}' took longer than 5 minutes. Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
    )
}

impl Account {
    /// Lets happen what has come due, and takes the effects of this and of all calls before.
    pub fn advance(&mut self, now: Time) -> Vec<Effect> {
        self.tick(now);
        mem::take(&mut self.effects)
    }

    /// When something will happen by itself; `None`: nothing will, unless the world calls.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.instances.values().filter_map(super::instance::Instance::due).min()
    }

    /// Reports the end of a lifecycle script. `false`: nobody waits for it any more.
    pub fn script_ended(&mut self, now: Time, name: &str, boot: BootNumber, hook: Hook, result: ScriptResult) -> bool {
        self.tick(now);
        let now = self.now;
        let Some(instance) = self.instances.get_mut(name) else {
            return false;
        };
        let Phase::Script { hook: running, plan, .. } = &instance.phase else {
            return false;
        };
        if instance.boot != Some(boot) || *running != hook {
            return false;
        }
        let plan = plan.clone();
        match result {
            ScriptResult::Succeeded => self.next_script(now, name, plan),
            ScriptResult::Failed => self.fail_boot(name, &plan.config_arn),
        }
        true
    }

    /// Reports that a boot did not come up: the instance fails with this reason, whether or not it has scripts.
    /// `false`: nobody waits for it any more.
    pub fn boot_failed(&mut self, now: Time, name: &str, boot: BootNumber, reason: &str) -> bool {
        self.tick(now);
        let Some(instance) = self.instances.get_mut(name).filter(|instance| instance.boot == Some(boot)) else {
            return false;
        };
        match &instance.phase {
            // Steady: without a script nothing holds up InService.
            Phase::Script { .. } | Phase::Steady => {
                instance.phase = Phase::Failing { reason: reason.to_owned() };
                self.kill_boot(name);
                true
            }
            Phase::Failing { .. }
            | Phase::Provisioning { .. }
            | Phase::Stopping { .. }
            | Phase::Updating { .. }
            | Phase::Deleting { .. }
            | Phase::Maintenance { .. } => false,
        }
    }

    /// Reports that no process of a boot is left. `false`: nobody waits for it any more.
    pub fn boot_killed(&mut self, now: Time, name: &str, boot: BootNumber) -> bool {
        self.tick(now);
        let now = self.now;
        let Some(instance) = self.instances.get_mut(name).filter(|instance| instance.boot == Some(boot)) else {
            return false;
        };
        match &mut instance.phase {
            Phase::Failing { reason } => {
                let reason = mem::take(reason);
                instance.boot = None;
                self.enter(now, name, NotebookInstanceStatus::Failed, Some(reason), Phase::Steady);
                self.maintain(now, name);
            }
            Phase::Stopping { kill_at: None, killed, .. } => {
                *killed = true;
                instance.boot = None;
                self.tick(now);
            }
            _ => return false,
        }
        true
    }

    /// Lets everything happen that is due until `now`, each at its own time.
    pub(crate) fn tick(&mut self, now: Time) {
        let now = now.max(self.now);
        while let Some((at, name)) = self.earliest().filter(|(at, _)| *at <= now) {
            self.now = at.max(self.now);
            self.step(self.now, &name);
        }
        self.now = now;
    }

    fn earliest(&self) -> Option<(Time, String)> {
        let due = self.instances.iter().filter_map(|(name, instance)| Some((instance.due()?, name)));
        due.min().map(|(at, name)| (at, name.clone()))
    }

    /// Ends the phase that is due.
    fn step(&mut self, at: Time, name: &str) {
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        match &mut instance.phase {
            Phase::Steady | Phase::Failing { .. } => {}
            Phase::Provisioning { then, plan, .. } => {
                let (then, plan) = (then.clone(), plan.clone());
                self.provisioned(at, name, then, plan);
            }
            Phase::Script { plan, .. } => {
                let config_arn = plan.config_arn.clone();
                self.fail_boot(name, &config_arn);
            }
            Phase::Stopping { kill_at: kill_at @ Some(_), .. } => {
                *kill_at = None;
                self.kill_boot(name);
            }
            Phase::Stopping { .. } => {
                self.enter(at, name, NotebookInstanceStatus::Stopped, None, Phase::Steady);
                self.maintain(at, name);
            }
            Phase::Updating { settings, .. } => {
                instance.view.settings = settings.as_ref().clone().into();
                self.enter(at, name, NotebookInstanceStatus::Stopped, None, Phase::Steady);
                self.maintain(at, name);
            }
            Phase::Deleting { .. } => {
                let arn = instance.view.arn.clone();
                self.tags.remove(&arn);
                self.instances.remove(name);
                self.effects.push(Effect::Deleted { instance: name.to_owned(), at });
            }
            Phase::Maintenance { lasting: lasting @ Some(_), back_to, reason, .. } => {
                let due = Due { at: at + lasting.take().unwrap_or_default(), held_by: None };
                let phase = Phase::Maintenance { due, lasting: None, back_to: *back_to, reason: reason.take() };
                self.enter(at, name, NotebookInstanceStatus::InMaintenance, None, phase);
            }
            Phase::Maintenance { back_to, reason, .. } => {
                let (back_to, reason) = (*back_to, reason.take());
                self.enter(at, name, back_to, reason, Phase::Steady);
                self.maintain(at, name);
            }
        }
    }

    fn provisioned(&mut self, at: Time, name: &str, then: Provisioned, plan: BootPlan) {
        let (status, reason) = match then {
            Provisioned::Boot => return self.start_boot(at, name, plan),
            Provisioned::NoCapacity => (NotebookInstanceStatus::Failed, Some(NO_CAPACITY.to_owned())),
            Provisioned::Back { to, reason } => (to, reason),
        };
        self.enter(at, name, status, reason, Phase::Steady);
        self.maintain(at, name);
    }

    /// Moves an instance to a state and a phase, and tells the world.
    pub(crate) fn enter(
        &mut self,
        at: Time,
        name: &str,
        status: NotebookInstanceStatus,
        failure_reason: Option<String>,
        phase: Phase,
    ) {
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        let from = instance.view.status;
        instance.phase = phase;
        instance.enter(at, status, failure_reason.clone());
        self.effects.push(Effect::StateChanged {
            instance: name.to_owned(),
            from: Some(from),
            to: status,
            at,
            failure_reason,
        });
    }

    fn start_boot(&mut self, at: Time, name: &str, plan: BootPlan) {
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        self.last_boot += 1;
        let boot = BootNumber(self.last_boot);
        instance.boot = Some(boot);
        instance.boots += 1;
        self.effects.push(Effect::StartBoot { instance: name.to_owned(), boot });
        self.next_script(at, name, plan);
    }

    fn next_script(&mut self, at: Time, name: &str, mut plan: BootPlan) {
        let Some((hook, script)) = plan.scripts.pop_front() else {
            self.enter(at, name, NotebookInstanceStatus::InService, None, Phase::Steady);
            self.maintain(at, name);
            return;
        };
        if self.faults.fires(name, &FaultKind::LifecycleFailure).is_some() {
            self.fail_boot(name, &plan.config_arn);
            return;
        }
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        let Some(boot) = instance.boot else { return };
        instance.phase = Phase::Script { hook, deadline: at + self.timings.script_limit, plan };
        self.effects.push(Effect::RunLifecycleScript { instance: name.to_owned(), boot, hook, script });
    }

    fn fail_boot(&mut self, name: &str, config_arn: &str) {
        let Some(instance) = self.instances.get_mut(name) else {
            return;
        };
        instance.phase = Phase::Failing { reason: lifecycle_reason(config_arn, &instance.view.arn) };
        self.kill_boot(name);
    }

    fn kill_boot(&mut self, name: &str) {
        if let Some(boot) = self.instances.get(name).and_then(|instance| instance.boot) {
            self.effects.push(Effect::KillBoot { instance: name.to_owned(), boot });
        }
    }

    /// Begins the maintenance that a fault asks for, if the instance is steady.
    fn maintain(&mut self, at: Time, name: &str) {
        let Some(instance) = self.instances.get(name) else {
            return;
        };
        let (back_to, reason) = (instance.view.status, instance.view.failure_reason.clone());
        if !matches!(instance.phase, Phase::Steady) {
            return;
        }
        let wanted = self.faults.fire(Some(name), |kind| match kind {
            FaultKind::Maintenance { pending, lasting } => Some((*pending, *lasting)),
            _ => None,
        });
        if let Some((_, (pending, lasting))) = wanted {
            let due = Due { at: at + pending, held_by: None };
            let phase = Phase::Maintenance { due, lasting: Some(lasting), back_to, reason };
            self.enter(at, name, NotebookInstanceStatus::PendingMaintenance, None, phase);
        }
    }

    pub(crate) fn maintain_the_steady(&mut self) {
        let now = self.now;
        let names: Vec<String> = self.instances.keys().cloned().collect();
        for name in names {
            self.maintain(now, &name);
        }
    }
}
