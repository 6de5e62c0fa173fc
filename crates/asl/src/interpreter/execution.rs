//! One execution: what is known of it from outside, and what its run keeps in it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use crate::simulated::AbortHandle;
use jsonata_core::value::{JMap, JValue};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::clock::{ExecutionClock, iso};
use super::failure::{Failure, names};
use super::history::{EventKind, HISTORY_LIMIT, HistoryEvent};
use super::machine::Machine;
use super::value;
use super::view::Variables;

/// The status of an execution (API Reference, `DescribeExecution`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Running,
    /// It ended with an output.
    Succeeded,
    /// It ended with an error.
    Failed,
    /// It ran into the machine's own `TimeoutSeconds`.
    TimedOut,
    /// It was stopped.
    Aborted,
}

impl Status {
    /// AWS's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
            Self::Aborted => "ABORTED",
        }
    }
}

/// What `DescribeExecution` and the status-change event say.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "AWS's own names (API Reference, DescribeExecution); times are Unix milliseconds")]
pub struct Description {
    pub execution_arn: Rc<str>,
    pub state_machine_arn: String,
    pub name: String,
    pub status: Status,
    pub start_ms: i64,
    pub stop_ms: Option<i64>,
    pub input: Value,
    pub output: Option<Value>,
    pub error: Option<String>,
    pub cause: Option<String>,
    pub redrive_count: u32,
}

impl Description {
    /// The `detail` of a `Step Functions Execution Status Change` event ("Automating Step Functions event delivery with
    /// `EventBridge`"): input and output are JSON texts, times are milliseconds.
    #[must_use]
    pub fn event_detail(&self) -> Value {
        json!({
            "executionArn": &*self.execution_arn,
            "stateMachineArn": self.state_machine_arn,
            "name": self.name,
            "status": self.status.as_str(),
            "startDate": self.start_ms,
            "stopDate": self.stop_ms,
            "input": self.input.to_string(),
            "output": self.output.as_ref().map(Value::to_string),
            "error": self.error,
            "cause": self.cause,
            "redriveCount": self.redrive_count,
        })
    }
}

/// How far an execution got: what a redrive goes on from.
#[derive(Debug, Clone)]
pub(crate) struct Position {
    pub state: usize,
    pub input: JValue,
    pub variables: Variables,
    /// The event with which the state was entered.
    pub entered: u64,
}

/// How an execution ended.
#[derive(Debug)]
pub(crate) enum Ending {
    Finished(Result<JValue, Failure>),
    TimedOut,
    Aborted(Option<String>, Option<String>),
}

/// An execution, running or ended.
#[derive(Debug)]
pub struct StepFunctionsExecution {
    pub(crate) arn: Rc<str>,
    pub(crate) name: String,
    pub(crate) machine: Rc<Machine>,
    pub(crate) input: Value,
    /// The input, as expressions see it.
    given: JValue,
    clock: ExecutionClock,
    start_ms: i64,
    status: Cell<Status>,
    stop_ms: Cell<Option<i64>>,
    output: RefCell<Option<JValue>>,
    failure: RefCell<(Option<String>, Option<String>)>,
    redrive_count: Cell<u32>,
    redrive_ms: Cell<Option<i64>>,
    history: RefCell<Vec<HistoryEvent>>,
    trace: RefCell<Vec<Rc<str>>>,
    pub(crate) position: RefCell<Position>,
    run: RefCell<Option<AbortHandle>>,
    ended: Notify,
}

impl StepFunctionsExecution {
    /// The input is there twice: as it came, and as expressions see it.
    pub(crate) fn new(
        machine: &Rc<Machine>,
        name: &str,
        (input, given): (Value, JValue),
        clock: ExecutionClock,
    ) -> Self {
        let position =
            Position { state: machine.scope.start, input: given.clone(), variables: Variables::default(), entered: 0 };
        Self {
            arn: Rc::from(machine.execution_arn(name)),
            name: name.to_owned(),
            machine: Rc::clone(machine),
            input,
            given,
            clock,
            start_ms: clock.now_ms(),
            status: Cell::new(Status::Running),
            stop_ms: Cell::new(None),
            output: RefCell::new(None),
            failure: RefCell::new((None, None)),
            redrive_count: Cell::new(0),
            redrive_ms: Cell::new(None),
            history: RefCell::new(Vec::new()),
            trace: RefCell::new(Vec::new()),
            position: RefCell::new(position),
            run: RefCell::new(None),
            ended: Notify::new(),
        }
    }

    #[must_use]
    pub fn arn(&self) -> &Rc<str> {
        &self.arn
    }

    /// Its status now.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.get()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its input.
    #[must_use]
    pub fn input(&self) -> &Value {
        &self.input
    }

    /// When it was started, in Unix milliseconds.
    #[must_use]
    pub fn start_ms(&self) -> i64 {
        self.start_ms
    }

    /// How often it was redriven.
    #[must_use]
    pub fn redrive_count(&self) -> u32 {
        self.redrive_count.get()
    }

    /// The states it entered, in order; a state that a redrive went on from once more.
    #[must_use]
    pub fn trace(&self) -> Vec<Rc<str>> {
        self.trace.borrow().clone()
    }

    #[must_use]
    pub fn history(&self) -> Vec<HistoryEvent> {
        self.history.borrow().clone()
    }

    /// The number of its events.
    #[must_use]
    pub fn history_len(&self) -> usize {
        self.history.borrow().len()
    }

    /// What AWS would tell of it now.
    #[must_use]
    pub fn describe(&self) -> Description {
        let (error, cause) = self.failure.borrow().clone();
        Description {
            execution_arn: Rc::clone(&self.arn),
            state_machine_arn: self.machine.arn().to_owned(),
            name: self.name.clone(),
            status: self.status.get(),
            start_ms: self.start_ms,
            stop_ms: self.stop_ms.get(),
            input: self.input.clone(),
            output: self.output.borrow().as_ref().map(value::to_json),
            error,
            cause,
            redrive_count: self.redrive_count.get(),
        }
    }

    /// Waits until it does not run any more, and describes it.
    pub async fn ended(&self) -> Description {
        while self.status.get() == Status::Running {
            self.ended.notified().await;
        }
        // Wakes the next one that waits, if any: each waiter has its own turn.
        self.ended.notify_one();
        self.describe()
    }

    pub(crate) fn stop_ms(&self) -> Option<i64> {
        self.stop_ms.get()
    }

    /// The `Execution` part of the context object ("Accessing execution data from the Context object"). `RedriveTime`
    /// is there once the execution was redriven.
    pub(crate) fn context(&self) -> JValue {
        let mut fields = vec![
            ("Id".to_owned(), JValue::String(Rc::clone(&self.arn))),
            ("Input".to_owned(), self.given.clone()),
            ("Name".to_owned(), JValue::from(self.name.as_str())),
            ("RoleArn".to_owned(), JValue::from("arn:aws:iam::123456789012:role/state-machine")),
            ("StartTime".to_owned(), JValue::from(iso(self.start_ms))),
            ("RedriveCount".to_owned(), JValue::from(i64::from(self.redrive_count.get()))),
        ];
        if let Some(redriven) = self.redrive_ms.get() {
            fields.push(("RedriveTime".to_owned(), JValue::from(iso(redriven))));
        }
        JValue::Object(Rc::new(fields.into_iter().collect::<JMap>()))
    }

    /// Adds an event and answers its number. The event before the last that AWS allows is the last one of the machine:
    /// the next is the failure.
    pub(crate) fn event(
        &self,
        kind: EventKind,
        state: Option<&Rc<str>>,
        detail: Option<&Failure>,
    ) -> Result<u64, Failure> {
        if self.history.borrow().len() as u64 + 1 >= HISTORY_LIMIT {
            let cause = format!("The execution reached the maximum number of history events ({HISTORY_LIMIT}).");
            return Err(Failure { fatal: true, ..Failure::new(names::RUNTIME, Some(cause)) });
        }
        Ok(self.add_event(kind, state, detail))
    }

    fn add_event(&self, kind: EventKind, state: Option<&Rc<str>>, detail: Option<&Failure>) -> u64 {
        let mut history = self.history.borrow_mut();
        let id = history.len() as u64 + 1;
        let detail = detail.map(|failure| {
            let text = |part: &Option<String>| part.clone().unwrap_or_default();
            format!("{} {}", text(&failure.error), text(&failure.cause)).trim_end().into()
        });
        history.push(HistoryEvent { id, at_ms: self.clock.now_ms(), kind, state: state.cloned(), detail });
        id
    }

    pub(crate) fn started(&self) {
        self.add_event(EventKind::ExecutionStarted, None, None);
    }

    /// The task that runs it, so that it can be stopped.
    pub(crate) fn runs_as(&self, run: AbortHandle) {
        self.run.replace(Some(run));
    }

    /// Ends the run wherever it is; nothing of it happens any more.
    pub(crate) fn abort_run(&self) {
        if let Some(run) = self.run.take() {
            run.abort();
        }
    }

    pub(crate) fn entered(&self, state: &Rc<str>) {
        self.trace.borrow_mut().push(Rc::clone(state));
    }

    /// Runs again: the failed state with its input and its variables.
    pub(crate) fn redriven(&self) {
        self.redrive_count.set(self.redrive_count.get() + 1);
        self.redrive_ms.set(Some(self.clock.now_ms()));
        self.status.set(Status::Running);
        self.stop_ms.set(None);
        self.failure.replace((None, None));
        self.add_event(EventKind::ExecutionRedriven, None, None);
    }

    /// Takes its variables from it, as an engine that kept none for a redrive would. It goes on with what it then finds.
    pub fn forget_variables(&self) {
        self.position.borrow_mut().variables = Variables::default();
    }

    pub(crate) fn end(&self, ending: Ending) {
        let (status, kind) = match ending {
            Ending::Finished(Ok(output)) => {
                self.output.replace(Some(output));
                (Status::Succeeded, EventKind::ExecutionSucceeded)
            }
            Ending::Finished(Err(failure)) => {
                self.failure.replace((failure.error, failure.cause));
                (Status::Failed, EventKind::ExecutionFailed)
            }
            Ending::TimedOut => (Status::TimedOut, EventKind::ExecutionTimedOut),
            Ending::Aborted(error, cause) => {
                self.failure.replace((error, cause));
                (Status::Aborted, EventKind::ExecutionAborted)
            }
        };
        let (error, cause) = self.failure.borrow().clone();
        let failure = (error.is_some() || cause.is_some()).then_some(Failure { error, cause, fatal: false });
        self.add_event(kind, None, failure.as_ref());
        self.stop_ms.set(Some(self.clock.now_ms()));
        self.status.set(status);
        self.ended.notify_one();
    }
}
