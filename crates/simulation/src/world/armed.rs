//! The troubles that are armed and wait for their occasion.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use reveille_asl::simulated;
use reveille_instance_model::{FaultId, FaultKind, InstanceFault};

use super::driver::NextRunner;
use super::ledger::Hindrance;
use super::{World, pass_ms};
use crate::fault::Fault;
use crate::schedule::{Action, Caller, InstanceTrouble, Invocation, Mode, Planned, Step, Trouble};

/// How long AWS keeps a start without capacity Pending.
const NO_CAPACITY_AFTER: Duration = Duration::from_mins(10);
/// A start that is refused for good at once is over sooner than what was sent for it.
const FAILS_AT_ONCE_AFTER: Duration = Duration::from_secs(20);
/// Between two looks at whether a fault of the model fired.
const LOOK_MS: u64 = 5_000;
/// A runner is waited for for two hours.
const LOOKS_FOR_A_RUNNER: u32 = 1_440;
/// A runner that was waited for works up to this long before its trouble comes.
const WORKS_FOR_MS: u64 = 240_000;
/// systemd's RestartSec for the runner, and a little more.
pub(super) const RESTART_MS: u64 = 6_000;

/// Armed troubles of calls and invocations.
#[derive(Debug, Default)]
pub(super) struct Armed(RefCell<Vec<Trouble>>);

impl Armed {
    /// The trouble of this call, if it is its turn.
    pub(super) fn call(&self, by: Caller, called: Action) -> Option<Mode> {
        self.take(|trouble| match trouble {
            Trouble::Call { caller, action, mode, skip, times } if *caller == by && *action == called => {
                Some((skip, times, *mode))
            }
            _ => None,
        })
    }

    /// The trouble of this invocation, if it is its turn.
    pub(super) fn invocation(&self, of: Step) -> Option<Invocation> {
        self.take(|trouble| match trouble {
            Trouble::Invocation { step, how, skip, times } if *step == of => Some((skip, times, *how)),
            _ => None,
        })
    }

    /// The first armed trouble that matches and has nothing left to skip; it is used once.
    fn take<T>(&self, mut matching: impl FnMut(&mut Trouble) -> Option<(&mut u32, &mut u32, T)>) -> Option<T> {
        let mut armed = self.0.borrow_mut();
        let mut found = None;
        armed.retain_mut(|trouble| {
            if found.is_some() {
                return true;
            }
            let Some((skip, times, how)) = matching(trouble) else { return true };
            if *skip > 0 {
                *skip -= 1;
                return true;
            }
            *times -= 1;
            let left = *times > 0;
            found = Some(how);
            left
        });
        found
    }
}

impl World {
    /// The trouble of a call, if it is its turn.
    pub(super) fn call_trouble(&self, by: Caller, called: Action) -> Option<Mode> {
        let mode = self.armed.call(by, called);
        if mode.is_some() {
            let of_runner = by == Caller::Runner;
            let whose = if of_runner { Hindrance::Runner } else { Hindrance::Function };
            self.ledger.hindered(self.now_ms(), whose);
        }
        mode
    }

    /// The trouble of an invocation, if it is its turn.
    pub(super) fn invocation_trouble(&self, of: Step) -> Option<Invocation> {
        let how = self.armed.invocation(of);
        if how.is_some() {
            self.ledger.hindered(self.now_ms(), Hindrance::Function);
        }
        how
    }

    /// Makes a planned trouble: at its time, and until it is over.
    pub(crate) async fn trouble(self: Rc<Self>, planned: Planned) {
        simulated::sleep(planned.at).await;
        match planned.trouble {
            Trouble::Call { .. } | Trouble::Invocation { .. } => self.armed.0.borrow_mut().push(planned.trouble),
            Trouble::Instance { index, what, lasting } => self.instance_trouble(index, what, lasting).await,
        }
    }

    async fn instance_trouble(self: &Rc<Self>, index: usize, what: InstanceTrouble, lasting: Duration) {
        let name = self.schedule.instances[index].name.clone();
        let of_a_runner = matches!(
            what,
            InstanceTrouble::KillRunner
                | InstanceTrouble::KillRunnerForGood
                | InstanceTrouble::PartitionRunner
                | InstanceTrouble::JupyterSilent
                | InstanceTrouble::JupyterRestarts
                | InstanceTrouble::MayNotStop
                | InstanceTrouble::StrayTicket
                | InstanceTrouble::Burst
        );
        if of_a_runner && !self.await_runner(&name).await {
            return;
        }
        let once = |kind| InstanceFault::once(kind).on(&name);
        match what {
            InstanceTrouble::CapacityMissing => {
                let at_once = lasting.as_millis().is_multiple_of(3);
                let after = if at_once { FAILS_AT_ONCE_AFTER } else { NO_CAPACITY_AFTER };
                let kind = FaultKind::MissingCapacity { after };
                self.model_fault(once(kind).until_cleared(), Fault::CapacityMissing, lasting).await;
            }
            InstanceTrouble::QuotaUsedUp => {
                self.model_fault(once(FaultKind::Quota).until_cleared(), Fault::QuotaUsedUp, lasting).await;
            }
            InstanceTrouble::StartDropped => {
                let kind = FaultKind::StartDropped { pending: Duration::ZERO };
                self.model_fault(once(kind), Fault::StartDropped, lasting).await;
            }
            InstanceTrouble::LifecycleScriptFails => {
                self.model_fault(once(FaultKind::LifecycleFailure), Fault::LifecycleScriptFailed, lasting).await;
            }
            InstanceTrouble::PendingStuck => {
                self.model_fault(once(FaultKind::StuckPending), Fault::PendingStuck, lasting).await;
            }
            InstanceTrouble::StopHangs => {
                self.model_fault(once(FaultKind::StuckStopping), Fault::StopHangs, lasting).await;
            }
            InstanceTrouble::Maintenance => {
                let kind = FaultKind::Maintenance { pending: lasting / 4, lasting };
                self.model_fault(once(kind), Fault::Maintenance, lasting).await;
            }
            InstanceTrouble::KillRunner => self.kill_runner(&name, Some(RESTART_MS)).await,
            InstanceTrouble::KillRunnerForGood => self.kill_runner(&name, None).await,
            InstanceTrouble::NoRunner => {
                self.next_runner.borrow_mut().insert(name, NextRunner::Absent);
            }
            InstanceTrouble::RunnerLateToBind => {
                self.next_runner.borrow_mut().insert(name, NextRunner::Late);
            }
            InstanceTrouble::PartitionRunner => self.partition_runner(&name, lasting),
            InstanceTrouble::JupyterSilent => self.silence_jupyter(&name, lasting),
            InstanceTrouble::JupyterRestarts => self.restart_jupyter(&name, lasting),
            InstanceTrouble::MayNotStop => self.take_right_to_stop(&name, lasting),
            InstanceTrouble::LeaseStaysBusy => self.unopened.arm(&name),
            InstanceTrouble::StrayTicket => self.copy_ticket(&name).await,
            InstanceTrouble::Burst => self.burst(&name, lasting).await,
        }
    }

    /// Where no runner lives yet, waits for one, and lets it work a little. `false`: none came.
    async fn await_runner(&self, instance: &str) -> bool {
        let lives = || self.boot_of(instance).is_some_and(|boot| boot.runner_is_well(self.now_ms()));
        if lives() {
            return true;
        }
        for _ in 0..LOOKS_FOR_A_RUNNER {
            pass_ms(LOOK_MS).await;
            if lives() {
                pass_ms(self.pick(0, WORKS_FOR_MS)).await;
                return true;
            }
        }
        false
    }

    /// Arms a fault of the model, counts how often it fires, and clears it when `lasting` is over.
    async fn model_fault(self: &Rc<Self>, fault: InstanceFault, counted: Fault, lasting: Duration) {
        let Ok(id) = self.account.borrow_mut().arm(self.now(), fault) else { return };
        self.pump();
        let over = simulated::Instant::now() + lasting;
        let mut counted_so_far = 0;
        loop {
            let fired = self.times_fired(id);
            for _ in counted_so_far..fired {
                self.fired(counted, "at the instance");
            }
            counted_so_far = fired;
            if simulated::Instant::now() >= over {
                break;
            }
            pass_ms(LOOK_MS).await;
        }
        self.account.borrow_mut().clear_faults(self.now(), Some(id));
        self.pump();
    }

    fn times_fired(&self, id: FaultId) -> u32 {
        self.account.borrow().faults().iter().find(|armed| armed.id == id).map_or(0, |armed| armed.fired)
    }
}
