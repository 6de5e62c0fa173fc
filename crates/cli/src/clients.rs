//! What AWS is asked. Gives the domain's own types; never prints.

/// Things that are looked at together: each takes one to three calls of some ten milliseconds.
pub(crate) const AT_ONCE: usize = 16;

mod account;
mod again;
mod executions;
mod instances;
mod queue;
mod records;
mod run;
mod schedules;

pub(crate) use account::Account;
pub(crate) use again::Past;
pub(crate) use executions::{Execution, RunName};
pub(crate) use instances::Instance;
pub(crate) use queue::{Place, Took};
pub(crate) use run::{Ending, Run};
#[cfg(test)]
pub(crate) use schedules::{MAX_AGE_SECONDS, MAX_ATTEMPTS};
pub(crate) use schedules::{NewSchedule, Schedule};
