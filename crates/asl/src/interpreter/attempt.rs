//! One attempt of a Task or a Parallel.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use crate::simulated::Instant;
use jsonata_core::value::JValue;

use super::callbacks::{OpenTicket, Ticket};
use super::clock::sleep_until;
use super::execution::Position;
use super::failure::{Failure, MissedHeartbeat, names};
use super::history::EventKind;
use super::machine::{Integration, Parallel, Task};
use super::run::{Done, Here, Run, ScopeFuture, within_limit};
use super::task::{TaskAnswer, TaskCall, TaskError, Tasks};
use super::value;
use super::view::{StateContext, View};

/// When an attempt is over, answered or not. A field that is not given does not end it: AWS's default is 99,999,999 s,
/// three years.
struct Limits {
    timeout: Option<Instant>,
    heartbeat: Option<Duration>,
}

/// Which of the limits came.
enum Over {
    Timeout,
    Heartbeat,
}

/// The events of an attempt: a function called by its own ARN has names of its own.
struct Events {
    scheduled: EventKind,
    started: EventKind,
    succeeded: EventKind,
    failed: EventKind,
    timed_out: EventKind,
}

const TASK_EVENTS: Events = Events {
    scheduled: EventKind::TaskScheduled,
    started: EventKind::TaskStarted,
    succeeded: EventKind::TaskSucceeded,
    failed: EventKind::TaskFailed,
    timed_out: EventKind::TaskTimedOut,
};

const FUNCTION_EVENTS: Events = Events {
    scheduled: EventKind::LambdaFunctionScheduled,
    started: EventKind::LambdaFunctionStarted,
    succeeded: EventKind::LambdaFunctionSucceeded,
    failed: EventKind::LambdaFunctionFailed,
    timed_out: EventKind::LambdaFunctionTimedOut,
};

impl<T: Tasks> Run<T> {
    pub(crate) async fn task(&self, here: &Here<'_>, task: &Task) -> Result<Done, Failure> {
        self.handled(here, &task.handlers, async |retries| self.attempt(here, task, retries).await).await
    }

    async fn attempt(&self, here: &Here<'_>, task: &Task, retries: u32) -> Result<Done, Failure> {
        let ticket = task.integration.waits_for_callback().then(|| self.service.callbacks.issue(&self.sources.random));
        let token = ticket.as_ref().map(|ticket| ticket.0.token.clone());
        let context = StateContext {
            retry_count: retries,
            token: token.as_ref().map(|token| JValue::from(token.as_str())),
            ..here.context.clone()
        };
        let view = self.view_in(here, &context);
        let limits = self.limits(here, task, &view)?;
        let mut call = self.call(here, task, &view)?;
        call.attempt = retries;
        call.token = token;
        let result = self.called(here, task, call, ticket, &limits).await?;
        let view = self.view_in(here, &context).with_result(result.clone());
        self.apply(here, &here.state.effects, &view, result, here.state.next)
    }

    fn limits(&self, here: &Here, task: &Task, view: &View) -> Result<Limits, Failure> {
        let seconds = |field: &Option<super::template::Template>| {
            field
                .as_ref()
                .map(|template| self.evaluated(here, template.evaluate_positive_seconds(view)))
                .transpose()
                .map(|seconds| seconds.map(Duration::from_secs))
        };
        let timeout = seconds(&task.timeout)?.map(|timeout| Instant::now() + timeout);
        Ok(Limits { timeout, heartbeat: seconds(&task.heartbeat)? })
    }

    fn call(&self, here: &Here, task: &Task, view: &View) -> Result<TaskCall, Failure> {
        if let Some(credentials) = &task.credentials {
            self.evaluated(here, credentials.evaluate(view))?;
        }
        // Without "Arguments" a task is given the state's input.
        let arguments = match &task.arguments {
            Some(arguments) => self.evaluated(here, arguments.evaluate(view))?,
            None => here.position.input.clone(),
        };
        within_limit(&arguments, &task.resource)?;
        let (function_name, payload) = match task.integration {
            Integration::Function => (Some(task.resource.to_string()), value::to_json(&arguments)),
            Integration::LambdaInvoke { .. } => (
                arguments.get("FunctionName").and_then(JValue::as_str).map(str::to_owned),
                arguments.get("Payload").map_or_else(|| serde_json::json!({}), value::to_json),
            ),
            Integration::Service { .. } => (None, value::to_json(&arguments)),
        };
        Ok(TaskCall {
            resource: Rc::clone(&task.resource),
            function_name,
            payload,
            token: None,
            execution: Rc::clone(&self.execution.arn),
            state: Rc::clone(&here.state.name),
            attempt: 0,
        })
    }

    /// Schedules the call and waits for its result: the answer of the call itself, or the callback.
    async fn called(
        &self,
        here: &Here<'_>,
        task: &Task,
        call: TaskCall,
        ticket: Option<OpenTicket>,
        limits: &Limits,
    ) -> Result<JValue, Failure> {
        let events = if task.integration == Integration::Function { &FUNCTION_EVENTS } else { &TASK_EVENTS };
        self.event(events.scheduled, here.state, None)?;
        self.event(events.started, here.state, None)?;
        let answer = pin!(self.service.tasks.invoke(call));
        let result = match &ticket {
            None => answered(answer, limits.timeout).await,
            Some(ticket) => self.called_back(here, answer, &ticket.0, limits).await?,
        };
        let outcome = match result {
            Ok(Ok(answer)) => {
                let wrapped = matches!(task.integration, Integration::LambdaInvoke { .. });
                let result = match answer {
                    Answer::Call(answer) => answer.into_result(wrapped),
                    Answer::Callback(output) => output,
                };
                within_limit(&result, &task.resource).map(|()| result)
            }
            Ok(Err(failure)) => Err(failure),
            Err(over) => {
                let failure = over.failure(self.service.missed_heartbeat.get());
                self.event(events.timed_out, here.state, Some(&failure))?;
                return Err(failure);
            }
        };
        let (kind, failure) = match &outcome {
            Ok(_) => (events.succeeded, None),
            Err(failure) => (events.failed, Some(failure)),
        };
        self.event(kind, here.state, failure)?;
        outcome
    }

    /// Waits for the callback, while the call itself still runs and after it. Whoever answers first has answered.
    async fn called_back(
        &self,
        here: &Here<'_>,
        mut call: Pin<&mut impl Future<Output = Result<TaskAnswer, TaskError>>>,
        ticket: &Ticket,
        limits: &Limits,
    ) -> Result<Outcome, Failure> {
        let mut submitted = false;
        loop {
            if let Some(answer) = ticket.take_answer() {
                return Ok(Ok(answer.map(Answer::Callback)));
            }
            let (deadline, over) = limits.next(ticket.last_beat());
            tokio::select! {
                biased;
                () = ticket.bell.notified() => {}
                answer = &mut call, if !submitted => {
                    if let Err(error) = answer {
                        return Ok(Ok(Err(error.into())));
                    }
                    submitted = true;
                    self.event(EventKind::TaskSubmitted, here.state, None)?;
                }
                () = sleep_until(deadline) => return Ok(Err(over)),
            }
        }
    }

    pub(crate) async fn parallel(&self, here: &Here<'_>, parallel: &Parallel) -> Result<Done, Failure> {
        self.handled(here, &parallel.handlers, async |retries| self.branches(here, parallel, retries).await).await
    }

    /// Runs all branches at once. The first that fails fails the state, and the others are given up ("Parallel workflow
    /// state").
    async fn branches(&self, here: &Here<'_>, parallel: &Parallel, retries: u32) -> Result<Done, Failure> {
        let context = StateContext { retry_count: retries, ..here.context.clone() };
        let input = match &parallel.arguments {
            Some(arguments) => self.evaluated(here, arguments.evaluate(&self.view_in(here, &context)))?,
            None => here.position.input.clone(),
        };
        within_limit(&input, &here.state.name)?;
        self.event(EventKind::ParallelStateStarted, here.state, None)?;
        let branches = parallel
            .branches
            .iter()
            .map(|branch| {
                // A branch sees the variables around it; what it assigns stays in it.
                let position = Position { state: branch.start, input: input.clone(), ..here.position.clone() };
                self.scope(branch, position, false, false)
            })
            .collect();
        match all(branches).await {
            Ok(results) => {
                let result = JValue::from(results);
                within_limit(&result, &here.state.name)?;
                self.event(EventKind::ParallelStateSucceeded, here.state, None)?;
                let view = self.view_in(here, &context).with_result(result.clone());
                self.apply(here, &here.state.effects, &view, result, here.state.next)
            }
            Err(failure) => {
                self.event(EventKind::ParallelStateFailed, here.state, Some(&failure))?;
                Err(failure)
            }
        }
    }
}

/// Who answered.
enum Answer {
    Call(TaskAnswer),
    Callback(JValue),
}

/// The answer or failure of an attempt, unless a limit came first.
type Outcome = Result<Result<Answer, Failure>, Over>;

/// Waits for the answer of the call itself.
async fn answered(
    call: Pin<&mut impl Future<Output = Result<TaskAnswer, TaskError>>>,
    timeout: Option<Instant>,
) -> Outcome {
    tokio::select! {
        biased;
        answer = call => Ok(answer.map(Answer::Call).map_err(Failure::from)),
        () = sleep_until(timeout) => Err(Over::Timeout),
    }
}

impl Limits {
    /// The limit that comes next when the last sign of life was at `beat`. A heartbeat never moves the timeout.
    fn next(&self, beat: Instant) -> (Option<Instant>, Over) {
        let silence = self.heartbeat.map(|heartbeat| beat + heartbeat);
        match (self.timeout, silence) {
            (Some(timeout), Some(silence)) if silence < timeout => (Some(silence), Over::Heartbeat),
            (None, Some(silence)) => (Some(silence), Over::Heartbeat),
            (timeout, _) => (timeout, Over::Timeout),
        }
    }
}

impl Over {
    /// AWS gives a timeout no cause.
    fn failure(&self, missed_heartbeat: MissedHeartbeat) -> Failure {
        let name = match self {
            Self::Timeout => names::TIMEOUT,
            Self::Heartbeat => missed_heartbeat.name(),
        };
        Failure::new(name, None)
    }
}

/// Runs all futures side by side, polling them in order; the first failure ends them all.
async fn all(mut futures: Vec<ScopeFuture<'_>>) -> Result<Vec<JValue>, Failure> {
    let mut results: Vec<Option<JValue>> = futures.iter().map(|_| None).collect();
    poll_fn(move |context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_some() {
                continue;
            }
            match future.as_mut().poll(context) {
                Poll::Ready(Ok(value)) => *result = Some(value),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {}
            }
        }
        if results.iter().all(Option::is_some) {
            Poll::Ready(Ok(results.drain(..).flatten().collect()))
        } else {
            Poll::Pending
        }
    })
    .await
}
