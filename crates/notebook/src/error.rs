//! Why a notebook could not even be started.

use std::io;
use std::path::PathBuf;

/// What to do about a file or folder that could not be written: where there is room, making room helps nobody.
#[must_use]
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room on the instance's volume, or grow it",
        io::ErrorKind::ReadOnlyFilesystem => {
            "the volume is mounted read-only, as happens when it has errors: stop and start the instance, and look at its volume if that does not help"
        }
        io::ErrorKind::PermissionDenied => "let the user ec2-user write there: check the owner and the permissions",
        _ => "look at the instance's volume",
    }
}

/// Why a notebook could not even be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// `REVEILLE_PYTHON` names a Python that cannot be used.
    #[error("REVEILLE_PYTHON names {python}, which cannot be used: {reason}; {remedy}, or unset REVEILLE_PYTHON", python = python.display())]
    PythonUnusable {
        /// The interpreter.
        python: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// No Python with a papermill that we support was found and none could be made.
    #[error(
        "no Python with a supported version of papermill was found, and none could be set up in {folder}: {reasons}. {remedy}",
        folder = folder.display()
    )]
    NotInstalled {
        /// Where the environment would have been.
        folder: PathBuf,
        /// What was tried, and why it failed.
        reasons: String,
        /// What to do.
        remedy: String,
    },
    /// The notebook is not an existing regular file.
    #[error("the notebook {path} is not a file; check its path", path = path.display())]
    NotebookMissing {
        /// The path given.
        path: PathBuf,
    },
    /// A folder that must exist does not.
    #[error("the folder {path} does not exist; create it before the notebook is started", path = path.display())]
    FolderMissing {
        /// The path given.
        path: PathBuf,
    },
    /// A parameter's name cannot be a variable.
    #[error("the parameter name {name:?} is not an identifier; use letters, digits and _ and begin with no digit")]
    BadParameterName {
        /// The name given.
        name: String,
    },
    /// The marker is empty or holds a NUL, so that processes could not be found by it.
    #[error("the marker of the run is empty or holds a NUL byte; give each attempt a unique text")]
    BadMarker,
    /// The driver's files could not be written.
    #[error("{path} cannot be written: {source}; {remedy}", path = path.display(), remedy = remedy(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
    /// The driver process could not be started.
    #[error("{python} cannot be started: {source}; check that it is an executable Python", python = python.display())]
    Spawn {
        /// The interpreter.
        python: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_asked_for_only_where_there_is_none() {
        let said = |errno: i32| {
            let error =
                EngineError::Write { path: "/work/spec.json".into(), source: io::Error::from_raw_os_error(errno) };
            error.to_string()
        };
        // ENOSPC, EDQUOT; EROFS; EACCES, EPERM; EIO.
        for (errno, words) in [
            (28, "make room"),
            (122, "make room"),
            (30, "read-only"),
            (13, "permissions"),
            (1, "permissions"),
            (5, "volume"),
        ] {
            assert!(said(errno).contains(words), "{}", said(errno));
            assert_eq!(said(errno).contains("make room"), [28, 122].contains(&errno), "{}", said(errno));
        }
    }
}
