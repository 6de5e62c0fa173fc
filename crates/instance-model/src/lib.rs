//! The notebook instances of one account and region, as a pure function of state, event and time.
//!
//! Owns every rule of Amazon SageMaker notebook instances that Reveille depends on: the nine states,
//! which operation is legal in which state, how states change by themselves, lifecycle scripts and
//! their limit, the texts of errors and failure reasons, and the faults that can be asked for.
//!
//! It never reads a clock, draws a random number, starts a process or opens a socket. Time is an
//! argument of every call and must not run backwards (an earlier time counts as the latest one seen).
//!
//! # How to drive it
//! Call [`Account::apply`] for each request. After every call that may change something, and whenever
//! [`Account::next_due`] has come, call [`Account::advance`] and carry out the [`Effect`]s in order.
//! Two effects want an answer: [`Effect::RunLifecycleScript`] is answered by
//! [`Account::script_ended`], [`Effect::KillBoot`] by [`Account::boot_killed`]; until then the
//! instance waits (a script at most for its limit).
//!
//! The source of the rules is the `SageMaker` API reference, its service model (botocore 1.44) and
//! messages that users quoted; what is inferred says so in its place.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod account;
mod calls;
mod command;
mod configs;
mod effect;
mod error;
mod faults;
mod instance;
mod lifecycle;
mod listing;
mod operation;
mod progress;
mod status;
mod tagging;
mod tags;
mod timings;
mod validate;

#[cfg(test)]
mod tests;

pub use account::{Account, Snapshot};
pub use calls::{CallOutcome, Counts, InstanceCalls, RecordedCall};
pub use command::{Change, Command, CreateConfig, CreateInstance, LifecycleChange, Response, UpdateInstance};
pub use effect::{BootNumber, Effect};
pub use error::ApiError;
pub use faults::{ArmedFault, FaultError, FaultId, FaultKind, InstanceFault, Moment};
pub use instance::{InstanceSettings, InstanceView};
pub use lifecycle::{ConfigView, Hook, ScriptResult};
pub use listing::{ConfigSort, InstanceFilter, InstanceSort, ListQuery, Page, shown};
pub use operation::Operation;
pub use status::NotebookInstanceStatus;
pub use timings::Timings;

/// A point in time: always given by the caller.
pub type Time = chrono::DateTime<chrono::Utc>;
