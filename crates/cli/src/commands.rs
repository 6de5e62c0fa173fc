//! What each verb does.

pub(crate) mod cancel;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod explain;
mod forecast;
mod health;
pub(crate) mod instances;
pub(crate) mod local;
pub(crate) mod logs;
pub(crate) mod on_run;
pub(crate) mod on_upload;
pub(crate) mod open;
mod parameters;
mod partial;
mod progress;
pub(crate) mod queue;
pub(crate) mod rerun;
mod rule;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod schedule;
pub(crate) mod show;
mod stage;
mod trigger;
pub(crate) mod undelivered;
pub(crate) mod watch;
