//! Why a command ended without success, and the exit code of each reason.

use std::{io, path::PathBuf};

use reveille_local::LocalError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("the command's runtime could not start: {0}; see the limits of this machine (`ulimit -a`)")]
    Runtime(io::Error),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error("cannot {action}: {message}; see the logs of the local AWS")]
    Aws { action: &'static str, message: String },
    #[error("cannot write {}: {source}; check its rights and the room on its disk", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{run}: expected {expected}, saw {seen}; the lines above show how it went")]
    Unexpected { run: &'static str, expected: String, seen: String },
    #[error("{what} did not happen within {seconds} s; see the logs of the local AWS")]
    Late { what: &'static str, seconds: u64 },
    #[error("stopped before it was done")]
    Interrupted,
}

impl CliError {
    /// A failed call, with the whole chain of its causes.
    pub(crate) fn aws<E: std::error::Error>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Aws {
            action,
            message: aws_smithy_types::error::display::DisplayErrorContext(error).to_string(),
        }
    }

    /// As documented by `reveille --help`.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Local(LocalError::Missing { .. } | LocalError::Program { .. }) => 3,
            Self::Local(LocalError::Parameter { .. }) => 2,
            // 128 + SIGINT, as shells have it.
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}
