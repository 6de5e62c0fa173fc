//! Triggers on events: what they take, what they start, and what would start itself for ever. Pure: no clock, no AWS.

mod chain;
mod feeding;
mod input;
mod loops;
mod places;
mod uploads;
mod watched;

pub(crate) use chain::{Chain, Step, sample as sample_of_run};
pub(crate) use feeding::Feeding;
pub(crate) use input::{EVENT, Origin, SCHEDULE_ARN, SCHEDULED_TIME, sample, template, with_event};
pub(crate) use loops::{Starts, certain_problem, object, problem};
pub(crate) use uploads::Uploads;
pub(crate) use watched::{MOST as LONGEST_KEY, Watched};
