//! Why no release was made. Whatever it is, the output's folder is as it was before.

use std::{io, path::Path, path::PathBuf};

/// What went wrong, with which file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A file cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was to be done with it.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A program does not run where it is meant to run.
    #[error("{} {problem}. Nothing was released", path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// What it is or needs.
        problem: String,
    },
    /// A template is not what the release changes.
    #[error("infra/{file}: {problem}. Change the template, or crates/release/src/templates.rs with it")]
    Template {
        /// The template's name.
        file: &'static str,
        /// What was looked for.
        problem: String,
    },
    /// The engine's archive is none.
    #[error("{} {problem}. `make wheelhouse` makes it", path.display())]
    Engine {
        /// The archive.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Cargo does not say what the programs are made of.
    #[error("cargo does not say what the programs are made of: {0}")]
    Cargo(String),
    /// The output's folder holds something else.
    #[error("{} {problem}", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// Why it is not replaced.
        problem: &'static str,
    },
    /// A wrong command line.
    #[error("{0}")]
    Usage(String),
}

impl ReleaseError {
    /// Makes the error of a file from that of an operation on it.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { action, path, source }
    }

    /// A program that does not run where it is meant to.
    pub(crate) fn program(path: &Path, problem: impl Into<String>) -> Self {
        Self::Program { path: path.to_owned(), problem: problem.into() }
    }
}
