//! What became of a notebook: the one answer of an execution.

use std::path::Path;
use std::time::Duration;

use serde::Deserialize;

use crate::regular;

/// The driver bounds every text in it: a failure has 40 lines of 400 characters. What is larger is not the driver's.
const RESULT_LIMIT: u64 = 1 << 20;

/// How a kernel's process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelEnd {
    /// By SIGKILL, as the operating system does when memory runs out.
    Killed,
    /// By itself, with status 0: as far as it knows, nothing went wrong.
    Exited,
    /// With another status, by another signal, or in a way that is not known.
    Other,
}

/// What became of a notebook. Exactly one for each execution; the first failure wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every cell ran, or a cell ended the notebook with `sys.exit(0)` (papermill's convention) or `exit()`.
    Succeeded,
    /// A cell raised.
    NotebookFailed(CellFailure),
    /// The kernel process ended by itself, was killed, or could not be started.
    KernelDied {
        /// 0-based position in the source notebook of the cell that was running; absent before the first
        /// cell and in the injected parameters cell.
        cell_index: Option<usize>,
        /// How it ended, in words, with the exit status or the signal where it is known.
        message: String,
        /// The same as far as advice depends on it.
        how: KernelEnd,
    },
    /// A parameter cannot be passed to this kernel, so no cell was executed.
    ParametersRefused {
        /// Which one, and why: never a value.
        reason: String,
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
        /// Where it was; absent before the first cell, in the injected parameters cell, and when it could not be asked.
        at: Option<Place>,
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
    /// The output notebook could not be written, for another reason than space.
    OutputLost {
        /// The operating system's words.
        message: String,
    },
    /// Papermill itself, or the Python it needs, does not work.
    EngineBroken {
        /// In what way.
        why: Breakage,
        /// What happened and what to do.
        message: String,
        /// The last lines of the log, oldest first.
        log_tail: Vec<String>,
    },
    /// [`crate::NotebookProcess::cancel`] was called.
    Cancelled,
}

/// In what way papermill did not do its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// Its packages cannot be imported.
    NotImportable,
    /// Its process was ended from outside, by this signal.
    Ended {
        /// The signal's number; 9 (SIGKILL) is what the operating system sends when memory runs out.
        signal: i32,
    },
    /// Anything else.
    Other,
}

/// Where a notebook was when it was ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// 0-based position in the source notebook of the cell that was running.
    pub cell_index: usize,
    /// The end of the traceback with which the cell answered an interrupt, bounded as a failure's; empty if it did not.
    pub traceback_tail: Vec<String>,
}

/// The cell that raised, and what it raised. All texts are bounded and free of terminal escapes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CellFailure {
    /// 0-based position in the *source* notebook, all cells counted; absent when the injected parameters
    /// cell itself failed (a parameter's name that the language does not accept).
    pub cell_index: Option<usize>,
    /// The number that Jupyter shows beside the cell, where the kernel gave one.
    pub execution_count: Option<u64>,
    /// The exception's class, e.g. `ValueError`. Empty where the kernel has no name for it: a shell's knows a status only.
    pub ename: String,
    /// The exception's text, at most 2,000 characters.
    pub evalue: String,
    /// The last lines of the traceback, at most 40 of at most 400 characters, oldest first.
    pub traceback_tail: Vec<String>,
}

/// The content of result.json, as the driver writes it.
#[derive(Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Answer {
    Succeeded,
    NotebookFailed(CellFailure),
    KernelDied {
        cell_index: Option<usize>,
        message: String,
        how: KernelEnd,
    },
    ParametersRefused {
        reason: String,
    },
    KernelNotFound {
        wanted: String,
        available: Vec<String>,
    },
    NotebookUnreadable {
        reason: String,
    },
    DiskFull {
        message: String,
    },
    OutputLost {
        message: String,
    },
    EngineBroken {
        message: String,
        #[serde(default)]
        not_importable: bool,
    },
    Interrupted {
        cell_index: Option<usize>,
        traceback_tail: Vec<String>,
    },
}

/// result.json as it is read: the answer and, beside it, why there is no HTML.
#[derive(Debug, Deserialize)]
struct Written {
    #[serde(flatten)]
    answer: Answer,
    html_error: Option<String>,
}

/// What the driver answered.
pub(crate) enum Answered {
    /// What became of the notebook.
    Verdict(Verdict),
    /// It was told to end, and was here; whoever told it knows why.
    Interrupted(Option<Place>),
}

/// The driver's answer, if it left one, and why there is no HTML.
#[derive(Default)]
pub(crate) struct Read {
    pub answer: Option<Answered>,
    pub html_error: Option<String>,
}

/// Reads result.json; nothing when the driver did not get as far as writing it.
pub(crate) fn read(result_file: &Path) -> Option<Read> {
    let written: Written = serde_json::from_slice(&regular::read(result_file, RESULT_LIMIT).ok()?).ok()?;
    let verdict = match written.answer {
        Answer::Succeeded => Verdict::Succeeded,
        Answer::NotebookFailed(failure) => Verdict::NotebookFailed(failure),
        Answer::KernelDied { cell_index, message, how } => Verdict::KernelDied { cell_index, message, how },
        Answer::ParametersRefused { reason } => Verdict::ParametersRefused { reason },
        Answer::KernelNotFound { wanted, available } => Verdict::KernelNotFound { wanted, available },
        Answer::NotebookUnreadable { reason } => Verdict::NotebookUnreadable { reason },
        Answer::DiskFull { message } => Verdict::DiskFull { message },
        Answer::OutputLost { message } => Verdict::OutputLost { message },
        Answer::EngineBroken { message, not_importable } => {
            let why = if not_importable { Breakage::NotImportable } else { Breakage::Other };
            Verdict::EngineBroken { why, message, log_tail: Vec::new() }
        }
        Answer::Interrupted { cell_index, traceback_tail } => {
            let place = cell_index.map(|cell_index| Place { cell_index, traceback_tail });
            return Some(Read { answer: Some(Answered::Interrupted(place)), html_error: written.html_error });
        }
    };
    Some(Read { answer: Some(Answered::Verdict(verdict)), html_error: written.html_error })
}
