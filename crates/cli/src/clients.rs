//! What AWS is asked. Gives the domain's own types; never prints.

mod account;
mod executions;
mod instances;
mod records;
mod run;

pub(crate) use account::Account;
pub(crate) use executions::{Execution, RunName};
pub(crate) use instances::Instance;
pub(crate) use run::{Ending, Run};
