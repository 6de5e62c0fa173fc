#![doc = include_str!("../README.md")]

mod answer;
mod clients;
mod events;
mod http;
mod proxy;
mod s3;
mod sagemaker;
mod sfn;
mod time;

pub use clients::{Aws, Credentials};
pub use s3::Downloaded;
