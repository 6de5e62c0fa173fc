//! The runners: their processes, and what comes between them and the rest of the world.

use std::rc::Rc;
use std::time::Duration;

use reveille_asl::simulated;
use reveille_domain::InstanceName;
use reveille_domain::layout::Layout;
use reveille_protocol::runner::{Identity, Runner};
use tokio::sync::Notify;

use super::actor::Actor;
use super::boots::Boot;
use super::ports::Ports;
use super::process::RunnerProcess;
use super::{BEGINNING_MS, World, ms, pass_ms};
use crate::fault::Fault;
use crate::schedule::Caller;

impl World {
    /// Starts a process of the runner; what is answered is rung when it has bound the boot.
    pub(super) fn start_runner(self: &Rc<Self>, boot: &Rc<Boot>) -> Rc<Notify> {
        let ready = Rc::new(Notify::new());
        let stream = format!("{}/{}", boot.instance, boot.number);
        let label = format!("runner #{} on {stream}", self.fresh_of(&stream));
        let actor = Actor::new(Caller::Runner, (label, stream), Some(Rc::clone(boot)), boot.skew_ms, None);
        let ports = Ports { world: Rc::clone(self), actor: Rc::clone(&actor) };
        let layout: Layout = self.stack.layout.clone();
        let Ok(instance) = InstanceName::parse(&boot.instance) else { return ready };
        let me = Identity { instance, boot_id: boot.id.clone() };
        let (bell, up) = (Rc::clone(&ready), Rc::clone(boot));
        let process = simulated::spawn(async move {
            let runner = Runner::bind(&layout, &ports, &me).await;
            bell.notify_one();
            up.bound.set(true);
            Box::pin(runner.serve()).await;
            up.runner_leaves();
        });
        let killed = Rc::clone(&actor.killed);
        boot.runner.replace(Some(RunnerProcess { killed, handle: process }));
        ready
    }

    /// Whether the runner of a boot is of the version before: it booted before the stack was updated, or after it went back.
    pub(super) fn has_earlier_runner(&self, boot: &Boot) -> bool {
        let began_before = |at| boot.since_ms < BEGINNING_MS + ms(at);
        self.schedule.updated_at.is_some_and(began_before)
            || self.schedule.went_back_at.is_some_and(|at| !began_before(at))
    }

    /// The boot of an instance that is up.
    pub(super) fn boot_of(&self, instance: &str) -> Option<Rc<Boot>> {
        self.boots.borrow().values().rev().find(|boot| boot.instance == instance && boot.is_up()).cloned()
    }

    /// Kills the runner's process, and starts another after `restart_ms`.
    pub(super) async fn kill_runner(self: &Rc<Self>, instance: &str, restart_ms: Option<u64>) {
        let Some(boot) = self.boot_of(instance) else { return };
        let Some(process) = boot.runner.take() else { return };
        process.killed.set(true);
        process.handle.abort();
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
}
