#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::float_cmp))]

pub mod certificates;
pub mod endpoint;
pub mod error;
pub mod http;
pub mod measure;
pub mod programs;
pub mod report;
pub mod runtime_api;
pub mod stats;
