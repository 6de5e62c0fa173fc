//! What the world has to do, or may want to know, after a step of the model.

use std::{fmt, sync::Arc};

use crate::{Hook, NotebookInstanceStatus, Time};

/// One start of an instance, numbered through the account. The world maps it to a boot id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BootNumber(pub u64);

impl fmt::Display for BootNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something to carry out or to tell, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The machine of this instance comes up: prepare its directory and its identity.
    StartBoot {
        /// The instance's name.
        instance: String,
        /// The boot that begins.
        boot: BootNumber,
    },
    /// Run this script; answer with [`crate::Account::script_ended`].
    RunLifecycleScript {
        /// The instance's name.
        instance: String,
        /// The boot it runs in.
        boot: BootNumber,
        hook: Hook,
        /// The decoded script.
        script: Arc<[u8]>,
    },
    /// Kill every process of this boot; answer with [`crate::Account::boot_killed`].
    KillBoot {
        /// The instance's name.
        instance: String,
        /// The boot that ends.
        boot: BootNumber,
    },
    StateChanged {
        /// The instance's name.
        instance: String,
        /// The state before; `None` for a new instance.
        from: Option<NotebookInstanceStatus>,
        /// The state now.
        to: NotebookInstanceStatus,
        /// When.
        at: Time,
        /// The failure reason, with Failed.
        failure_reason: Option<String>,
    },
    /// The instance is gone, and its disk with it.
    Deleted {
        /// The instance's name.
        instance: String,
        /// When.
        at: Time,
    },
}
