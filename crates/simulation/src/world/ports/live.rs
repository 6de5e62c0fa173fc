//! What a notebook leaves while it executes, uploaded beside it: the upload may be refused, slow, or land after the end.

use std::rc::Rc;

use reveille_asl::simulated;
use reveille_domain::ports::{Call, CallErrorKind, LiveBody, PutCondition, UploadLive};

use super::Ports;
use super::call::{About, CLIENT_PATIENCE_MS};
use crate::fault::Fault;
use crate::lies::Lie;
use crate::schedule::Action;
use crate::world::{World, pass_ms};

/// What is uploaded of a notebook that has not ended: never in a final output's place.
pub(crate) const PARTIAL: &[u8] = b"partial";
/// How often, in percent, each goes wrong, and in each of three ways.
const TROUBLE: u8 = 30;
/// The longest that a slow one takes.
const SLOW_MS: u64 = 120_000;
/// The latest that one lands after its sender gave it up.
const LATE_MS: u64 = 60_000;

impl UploadLive for Ports {
    async fn upload_live(&self, key: &str, _: LiveBody<'_>) -> Call<()> {
        let world = &self.world;
        let about = About::new(Action::Upload, "s3:PutObject", key);
        world.calls.set(world.calls.get() + 1);
        if self.actor.cut_off(world) {
            pass_ms(CLIENT_PATIENCE_MS).await;
            return Err(about.error(CallErrorKind::NoAnswer, "the network is unreachable"));
        }
        let key = if world.lie == Some(Lie::LiveInPlace) { in_place(key) } else { key.to_owned() };
        let what = format!("{} {key}", self.actor.label);
        if world.chance(TROUBLE) {
            match world.pick(0, 2) {
                0 => {
                    world.fired(Fault::LiveUploadRefused, &what);
                    return Err(about.error(CallErrorKind::Refused, "it is refused"));
                }
                1 => {
                    world.fired(Fault::LiveUploadSlow, &what);
                    pass_ms(world.pick(CLIENT_PATIENCE_MS, SLOW_MS)).await;
                }
                _ => {
                    lands_late(world, key, what);
                    pass_ms(CLIENT_PATIENCE_MS).await;
                    return Err(about.error(CallErrorKind::NoAnswer, "no answer in time"));
                }
            }
        } else {
            pass_ms(world.pick(50, 900)).await;
        }
        world.bucket.put(&key, PARTIAL.to_vec(), &PutCondition::Always);
        Ok(())
    }
}

/// It is on its way, whatever becomes of its sender.
fn lands_late(world: &Rc<World>, key: String, what: String) {
    let world = Rc::clone(world);
    simulated::spawn(async move {
        pass_ms(world.pick(0, LATE_MS)).await;
        world.fired(Fault::LiveUploadLate, &what);
        world.bucket.put(&key, PARTIAL.to_vec(), &PutCondition::Always);
    });
}

/// The place of the final output of the same attempt.
fn in_place(key: &str) -> String {
    let folder = key.replacen("live/", "runs/", 1);
    let (folder, name) = folder.rsplit_once('/').unwrap_or_default();
    let name = if name.starts_with("log-") { "log.txt" } else { "output.ipynb" };
    format!("{folder}/{name}")
}
