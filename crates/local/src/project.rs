//! Where things are in a checkout: the template, the tools, the binaries. Owns no content.

use std::{
    env,
    path::{Path, PathBuf},
};

use crate::LocalError;

/// The multi-call bootstrap of the functions.
pub const FUNCTIONS_BINARY: &str = "bootstrap";
pub const RUNNER_BINARY: &str = "reveille-runner";

/// A checkout of the project.
#[derive(Clone, Debug)]
pub struct Project {
    root: PathBuf,
    binaries: PathBuf,
}

impl Project {
    /// The checkout around a folder, with the binaries that were built beside the running program.
    ///
    /// # Errors
    /// No folder above holds `infra/template.yaml`, or the binaries were not built.
    pub fn find(from: &Path) -> Result<Self, LocalError> {
        let root = from
            .ancestors()
            .find(|folder| folder.join("infra/template.yaml").is_file())
            .ok_or_else(|| LocalError::Missing {
                what: "infra/template.yaml",
                path: from.to_owned(),
                remedy: "run this in a checkout of the project",
            })?
            .to_owned();
        let binaries = find_binaries(&root)?;
        Ok(Self { root, binaries })
    }

    /// The same checkout with programs that were built elsewhere, such as those of a release.
    ///
    /// # Errors
    /// The folder lacks one of them.
    pub fn with_binaries(self, folder: PathBuf) -> Result<Self, LocalError> {
        if has_binaries(&folder) {
            return Ok(Self { binaries: folder, ..self });
        }
        let remedy = "run `make release`, or name the folder that it built into";
        Err(LocalError::Missing { what: "the functions' bootstrap or the runner", path: folder, remedy })
    }

    /// The checkout's folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of the checkout that must be there.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A built binary.
    #[must_use]
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// A program of the tools in `.venv`.
    ///
    /// # Errors
    /// `make setup` has not run.
    pub(crate) fn tool(&self, name: &str) -> Result<PathBuf, LocalError> {
        let path = self.tools().join(name);
        if path.is_file() {
            return Ok(path);
        }
        // `make setup` leaves a folder alone that looks complete.
        let remedy =
            if self.root.join(".venv").exists() { "remove .venv and run `make setup`" } else { "run `make setup`" };
        Err(LocalError::Missing { what: "a program of the local tools", path, remedy })
    }

    /// The folder of the tools' programs.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.root.join(".venv/bin")
    }
}

/// Cargo puts a program into `<target>/<profile>`, and a test into its `deps`: the binaries are in one of the
/// folders above. Where it runs from elsewhere, the usual target folder is tried.
fn find_binaries(root: &Path) -> Result<PathBuf, LocalError> {
    let program = env::current_exe().unwrap_or_default();
    let usual = root.join("target/debug");
    program.ancestors().skip(1).map(Path::to_owned).chain([usual.clone()]).find(|folder| has_binaries(folder)).ok_or(
        LocalError::Missing { what: "the functions' bootstrap or the runner", path: usual, remedy: "run `make build`" },
    )
}

fn has_binaries(folder: &Path) -> bool {
    [FUNCTIONS_BINARY, RUNNER_BINARY].iter().all(|name| folder.join(name).is_file())
}
