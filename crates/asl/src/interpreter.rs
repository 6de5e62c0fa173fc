//! An interpreter of the Amazon States Language in `JSONata` mode, on tokio's clock (which a simulation pauses).
//!
//! Owns: running compiled [`Machine`]s as AWS's Standard workflows run them: states, variables, retries, catchers,
//! timeouts, heartbeats, callbacks, execution timeouts, aborts, redrives, history and its limit.
//! Never does: any work of a task. That is the caller's [`Tasks`].
//!
//! Sources are pages of the AWS Step Functions Developer Guide and API Reference, named where a rule is written down.

mod attempt;
mod callbacks;
mod catcher;
mod clock;
mod execution;
mod failure;
mod functions;
mod history;
mod machine;
mod machine_error;
mod plain;
mod random;
mod retry;
mod run;
mod service;
mod shared;
mod site;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod value;
mod view;

pub use callbacks::{CallbackError, Callbacks, Token};
pub use clock::ExecutionClock;
pub use execution::{Description, Status, StepFunctionsExecution};
pub use failure::MissedHeartbeat;
pub use history::{EventKind, HISTORY_LIMIT, HistoryEvent};
pub use machine::Machine;
pub use machine_error::MachineError;
pub use service::{Links, RedriveError, Service, StartError, StopError};
pub use shared::Executions;
pub use task::{TaskAnswer, TaskCall, TaskError, Tasks};
