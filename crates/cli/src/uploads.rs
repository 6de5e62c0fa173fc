//! Triggers for uploads: which objects they take, what they start, and what would start itself for ever. Pure: no clock, no AWS.

mod input;
mod loops;
mod watched;

pub(crate) use input::{EVENT, sample, template};
pub(crate) use loops::{Starts, problem};
pub(crate) use watched::Watched;
