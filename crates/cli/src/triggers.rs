//! Triggers on events: what they take, what they start, and what would start itself for ever. Pure: no clock, no AWS.

mod chain;
mod input;
mod loops;
mod watched;

pub(crate) use chain::{Chain, Step, sample as sample_of_run};
pub(crate) use input::{EVENT, sample, template};
pub(crate) use loops::{Starts, problem};
pub(crate) use watched::Watched;
