//! Why a measurement could not be made.

use std::path::PathBuf;

/// Every way in which the benchmark fails to measure. A missed target is none of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program that is to be measured is not there.
    #[error("{what} is not at {}: {hint}", path.display())]
    Missing {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// How it is made.
        hint: &'static str,
    },
    /// A program could not be started or looked at.
    #[error("{program} cannot be run: {source}. Give its path with the option of its name (see --help).")]
    Run {
        /// The program's name in the table.
        program: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// A program ended, or was silent for too long, before it answered the invocation.
    #[error("{program} {what} before it answered its invocation. The end of its output:\n{output}")]
    NoAnswer {
        /// The program's name in the table.
        program: &'static str,
        /// What happened to it.
        what: String,
        /// The end of what it wrote.
        output: String,
    },
    /// A program answered, and not with what it was to answer: its time would mean something else.
    #[error("{program} did not do the work that is measured: {what}. The end of its output:\n{output}")]
    WrongWork {
        /// The program's name in the table.
        program: &'static str,
        /// What was wrong.
        what: String,
        /// The end of what it wrote.
        output: String,
    },
    /// The benchmark's own servers or files failed.
    #[error("{what} failed: {source}. The benchmark needs free ports on 127.0.0.1 and a writable temporary folder.")]
    Own {
        /// What failed.
        what: &'static str,
        /// The operating system's answer.
        source: std::io::Error,
    },
    /// No certificate could be made.
    #[error("the certificate of the https endpoint could not be made: {0}")]
    Certificate(String),
}

impl Error {
    /// For `map_err` on the benchmark's own files and sockets.
    pub fn own(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Own { what, source }
    }
}
