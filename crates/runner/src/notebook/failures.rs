//! What became of a notebook, in the domain's words: a code, and a sentence that names the notebook and the cell.

use std::io;
use std::path::Path;

use reveille_domain::error::{Evidence, FailedCell};
use reveille_domain::input::invalid;
use reveille_domain::records::Request;
use reveille_domain::{Code, Failure, shown};
use reveille_notebook::{Breakage, EngineError, KernelEnd, Place, Verdict, remedy};

use super::{Run, count};

/// What the operating system sends to a process when memory runs out.
const SIGKILL: i32 = 9;

/// What to do about a kernel that ended so.
const fn kernel_advice(how: KernelEnd) -> &'static str {
    match how {
        // What the operating system sends when memory runs out. No other end is a matter of memory.
        KernelEnd::Killed => " If it ran out of memory, use a larger instance type, or less data at a time.",
        // It wrote no last words: nothing went wrong, as far as it knows.
        KernelEnd::Exited => {
            " It ended itself without an error: the cell, or a library that it uses, ended it, for example with `os._exit(0)`. To end a notebook early and successfully, call `exit()`."
        }
        KernelEnd::Other => " The log of the run shows what the kernel wrote last.",
    }
}

impl Run<'_> {
    pub(super) fn disk(&self, path: &Path, error: &io::Error) -> Failure {
        Failure::new(
            Code::OutputNotSaved,
            format!(
                "The run's folder {} on notebook instance {} cannot be used: {error}; {}. Then redrive the execution.",
                path.display(),
                self.request.instance,
                remedy(error)
            ),
        )
    }

    pub(super) fn missing(&self, problem: &str) -> Failure {
        Failure::new(
            Code::NotebookNotFound,
            format!(
                "The notebook {} was not run: {}. Correct \"notebook\" in the input, or put the notebook there.",
                shown::thing(&self.request.notebook),
                shown::phrase(problem)
            ),
        )
    }

    /// There is nothing of that name; perhaps there is of the one that was meant.
    pub(super) fn none_of_the_name(&self, problem: &str) -> Failure {
        let meant = self.request.notebook.without_url_encoding();
        let hint = meant.map_or_else(String::new, |meant| {
            format!("; the name looks URL-encoded, and without that it is {}", shown::quoted(&meant.to_string()))
        });
        self.missing(&format!("{problem}{hint}"))
    }

    pub(super) fn judge(&self, verdict: Verdict) -> Result<(), Failure> {
        let Request { instance, kernel, .. } = self.request;
        let notebook = shown::thing(&self.request.notebook);
        let asks = match kernel {
            Some(_) => "The input asks for".to_owned(),
            None => format!("{notebook} asks for"),
        };
        match verdict {
            Verdict::Succeeded => Ok(()),
            Verdict::NotebookFailed(cell) => Err(self.cell_failure(cell)),
            Verdict::KernelDied { cell_index, message, how } => {
                let at = cell_index.map_or_else(String::new, |index| format!(" in cell {}", index + 1));
                let message = shown::phrase(message);
                Err(Failure::new(
                    Code::KernelDied,
                    format!("The kernel of {notebook} died{at}: {message}.{}", kernel_advice(how)),
                ))
            }
            Verdict::ParametersRefused { reason } => Err(invalid(format!(
                "{notebook} was not run, because a parameter cannot be passed to it: {}",
                shown::phrase(reason)
            ))),
            Verdict::KernelNotFound { wanted, available } => Err(Failure::new(
                Code::KernelNotFound,
                format!(
                    "{asks} kernel {}, which notebook instance {instance} does not have; it has {}. Name one of them as \"kernel\" in the input, or install it.",
                    shown::name(wanted),
                    if available.is_empty() { "none".to_owned() } else { shown::names(&available) }
                ),
            )),
            Verdict::TimedOut { at, .. } => Err(self.timed_out(at)),
            Verdict::NotebookUnreadable { reason } => Err(Failure::new(
                Code::NotebookNotFound,
                format!(
                    "The notebook {notebook} was not run: {}. Repair the notebook, then run it again.",
                    shown::phrase(reason)
                ),
            )),
            Verdict::DiskFull { message } => Err(Failure::new(
                Code::OutputNotSaved,
                format!(
                    "The output of {notebook} could not be saved on notebook instance {instance}: {}. Make room on its volume, then redrive the execution.",
                    shown::phrase(message)
                ),
            )),
            Verdict::OutputLost { message } => Err(Failure::new(
                Code::OutputNotSaved,
                format!(
                    "The output of {notebook} could not be saved on notebook instance {instance}: {}. Check the permissions of the notebook folder, and whether a cell changes the folder .reveille in it, then redrive the execution.",
                    shown::phrase(message)
                ),
            )),
            Verdict::EngineBroken { why, message, log_tail } => {
                let evidence = Evidence { cell: None, log_tail };
                Err(Failure::new(Code::Internal, self.broken(why, &message)).with_evidence(evidence))
            }
            Verdict::Cancelled => Err(Failure::new(
                Code::Cancelled,
                format!("The execution of {notebook} was cancelled on its instance."),
            )),
        }
    }

    pub(super) fn broken(&self, why: Breakage, message: &str) -> String {
        let instance = &self.request.instance;
        let notebook = shown::thing(&self.request.notebook);
        let message = shown::phrase(message);
        let what = match why {
            Breakage::Ended { .. } => format!("{notebook} was cut short on notebook instance {instance}: {message}."),
            Breakage::NotImportable | Breakage::Other => {
                format!("papermill does not work on notebook instance {instance}: {message}.")
            }
        };
        let advice = if why == (Breakage::Ended { signal: SIGKILL }) {
            " Usually the operating system does that because the instance ran out of memory: use a larger instance type, or less data at a time."
        } else {
            ""
        };
        format!("{what}{advice} If cells of {notebook} had run by then, a redrive runs them again.")
    }

    pub(super) fn timed_out(&self, at: Option<Place>) -> Failure {
        let Request { limits, .. } = self.request;
        let notebook = shown::thing(&self.request.notebook);
        let place = at.as_ref().map_or_else(String::new, |at| format!(" in cell {}", at.cell_index + 1));
        let failure = Failure::new(
            Code::RunTimedOut,
            format!(
                "{notebook} ran longer than {} s (limits.runSeconds) and was ended{place}. What its cells did by then is in the output notebook. Raise the limit if it is only slow.",
                limits.run_seconds
            ),
        );
        match at.filter(|at| !at.traceback_tail.is_empty()) {
            Some(Place { cell_index, traceback_tail }) => {
                let cell = FailedCell {
                    number: count(cell_index + 1),
                    error_name: "KeyboardInterrupt".to_owned(),
                    error_value: "Reveille interrupted the cell at the limit.".to_owned(),
                    traceback_tail,
                };
                failure.with_evidence(Evidence { cell: Some(cell), log_tail: Vec::new() })
            }
            None => failure,
        }
    }

    pub(super) fn cell_failure(&self, failed: reveille_notebook::CellFailure) -> Failure {
        let notebook = shown::thing(&self.request.notebook);
        let (number, place) = match failed.cell_index {
            Some(index) => (count(index + 1), format!("Cell {} of {notebook}", index + 1)),
            None => (0, format!("The injected parameters cell of {notebook}")),
        };
        let what = raised(&failed.ename, &failed.evalue);
        let message = format!("{place} {what}. The output notebook shows how far it came.");
        let (error_name, error_value) = named(failed.ename, failed.evalue);
        let cell = FailedCell { number, error_name, error_value, traceback_tail: failed.traceback_tail };
        Failure::new(Code::NotebookFailed, message).with_evidence(Evidence { cell: Some(cell), log_tail: Vec::new() })
    }

    pub(super) fn engine_failure(&self, error: &EngineError) -> Failure {
        match error {
            EngineError::NotebookMissing { .. } => self.missing(&error.to_string()),
            EngineError::BadParameterName { .. } => invalid(error),
            EngineError::Write { .. } => Failure::new(Code::OutputNotSaved, error.to_string()),
            EngineError::PythonUnusable { .. }
            | EngineError::NotInstalled { .. }
            | EngineError::FolderMissing { .. }
            | EngineError::BadMarker
            | EngineError::Spawn { .. } => {
                Failure::new(Code::Internal, format!("On notebook instance {}: {error}.", self.request.instance))
            }
        }
    }
}

/// What the cell did, in words. A kernel of a shell has no name for an error: its text is the status of the last command.
fn raised(name: &str, text: &str) -> String {
    // The whole text is in the evidence.
    let text = shown::bounded(text.trim_end_matches('.'), shown::PHRASE_CHARS);
    match (name.is_empty(), text.is_empty()) {
        // A bare assert has no words of its own.
        (false, true) => format!("raised {}", shown::name(name)),
        (false, false) => format!("raised {}: {text}", shown::name(name)),
        (true, true) => "failed, and its kernel does not say why".to_owned(),
        (true, false) if is_status(&text) => format!("ended with status {text}"),
        (true, false) => format!("failed: {text}"),
    }
}

/// The error's name and text in the evidence, which are shown beside one another: neither is empty.
fn named(name: String, text: String) -> (String, String) {
    if !name.is_empty() {
        (name, text)
    } else if is_status(&text) {
        ("exit status".to_owned(), text)
    } else if text.is_empty() {
        ("error".to_owned(), "its kernel does not say why".to_owned())
    } else {
        ("error".to_owned(), text)
    }
}

fn is_status(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::{KernelEnd, kernel_advice, named, raised};

    #[test]
    fn an_error_without_a_name_is_told_by_what_it_has() {
        let told =
            [("ValueError", "no rows."), ("AssertionError", ""), ("", "2"), ("", "a trailing backslash"), ("", "")]
                .map(|(name, text)| raised(name, text));
        assert_eq!(told[0], "raised ValueError: no rows");
        assert_eq!(told[1], "raised AssertionError");
        assert_eq!(told[2], "ended with status 2");
        assert_eq!(told[3], "failed: a trailing backslash");
        assert_eq!(told[4], "failed, and its kernel does not say why");
        let evidence = |name: &str, text: &str| named(name.to_owned(), text.to_owned());
        assert_eq!(evidence("", "2"), ("exit status".to_owned(), "2".to_owned()));
        assert_eq!(evidence("", "text"), ("error".to_owned(), "text".to_owned()));
        assert_eq!(evidence("KeyError", "'a'"), ("KeyError".to_owned(), "'a'".to_owned()));
    }

    #[test]
    fn the_advice_fits_the_kernels_end() {
        let advice = [KernelEnd::Killed, KernelEnd::Exited, KernelEnd::Other].map(kernel_advice);
        assert_eq!(advice.map(|text| text.contains("memory")), [true, false, false]);
        assert_eq!(advice.map(|text| text.contains("os._exit(0)")), [false, true, false]);
        assert_eq!(advice.map(|text| text.contains("log")), [false, false, true]);
    }
}
