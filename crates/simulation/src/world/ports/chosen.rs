//! A remote call of a world in which everything is chosen: it waits until it is let go, and ends as it was chosen to.

use std::rc::Rc;

use reveille_domain::ports::{Call, CallErrorKind};

use super::Ports;
use super::call::{About, CLIENT_PATIENCE_MS};
use crate::world::armed::RESTART_MS;
use crate::world::choices::{Choices, Decision};
use crate::world::ledger::Hindrance;
use crate::world::told::Told;
use crate::world::{World, pass_ms};

impl Ports {
    /// One remote call.
    pub(super) async fn chosen<T: Told>(
        &self,
        choices: &Choices,
        about: &About,
        effect: impl Fn(&Rc<World>) -> Call<T>,
    ) -> Call<T> {
        let world = &self.world;
        let what = format!("{} {}", about.iam, about.resource);
        let answer = match choices.gate(&self.actor.stream, what.clone(), about.action).await {
            Decision::Goes => effect(world),
            Decision::DiesAfter => {
                drop(effect(world));
                return self.die().await;
            }
            decision => {
                let whose = if self.actor.boot.is_some() { Hindrance::Runner } else { Hindrance::Function };
                world.ledger.hindered(world.now_ms(), whose);
                if decision == Decision::AnswerLost {
                    drop(effect(world));
                }
                pass_ms(CLIENT_PATIENCE_MS).await;
                Err(about.error(CallErrorKind::NoAnswer, "no answer in time"))
            }
        };
        choices.told(&self.actor.stream, &what, &answer, world.now_ms());
        answer
    }

    /// The process ends here; a runner's is started again.
    async fn die<T>(&self) -> T {
        match &self.actor.boot {
            None => {
                self.world.ledger.hindered(self.world.now_ms(), Hindrance::Function);
                self.actor.died.notify_one();
            }
            Some(boot) => {
                let (world, instance) = (Rc::clone(&self.world), boot.instance.clone());
                self.world.spawn_open(async move { world.kill_runner(&instance, Some(RESTART_MS)).await });
            }
        }
        std::future::pending().await
    }
}
