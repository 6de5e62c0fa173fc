//! The notebook instances: calls into the model, and its effects carried out.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use reveille_domain::InstanceName;
use reveille_domain::layout::Layout;
use reveille_instance_model::{
    Account, ApiError, BootNumber, Command, CreateConfig, CreateInstance, Effect, Hook, InstanceSettings,
    NotebookInstanceStatus, ScriptResult, Timings,
};
use reveille_protocol::runner::{Identity, Runner};
use tokio::sync::{Notify, watch};

use super::boots::{Boot, By, Origin};
use super::ports::{Actor, Ports};
use super::{BEGINNING_MS, World, pass_ms, time};
use crate::fault::Fault;
use crate::schedule::{Caller, Schedule};

/// The lifecycle configuration of every instance.
const CONFIG: &str = "reveille";
/// The on-start script waits this long for the runner's ready file (infra/lifecycle/on-start.sh).
const READY_MS: u64 = 30_000;
/// A rest shorter than this is seen by no poll and by no sweep: some minutes of stopping, and the sweeper's interval.
const SOON_MS: i64 = 600_000;
/// A start that takes longer than this is counted as a slow one.
const SLOW: Duration = Duration::from_mins(8);
/// Of a hundred power-offs, those that ask nobody: how a real one goes is not known.
const POWER_CUTS: u8 = 30;
/// The most time that processes have to end.
const POWER_OFF_MS: u64 = 60_000;

/// What the next boot of an instance does about its runner, where it is not the usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NextRunner {
    /// None is started.
    Absent,
    /// It is started, and binds only after the instance is `InService`.
    Late,
}

/// The account with the schedule's instances, all stopped.
pub(super) fn account(schedule: &Schedule) -> Account {
    let start = time(BEGINNING_MS);
    let mut account = Account::new(
        "eu-west-1",
        "123456789012",
        Timings { pending: Duration::ZERO, shutdown: Duration::ZERO, stopping: Duration::ZERO, ..Timings::default() },
    );
    let script =
        CreateConfig { name: CONFIG.into(), on_start: Some("IyEvYmluL2Jhc2gK".into()), ..CreateConfig::default() };
    let created = account.apply(start, "setup", Command::CreateConfig(script));
    debug_assert!(created.is_ok(), "{created:?}");
    for instance in &schedule.instances {
        // Created before the world begins: its first boot, without a runner, is over at once.
        let settings = InstanceSettings::new("ml.t3.medium", "arn:aws:iam::123456789012:role/notebook");
        let new = CreateInstance { name: instance.name.clone(), settings, tags: BTreeMap::new() };
        let created = account.apply(start, "setup", Command::CreateInstance(new));
        debug_assert!(created.is_ok(), "{created:?}");
        let stopped = account.apply(start, "setup", Command::Stop { name: instance.name.clone() });
        debug_assert!(stopped.is_ok(), "{stopped:?}");
        for effect in account.advance(start) {
            if let Effect::KillBoot { instance, boot } = effect {
                account.boot_killed(start, &instance, boot);
            }
        }
        let update = reveille_instance_model::UpdateInstance {
            name: instance.name.clone(),
            lifecycle_config: reveille_instance_model::LifecycleChange::Set(CONFIG.into()),
            ..reveille_instance_model::UpdateInstance::default()
        };
        account.set_timings(Timings { updating: Duration::ZERO, ..Timings::default() });
        let updated = account.apply(start, "setup", Command::Update(update));
        debug_assert!(updated.is_ok(), "{updated:?}");
        account.set_timings(Timings {
            pending: Duration::ZERO,
            shutdown: Duration::ZERO,
            stopping: Duration::ZERO,
            ..Timings::default()
        });
    }
    drop(account.advance(start));
    account
}

impl World {
    /// Lets the account's time pass, for as long as the world stands.
    pub(crate) async fn drive(self: Rc<Self>) {
        loop {
            let due = self.account.borrow().next_due();
            match due {
                Some(at) => {
                    // One more: what is due within a millisecond is due at its end.
                    let ms = u64::try_from(at.timestamp_millis() + 1 - self.now_ms()).unwrap_or(0);
                    tokio::select! {
                        biased;
                        () = self.due.notified() => {}
                        () = pass_ms(ms) => {}
                    }
                }
                None => self.due.notified().await,
            }
            self.carry_out_all();
        }
    }

    /// Carries out what has come due, and has the driver look again when the next is.
    pub(super) fn pump(self: &Rc<Self>) {
        self.carry_out_all();
        self.due.notify_one();
    }

    fn carry_out_all(self: &Rc<Self>) {
        loop {
            let effects = self.account.borrow_mut().advance(self.now());
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out(effect);
            }
        }
    }

    fn carry_out(self: &Rc<Self>, effect: Effect) {
        match effect {
            Effect::StartBoot { instance, boot } => self.boot_begins(&instance, boot),
            Effect::RunLifecycleScript { instance, boot, hook, .. } => {
                if let Some(up) = self.boots.borrow().get(&boot).cloned() {
                    let task = tokio::task::spawn_local(Rc::clone(self).on_start(instance, Rc::clone(&up), hook));
                    up.tasks.borrow_mut().push(task.abort_handle());
                }
            }
            Effect::KillBoot { instance, boot } => {
                let up = self.boots.borrow().get(&boot).cloned();
                self.spawn_open(Rc::clone(self).power_off(instance, boot, up));
            }
            Effect::StateChanged { instance, from, to, failure_reason, .. } => {
                if to == NotebookInstanceStatus::InService
                    && let Some(up) = self.boot_of(&instance)
                {
                    up.in_service_ms.set(Some(self.now_ms()));
                }
                if to == NotebookInstanceStatus::Failed {
                    self.ledger.start_failed(&instance);
                }
                let from = from.map_or("nothing", NotebookInstanceStatus::as_str);
                self.say(|| format!("{instance}: {from} -> {to} {}", failure_reason.unwrap_or_default()));
            }
            Effect::Deleted { instance, .. } => self.say(|| format!("{instance}: is gone")),
        }
    }

    /// The machine asks its processes to end, and kills those that do not in time. Some are cut off from their power.
    async fn power_off(self: Rc<Self>, instance: String, number: BootNumber, up: Option<Rc<Boot>>) {
        if let Some(boot) = up {
            let executes = boot.executing().is_some();
            if self.chance(POWER_CUTS) {
                if executes {
                    self.fired(Fault::PowerCut, &instance);
                }
            } else {
                if executes {
                    self.fired(Fault::StoppedUnderNotebook, &instance);
                }
                boot.asked.send_replace(true);
                let patience = self.pick(1_000, POWER_OFF_MS);
                tokio::select! {
                    biased;
                    () = boot.runner_ended() => {}
                    () = pass_ms(patience) => {}
                }
            }
            boot.kill(self.now_ms());
            self.say(|| format!("{instance}: boot {number} is dead"));
        }
        self.account.borrow_mut().boot_killed(self.now(), &instance, number);
        self.pump();
    }

    fn boot_begins(self: &Rc<Self>, instance: &str, number: BootNumber) {
        let now_ms = self.now_ms();
        let started_by = self.ledger.starter(instance);
        let before = self.boots.borrow().values().rev().find(|boot| boot.instance == instance).cloned();
        let origin = self.origin(instance, started_by, before.as_deref());
        let since = before.as_ref().map_or(0, |before| before.since_ms);
        let start_unanswered = self.ledger.is_unresolved_since(instance, since);
        let skew_ms = self.instance_plan(instance).skew_ms;
        if skew_ms != 0 {
            self.counters.fired(Fault::ClocksDiffer);
        }
        let boot = Rc::new(Boot {
            number,
            id: format!("boot-{number}"),
            instance: instance.to_owned(),
            started_by,
            origin,
            since_ms: now_ms,
            ended_ms: Cell::new(None),
            stopping_ms: Cell::new(None),
            bound: Cell::new(false),
            cut_off_until_ms: Cell::new(0),
            jupyter_silent_until_ms: Cell::new(0),
            in_service_ms: Cell::new(None),
            runner_lost_ms: Cell::new(None),
            restarts_ms: RefCell::default(),
            start_unanswered,
            shown_ms: Cell::new(None),
            jupyter_gone_until_ms: Cell::new(0),
            may_not_stop_until_ms: Cell::new(0),
            bound_late: Cell::new(false),
            denied: Cell::new(false),
            skew_ms,
            asked: watch::Sender::new(false),
            left: Notify::new(),
            sessions: RefCell::default(),
            notebooks: RefCell::default(),
            runner: RefCell::new(None),
            tasks: RefCell::default(),
        });
        self.say(|| format!("{instance}: boot {number} begins, started by {started_by:?}, {origin:?}"));
        self.boots.borrow_mut().insert(number, boot);
    }

    /// What can be known of who started a boot.
    fn origin(&self, instance: &str, started_by: By, before: Option<&Boot>) -> Origin {
        if self.ledger.is_unresolved(instance, self.now_ms()) {
            return Origin::Unresolved;
        }
        match (started_by, before) {
            // A start of ours failed, and before anybody who could end its lease saw that, a person started it again.
            (By::Person, _) if self.ledger.failed_unseen(instance) => Origin::MistakenForOurs,
            // AWS had accepted a start of ours just before.
            (By::Person, _) if self.ledger.was_dropped(instance, self.now_ms()) => Origin::MistakenForOurs,
            (By::Person, Some(before)) if before.started_by == By::Us => {
                let rest_ms = self.now_ms() - before.ended_ms.get().unwrap_or_default();
                let succeeded_at_once = rest_ms < ms(self.instance_plan(instance).pending) + SOON_MS;
                if !before.bound.get() {
                    Origin::MistakenForOurs
                } else if succeeded_at_once {
                    Origin::KnownToItsRunner
                } else {
                    Origin::Known
                }
            }
            _ => Origin::Known,
        }
    }

    /// The on-start script: works a little, starts the runner, waits for it a little, and always succeeds.
    async fn on_start(self: Rc<Self>, instance: String, boot: Rc<Boot>, hook: Hook) {
        tokio::time::sleep(self.instance_plan(&instance).script).await;
        let odd = self.next_runner.borrow_mut().remove(&instance);
        match odd {
            Some(NextRunner::Absent) => {
                boot.runner_lost_ms.set(Some(self.now_ms()));
                self.fired(Fault::RunnerAbsent, &instance);
            }
            Some(NextRunner::Late) => {
                boot.bound_late.set(true);
                self.fired(Fault::RunnerLateToBind, &instance);
                let (world, late) = (Rc::clone(&self), Rc::clone(&boot));
                let later = tokio::task::spawn_local(async move {
                    pass_ms(world.pick(35_000, 90_000)).await;
                    world.start_runner(&late);
                });
                boot.tasks.borrow_mut().push(later.abort_handle());
                pass_ms(READY_MS).await;
            }
            None => {
                let ready = self.start_runner(&boot);
                tokio::select! {
                    biased;
                    () = ready.notified() => {}
                    () = pass_ms(READY_MS) => {}
                }
            }
        }
        self.account.borrow_mut().script_ended(self.now(), &instance, boot.number, hook, ScriptResult::Succeeded);
        self.pump();
    }

    /// Starts a process of the runner; what is answered is rung when it has bound the boot.
    pub(super) fn start_runner(self: &Rc<Self>, boot: &Rc<Boot>) -> Rc<Notify> {
        let ready = Rc::new(Notify::new());
        let label = format!("runner #{} on {}/{}", self.fresh(), boot.instance, boot.number);
        let actor = Actor::new(Caller::Runner, label, Some(Rc::clone(boot)), boot.skew_ms, None);
        let ports = Ports { world: Rc::clone(self), actor: Rc::clone(&actor) };
        let layout: Layout = self.stack.layout.clone();
        let Ok(instance) = InstanceName::parse(&boot.instance) else { return ready };
        let me = Identity { instance, boot_id: boot.id.clone() };
        let (bell, up) = (Rc::clone(&ready), Rc::clone(boot));
        let process = tokio::task::spawn_local(async move {
            let runner = Runner::bind(&layout, &ports, &me).await;
            bell.notify_one();
            up.bound.set(true);
            Box::pin(runner.serve()).await;
            up.runner_leaves();
        });
        boot.runner.replace(Some((actor, process.abort_handle())));
        ready
    }

    /// The boot of an instance that is up.
    pub(super) fn boot_of(&self, instance: &str) -> Option<Rc<Boot>> {
        self.boots.borrow().values().rev().find(|boot| boot.instance == instance && boot.is_up()).cloned()
    }

    /// Kills the runner's process, and starts another after `restart_ms`.
    pub(super) async fn kill_runner(self: &Rc<Self>, instance: &str, restart_ms: Option<u64>) {
        let Some(boot) = self.boot_of(instance) else { return };
        let Some((actor, process)) = boot.runner.take() else { return };
        actor.killed.set(true);
        process.abort();
        let Some(restart_ms) = restart_ms else {
            boot.runner_lost_ms.set(Some(self.now_ms()));
            return self.fired(Fault::RunnerKilledForGood, instance);
        };
        self.fired(Fault::RunnerKilled, instance);
        pass_ms(restart_ms).await;
        if boot.is_up() {
            boot.restarts_ms.borrow_mut().push(self.now_ms());
            self.start_runner(&boot);
        }
    }

    /// Cuts the runner off for a while.
    pub(super) fn partition_runner(&self, instance: &str, lasting: Duration) {
        if let Some(boot) = self.boot_of(instance) {
            self.fired(Fault::RunnerPartitioned, instance);
            boot.cut_off_until_ms.set(self.now_ms() + ms(lasting));
        }
    }

    /// Silences Jupyter for a while; it is counted when the runner asks.
    pub(super) fn silence_jupyter(&self, instance: &str, lasting: Duration) {
        if let Some(boot) = self.boot_of(instance) {
            boot.jupyter_silent_until_ms.set(self.now_ms() + ms(lasting));
        }
    }

    /// Ends Jupyter for a while: connections are refused, and what it knew of kernels is gone.
    pub(super) fn restart_jupyter(&self, instance: &str, lasting: Duration) {
        if let Some(boot) = self.boot_of(instance) {
            self.fired(Fault::JupyterRestarts, instance);
            boot.jupyter_gone_until_ms.set(self.now_ms() + ms(lasting));
        }
    }

    /// Takes the right to stop the instance from its role for a while.
    pub(super) fn take_right_to_stop(&self, instance: &str, lasting: Duration) {
        if let Some(boot) = self.boot_of(instance) {
            boot.may_not_stop_until_ms.set(self.now_ms() + ms(lasting));
        }
    }

    /// Whether the boot's own role is refused to stop it.
    pub(super) fn stop_is_denied(&self, boot: &Boot) -> bool {
        let denied = self.now_ms() < boot.may_not_stop_until_ms.get();
        if denied {
            boot.denied.set(true);
            self.fired(Fault::StopDenied, &boot.instance);
        }
        denied
    }

    /// The state of an instance; `None`: it is gone.
    pub(super) fn status(&self, instance: &str) -> Option<NotebookInstanceStatus> {
        self.account.borrow().snapshot(instance).map(|snapshot| snapshot.view.status)
    }

    /// Whether an instance is coming up.
    #[must_use]
    pub fn is_pending(&self, instance: &str) -> bool {
        self.status(instance) == Some(NotebookInstanceStatus::Pending)
    }

    /// Starts an instance.
    pub(super) fn start(self: &Rc<Self>, instance: &str, by: By, label: &str) -> Result<(), ApiError> {
        let plan = self.instance_plan(instance);
        let timings = Timings { pending: plan.pending, stopping: plan.stopping, ..Timings::default() };
        let answer = {
            let mut account = self.account.borrow_mut();
            account.set_timings(timings);
            account.apply(self.now(), label, Command::Start { name: instance.to_owned() })
        };
        self.say(|| format!("  {label}: Start {instance}: {}", shown(answer.as_ref().map(|_| ()))));
        if answer.is_ok() {
            self.ledger.started(instance, by);
            if by == By::Us && !self.is_pending(instance) {
                self.ledger.start_was_dropped(instance, self.now_ms());
            }
            if plan.pending > SLOW {
                self.counters.fired(Fault::SlowStart);
            }
        }
        self.pump();
        answer.map(|_| ())
    }

    /// Stops an instance.
    pub(super) fn stop(self: &Rc<Self>, instance: &str, by: By, label: &str) -> Result<(), ApiError> {
        let plan = self.instance_plan(instance);
        let timings = Timings { pending: plan.pending, stopping: plan.stopping, ..Timings::default() };
        let answer = {
            let mut account = self.account.borrow_mut();
            account.set_timings(timings);
            account.apply(self.now(), label, Command::Stop { name: instance.to_owned() })
        };
        self.say(|| format!("  {label}: Stop {instance}: {}", shown(answer.as_ref().map(|_| ()))));
        if answer.is_ok()
            && let Some(boot) = self.boot_of(instance)
        {
            boot.stopping_ms.set(Some(self.now_ms()));
            if by == By::Us {
                self.ledger.stopped_by_us(self, &boot, label);
            }
        }
        self.pump();
        answer.map(|_| ())
    }
}

fn shown(answer: Result<(), &ApiError>) -> String {
    answer.map_or_else(ToString::to_string, |()| "accepted".to_owned())
}

fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}
