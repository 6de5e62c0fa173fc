//! What is to be executed, and how far it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::EngineError;
use crate::kernel_folder;

/// A notebook above this is refused: papermill writes the whole notebook after every cell.
const MAX_NOTEBOOK_BYTES: u64 = 64 << 20;
/// Outputs beyond this are left out of the output notebook, with a note in their place.
const MAX_OUTPUT_BYTES: u64 = 32 << 20;
/// For the page where the machine is about to go: the notebook itself is worth more.
pub(crate) const HURRIED_EXPORT: Duration = Duration::from_secs(10);

/// How often a cell is asked where it is: a cell that waits in its turn answers only the second time. run.py has the same.
const INTERRUPTS: u32 = 2;

/// How long each step of a run's end may take. They are part of the job, so that a test can give a step all the time that a
/// busy machine needs, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// After the last cell: for what the notebook registered for its kernel's end (`atexit`).
    pub exit: Duration,
    /// At the limit, and when the run is cancelled: for the interrupted cell to say where it was. It is interrupted once more
    /// (`INTERRUPTS`) if it does not, and has as long again.
    pub interrupt: Duration,
    /// Then: between the kernel's SIGTERM and its SIGKILL.
    pub grace: Duration,
    /// Beyond the last two: for the driver to save the notebook and mark the cell. A driver that needs longer is killed;
    /// what it last saved is then marked by another.
    pub save: Duration,
    /// For the page. That of a notebook of `MAX_NOTEBOOK_BYTES` takes some seconds; more means that it hangs.
    pub export: Duration,
    /// All of the end but the page where the machine is about to go: time for the interrupts, for the grace, and for little more.
    pub hurry: Duration,
}

impl Default for Patience {
    /// Long enough to remove temporary tables or to release a lock, short against a run.
    fn default() -> Self {
        let [exit, interrupt, grace, save, export, hurry] = [30, 3, 10, 20, 60, 18].map(Duration::from_secs);
        Self { exit, interrupt, grace, save, export, hurry }
    }
}

impl Patience {
    /// How long the driver may take from the order to end until it is gone.
    pub(crate) fn to_end(self) -> Duration {
        self.interrupts().saturating_add(self.grace).saturating_add(self.save)
    }

    /// How long the driver may wait for the interrupted cell.
    fn interrupts(self) -> Duration {
        self.interrupt.saturating_mul(INTERRUPTS)
    }
}

/// What a driver process is started for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode<'a> {
    /// Execute the notebook and export the page.
    Execute,
    /// Mark the cell that was running, if the text is there, and export the page.
    Finish {
        /// What is to stand in the cell.
        unfinished: Option<&'a str>,
    },
}

/// One notebook to execute.
#[derive(Debug, Clone)]
pub struct Job {
    /// The notebook: an existing regular file, its path already resolved and checked by the caller.
    pub notebook: PathBuf,
    /// What the page is called, where the notebook itself has no title: a person knows the notebook by it, and not by the copy.
    pub title: String,
    /// An existing folder, private to this attempt, for everything that comes out.
    pub output_dir: PathBuf,
    /// The notebook's working directory: its own folder.
    pub working_dir: PathBuf,
    /// Papermill's parameters. Names must be identifiers; values arrive in the kernel exactly equal.
    pub parameters: Map<String, Value>,
    /// The kernel to use instead of the one that the notebook names.
    pub kernel: Option<String>,
    /// Whether nothing that the notebook shows may run where its page is opened.
    pub sanitize_html: bool,
    /// Time from the start until everything is killed.
    pub limit: Duration,
    /// How long its end may take.
    pub patience: Patience,
    /// Value of the environment variable `REVEILLE_RUN`, inherited by every process of the run and used
    /// to find them all: unique to this attempt, and not empty.
    pub marker: String,
}

impl Job {
    /// Refuses what could not be executed, before a process is started.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if !self.notebook.is_file() {
            return Err(EngineError::NotebookMissing { path: self.notebook.clone() });
        }
        for folder in [&self.output_dir, &self.working_dir] {
            if !folder.is_dir() {
                return Err(EngineError::FolderMissing { path: folder.clone() });
            }
        }
        if self.marker.is_empty() || self.marker.contains('\0') {
            return Err(EngineError::BadMarker);
        }
        match self.parameters.keys().find(|name| !is_identifier(name)) {
            Some(name) => Err(EngineError::BadParameterName { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The content of the driver's specification file.
    pub(crate) fn spec(&self, mode: Mode<'_>, conda_envs: &Path) -> Value {
        let (mode, unfinished) = match mode {
            Mode::Execute => ("execute", None),
            Mode::Finish { unfinished } => ("finish", unfinished),
        };
        json!({
            "mode": mode,
            "unfinished": unfinished,
            "exit_seconds": self.patience.exit.as_secs_f64(),
            "interrupt_seconds": self.patience.interrupt.as_secs_f64(),
            "grace_seconds": self.patience.grace.as_secs_f64(),
            "notebook": self.notebook,
            "title": self.title,
            "output_dir": self.output_dir,
            "working_dir": self.working_dir,
            "kernel_folder": kernel_folder::of(&self.marker),
            "parameters": self.parameters,
            "kernel": self.kernel,
            "sanitize_html": self.sanitize_html,
            "conda_envs": conda_envs,
            "max_notebook_bytes": MAX_NOTEBOOK_BYTES,
            "max_output_bytes": MAX_OUTPUT_BYTES,
            "export_seconds": self.patience.export.as_secs(),
        })
    }
}

/// Papermill writes a parameter's name into the injected cell as it stands: anything but an identifier
/// would be code.
fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// How far a notebook is. All cells count, also those that hold text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct CellProgress {
    /// 1-based position in the source notebook of the cell that runs or ran last; 0 before the first.
    pub cell: usize,
    /// Number of cells of the source notebook; 0 before it was read.
    pub cells: usize,
    /// Number of cells that are behind us, completed.
    pub done: usize,
}

/// A file that came out of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The executed notebook, as papermill leaves it: also partial, the failed cell marked.
    Notebook,
    /// The same as one HTML page.
    Html,
    /// What the driver and the cells wrote to stdout and stderr, at most 2 MiB of it.
    Log,
}

impl Output {
    /// All of them.
    pub const ALL: [Output; 3] = [Output::Notebook, Output::Html, Output::Log];

    /// The file's name in the output folder.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Output::Notebook => "output.ipynb",
            Output::Html => "output.html",
            Output::Log => "log.txt",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{HURRIED_EXPORT, INTERRUPTS, Patience, is_identifier};

    /// The driver is not killed where it does what it is there for; and the uploads have their time after it.
    #[test]
    fn a_hurried_end_has_time_for_each_interrupt_and_the_grace_and_leaves_half_of_the_runners_minute() {
        let patience = Patience::default();
        assert!(patience.hurry > INTERRUPTS * patience.interrupt + patience.grace, "{patience:?}");
        assert!(patience.hurry < patience.to_end(), "{patience:?}");
        // `limits::RUNNER_END` of the domain, and the half of it that ending a notebook takes at most.
        let half = Duration::from_mins(1) / 2;
        assert!(patience.hurry + HURRIED_EXPORT < half, "{patience:?}");
    }

    #[test]
    fn the_driver_interrupts_as_often_as_it_is_given_time_for() {
        let driver = include_str!("driver/reveille_driver/run.py");
        let number = driver.lines().find_map(|line| line.strip_prefix("INTERRUPTS = "));
        assert_eq!(number, Some(INTERRUPTS.to_string().as_str()));
    }

    #[test]
    fn only_identifiers_are_names_of_parameters() {
        for good in ["a", "_x", "day2", "Source_1"] {
            assert!(is_identifier(good), "{good}");
        }
        for bad in ["", "2a", "a b", "a;b", "a=1\nimport os", "a-b", "é"] {
            assert!(!is_identifier(bad), "{bad:?}");
        }
    }
}
