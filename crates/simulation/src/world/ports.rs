//! The ports of a step or of a runner, into the simulated world: each remote call takes time, may go wrong as the
//! schedule says, and may be the last thing its caller does.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_asl::interpreter::{CallbackError, Status};
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Call, CallError, CallErrorKind, Clock, DescribeExecution, DescribeNotebookInstance,
    ExecuteNotebook, FindLeftNotebook, InstanceStatus, Jupyter, KillLeftovers, LeftNotebook, Log, Nonces, Observation,
    PersonSeen, PublishEvent, SeePerson, SendTaskHeartbeat, Sleep, StartAnswer, StartNotebookInstance, StopAnswer,
    StopNotebookInstance, TokenAnswer,
};
use reveille_domain::records::Request;
use reveille_domain::{Failure, InstanceName};
use serde_json::Value;
use tokio::sync::Notify;

use super::boots::Boot;
use super::notebook::{self, Running};
use super::{World, pass_ms};
use crate::fault::Fault;
use crate::lies::Lie;
use crate::schedule::{Action, Caller, Cut, Mode, Step};

mod records;

/// A client gives up on an answer after this long (the SDK's own timeouts are of this order).
const CLIENT_PATIENCE_MS: u64 = 5_000;
/// The latest that a request lands after its sender gave up or died. The protocol's `IN_FLIGHT` assumes that it is less
/// than a function's timeout, Describe's lag included.
const LANDS_WITHIN_MS: u64 = 10_000;

/// Who calls.
pub struct Actor {
    /// The step, or the runner.
    pub caller: Caller,
    /// For the timeline.
    pub label: String,
    /// The boot that a runner lives on.
    pub boot: Option<Rc<Boot>>,
    /// How far its clock is from true time.
    pub skew: TimeDelta,
    /// Where its process ends.
    pub cut: Option<Cut>,
    /// Rung when its process died at a call.
    pub died: Notify,
    calls: Cell<u32>,
    /// Whether its process was killed from outside.
    pub(super) killed: Cell<bool>,
}

impl Actor {
    /// An actor.
    #[must_use]
    pub fn new(caller: Caller, label: String, boot: Option<Rc<Boot>>, skew_ms: i64, cut: Option<Cut>) -> Rc<Self> {
        Rc::new(Self {
            caller,
            label,
            boot,
            skew: TimeDelta::milliseconds(skew_ms),
            cut,
            died: Notify::new(),
            calls: Cell::new(0),
            killed: Cell::new(false),
        })
    }

    fn cut_off(&self, world: &World) -> bool {
        self.boot.as_ref().is_some_and(|boot| world.now_ms() < boot.cut_off_until_ms.get())
    }
}

/// The ports of one actor.
#[derive(Clone)]
pub struct Ports {
    /// The world.
    pub world: Rc<World>,
    /// Who calls.
    pub actor: Rc<Actor>,
}

/// What a call is about, for errors and for the timeline.
pub(super) struct About {
    action: Action,
    iam: &'static str,
    resource: String,
}

impl About {
    pub(super) fn new(action: Action, iam: &'static str, resource: impl Into<String>) -> Self {
        Self { action, iam, resource: resource.into() }
    }

    fn error(&self, kind: CallErrorKind, message: &str) -> CallError {
        CallError { kind, action: self.iam, resource: self.resource.clone(), message: message.to_owned() }
    }
}

impl Ports {
    /// One remote call: its trouble, its latency, its effect, and the end of its caller before or after it.
    pub(super) async fn call<T: 'static>(
        &self,
        about: About,
        effect: impl Fn(&Rc<World>) -> Call<T> + 'static,
    ) -> Call<T> {
        let number = self.actor.calls.get();
        self.actor.calls.set(number + 1);
        let world = &self.world;
        world.calls.set(world.calls.get() + 1);
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
        tokio::task::spawn_local(async move {
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

impl Clock for Ports {
    fn now(&self) -> DateTime<Utc> {
        self.world.now() + self.actor.skew
    }
}

impl Sleep for Ports {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

impl Nonces for Ports {
    fn nonce(&self) -> String {
        format!("n{}", self.world.fresh())
    }
}

impl Log for Ports {
    fn log(&self, message: &str) {
        self.world.say(|| format!("  {}: {message}", self.actor.label));
    }
}

impl DescribeNotebookInstance for Ports {
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>> {
        let (owned, label) = (name.to_string(), self.actor.label.clone());
        let ends_leases = matches!(self.actor.caller, Caller::Function(Step::VerifyStopped | Step::Sweep));
        self.call(About::new(Action::Describe, "sagemaker:DescribeNotebookInstance", name.as_str()), move |world| {
            let seen = world.describe(&owned);
            let is_failed = matches!(&seen, Ok(Some(seen)) if seen.status == InstanceStatus::Failed);
            if ends_leases && is_failed {
                world.ledger.failure_was_seen(&owned);
            }
            world.say(|| match &seen {
                Ok(Some(seen)) => format!("  {label}: sees {owned} {:?}", seen.status),
                other => format!("  {label}: sees {owned} {other:?}"),
            });
            seen
        })
        .await
    }
}

impl StartNotebookInstance for Ports {
    async fn start_notebook_instance(&self, name: &InstanceName) -> Call<StartAnswer> {
        let (owned, label) = (name.to_string(), self.actor.label.clone());
        let answer = self
            .call(About::new(Action::Start, "sagemaker:StartNotebookInstance", name.as_str()), move |world| {
                world.start_by_us(&owned, &label)
            })
            .await;
        if answer.as_ref().is_err_and(|error| error.kind == CallErrorKind::NoAnswer) {
            self.world.ledger.start_is_unresolved(name.as_str(), self.world.now_ms());
        }
        answer
    }
}

impl StopNotebookInstance for Ports {
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer> {
        let (owned, label) = (name.to_string(), self.actor.label.clone());
        let boot = self.actor.boot.clone();
        self.call(About::new(Action::Stop, "sagemaker:StopNotebookInstance", name.as_str()), move |world| {
            if boot.as_deref().is_some_and(|boot| world.stop_is_denied(boot)) {
                return Err(CallError {
                    kind: CallErrorKind::AccessDenied,
                    action: "sagemaker:StopNotebookInstance",
                    resource: owned.clone(),
                    message: "not authorized".into(),
                });
            }
            world.stop_by_us(&owned, &label)
        })
        .await
    }
}

impl DescribeExecution for Ports {
    async fn is_running(&self, execution_arn: &str) -> Call<bool> {
        let owned = execution_arn.to_owned();
        self.call(About::new(Action::DescribeExecution, "states:DescribeExecution", execution_arn), move |world| {
            Ok(world.service().execution(&owned).is_some_and(|execution| execution.status() == Status::Running))
        })
        .await
    }
}

/// The resource that errors name: the token itself is a capability.
const TOKEN: &str = "the run's task token";

impl Ports {
    fn taken(&self, result: Result<(), CallbackError>) -> TokenAnswer {
        match result {
            Ok(()) => TokenAnswer::Accepted,
            Err(error) => {
                self.world.fired(Fault::TokenExpired, &format!("{}: {}", self.actor.label, error.code()));
                TokenAnswer::Gone
            }
        }
    }
}

impl AnswerTask for Ports {
    async fn send_task_success(&self, token: &str, output: &Value) -> Call<TokenAnswer> {
        let (token, output, ports) = (token.to_owned(), output.to_string(), self.clone());
        self.call(About::new(Action::Callback, "states:SendTaskSuccess", TOKEN), move |world| {
            world.say(|| format!("  {}: answers success", ports.actor.label));
            Ok(ports.taken(world.service().callbacks().send_task_success(&token, &output)))
        })
        .await
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer> {
        let cause = serde_json::json!({"errorType": failure.code, "errorMessage": failure.message}).to_string();
        let (token, code, ports) = (token.to_owned(), failure.code, self.clone());
        self.call(About::new(Action::Callback, "states:SendTaskFailure", TOKEN), move |world| {
            world.say(|| format!("  {}: answers {code}", ports.actor.label));
            let callbacks = world.service().callbacks();
            Ok(ports.taken(callbacks.send_task_failure(&token, Some(code.as_str()), Some(&cause))))
        })
        .await
    }
}

impl SendTaskHeartbeat for Ports {
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer> {
        let (token, ports) = (token.to_owned(), self.clone());
        self.call(About::new(Action::Beat, "states:SendTaskHeartbeat", TOKEN), move |world| {
            Ok(ports.taken(world.service().callbacks().send_task_heartbeat(&token)))
        })
        .await
    }
}

impl PublishEvent for Ports {
    async fn publish_event(&self, _detail_type: &str, detail: &Value) -> Call<()> {
        let detail = detail.clone();
        self.call(About::new(Action::Publish, "events:PutEvents", "the bus"), move |world| {
            world.ledger.published(detail.clone());
            Ok(())
        })
        .await
    }
}

impl ExecuteNotebook for Ports {
    type Running = Running;

    async fn execute_notebook(&self, request: &Request, attempt: u32) -> Running {
        let boot = self.actor.boot.as_ref().expect("a runner lives on a boot");
        self.world.execute(&self.actor, boot, request, attempt)
    }
}

impl KillLeftovers for Ports {
    async fn kill_leftovers(&self) {
        if let Some(boot) = &self.actor.boot {
            boot.end_notebooks();
        }
    }
}

impl FindLeftNotebook for Ports {
    /// The notebook folder outlives the boot.
    async fn find_left_notebook(&self) -> Option<LeftNotebook> {
        let instance = &self.actor.boot.as_ref()?.instance;
        let boots = self.world.boots.borrow();
        let last =
            boots.values().rev().filter(|boot| boot.instance == *instance).find_map(|boot| boot.last_notebook())?;
        Some(LeftNotebook { at: last.at.clone(), source_sha256: Some("0".repeat(64)), files: notebook::files() })
    }
}

impl AskedToEnd for Ports {
    async fn asked_to_end(&self) {
        if let Some(boot) = &self.actor.boot {
            // The boot holds the sender.
            let mut asked = boot.asked.subscribe();
            drop(asked.wait_for(|asked| *asked).await);
        }
    }
}

impl SeePerson for Ports {
    async fn see_person(&self) -> PersonSeen {
        let nobody = PersonSeen { busy: false, last_active: None, ahead: None, jupyter: Jupyter::NoServer };
        self.actor.boot.as_ref().map_or(nobody, |boot| {
            if self.world.lie == Some(Lie::NobodyWorks) {
                return nobody;
            }
            let seen = boot.person_seen(self.world.now_ms());
            if seen.jupyter == Jupyter::Silent {
                self.world.counters.fired(Fault::JupyterSilent);
            }
            seen
        })
    }
}
