#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod last_attempt;
pub mod lease;
pub mod left;
pub mod live;
mod own;
pub mod reconcile;
pub mod runner;
pub mod stack;
pub mod steps;
pub mod store;
pub mod sweep;
pub mod withdraw;

pub use stack::Stack;
