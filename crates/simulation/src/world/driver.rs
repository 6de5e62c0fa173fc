//! The notebook instances: calls into the model, and its effects carried out.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use reveille_asl::simulated;
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::{Outcome, Rest};
use reveille_instance_model::{
    ApiError, BootNumber, Command, Effect, Hook, NotebookInstanceStatus, ScriptResult, Timings,
};
use tokio::sync::Notify;

use super::boots::{Boot, By, Origin};
use super::ledger::Started;
use super::process::AskedProcesses;
use super::{World, ms, pass_ms};
use crate::fault::Fault;

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
                    let task = simulated::spawn(Rc::clone(self).on_start(instance, Rc::clone(&up), hook));
                    up.tasks.borrow_mut().push(task);
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
                boot.asked.ask();
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
            asked: AskedProcesses::default(),
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
        // The lease is certain of a start that was answered, though an earlier one was not.
        let is_certain = started_by == By::Person && self.ledger.answered_and_failed_unseen(instance);
        if self.ledger.is_unresolved(instance, self.now_ms()) && !is_certain {
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
                if self.was_said_to_rest(instance, before) {
                    Origin::Known
                } else if !before.bound.get() {
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

    /// Whether a run saw that a boot had ended, and recorded that its instance was at rest, and all runs are over: no lease may
    /// take a later boot for ours then.
    fn was_said_to_rest(&self, instance: &str, before: &Boot) -> bool {
        let Some(rested_ms) = before.ended_ms.get() else { return false };
        let executions = self.ledger.executions();
        let on_it = executions.iter().filter(|known| known.instance == instance);
        let saw_it = |known: &Started| {
            let at = AttemptRef { instance: instance.to_owned(), run: known.run.clone(), attempt: 1 };
            let outcome = self.bucket.record::<Outcome>(&self.stack.layout.outcome(&at));
            known.redrives == 0 && outcome.is_some_and(|outcome| outcome.instance_after == Rest::AtRest)
        };
        let mut after = Vec::new();
        for known in on_it {
            match known.ended_ms {
                None => return false,
                Some(ended_ms) if ended_ms > rested_ms => after.push(saw_it(known)),
                Some(_) => {}
            }
        }
        !after.is_empty() && after.into_iter().all(|saw| saw)
    }

    /// The on-start script: works a little, starts the runner, waits for it a little, and always succeeds.
    async fn on_start(self: Rc<Self>, instance: String, boot: Rc<Boot>, hook: Hook) {
        simulated::sleep(self.instance_plan(&instance).script).await;
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
                let later = simulated::spawn(async move {
                    pass_ms(world.pick(35_000, 90_000)).await;
                    world.start_runner(&late);
                });
                boot.tasks.borrow_mut().push(later);
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
