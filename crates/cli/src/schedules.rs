//! Schedules: the expressions that EventBridge takes, and the times that they mean. Pure: no clock, no AWS.

mod cron;
mod dialect;
mod times;
mod weekdays;

pub(crate) use times::{When, after_the_gap, moment, on_clock, words, zone};
