//! The service: starting, stopping, redriving and finding executions.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::simulated::{self, Instant};
use serde_json::Value;

use super::callbacks::Callbacks;
use super::clock::{ExecutionClock, sleep_until};
use super::execution::{Ending, Status, StepFunctionsExecution};
use super::failure::MissedHeartbeat;
use super::functions::Sources;
use super::history::HISTORY_LIMIT;
use super::machine::Machine;
use super::random::Random;
use super::run::Run;
use super::shared::{Executions, Inner};
use super::task::Tasks;
use super::value::{self, SIZE_LIMIT};

/// The most characters in the name of an execution (API Reference, `StartExecution`).
const MAX_NAME: usize = 80;

/// How long after its end an execution can be redriven ("Restarting state machine executions with redrive").
const REDRIVE_PERIOD_MS: i64 = 14 * DAY_MS;

/// How long after its end the name of an execution stays taken (API Reference, `StartExecution`).
const NAME_PERIOD_MS: i64 = 90 * DAY_MS;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Why an execution was not started, with AWS's names.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum StartError {
    /// The name is taken: by an execution that ended, or by one that runs with another input.
    #[error("ExecutionAlreadyExists: '{name}' was used in the last 90 days: choose another name")]
    ExecutionAlreadyExists { name: String },
    /// The name is empty, too long, or has a character that AWS refuses.
    #[error(
        "InvalidName: '{name}' is not a name of 1 to 80 characters without spaces, brackets, wildcards or quotes: choose another"
    )]
    InvalidName { name: String },
    /// The input is too large.
    #[error("InvalidExecutionInput: the input has {bytes} bytes, more than 262144: pass less")]
    InvalidExecutionInput {
        /// Its size.
        bytes: usize,
    },
}

/// Why an execution was not stopped.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum StopError {
    /// There is no such execution.
    #[error("ExecutionDoesNotExist: '{arn}': pass the ARN of an execution")]
    ExecutionDoesNotExist {
        /// What was given.
        arn: String,
    },
}

/// Why an execution was not redriven, with AWS's names.
#[derive(Debug, thiserror::Error, Clone, PartialEq, Eq)]
pub enum RedriveError {
    /// There is no such execution.
    #[error("ExecutionDoesNotExist: '{arn}': pass the ARN of an execution")]
    ExecutionDoesNotExist {
        /// What was given.
        arn: String,
    },
    /// It runs, succeeded, ended too long ago or has too long a history.
    #[error("ExecutionNotRedrivable: '{arn}' {reason}: start a new execution")]
    ExecutionNotRedrivable {
        arn: String,
        /// Why.
        reason: &'static str,
    },
}

/// What a world may need of the service that calls it.
#[derive(Debug, Clone, Default)]
pub struct Links {
    /// Where its workers answer tasks.
    pub callbacks: Callbacks,
    /// What `DescribeExecution` would find.
    pub executions: Executions,
}

/// The service. Executions run as tasks: it must be used inside [`crate::simulated::block_on`].
pub struct Service<T>(Rc<Inner<T>>);

impl<T> Clone for Service<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<T: Tasks + 'static> Service<T> {
    /// A service whose tasks call into `tasks`. The same `seed` gives the same jitter, tokens and random numbers.
    pub fn new(tasks: T, clock: ExecutionClock, seed: u64) -> Self {
        Self::linked(clock, seed, |_| tasks)
    }

    /// The same, for a world that is made with its links to the service.
    pub fn linked(clock: ExecutionClock, seed: u64, tasks: impl FnOnce(Links) -> T) -> Self {
        let links = Links::default();
        Self(Rc::new(Inner {
            tasks: tasks(links.clone()),
            clock,
            sources: Sources { random: Rc::new(Random::new(seed)), clock },
            callbacks: links.callbacks,
            missed_heartbeat: Cell::default(),
            apart: Cell::default(),
            executions: links.executions,
        }))
    }

    /// From now on each execution has random numbers of its own, so that in which order executions draw tells nothing.
    pub fn draw_apart(&self) {
        self.0.apart.set(true);
    }

    /// Shows missed heartbeats under this name from now on.
    pub fn show_missed_heartbeats_as(&self, name: MissedHeartbeat) {
        self.0.missed_heartbeat.set(name);
    }

    /// Where callbacks are sent.
    #[must_use]
    pub fn callbacks(&self) -> Callbacks {
        self.0.callbacks.clone()
    }

    /// The world it was made with.
    #[must_use]
    pub fn tasks(&self) -> &T {
        &self.0.tasks
    }

    #[must_use]
    pub fn execution(&self, arn: &str) -> Option<Rc<StepFunctionsExecution>> {
        self.0.executions.get(arn)
    }

    /// Starts an execution. The same name with the same input while it runs is the same execution.
    ///
    /// # Errors
    /// [`StartError`], with AWS's names.
    pub fn start_execution(
        &self,
        machine: &Rc<Machine>,
        name: &str,
        input: &Value,
    ) -> Result<Rc<StepFunctionsExecution>, StartError> {
        if !is_execution_name(name) {
            return Err(StartError::InvalidName { name: name.to_owned() });
        }
        let given = value::from_json(input.clone());
        let bytes = value::size(&given).unwrap_or(usize::MAX);
        if bytes > SIZE_LIMIT {
            return Err(StartError::InvalidExecutionInput { bytes });
        }
        if let Some(known) = self.execution(&machine.execution_arn(name)) {
            if known.status() == Status::Running && known.input == *input {
                return Ok(known);
            }
            if !self.ended_before(&known, NAME_PERIOD_MS) {
                return Err(StartError::ExecutionAlreadyExists { name: name.to_owned() });
            }
        }
        let execution = Rc::new(StepFunctionsExecution::new(machine, name, (input.clone(), given), self.0.clock));
        self.0.executions.insert(&execution);
        execution.started();
        self.run(&execution, false);
        Ok(execution)
    }

    /// Stops an execution that runs; one that ended stays as it is.
    ///
    /// # Errors
    /// [`StopError`] when there is no such execution.
    pub fn stop_execution(&self, arn: &str, error: Option<&str>, cause: Option<&str>) -> Result<(), StopError> {
        let execution = self.execution(arn).ok_or_else(|| StopError::ExecutionDoesNotExist { arn: arn.to_owned() })?;
        if execution.status() == Status::Running {
            execution.abort_run();
            self.0.end(&execution, Ending::Aborted(error.map(str::to_owned), cause.map(str::to_owned)));
        }
        Ok(())
    }

    /// Runs a failed, timed out or aborted execution on, from the state it ended in, with that state's input and
    /// variables and fresh counters of retries.
    ///
    /// A Parallel is run again as a whole; AWS runs only the branches again that did not succeed.
    ///
    /// # Errors
    /// [`RedriveError`], with AWS's names.
    pub fn redrive_execution(&self, arn: &str) -> Result<Rc<StepFunctionsExecution>, RedriveError> {
        let execution =
            self.execution(arn).ok_or_else(|| RedriveError::ExecutionDoesNotExist { arn: arn.to_owned() })?;
        if let Some(reason) = self.not_redrivable(&execution) {
            return Err(RedriveError::ExecutionNotRedrivable { arn: arn.to_owned(), reason });
        }
        execution.redriven();
        self.run(&execution, true);
        Ok(execution)
    }

    fn not_redrivable(&self, execution: &StepFunctionsExecution) -> Option<&'static str> {
        match execution.status() {
            Status::Running => return Some("is RUNNING"),
            Status::Succeeded => return Some("is SUCCEEDED"),
            Status::Failed | Status::TimedOut | Status::Aborted => {}
        }
        if self.ended_before(execution, REDRIVE_PERIOD_MS) {
            return Some("ended more than 14 days ago");
        }
        // "Redrive eligibility": fewer than 24,999 events.
        (execution.history_len() as u64 >= HISTORY_LIMIT - 1).then_some("has too many events in its history")
    }

    fn ended_before(&self, execution: &StepFunctionsExecution, period_ms: i64) -> bool {
        execution.stop_ms().is_some_and(|stopped| self.0.clock.now_ms() - stopped > period_ms)
    }

    /// Runs the execution as a local task, within the machine's own timeout, which begins anew with a redrive.
    fn run(&self, execution: &Rc<StepFunctionsExecution>, resumed: bool) {
        self.0.tasks.status_changed(&execution.describe());
        let inner = Rc::clone(&self.0);
        let running = Rc::clone(execution);
        let handle = simulated::spawn(async move {
            let sources = inner.sources_of(&running);
            let context = running.context();
            let run = Run { context, service: Rc::clone(&inner), execution: Rc::clone(&running), sources };
            let timeout = running.machine.timeout_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
            let ending = tokio::select! {
                biased;
                result = run.go(resumed) => Ending::Finished(result),
                () = sleep_until(timeout) => Ending::TimedOut,
            };
            inner.end(&running, ending);
        });
        execution.runs_as(handle);
    }
}

impl<T: Tasks> Inner<T> {
    fn sources_of(&self, execution: &StepFunctionsExecution) -> Sources {
        if !self.apart.get() {
            return self.sources.clone();
        }
        let mix = |seed: u64, byte: u8| (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let seed = execution.arn.bytes().fold(u64::from(execution.redrive_count()), mix);
        Sources { random: Rc::new(Random::new(seed)), clock: self.clock }
    }

    fn end(&self, execution: &StepFunctionsExecution, ending: Ending) {
        execution.end(ending);
        self.tasks.status_changed(&execution.describe());
    }
}

/// API Reference, `StartExecution`, "name": no white space, brackets, wildcards, or any of `" # % \ ^ | ~ \` $ & , ; : /`,
/// no control characters.
fn is_execution_name(name: &str) -> bool {
    let allowed = |character: char| {
        !character.is_whitespace() && !character.is_control() && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
    };
    !name.is_empty() && name.chars().count() <= MAX_NAME && name.chars().all(allowed)
}
