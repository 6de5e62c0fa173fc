#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod answer;
mod artifacts;
mod calls;
mod clients;
mod clock;
mod events;
mod fallback;
mod foreign;
mod http;
mod presigned;
mod proxy;
mod s3;
mod sagemaker;
mod sfn;
mod time;
mod trust;

pub use artifacts::StoredArtifact;
pub use clients::{Aws, Credentials};
pub use http::client as http_client;
pub use presigned::NotTaken;
pub use s3::Downloaded;
pub use sfn::{execution_seen, millis};

#[cfg(test)]
mod stub_tests;
