//! Schedules: the expressions that EventBridge takes, and the times that they mean. Pure: no clock, no AWS.

mod cron;
mod dialect;
mod times;

pub(crate) use times::{When, moment, on_clock, words, zone};
