#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]
#![expect(
    async_fn_in_trait,
    reason = "ports are used from single-threaded runtimes only, so callers never need a Send bound"
)]

pub mod age;
pub mod bound;
pub mod card;
pub mod error;
pub mod event;
pub mod history;
pub mod ids;
pub mod input;
pub mod layout;
pub mod limits;
pub mod memory;
pub mod observation;
pub mod person;
pub mod placeholders;
pub mod ports;
pub mod records;
pub mod run_event;
pub mod shown;
pub mod text;
pub mod unreadable;

/// The version of this program, which its records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub use error::{Code, Failure, RETRIED};
pub use ids::{InstanceName, RunId};
pub use text::InputText;
pub use unreadable::{Damage, Record, RecordKind, Unreadable};
