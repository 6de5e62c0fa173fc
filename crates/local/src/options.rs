//! What the local AWS is told at its start.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use reveille_instance_model::Timings;
use reveille_notebook_service::{Machines, StateListener};

/// Is told each step of the start, as one line: it must return at once.
pub type ProgressListener = Arc<dyn Fn(&str) + Send + Sync>;

/// How to start the local AWS.
#[derive(Clone)]
pub struct Options {
    /// Where its files go: logs, objects, the disks of the instances. `None`: a temporary folder that goes with it.
    pub directory: Option<PathBuf>,
    /// The stack's name.
    pub stack: String,
    /// Parameters of the template, over those that make local runs take seconds.
    pub parameters: BTreeMap<String, String>,
    /// Notebook instances are machines that boot (root only); `None`: they are folders with processes.
    pub machines: Option<Machines>,
    /// Ports of subnets' endpoints that lead to the local AWS: a client behind one has that port in its `Host`.
    pub forwarded_ports: Vec<u16>,
    /// How long the notebook instance service takes over things.
    pub timings: Timings,
    /// Is told each step.
    pub on_progress: Option<ProgressListener>,
    /// Is told each change of an instance's state.
    pub on_state_change: Option<StateListener>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            directory: None,
            stack: "reveille".to_owned(),
            parameters: BTreeMap::new(),
            machines: None,
            forwarded_ports: Vec::new(),
            timings: Timings::local(),
            on_progress: None,
            on_state_change: None,
        }
    }
}

impl Options {
    pub(crate) fn tell(&self, line: &str) {
        if let Some(listener) = &self.on_progress {
            listener(line);
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("directory", &self.directory)
            .field("stack", &self.stack)
            .field("parameters", &self.parameters)
            .field("machines", &self.machines)
            .field("timings", &self.timings)
            .finish_non_exhaustive()
    }
}
