//! What became of a notebook: the one answer of an execution.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

/// What became of a notebook. Exactly one for each execution; the first failure wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every cell ran, or a cell ended the notebook with `sys.exit(0)` (papermill's convention).
    Succeeded,
    /// A cell raised.
    NotebookFailed(Failure),
    /// The kernel process ended by itself, was killed, or could not be started.
    KernelDied {
        /// 0-based position in the source notebook of the cell that was running; absent before the first
        /// cell and in the injected parameters cell.
        cell_index: Option<usize>,
        /// How it ended, in words, with the exit status or the signal where it is known.
        message: String,
    },
    /// No kernel of the wanted name is installed.
    KernelNotFound {
        /// The name that the job or the notebook asks for.
        wanted: String,
        /// The names that could be used, sorted.
        available: Vec<String>,
    },
    /// The job's limit was reached; everything was killed.
    TimedOut {
        /// The limit.
        after: Duration,
    },
    /// The file is no notebook that can be executed.
    NotebookUnreadable {
        /// Why, and what to do.
        reason: String,
    },
    /// There was no space left for the output notebook.
    DiskFull {
        /// The operating system's words.
        message: String,
    },
    /// Papermill itself, or the Python it needs, does not work.
    EngineBroken {
        /// What happened and what to do.
        message: String,
        /// The last lines of the log, oldest first.
        log_tail: Vec<String>,
    },
    /// [`crate::Execution::cancel`] was called.
    Cancelled,
}

/// The cell that raised, and what it raised. All texts are bounded and free of terminal escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Failure {
    /// 0-based position in the *source* notebook, all cells counted; absent when the injected parameters
    /// cell itself failed (a parameter's name that the language does not accept).
    pub cell_index: Option<usize>,
    /// The number that Jupyter shows beside the cell, where the kernel gave one.
    pub execution_count: Option<u64>,
    /// The exception's class, e.g. `ValueError`.
    pub ename: String,
    /// The exception's text, at most 2,000 characters.
    pub evalue: String,
    /// The last lines of the traceback, at most 40 of at most 400 characters, oldest first.
    pub traceback_tail: Vec<String>,
}

/// The content of result.json, as execute.py writes it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Answer {
    Succeeded,
    NotebookFailed(Failure),
    KernelDied { cell_index: Option<usize>, message: String },
    KernelNotFound { wanted: String, available: Vec<String> },
    NotebookUnreadable { reason: String },
    DiskFull { message: String },
    EngineBroken { message: String },
    Interrupted,
}

/// result.json as it is read: the answer and, beside it, why there is no HTML.
#[derive(Debug, Deserialize)]
struct Written {
    #[serde(flatten)]
    answer: Answer,
    html_error: Option<String>,
}

/// The driver's answer, if it left one: the verdict (none for "I was interrupted": whoever interrupted
/// knows why) and why there is no HTML.
pub(crate) struct Read {
    pub verdict: Option<Verdict>,
    pub html_error: Option<String>,
}

/// Reads result.json; nothing when the driver did not get as far as writing it.
pub(crate) fn read(result_file: &Path) -> Option<Read> {
    let written: Written = serde_json::from_slice(&std::fs::read(result_file).ok()?).ok()?;
    let verdict = match written.answer {
        Answer::Succeeded => Some(Verdict::Succeeded),
        Answer::NotebookFailed(failure) => Some(Verdict::NotebookFailed(failure)),
        Answer::KernelDied { cell_index, message } => Some(Verdict::KernelDied { cell_index, message }),
        Answer::KernelNotFound { wanted, available } => Some(Verdict::KernelNotFound { wanted, available }),
        Answer::NotebookUnreadable { reason } => Some(Verdict::NotebookUnreadable { reason }),
        Answer::DiskFull { message } => Some(Verdict::DiskFull { message }),
        Answer::EngineBroken { message } => Some(Verdict::EngineBroken { message, log_tail: Vec::new() }),
        Answer::Interrupted => None,
    };
    Some(Read { verdict, html_error: written.html_error })
}
