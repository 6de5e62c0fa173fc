//! An empty inbox on a boot of ours: stay, or close it and stop the instance.

use std::time::Duration;

use reveille_domain::Failure;
use reveille_domain::ports::{CallErrorKind, PersonSeen, StopAnswer};
use reveille_domain::reconcile::closing;
use reveille_domain::records::{Closer, Lease, LeaseState};
use reveille_domain::runner::{Idle, IdleAction, idle as decide};

use super::{LOOK_EVERY, Runner, RunnerPorts, Turn, bind};
use crate::lease;

/// After a stop that was accepted this process ends with its boot. If it lives this long, the stop did not happen
/// (an instance stops in a minute or two), and the boot is opened again.
const STOP_TAKES: Duration = Duration::from_mins(3);
/// Between tries to stop: the instance may not be InService yet, or AWS may be slow.
const STOP_PAUSE: Duration = Duration::from_secs(5);
/// Tries to stop before the boot is opened again and looked at anew.
const STOP_TRIES: u32 = 12;

impl<P: RunnerPorts> Runner<'_, P> {
    pub(super) async fn idle(&mut self) -> Result<Turn, Failure> {
        let now = self.ports.now();
        if now < self.boot.next_look {
            return Ok(Turn::Pause);
        }
        self.boot.next_look = now + LOOK_EVERY;
        let Some(lease) = lease::read(self.layout, self.ports, &self.me.instance).await? else {
            return Ok(Turn::Pause);
        };
        let person = self.ports.see_person().await;
        self.boot.jupyter_silent_since = match person {
            PersonSeen::Unknown => self.boot.jupyter_silent_since.or(Some(now)),
            PersonSeen::NoServer | PersonSeen::Busy | PersonSeen::LastActive(_) => None,
        };
        let action = decide(&Idle {
            certain: lease.record.certain,
            served: self.boot.served,
            bound_at: self.boot.bound_at,
            person,
            unknown_since: self.boot.jupyter_silent_since,
            now,
        });
        match action {
            IdleAction::Stay => {}
            IdleAction::StayForPerson => self.say_person().await?,
            IdleAction::Close => self.close().await?,
        }
        Ok(Turn::Pause)
    }

    /// Says in the lease that a person works on this boot.
    async fn say_person(&self) -> Result<(), Failure> {
        let nonce = self.ports.nonce();
        lease::update(self.layout, self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| lease.boot_id.as_deref() == Some(&self.me.boot_id))?;
            let now = self.ports.now();
            Some(Lease { person_at: Some(now), at: now, nonce: nonce.clone(), ..lease.clone() })
        })
        .await
        .map(|_| ())
    }

    /// Closes the boot: nothing is claimed from now on; if nothing came meanwhile, the instance stops.
    async fn close(&mut self) -> Result<(), Failure> {
        let nonce = self.ports.nonce();
        let stands = lease::update(self.layout, self.ports, &self.me.instance, |lease| {
            let lease = lease.filter(|lease| {
                lease.boot_id.as_deref() == Some(&self.me.boot_id) && lease.state == LeaseState::Open
            })?;
            Some(closing(lease, Closer::Runner, nonce.clone(), self.ports.now()))
        })
        .await?;
        let closed = stands.is_some_and(|stands| stands.record.nonce == nonce);
        if !closed {
            // A function closes it, or it is not ours any more.
            return Ok(());
        }
        if self.read_queue().await.is_ok_and(|queue| queue.is_empty()) {
            self.stop().await;
        }
        // Still alive: a run came, or the stop did not happen.
        bind::reopen(self.layout, self.ports, self.me).await
    }

    async fn stop(&self) {
        self.ports.log("nothing is left to do: stopping the instance");
        for _ in 0..STOP_TRIES {
            match self.ports.stop_notebook_instance(&self.me.instance).await {
                Ok(StopAnswer::Accepted) => {
                    self.ports.sleep(STOP_TAKES).await;
                    return;
                }
                Ok(StopAnswer::WrongStatus(message)) => self.ports.log(&format!("not stopped yet: {message}")),
                Ok(StopAnswer::NotFound) => self.ports.log("the instance is being deleted"),
                Err(error) if error.kind == CallErrorKind::AccessDenied => {
                    self.ports
                        .log(&format!("{error}; the instance role needs sagemaker:StopNotebookInstance on itself"));
                    return;
                }
                Err(error) => self.ports.log(&format!("not stopped yet: {error}")),
            }
            self.ports.sleep(STOP_PAUSE).await;
        }
    }
}
