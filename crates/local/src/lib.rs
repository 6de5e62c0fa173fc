#![doc = include_str!("../README.md")]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod clients;
mod deploy;
mod environment;
mod error;
mod folder;
mod instances;
mod kernel_folders;
mod local;
mod ministack;
mod options;
mod package;
mod parameters;
mod processes;
mod project;
mod servers;
mod tools;

pub use clients::Clients;
pub use deploy::ARTIFACTS_BUCKET;
pub use environment::{ACCOUNT, REGION};
pub use error::{LocalError, causes};
pub use local::{ARCHITECTURE, INSTANCE, Local, NOTEBOOK};
pub use options::{Options, ProgressListener};
pub use project::{FUNCTIONS_BINARY, Project, RUNNER_BINARY};
pub use reveille_instance_model::NotebookInstanceStatus;
pub use reveille_notebook_service::{Machines, RoleCall};
