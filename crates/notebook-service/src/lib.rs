//! The notebook instance service on this machine: the `SageMaker` API over HTTP, with instances that
//! are directories and boots that are real processes.
//!
//! Owns the wire protocol (awsJson1.1), the directories and processes of instances, and the admin
//! endpoint that arms faults and shows who called what. It decides nothing about notebook instances:
//! every state, transition and error text comes from `reveille-instance-model`. Nor who may call: a local AWS that has the roles says so.
//!
//! It never listens on anything but 127.0.0.1, serves no web page and nobody without the access key of its start, and
//! isolates nothing: a lifecycle script runs with the rights of whoever started the service.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod access_key;
mod admin;
mod authorizer;
mod booted;
mod config;
mod constraints;
mod driver;
mod guard;
mod host;
mod http;
mod launch;
mod machine;
mod members;
mod network;
mod processes;
mod requests;
mod responses;
mod roles;
mod script;
mod service;
mod shared;
mod uuid;
mod wire;

pub use access_key::AccessKey;
pub use config::{Config, LogListener, Machines, StateChange, StateListener};
pub use machine::MachineDisk;
pub use network::Endpoint;
pub use processes::{KillError, kill_boot, processes_of_boot};
pub use roles::RoleCall;
pub use service::{NotebookService, ServiceError, serve};
