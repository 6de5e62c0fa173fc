#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod admit_run;
pub mod await_run;
pub mod bring_to_rest;
pub mod check_instance;
pub mod conclude_run;
pub mod history;
mod holders;
pub mod last_attempt;
pub mod left;
mod lost;
mod own;
pub mod publish_progress;
pub mod runner;
pub mod stack;
pub mod start_instance;
pub mod step;
pub mod store;
pub mod swap_lease;
pub mod sweep;
mod token;
pub mod verdict;
pub mod verify_stopped;
pub mod withdraw;

pub use stack::Stack;
