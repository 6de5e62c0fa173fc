#![doc = include_str!("../README.md")]
#![allow(clippy::expect_used, reason = "this crate is a test: what cannot happen ends it")]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod book;
pub mod definition;
pub mod earlier;
pub mod exhaustive;
pub mod explain;
pub mod fault;
pub mod guarantees;
pub mod hostility;
pub mod lies;
pub mod long_queue;
pub mod play;
pub mod policy;
pub mod sabotage;
pub mod schedule;
pub mod shrink;
pub mod totals;
pub mod world;
