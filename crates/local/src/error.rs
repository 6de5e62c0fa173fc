//! What can go wrong between a checkout and a running local AWS.

use std::{io, iter::successors, path::PathBuf, process::ExitStatus, time::Duration};

use reveille_notebook_service::ServiceError;

/// Why the local AWS could not be started, used or stopped. Each message says what to do next.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Something that set-up or a build makes is not there.
    #[error("{what} is missing ({}); {remedy}", path.display())]
    Missing {
        /// What is missing.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// The command that makes it.
        remedy: &'static str,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}; check its rights and the room on its disk", path.display())]
    File {
        /// What was to be done.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No port could be had.
    #[error("no free port on 127.0.0.1: {0}; close something that listens there")]
    Port(io::Error),
    /// Somebody took a port before ministack could.
    #[error(
        "port {port} on 127.0.0.1 was free and then taken before ministack could use it; start again. {}",
        said(tail)
    )]
    PortTaken {
        /// Which.
        port: u16,
        /// The last lines of ministack's log.
        tail: String,
    },
    /// Another local AWS uses the folder.
    #[error(
        "another local AWS{} uses {}; stop it with Ctrl-C, or give another --directory",
        pid.map_or_else(String::new, |pid| format!(" (process {pid})")),
        directory.display()
    )]
    InUse {
        /// The folder.
        directory: PathBuf,
        /// The process that uses it, where it is known.
        pid: Option<u32>,
    },
    /// Others can enter the folder, or own it.
    #[error(
        "{} cannot be the folder of a local AWS: {problem}, and the access key would be theirs; give a new --directory, or make it yours alone with `chmod 700`",
        directory.display()
    )]
    Shared {
        /// The folder.
        directory: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A parameter that the template would refuse.
    #[error("--parameter {name}: {problem}; infra/template.yaml describes each parameter")]
    Parameter {
        /// The parameter.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// ministack did not come up, or ended.
    #[error("ministack {reason}; {}", said(tail))]
    Ministack {
        /// What was seen.
        reason: String,
        /// The last lines of its log, which may be gone with its folder.
        tail: String,
    },
    /// What is to be kept was not all written.
    #[error(
        "ministack did not save its state within {limit:?} and was killed; the folder has the contents of the buckets, but not the executions since this start. You can start with it again"
    )]
    NotSaved {
        /// How long it was waited for.
        limit: Duration,
    },
    /// A program could not be run at all.
    #[error("cannot run {program}: {source}; remove .venv and run `make setup`")]
    Program {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A program ended with an error, or took too long.
    #[error("`{command}` failed ({ending}): {output}")]
    Command {
        /// The program and its first arguments.
        command: String,
        /// How it ended.
        ending: String,
        /// The end of what it said.
        output: String,
    },
    /// A call to the local AWS failed.
    #[error("cannot {action}: {message}; see the logs of the local AWS")]
    Aws {
        /// What was to be done.
        action: String,
        /// The service's answer.
        message: String,
    },
    /// A notebook instance failed, which has a reason of its own.
    #[error("cannot {action}: {reason}")]
    Instance {
        /// What was to be done.
        action: String,
        /// Its `FailureReason`.
        reason: String,
    },
    /// The template cannot be packaged.
    #[error("the template {} cannot be packaged: {problem}", path.display())]
    Template {
        /// Which template.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The notebook instance service could not start or stop.
    #[error(transparent)]
    NotebookService(#[from] ServiceError),
    /// Processes of the local AWS could not be ended.
    #[error("processes {pids:?} of the local AWS would not end; end them with `kill -9`")]
    Leftovers {
        /// Their ids.
        pids: Vec<i32>,
    },
}

impl LocalError {
    /// Whether this computer lacks something, which whoever sees this can provide.
    #[must_use]
    pub const fn is_missing_here(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::Program { .. } | Self::NotebookService(ServiceError::Machines(_)))
    }

    /// Whether somebody else has a port that was free a moment before.
    pub(crate) fn is_port_taken(&self) -> bool {
        match self {
            Self::PortTaken { .. } => true,
            Self::NotebookService(ServiceError::Bind { source, .. }) => source.kind() == io::ErrorKind::AddrInUse,
            _ => false,
        }
    }

    /// A failed action on a file.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// A failed call, with the whole chain of its causes.
    pub(crate) fn aws<E: std::error::Error>(action: impl Into<String>) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |error| Self::Aws { action, message: causes(&error) }
    }

    /// A program that failed.
    pub(crate) fn command(command: &[&str], status: ExitStatus, output: &str) -> Self {
        Self::Command { command: shown(command), ending: status.to_string(), output: tail(output, TAIL_LINES) }
    }

    /// A program that took too long.
    pub(crate) fn too_slow(command: &[&str], seconds: u64) -> Self {
        Self::Command {
            command: shown(command),
            ending: format!("took longer than {seconds} s"),
            output: "it was ended".to_owned(),
        }
    }
}

/// Enough to see what failed, few enough to read.
const TAIL_LINES: usize = 15;
/// Arguments shown of a failed command: the program, the service, the operation, the first option.
const SHOWN_ARGUMENTS: usize = 5;

fn shown(command: &[&str]) -> String {
    command.iter().take(SHOWN_ARGUMENTS).copied().collect::<Vec<_>>().join(" ")
}

/// The end of a program's log, for a person.
fn said(tail: &str) -> String {
    if tail.trim().is_empty() {
        return "it wrote nothing to its log. If its tools are broken, remove .venv and run `make setup`".to_owned();
    }
    format!("if its tools are broken, remove .venv and run `make setup`. Its log ends with:\n{tail}")
}

/// The last lines of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// An error and what caused it, in one line of words: the debug form shows a person whole answers.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let causes = successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::{LocalError, tail};

    /// As the SDK's errors: their debug form shows the whole answer.
    #[derive(Debug, thiserror::Error)]
    #[error("service error")]
    struct Call {
        #[source]
        cause: fmt::Error,
    }

    #[test]
    fn a_failed_call_is_told_with_its_causes_and_without_its_debug_form() {
        let error = LocalError::aws("create the bucket b")(Call { cause: fmt::Error });
        assert_eq!(
            error.to_string(),
            format!("cannot create the bucket b: service error: {}; see the logs of the local AWS", fmt::Error)
        );
    }

    #[test]
    fn a_tail_is_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
        assert_eq!(tail("", 2), "");
    }
}
