//! Lambda: an invocation runs the deployed step with the ports of its function, in a process of its own that goes on
//! when the state machine stops waiting, and that may end in the middle.

use std::rc::Rc;
use std::time::Duration;

use reveille_asl::interpreter::{Description, Status, TaskAnswer, TaskCall, TaskError, Tasks};
use reveille_asl::simulated;
use reveille_domain::limits::FUNCTION_TIMEOUT;
use reveille_domain::{Code, Failure};
use reveille_protocol::Stack;
use reveille_protocol::{
    admit_run, await_run, check_instance, conclude_run, publish_progress, start_instance, sweep, verify_stopped,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::actor::Actor;
use super::ports::Ports;
use super::{BEGINNING_MS, SECOND, World, ms, pass_ms};
use crate::earlier;
use crate::fault::Fault;
use crate::schedule::{Caller, Invocation, Step};

/// The functions, as the state machine calls them.
pub struct Functions(pub Rc<World>);

/// How often the definition has a step tried again whose function died.
pub const RETRIES_OF_A_DEATH: u32 = 3;

type Answer = Result<TaskAnswer, TaskError>;

impl Tasks for Functions {
    async fn invoke(&self, call: TaskCall) -> Answer {
        let name = call.function_name.as_deref().unwrap_or_default();
        let Some(step) = Step::ALL.into_iter().find(|step| name.ends_with(step.name())) else {
            return Err(lambda_error("Lambda.ResourceNotFoundException"));
        };
        let world = Rc::clone(&self.0);
        if world.choices.is_none() {
            pass_ms(world.pick(5, 80)).await;
        }
        let how = world.invocation_trouble(step);
        match how {
            Some(Invocation::Throttled) => {
                world.fired(Fault::LambdaThrottled, step.name());
                return Err(lambda_error("Lambda.TooManyRequestsException"));
            }
            Some(Invocation::ServiceError) => {
                world.fired(Fault::LambdaServiceError, step.name());
                return Err(lambda_error("Lambda.ServiceException"));
            }
            Some(Invocation::Cut(_)) if step == Step::StartInstance && call.attempt >= RETRIES_OF_A_DEATH => {
                world.fired(Fault::StartLeftUnresolved, &call.execution);
            }
            _ => {}
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        simulated::spawn(async move {
            let subject = call.execution.rsplit(':').next().unwrap_or_default();
            let answer = invoked(&world, step, how, call.payload, subject).await;
            // Nobody listens when the state timed out or its execution was aborted.
            let _ = tell.send(answer);
        });
        told.await.unwrap_or_else(|_| Err(lambda_error("Lambda.Unknown")))
    }

    fn status_changed(&self, execution: &Description) {
        let end = execution.error.as_deref().unwrap_or_default();
        self.0.say(|| format!("execution {} is {} {end}", execution.name, execution.status.as_str()));
        if execution.status != Status::Running {
            self.0.ledger.execution_ended(&execution.execution_arn, self.0.now_ms());
            self.0.tell_sweeper(execution);
        }
        self.0.turns.turned(execution, self.0.now_ms());
    }
}

impl World {
    /// Counts a step of another version than that of the execution's definition: of this one after an update, and of the version before
    /// after a stack went back.
    fn tell_of_update(&self, subject: &str, step: Step) {
        let changes =
            [(self.schedule.updated_at, Fault::UpdatedUnderRun), (self.schedule.went_back_at, Fault::WentBackUnderRun)];
        for (at, fault) in changes {
            let Some(changed_ms) = at.filter(|_| step != Step::Sweep).map(|at| BEGINNING_MS + ms(at)) else { continue };
            if self.now_ms() >= changed_ms && self.turns.began_before(subject, changed_ms) {
                self.fired(fault, subject);
            }
        }
    }

    /// Whether the stack has gone back to the version before.
    pub(super) fn went_back(&self) -> bool {
        self.schedule.went_back_at.is_some_and(|at| self.now_ms() >= BEGINNING_MS + ms(at))
    }
}

/// One invocation, with the end of its process.
pub(super) async fn invoked(
    world: &Rc<World>,
    step: Step,
    how: Option<Invocation>,
    payload: Value,
    subject: &str,
) -> Answer {
    world.invocations.set(world.invocations.get() + 1);
    let cut = if let Some(Invocation::Cut(cut)) = how { Some(cut) } else { None };
    let label = format!("{} #{}", step.name(), world.fresh_of(format_args!("{} {subject}", step.name())));
    let skew = world.around(world.schedule.function_skew_ms);
    let actor = Actor::new(Caller::Function(step), (label, subject.to_owned()), None, skew, cut);
    let ports = Ports { world: Rc::clone(world), actor: Rc::clone(&actor) };
    world.say(|| format!("{} for {subject}", actor.label));
    let starts = (step == Step::StartInstance).then(|| instance_of(&payload));
    let limit = Duration::from_secs(FUNCTION_TIMEOUT.num_seconds().unsigned_abs());
    let twice = how == Some(Invocation::Twice);
    let stack = if subject.starts_with(SECOND) { &world.second_stack } else { &world.stack };
    world.tell_of_update(subject, step);
    let payload = if world.went_back() { earlier::arguments(step, payload) } else { payload };
    let ended = tokio::select! {
        biased;
        () = actor.died.notified() => Err(lambda_error("Runtime.ExitError")),
        answer = body(stack, &ports, step, payload, twice) => Ok(answer),
        () = simulated::sleep(limit) => Err(lambda_error("Sandbox.Timedout")),
    };
    if let Some(instance) = starts.filter(|_| !matches!(ended, Ok(Ok(_)))) {
        world.ledger.start_is_unresolved(&instance, world.now_ms());
    }
    let answer = ended?;
    world.say(|| match &answer {
        Ok(answer) => format!("  {}: {}", actor.label, answer.get("decision").unwrap_or(answer)),
        Err(failure) => format!("  {}: {failure}", actor.label),
    });
    if twice {
        world.fired(Fault::StepRanTwice, step.name());
    }
    if how == Some(Invocation::AnswerLost) {
        world.fired(Fault::LambdaAnswerLost, step.name());
        return Err(lambda_error("Lambda.SdkClientException"));
    }
    match answer {
        Ok(answer) => Ok(TaskAnswer::Payload(answer)),
        Err(failure) => Err(TaskError::of_function(failure.code.as_str(), &failure.with_tail())),
    }
}

fn instance_of(payload: &Value) -> String {
    payload.pointer("/run/instance").and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn body(stack: &Stack, ports: &Ports, step: Step, payload: Value, twice: bool) -> Result<Value, Failure> {
    if twice {
        // Whatever comes of the first, the second meets its effects.
        drop(Box::pin(once(stack, ports, step, payload.clone())).await);
    }
    once(stack, ports, step, payload).await
}

/// Each step in a box of its own: in one future of all of them, every call would move as many bytes as the largest step has.
async fn once(stack: &Stack, ports: &Ports, step: Step, payload: Value) -> Result<Value, Failure> {
    match step {
        Step::AdmitRun => answered(Box::pin(admit_run::admit_run(stack, ports, parsed(payload)?)).await),
        Step::CheckInstance => answered(Box::pin(check_instance::check_instance(stack, ports, parsed(payload)?)).await),
        Step::StartInstance => answered(Box::pin(start_instance::start_instance(stack, ports, parsed(payload)?)).await),
        Step::AwaitRun => answered(Box::pin(await_run::await_run(stack, ports, parsed(payload)?)).await),
        Step::VerifyStopped => answered(Box::pin(verify_stopped::verify_stopped(stack, ports, parsed(payload)?)).await),
        Step::Sweep => answered(Box::pin(sweep::sweep(stack, ports, parsed(payload)?)).await),
        Step::PublishProgress => {
            answered(Box::pin(publish_progress::publish_progress(stack, ports, parsed(payload)?)).await)
        }
        Step::ConcludeRun => answered(Box::pin(conclude_run::conclude_run(stack, ports, parsed(payload)?)).await),
    }
}

fn parsed<C: DeserializeOwned>(payload: Value) -> Result<C, Failure> {
    serde_json::from_value(payload).map_err(|error| Failure::new(Code::Internal, format!("arguments: {error}")))
}

fn answered<A: Serialize>(answer: Result<A, Failure>) -> Result<Value, Failure> {
    answer.map(|answer| serde_json::to_value(answer).unwrap_or_default())
}

/// Whether a function's process ended in the middle.
pub(super) fn is_cut_off(error: &TaskError) -> bool {
    matches!(error.error.as_str(), "Runtime.ExitError" | "Sandbox.Timedout")
}

fn lambda_error(name: &str) -> TaskError {
    TaskError { error: name.to_owned(), cause: String::new() }
}
