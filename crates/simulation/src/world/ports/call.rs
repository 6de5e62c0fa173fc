//! One remote call: its trouble, its latency, its effect, and the end of its caller before or after it.

use std::rc::Rc;

use reveille_asl::simulated;
use reveille_domain::ports::{Call, CallError, CallErrorKind};

use super::Ports;
use crate::fault::Fault;
use crate::lies::Lie;
use crate::schedule::{Action, Cut, Mode};
use crate::world::told::Told;
use crate::world::{World, pass_ms};

/// A client gives up on an answer after this long (the SDK's own timeouts are of this order).
pub(in crate::world) const CLIENT_PATIENCE_MS: u64 = 5_000;
/// The latest that a request lands after its sender gave up or died. The protocol's `IN_FLIGHT` assumes that it is less
/// than a function's timeout, Describe's lag included.
const LANDS_WITHIN_MS: u64 = 10_000;

/// What a call is about, for errors and for the timeline.
pub(in crate::world) struct About {
    pub(super) action: Action,
    pub(super) iam: &'static str,
    pub(super) resource: Rc<str>,
}

impl About {
    pub(in crate::world) fn new(action: Action, iam: &'static str, resource: impl Into<Rc<str>>) -> Self {
        Self { action, iam, resource: resource.into() }
    }

    pub(in crate::world) fn error(&self, kind: CallErrorKind, message: &str) -> CallError {
        CallError { kind, action: self.iam, resource: self.resource.to_string(), message: message.to_owned() }
    }
}

impl Ports {
    /// One remote call: its trouble, its latency, its effect, and the end of its caller before or after it.
    pub(in crate::world) async fn call<T: Told + 'static>(
        &self,
        about: About,
        effect: impl Fn(&Rc<World>) -> Call<T> + 'static,
    ) -> Call<T> {
        if self.is_at_history(&about) {
            return self.call_of_history(&about, effect).await;
        }
        let one_after_another = self.world.lie == Some(Lie::OneAfterAnother) && self.actor.boot.is_some();
        let _turn = if one_after_another { Some(self.actor.turn.lock().await) } else { None };
        let number = self.actor.calls.get();
        self.actor.calls.set(number + 1);
        let world = &self.world;
        world.calls.set(world.calls.get() + 1);
        if let Some(choices) = &world.choices {
            return self.chosen(choices, &about, effect).await;
        }
        let ends_here = match self.actor.cut {
            Some(Cut::Before(at)) if at == number => Some(Fault::FunctionDiedBeforeEffect),
            Some(Cut::Hangs(at)) if at == number => Some(Fault::FunctionTimedOut),
            _ => None,
        };
        if let Some(fault) = ends_here {
            world.fired(fault, &self.about(&about));
            if matches!(about.action, Action::Start | Action::Stop) && world.chance(50) {
                self.land_late(&about, effect);
            }
            if fault == Fault::FunctionDiedBeforeEffect {
                self.actor.died.notify_one();
            }
            return std::future::pending().await;
        }
        let latency = self.latency(about.action);
        if latency > 0 {
            pass_ms(latency).await;
        }
        let answer = self.send(&about, effect).await;
        if self.actor.cut == Some(Cut::After(number)) {
            world.fired(Fault::FunctionDiedAfterEffect, &self.about(&about));
            self.actor.died.notify_one();
            return std::future::pending().await;
        }
        answer
    }

    async fn send<T: 'static>(&self, about: &About, effect: impl Fn(&Rc<World>) -> Call<T> + 'static) -> Call<T> {
        let world = &self.world;
        if self.actor.cut_off(world) {
            pass_ms(CLIENT_PATIENCE_MS).await;
            return Err(about.error(CallErrorKind::NoAnswer, "the network is unreachable"));
        }
        let Some(mode) = world.call_trouble(self.actor.caller, about.action) else { return effect(world) };
        let lost = about.error(CallErrorKind::NoAnswer, "no answer in time");
        world.fired(fault_of(about.action, mode), &self.about(about));
        match mode {
            Mode::Throttled => Err(about.error(CallErrorKind::Throttled, "Rate exceeded")),
            Mode::Refused => Err(about.error(CallErrorKind::Refused, "ExpiredToken: The provided token has expired.")),
            Mode::Denied => {
                Err(about.error(CallErrorKind::AccessDenied, "User is not authorized to perform this action"))
            }
            Mode::AnswerLostThenRetried => {
                // The first answer is lost, whatever it was; the client's second request meets the first one's effect.
                drop(effect(world));
                effect(world)
            }
            Mode::Lags => {
                world.lagging.set(true);
                effect(world)
            }
            Mode::NotReached => {
                pass_ms(CLIENT_PATIENCE_MS).await;
                Err(lost)
            }
            Mode::AnswerLost => {
                drop(effect(world));
                pass_ms(CLIENT_PATIENCE_MS).await;
                Err(lost)
            }
            Mode::LandsLate => {
                pass_ms(CLIENT_PATIENCE_MS).await;
                self.land_late(about, effect);
                Err(lost)
            }
        }
    }

    /// The request is on its way and lands, whatever becomes of its sender.
    fn land_late<T: 'static>(&self, about: &About, effect: impl Fn(&Rc<World>) -> Call<T> + 'static) {
        let world = Rc::clone(&self.world);
        let fault = if about.action == Action::Stop { Fault::StopLandsLate } else { Fault::StartLandsLate };
        let about = self.about(about);
        simulated::spawn(async move {
            pass_ms(world.pick(0, LANDS_WITHIN_MS)).await;
            world.fired(fault, &about);
            drop(effect(&world));
        });
    }

    fn about(&self, about: &About) -> String {
        format!("{} {} {}", self.actor.label, about.iam, about.resource)
    }

    fn latency(&self, action: Action) -> u64 {
        match action {
            Action::List if self.world.schedule.listing_ms > 0 => {
                self.world.pick(self.world.schedule.listing_ms, 4 * self.world.schedule.listing_ms)
            }
            Action::Get | Action::Put | Action::Delete | Action::Beat | Action::Callback => self.world.pick(3, 40),
            // An idle runner lists once a second; its own sleeps let the others go first.
            Action::List => 0,
            Action::Upload => self.world.pick(50, 900),
            Action::Describe | Action::Start | Action::Stop | Action::DescribeExecution | Action::Publish => {
                self.world.pick(40, 400)
            }
        }
    }
}

/// The counter of a call's trouble.
fn fault_of(action: Action, mode: Mode) -> Fault {
    match (action, mode) {
        (_, Mode::Refused) => Fault::CallRefused,
        (_, Mode::Denied) => Fault::CallDenied,
        (Action::Describe, Mode::Throttled) => Fault::DescribeThrottled,
        (Action::Describe, Mode::Lags) => Fault::DescribeLags,
        (Action::Describe, _) => Fault::DescribeFails,
        (Action::Start, Mode::Throttled) => Fault::StartThrottled,
        (Action::Start, Mode::AnswerLost | Mode::AnswerLostThenRetried) => Fault::StartAnswerLost,
        (Action::Start, _) => Fault::StartNotReached,
        (Action::Stop, Mode::Throttled) => Fault::StopThrottled,
        (Action::Stop, Mode::AnswerLost | Mode::AnswerLostThenRetried) => Fault::StopAnswerLost,
        (Action::Stop, _) => Fault::StopNotReached,
        (Action::Beat, _) => Fault::BeatLost,
        (Action::Callback, Mode::Throttled) => Fault::CallbackThrottled,
        (Action::Callback, Mode::AnswerLost | Mode::AnswerLostThenRetried) => Fault::CallbackAnswerLost,
        (Action::Callback, _) => Fault::CallbackNotReached,
        (Action::DescribeExecution, _) => Fault::DescribeExecutionFails,
        (Action::Publish, _) => Fault::PublishFails,
        (Action::Upload, _) => Fault::UploadFails,
        (Action::Get | Action::Put | Action::Delete | Action::List, Mode::Throttled) => Fault::S3Throttled,
        (Action::Get | Action::Put | Action::Delete | Action::List, Mode::AnswerLost) => Fault::S3AnswerLost,
        (Action::Get | Action::Put | Action::Delete | Action::List, Mode::AnswerLostThenRetried) => {
            Fault::S3AnswerLostThenRetried
        }
        (Action::Get | Action::Put | Action::Delete | Action::List, _) => Fault::S3NotReached,
    }
}
