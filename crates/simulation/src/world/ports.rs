//! The ports of a step or of a runner, into the simulated world: each remote call takes time, may go wrong as the
//! schedule says, and may be the last thing its caller does.

use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use reveille_asl::interpreter::CallbackError;
use reveille_asl::simulated;
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Call, CallError, CallErrorKind, Clock, DescribeNotebookInstance, ExecuteNotebook,
    FindLeftNotebook, InstanceStatus, Jupyter, KillLeftovers, LeftNotebook, Log, Nonces, Observation, PersonSeen,
    PublishEvent, SeePerson, SendTaskHeartbeat, Sleep, StartAnswer, StartNotebookInstance, StopAnswer,
    StopNotebookInstance, TokenAnswer,
};
use reveille_domain::records::Request;
use reveille_domain::{Failure, InstanceName};
use serde_json::Value;

use super::World;
use super::actor::Actor;
use super::notebook::{self, Running};
use crate::fault::Fault;
use crate::lies::Lie;
use crate::schedule::{Action, Caller, Step};

mod call;
mod chosen;
mod history;
mod live;
mod records;

pub(super) use call::{About, CLIENT_PATIENCE_MS};
pub(crate) use live::PARTIAL;

/// How late a clock is that lies.
const DAY_MS: i64 = 86_400_000;

/// The ports of one actor.
#[derive(Clone)]
pub struct Ports {
    /// The world.
    pub world: Rc<World>,
    /// Who calls.
    pub actor: Rc<Actor>,
}

impl Clock for Ports {
    fn now(&self) -> DateTime<Utc> {
        let late_ms = if self.actor.late.take() { DAY_MS } else { 0 };
        self.actor.shown.of(self.world.now_ms() + self.actor.skew_ms - late_ms)
    }
}

impl Sleep for Ports {
    async fn sleep(&self, duration: Duration) {
        simulated::sleep(duration).await;
    }
}

impl Nonces for Ports {
    fn nonce(&self) -> String {
        format!("n{}", self.world.fresh_of(&self.actor.stream))
    }
}

impl Log for Ports {
    fn log(&self, message: &str) {
        self.world.say(|| format!("  {}: {message}", self.actor.label));
    }
}

impl DescribeNotebookInstance for Ports {
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>> {
        let (owned, actor) = (Rc::<str>::from(name.as_str()), Rc::clone(&self.actor));
        let ends_leases = matches!(self.actor.caller, Caller::Function(Step::VerifyStopped | Step::Sweep));
        let about = About::new(Action::Describe, "sagemaker:DescribeNotebookInstance", Rc::clone(&owned));
        self.call(about, move |world| {
            let seen = world.describe(&owned);
            let is_failed = matches!(&seen, Ok(Some(seen)) if seen.status == InstanceStatus::Failed);
            if ends_leases && is_failed {
                world.ledger.failure_was_seen(&owned);
            }
            world.say(|| match &seen {
                Ok(Some(seen)) => format!("  {}: sees {owned} {:?}", actor.label, seen.status),
                other => format!("  {}: sees {owned} {other:?}", actor.label),
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
        if matches!(answer, Ok(StartAnswer::Accepted)) {
            self.world.ledger.start_is_answered(name.as_str(), self.world.now_ms());
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
            if let Some(answer) = world.token_of_a_queue(&token, true) {
                return Ok(answer);
            }
            Ok(ports.taken(world.service().callbacks().send_task_success(&token, &output)))
        })
        .await
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer> {
        let cause = serde_json::json!({"errorType": failure.code, "errorMessage": failure.message}).to_string();
        let (token, code, ports) = (token.to_owned(), failure.code, self.clone());
        self.call(About::new(Action::Callback, "states:SendTaskFailure", TOKEN), move |world| {
            world.say(|| format!("  {}: answers {code}", ports.actor.label));
            if let Some(answer) = world.token_of_a_queue(&token, true) {
                return Ok(answer);
            }
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
            if let Some(answer) = world.token_of_a_queue(&token, false) {
                return Ok(answer);
            }
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
            boot.asked.asked().await;
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
            let forgets = self.world.lie == Some(Lie::ForgetsPeople);
            self.actor.late.set(forgets && !boot.person_works(self.world.now_ms(), 0));
            if seen.jupyter == Jupyter::Silent {
                self.world.counters.fired(Fault::JupyterSilent);
            }
            seen
        })
    }
}
