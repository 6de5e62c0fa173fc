//! A world whose tasks do what each test says, on a paused clock.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::*;

pub(super) type Answer = Result<TaskAnswer, TaskError>;
type Behaviour = dyn Fn(TaskCall) -> Pin<Box<dyn Future<Output = Answer>>>;

/// Calls go to a closure; calls and status changes are kept.
pub(super) struct World {
    behaviour: Box<Behaviour>,
    pub(super) calls: RefCell<Vec<TaskCall>>,
    pub(super) changes: RefCell<Vec<Status>>,
}

impl Tasks for World {
    async fn invoke(&self, call: TaskCall) -> Answer {
        self.calls.borrow_mut().push(call.clone());
        (self.behaviour)(call).await
    }

    fn status_changed(&self, execution: &Description) {
        self.changes.borrow_mut().push(execution.status);
    }
}

/// Where the clock of every test begins.
pub(super) const START_MS: i64 = 1_700_000_000_000;

/// A service whose tasks answer as `behaviour` says.
pub(super) fn service<F, A>(behaviour: F) -> Service<World>
where
    F: Fn(TaskCall) -> A + 'static,
    A: Future<Output = Answer> + 'static,
{
    linked_service(move |call, _| behaviour(call))
}

/// The same, for a behaviour that sends callbacks or looks up executions.
pub(super) fn linked_service<F, A>(behaviour: F) -> Service<World>
where
    F: Fn(TaskCall, &Links) -> A + 'static,
    A: Future<Output = Answer> + 'static,
{
    Service::linked(ExecutionClock::starting_at(START_MS), 1, |links| World {
        behaviour: Box::new(move |call| Box::pin(behaviour(call, &links))),
        calls: RefCell::default(),
        changes: RefCell::default(),
    })
}

/// A service whose tasks all answer with an empty payload.
pub(super) fn idle() -> Service<World> {
    service(async |_| Ok(TaskAnswer::Payload(json!({}))))
}

/// Runs `test` in simulated time.
pub(super) fn simulate<V>(test: impl Future<Output = V>) -> V {
    crate::simulated::block_on(test)
}

/// A machine of these states, beginning with the first.
pub(super) fn machine(states: Value) -> Rc<Machine> {
    try_machine(states).unwrap()
}

pub(super) fn try_machine(states: Value) -> Result<Rc<Machine>, MachineError> {
    let start = states.as_object().unwrap().keys().next().unwrap().clone();
    compile(&json!({"QueryLanguage": "JSONata", "StartAt": start, "States": states}))
}

pub(super) fn compile(definition: &Value) -> Result<Rc<Machine>, MachineError> {
    Machine::compile("arn:aws:states:eu-west-1:123456789012:stateMachine:test", definition).map(Rc::new)
}

/// Runs a machine to its end.
pub(super) async fn run(service: &Service<World>, machine: &Rc<Machine>, input: Value) -> Description {
    service.start_execution(machine, "run", &input).unwrap().ended().await
}

/// Runs states whose tasks are never called.
pub(super) fn run_states(states: Value, input: Value) -> Description {
    simulate(async { run(&idle(), &machine(states), input).await })
}

/// The seconds that an execution took.
pub(super) fn seconds(description: &Description) -> i64 {
    (description.stop_ms.unwrap() - description.start_ms) / 1000
}

pub(super) async fn sleep(seconds: u64) {
    crate::simulated::sleep(Duration::from_secs(seconds)).await;
}

pub(super) fn failed(error: &str) -> Answer {
    Err(TaskError::of_function(error, "on purpose"))
}
