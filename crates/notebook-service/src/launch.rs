//! A boot, and how a script is started in it.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf};

/// A boot that may have living processes.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    /// The boot id, as the instance's own processes read it.
    pub(crate) id: String,
    /// The ARN of the instance's role, which no running instance changes.
    pub(crate) role: String,
    /// The machine's name and first process; `None`: the instance is a folder.
    pub(crate) machine: Option<(String, i32)>,
}

/// How a script is started on this machine.
pub(crate) struct Launch {
    pub(crate) argv: Vec<OsString>,
    /// All of it: nothing else is inherited.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) directory: PathBuf,
}
