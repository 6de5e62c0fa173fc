//! An empty inbox on a boot of ours: stay, or close it and stop the instance.

use std::time::Duration;

use reveille_domain::age::believed;
use reveille_domain::layout::AttemptRef;
use reveille_domain::person::Signs;
use reveille_domain::ports::{
    CallErrorKind, Clock, GetAnswer, GetObject, Log, Nonces, SeePerson, Sleep, StopAnswer, StopNotebookInstance,
};
use reveille_domain::records::{Closer, Lease, LeaseState};

use super::decide::{Idle, IdleAction, idle};
use super::queue::is_reached;
use super::{LOOK_EVERY, Runner, RunnerPorts, bind};
use crate::store::StoreError;
use crate::swap_lease;
use crate::withdraw::is_given_up;

/// After a stop that was accepted this process ends with its boot. If it lives this long, the stop did not happen
/// (an instance stops in a minute or two), and the boot is opened again.
const STOP_TAKES: Duration = Duration::from_mins(3);
/// Between tries to stop: the instance may not be InService yet, or AWS may be slow.
const STOP_PAUSE: Duration = Duration::from_secs(5);
/// Tries to stop before the boot is opened again and looked at anew.
const STOP_TRIES: u32 = 12;

impl<P: RunnerPorts> Runner<'_, P> {
    pub(super) async fn idle(&self) -> Result<(), StoreError> {
        let now = self.ports.now();
        if !is_reached(self.next_look.get(), now, LOOK_EVERY) {
            return Ok(());
        }
        self.next_look.set(now + LOOK_EVERY);
        let lease = match swap_lease::read(self.layout, &self.ports, &self.me.instance).await {
            Ok(Some(lease)) => lease,
            Ok(None) => return Ok(()),
            Err(StoreError::Unreadable(unreadable)) => {
                self.ours.set(false);
                self.ports.log(&format!("{unreadable} From now on this boot is treated as a person's."));
                return Ok(());
            }
            Err(error @ (StoreError::Call(_) | StoreError::Contended { .. })) => return Err(error),
        };
        // Nothing executes here: a lease that says otherwise was left so by a write that failed.
        if lease.record.state != LeaseState::Open {
            bind::reopen(self.layout, &self.ports, self.me).await?;
        }
        if !self.served.get() {
            let starter = lease.record.starter(&self.me.instance);
            // The run that started this boot is over, here under an earlier process or elsewhere: then nobody is waited for.
            self.served.set(self.is_over(&starter).await?);
            self.given_up.set(self.given_up.get() || is_given_up(self.layout, &self.ports, &starter).await?);
        }
        self.person.borrow_mut().remember(&lease.record, now);
        self.look_for_person().await;
        let action = idle(&Idle {
            certain: lease.record.certain,
            served: self.served.get(),
            given_up: self.given_up.get(),
            bound_at: self.bound_at,
            person: *self.person.borrow(),
            now,
        });
        match action {
            IdleAction::Stay | IdleAction::StayForPerson => self.say_alive().await,
            IdleAction::Close => self.close().await,
        }
    }

    /// Whether the attempt that started the boot has its verdict, or its outcome without one. Whatever is there, its
    /// execution is past needing this boot.
    async fn is_over(&self, starter: &AttemptRef) -> Result<bool, StoreError> {
        for key in [self.layout.report(starter), self.layout.outcome(starter)] {
            match self.ports.get_object(&key).await? {
                GetAnswer::Nothing => {}
                GetAnswer::Object(_) | GetAnswer::TooLarge { .. } => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Looks for signs of a person.
    pub(super) async fn look_for_person(&self) {
        let seen = self.ports.see_person().await;
        self.person.borrow_mut().see(&seen, self.ports.now());
    }

    /// Says in the lease that this runner lives, and what it knows of a person on its boot: whoever stops the instance
    /// relies on both.
    pub(super) async fn say_alive(&self) -> Result<(), StoreError> {
        let nonce = self.ports.nonce();
        let person = *self.person.borrow();
        let existing = swap_lease::update(self.layout, &self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| self.is_mine(lease) && lease.state != LeaseState::Closing)?;
            Some(Lease {
                person_at: person.last.max(Signs::in_lease(lease).last.and_then(|at| believed(at, self.ports.now()))),
                jupyter_silent_since: person.silent_since,
                at: self.ports.now(),
                nonce: nonce.clone(),
                ended: false,
                ..lease.clone()
            })
        })
        .await?;
        if existing.is_some_and(|existing| existing.record.nonce == nonce) {
            self.told.set(person);
        }
        Ok(())
    }

    /// Closes the boot: nothing is claimed from now on; if nothing came meanwhile, the instance stops.
    async fn close(&self) -> Result<(), StoreError> {
        let nonce = self.ports.nonce();
        let existing = swap_lease::update(self.layout, &self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| self.is_mine(lease) && lease.state == LeaseState::Open)?;
            Some(lease.closing(Closer::Runner, nonce.clone(), self.ports.now()))
        })
        .await?;
        let closed = existing.is_some_and(|existing| existing.record.nonce == nonce);
        if !closed {
            // A function closes it, or it is not ours any more.
            return Ok(());
        }
        let empty = self.refresh().await.is_ok() && self.queue.is_empty();
        if empty && !self.stop().await {
            self.say_cannot_stop().await?;
        }
        // Still alive: a run came, or the stop did not happen.
        bind::reopen(self.layout, &self.ports, self.me).await
    }

    /// Says in the lease that a function must stop this boot.
    async fn say_cannot_stop(&self) -> Result<(), StoreError> {
        let nonce = self.ports.nonce();
        swap_lease::update(self.layout, &self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| self.is_mine(lease))?;
            (!lease.cannot_stop_itself).then(|| Lease {
                cannot_stop_itself: true,
                nonce: nonce.clone(),
                ..lease.clone()
            })
        })
        .await
        .map(|_| ())
    }

    /// Stops the instance, and this process with it. Answers whether AWS took the stop.
    async fn stop(&self) -> bool {
        self.ports.log("nothing is left to do: stopping the instance");
        for _ in 0..STOP_TRIES {
            match self.ports.stop_notebook_instance(&self.me.instance).await {
                Ok(StopAnswer::Accepted) => {
                    self.ports.sleep(STOP_TAKES).await;
                    return true;
                }
                Ok(StopAnswer::WrongStatus(message)) => self.ports.log(&format!("not stopped yet: {message}")),
                Ok(StopAnswer::NotFound) => self.ports.log("the instance is being deleted"),
                Err(error) if error.kind == CallErrorKind::AccessDenied => {
                    self.ports
                        .log(&format!("{error}; the instance role needs sagemaker:StopNotebookInstance on itself"));
                    return false;
                }
                Err(error) => self.ports.log(&format!("not stopped yet: {error}")),
            }
            self.ports.sleep(STOP_PAUSE).await;
        }
        false
    }
}
