#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used, reason = "this crate is a test")]

mod notebook;
pub mod parameters;
mod run;
mod world;

pub use notebook::{Notebook, code, markdown};
pub use run::{Run, RunEnd};
pub use world::{LocalAws, MAX_WAITING_RUNS, SUBNET_PORTS, until};
