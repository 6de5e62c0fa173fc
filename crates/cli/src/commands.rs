//! What each verb does.

pub(crate) mod demo;
pub(crate) mod local;
mod progress;
