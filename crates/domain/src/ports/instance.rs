//! What happens on the instance itself: no call of AWS, and no IAM action.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::error::Failure;
use crate::layout::AttemptRef;
use crate::records::Request;

use super::Call;
use super::live::LiveOutput;

/// How far a notebook is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cells {
    /// The cell that runs, from 1; 0 before the first.
    pub cell: u32,
    /// Cells of the notebook; 0 while unknown.
    pub cells: u32,
    /// Cells that are completed.
    pub done: u32,
}

/// A file that a run left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name in the report: `notebook`, `html`, `log`.
    pub name: &'static str,
    /// Its file name in the attempt's folder: `output.ipynb`, `output.html`, `log.txt`.
    pub file_name: &'static str,
    /// Where it lies on the instance.
    pub path: PathBuf,
    /// Its media type.
    pub content_type: &'static str,
}

/// What came of an execution of a notebook.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutedNotebook {
    /// The failure; none is a success.
    pub failure: Option<Failure>,
    /// What it left.
    pub files: Vec<OutputFile>,
    /// SHA-256 of the notebook that ran.
    pub source_sha256: Option<String>,
    /// Why there is no page of it, where there is an output notebook.
    pub html_error: Option<String>,
}

/// Executing a notebook on this machine.
pub trait ExecuteNotebook {
    /// A notebook that executes.
    type Running: RunningNotebook;
    /// Finds the notebook and starts its execution. A problem before the first cell is found by `finish`.
    async fn execute_notebook(&self, request: &Request, attempt: u32) -> Self::Running;
}

/// A notebook that executes.
pub trait RunningNotebook {
    /// What is seen of it meanwhile.
    type Live: LiveOutput;
    /// How far it is.
    fn cells(&self) -> Cells;
    /// What is seen of it meanwhile. It keeps nothing alive.
    fn live(&self) -> Self::Live;
    /// Its end, the time limit's included; nothing of it runs any more. Safe to drop and to call again.
    async fn finish(&mut self) -> ExecutedNotebook;
    /// Ends it now; returns when nothing of it runs any more. Answers what it left: that is kept as that of any other end.
    async fn end(self) -> ExecutedNotebook
    where
        Self: Sized;
    /// The same on a machine that is about to go: within half a minute, and what takes longer is left out. A notebook that had
    /// ended by itself keeps how it ended.
    async fn end_soon(self) -> ExecutedNotebook
    where
        Self: Sized;
}

/// Hearing that this process is to end.
pub trait AskedToEnd {
    /// Returns when the machine has asked for it, as it does before it powers off; from then on at once.
    async fn asked_to_end(&self);
}

/// What an earlier runner process of this instance left of a notebook that it executed.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftNotebook {
    /// The attempt.
    pub at: AttemptRef,
    /// SHA-256 of the notebook that ran.
    pub source_sha256: Option<String>,
    /// The files, as far as they came.
    pub files: Vec<OutputFile>,
}

/// Looking for what an earlier runner process left on the instance's disk.
pub trait FindLeftNotebook {
    /// The notebook that was executed last, if anything of it is there.
    async fn find_left_notebook(&self) -> Option<LeftNotebook>;
}

/// Ending what an earlier runner process of this boot left behind.
pub trait KillLeftovers {
    /// Kills every process of every run on this machine.
    async fn kill_leftovers(&self);
}

/// Keeping a file in the stack's bucket (`s3:PutObject`).
pub trait UploadFile {
    /// Uploads a file, overwriting.
    async fn upload_file(&self, key: &str, path: &Path, content_type: &str) -> Call<()>;
}

/// How the instance's own Jupyter server answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jupyter {
    /// With lists of kernels and terminals, which may be empty.
    Answered,
    /// There is none, or it is being restarted: the connection was refused.
    NoServer,
    /// Not usably.
    Silent,
}

/// What this machine tells of the person who may work on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PersonSeen {
    /// Something of theirs runs right now: a kernel is busy, or a program runs in a terminal.
    pub busy: bool,
    /// The last activity of any kernel or terminal of theirs that is not ahead of this machine's clock.
    pub last_active: Option<DateTime<Utc>>,
    /// The last activity that is ahead of this machine's clock, if there is one: the clock was set back, or the answer is odd.
    pub ahead: Option<DateTime<Utc>>,
    /// How Jupyter answered.
    pub jupyter: Jupyter,
}

/// Looking at what a person may be doing on this machine.
pub trait SeePerson {
    /// What it tells now.
    async fn see_person(&self) -> PersonSeen;
}

/// Plain lines for the log of a step or of the runner. Never a token or a parameter.
pub trait Log {
    /// One line.
    fn log(&self, message: &str);
}
