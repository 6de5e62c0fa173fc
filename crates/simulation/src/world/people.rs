//! People with hands: they start, use, stop and delete instances, and start, redrive and abort executions.

use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::Status;
use reveille_asl::simulated;
use reveille_instance_model::{Command, NotebookInstanceStatus};

use super::boots::By;
use super::events::StartCause;
use super::ledger::Hindrance;
use super::{World, pass_ms};
use crate::fault::Fault;
use crate::schedule::{Deed, Hand};

/// How often a person looks at the console while they wait.
const LOOK_MS: u64 = 5_000;
/// A person gives up waiting after this long.
const PATIENCE_LOOKS: u32 = 240;
/// A repeat after this is of an old event (the domain's `DEDUPE_WINDOW`, and a start's own delay).
const OLD: Duration = Duration::from_secs(910);

impl World {
    /// Does a deed at its time.
    pub(crate) async fn lend(self: Rc<Self>, hand: Hand) {
        simulated::sleep(hand.at).await;
        let name = |index: usize| self.schedule.instances[index].name.clone();
        match hand.deed {
            Deed::Start { index, work } => self.person_starts(&name(index), work).await,
            Deed::StartFailed { index, work } => {
                let name = name(index);
                if self.await_status(&name, &[NotebookInstanceStatus::Failed]).await {
                    pass_ms(self.pick(0, 60_000)).await;
                    self.fired(Fault::PersonStartsAfterFailure, &name);
                    self.person_starts(&name, work).await;
                }
            }
            Deed::Stop { index } => {
                self.person_stops(&name(index)).await;
            }
            Deed::Restart { index } => {
                if self.person_stops(&name(index)).await {
                    self.person_starts(&name(index), Duration::ZERO).await;
                }
            }
            Deed::Work { index, work } => self.person_works(&name(index), work),
            Deed::Delete { index } => self.person_deletes(&name(index)).await,
            Deed::Repeat { trigger } => {
                let plan = &self.schedule.triggers[trigger];
                let fault =
                    if hand.at > plan.at + OLD { Fault::PersonReplaysOldEvent } else { Fault::PersonRepeatsSoon };
                self.fired(fault, "");
                self.begin(trigger, StartCause::Repeated);
            }
            Deed::Rerun { trigger } => {
                self.fired(Fault::PersonAsksForRerun, "");
                self.begin(trigger, StartCause::Rerun);
            }
            Deed::Redrive { trigger } => self.person_redrives(trigger),
            Deed::Abort { trigger } => self.person_aborts(trigger),
        }
    }

    async fn person_starts(self: &Rc<Self>, instance: &str, work: Duration) {
        if !matches!(self.status(instance), Some(NotebookInstanceStatus::Stopped | NotebookInstanceStatus::Failed)) {
            return;
        }
        if self.start(instance, By::Person, "a person").is_ok() {
            self.fired(Fault::PersonStarts, instance);
            if self.await_status(instance, &[NotebookInstanceStatus::InService, NotebookInstanceStatus::Failed]).await {
                self.person_works(instance, work);
            }
        }
    }

    /// Whether the instance came to rest.
    async fn person_stops(self: &Rc<Self>, instance: &str) -> bool {
        if self.status(instance) == Some(NotebookInstanceStatus::InService)
            && self.stop(instance, By::Person, "a person").is_ok()
        {
            self.fired(Fault::PersonStops, instance);
            return self.await_status(instance, &[NotebookInstanceStatus::Stopped]).await;
        }
        false
    }

    fn person_works(&self, instance: &str, work: Duration) {
        if work.is_zero() || self.status(instance) != Some(NotebookInstanceStatus::InService) {
            return;
        }
        if let Some(boot) = self.boot_of(instance) {
            self.fired(Fault::PersonWorks, instance);
            let now_ms = self.now_ms();
            let until = now_ms + i64::try_from(work.as_millis()).unwrap_or(i64::MAX / 4);
            boot.sessions.borrow_mut().push((now_ms, until));
        }
    }

    async fn person_deletes(self: &Rc<Self>, instance: &str) {
        self.person_stops(instance).await;
        if !self.await_status(instance, &[NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed]).await {
            return;
        }
        let command = Command::Delete { name: instance.to_owned() };
        let deleted = self.account.borrow_mut().apply(self.now(), "a person", command);
        if deleted.is_ok() {
            self.fired(Fault::PersonDeletes, instance);
            self.pump();
        }
    }

    /// Waits until the instance is in one of these states. `false`: it is gone, or the person's patience is over.
    async fn await_status(&self, instance: &str, wanted: &[NotebookInstanceStatus]) -> bool {
        for _ in 0..PATIENCE_LOOKS {
            match self.status(instance) {
                Some(status) if wanted.contains(&status) => return true,
                Some(_) => pass_ms(LOOK_MS).await,
                None => return false,
            }
        }
        false
    }

    fn person_redrives(&self, trigger: usize) {
        let Some(arn) = self.ledger.newest_execution(trigger) else { return };
        if let Ok(execution) = self.service().redrive_execution(&arn) {
            self.fired(Fault::PersonRedrives, &arn);
            self.ledger.redriven(&arn);
            if self.schedule.redrives_forget {
                execution.forget_variables();
                // It fails at once, and leaves everything to the sweeper.
                self.ledger.hindered(self.now_ms(), Hindrance::Function);
                self.fired(Fault::RedriveForgets, &arn);
            }
        }
    }

    fn person_aborts(&self, trigger: usize) {
        let Some(arn) = self.ledger.newest_execution(trigger) else { return };
        let runs = self.service().execution(&arn).is_some_and(|known| known.status() == Status::Running);
        if runs && self.service().stop_execution(&arn, None, None).is_ok() {
            self.fired(Fault::PersonAborts, &arn);
        }
    }
}
