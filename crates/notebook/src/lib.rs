//! Executes one notebook with papermill in supervised processes.
//!
//! Owns: finding a Python that has papermill, starting the driver (`src/driver`) on one notebook, its time
//! limit, telling what became of it, and leaving no process of the run behind. Beside it, [`activity`] asks
//! the instance's own Jupyter server whether a person is working.
//!
//! Never: knows runs, S3, leases or AWS; hands anything to a shell; writes outside the job's output folder
//! (but the notebook itself may, in its own folder; and a kernel's sockets need a short path, see `kernel_folder`).
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod activity;
mod commands;
mod discovery;
mod driver;
mod engine;
mod environment;
mod error;
mod execution;
mod growth;
mod interpreters;
mod job;
mod kernel_folder;
mod log;
mod pins;
mod processes;
pub mod regular;
pub mod terminals;
mod verdict;
mod wheelhouse;

pub use engine::Engine;
pub use error::{EngineError, remedy};
pub use execution::{NotebookProcess, end_leftovers};
pub use growth::{Grown, Growth};
pub use job::{CellProgress, Job, Output, Patience};
pub use verdict::{Breakage, CellFailure, KernelEnd, Place, Verdict};
pub use wheelhouse::Supplies;
