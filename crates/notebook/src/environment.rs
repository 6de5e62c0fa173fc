//! The engine's own Python environment: whether it is whole and of these pins, how it is made, and how a new one takes the
//! place of an old one.
//!
//! A new one is made beside the old one and moved into its place when it is whole. A process that dies in between leaves
//! the old one, or nothing, but never half an environment that is used.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::commands;
use crate::interpreters::{self, Interpreter, Use};
use crate::pins::{self, LOCK};
use crate::regular;
use crate::wheelhouse;

/// Only this folder of an instance persists across a stop.
const HOME: &str = "home/ec2-user/SageMaker/.reveille";
const NAME: &str = "engine";
/// The one that is being replaced.
const OLD: &str = "engine.old";
/// One that is being made, followed by the id of the process that makes it.
const NEW: &str = "engine.new.";
/// Written when an environment is whole; holds the fingerprint of the pins in it.
const COMPLETE: &str = ".reveille-complete";
/// A fingerprint has 64 characters.
const MARKER_LIMIT: u64 = 1 << 10;
/// Making an empty environment takes 3 s, on a small instance maybe 20.
const VENV_LIMIT: Duration = Duration::from_mins(2);
/// Fetching and installing some 60 packages: 10 s on a laptop.
const INSTALL_LIMIT: Duration = Duration::from_mins(10);
/// Importing what was installed, for the first time: 0.7 s, on a cold disk many times that.
const IMPORT_LIMIT: Duration = Duration::from_mins(1);
/// What the driver needs.
const IMPORT: &str =
    "import papermill.translators, nbclient, jupyter_client, nbconvert.exporters.html, ipykernel.kernelapp";
/// Settings of pip, for a person's own use, that would put the packages into another place than the environment or let in
/// others than the pinned ones. Where packages come from (index, proxy, certificates) remains as it is set.
const NOT_FOR_US: [&str; 9] = [
    "PIP_CONSTRAINT",
    "PIP_DRY_RUN",
    "PIP_NO_BINARY",
    "PIP_PREFIX",
    "PIP_PYTHON",
    "PIP_REQUIREMENT",
    "PIP_ROOT",
    "PIP_TARGET",
    "PIP_USER",
];
/// Where pip's HTTP client finds certificates.
const CA_BUNDLES: [&str; 3] = ["PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];

/// Where the packages come from.
pub(crate) enum Source<'a> {
    /// The index that pip is set to use, PyPI by default.
    Index,
    /// An archive of wheels, and nothing else.
    Wheelhouse(&'a Path),
}

/// Why an environment could not be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failed {
    /// The interpreter makes none; another one may.
    Base(String),
    /// The packages could not be installed, or do not work.
    Packages(String),
}

/// What stands in the environment's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing, or what an installation that was cut off has left.
    Absent,
    /// An environment that was finished, with other pins.
    Old,
    /// An environment that was finished, with these pins.
    Current,
}

/// The place of the engine's environment on a machine.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    home: PathBuf,
}

impl Environment {
    pub(crate) fn of(root: &Path) -> Self {
        Self { home: root.join(HOME) }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.home.join(NAME)
    }

    pub(crate) fn python(&self) -> PathBuf {
        python_of(&self.folder())
    }

    /// Undoes a replacement that was cut off between its two moves.
    pub(crate) fn settle(&self) {
        if !self.folder().exists() {
            // As a rule there is no old one either.
            let _absent = fs::rename(self.home.join(OLD), self.folder());
        }
    }

    pub(crate) fn state(&self) -> State {
        match regular::read(&self.folder().join(COMPLETE), MARKER_LIMIT) {
            Ok(fingerprint) if fingerprint.trim_ascii() == pins::fingerprint().as_bytes() => State::Current,
            Ok(_) => State::Old,
            Err(_) => State::Absent,
        }
    }

    /// From now on it is no environment: the next search makes it anew.
    pub(crate) fn condemn(&self) -> io::Result<()> {
        fs::remove_file(self.folder().join(COMPLETE))
    }

    /// A folder to make an environment in, beside its place. What processes that were cut off have left there is removed.
    pub(crate) fn stage(&self) -> io::Result<Stage> {
        fs::create_dir_all(&self.home)?;
        for entry in fs::read_dir(&self.home)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(NEW) {
                remove(&entry.path())?;
            }
        }
        let folder = self.home.join(format!("{NEW}{}", std::process::id()));
        fs::create_dir(&folder)?;
        Ok(Stage { folder })
    }

    /// Moves a new environment into its place. The old one goes last: until then it can be put back.
    pub(crate) fn replace(&self, new: &Path) -> io::Result<()> {
        let old = self.home.join(OLD);
        remove(&old)?;
        match fs::rename(self.folder(), &old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if let Err(error) = fs::rename(new, self.folder()) {
            self.settle();
            return Err(error);
        }
        // It is out of the way; the next replacement removes it if this one cannot.
        let _next_time = remove(&old);
        Ok(())
    }
}

/// A folder beside the environment's place; goes when it is dropped.
#[derive(Debug)]
pub(crate) struct Stage {
    folder: PathBuf,
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What remains is removed by the next one that makes an environment.
        let _next_time = fs::remove_dir_all(&self.folder);
    }
}

impl Stage {
    /// Where a fetched archive goes.
    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.join("wheelhouse.zip")
    }

    /// Where the new environment is.
    pub(crate) fn environment(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Makes a whole environment with these pins, tried and marked; it is not yet in its place.
    pub(crate) async fn make(&self, base: &Interpreter, source: Source<'_>) -> Result<(), Failed> {
        self.make_empty(base).await.map_err(Failed::Base)?;
        self.equip(source).await.map_err(Failed::Packages)
    }

    async fn make_empty(&self, base: &Interpreter) -> Result<(), String> {
        let folder = self.environment();
        vacate(folder.clone()).await?;
        let mut venv = Command::new(&base.python);
        venv.args(["-I", "-m", "venv"]).arg(&folder);
        let refused =
            |error| format!("it cannot create an environment, which takes the modules venv and ensurepip ({error})");
        commands::run(venv, VENV_LIMIT).await.map(|_| ()).map_err(refused)
    }

    async fn equip(&self, source: Source<'_>) -> Result<(), String> {
        let folder = self.environment();
        self.install(source).await?;
        let mut import = Command::new(python_of(&folder));
        import.args(["-I", "-c", IMPORT]);
        let no_import = |error| format!("what was installed cannot be imported ({error})");
        commands::run(import, IMPORT_LIMIT).await.map_err(no_import)?;
        match interpreters::probe(&python_of(&folder)).await?.good_for() {
            Use::Engine => {}
            Use::Base(lacks) | Use::Nothing(lacks) => return Err(lacks),
        }
        mark(&folder)
    }

    async fn install(&self, source: Source<'_>) -> Result<(), String> {
        let pinned = self.folder.join("requirements.txt");
        fs::write(&pinned, LOCK).map_err(|error| format!("{} cannot be written: {error}", pinned.display()))?;
        let mut pip = Command::new(python_of(&self.environment()));
        pip.args(["-I", "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-user"])
            .args(["--require-hashes", "--only-binary=:all:", "-r"])
            .arg(pinned);
        for name in NOT_FOR_US {
            pip.env_remove(name);
        }
        match source {
            Source::Wheelhouse(archive) => {
                let wheels = self.folder.join("wheels");
                vacate(wheels.clone()).await?;
                let (archive, folder) = (archive.to_owned(), wheels.clone());
                blocking(move || wheelhouse::unpack(&archive, &folder, &pins::checksums())).await?;
                pip.args(["--isolated", "--no-index", "--no-cache-dir", "--find-links"]).arg(wheels);
            }
            Source::Index => {
                // An interception of TLS that the AWS SDK has to know of is in pip's way as well.
                let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
                if let Some(bundle) = set("AWS_CA_BUNDLE")
                    && CA_BUNDLES.iter().all(|name| set(name).is_none())
                {
                    pip.env("REQUESTS_CA_BUNDLE", bundle);
                }
            }
        }
        commands::run(pip, INSTALL_LIMIT).await.map(|_| ())
    }
}

/// Marks an environment as whole. It is not forced onto the disk, which would hold up whatever else writes there: one that a
/// loss of power damages in its first seconds cannot be imported, and is then made anew.
fn mark(folder: &Path) -> Result<(), String> {
    let written = fs::write(folder.join(COMPLETE), pins::fingerprint() + "\n");
    written.map_err(|error| format!("{} cannot be written: {error}", folder.display()))
}

async fn vacate(folder: PathBuf) -> Result<(), String> {
    blocking(move || remove(&folder).map_err(|error| format!("{} cannot be removed: {error}", folder.display()))).await
}

/// Removes what is left of a stage.
pub(crate) async fn discard(stage: Stage) {
    let removed = blocking(move || {
        drop(stage);
        Ok(())
    });
    // What remains is removed by the next one that makes an environment.
    let _next_time = removed.await;
}

/// Thousands of files on a slow disk take their time; the runner's beats go on meanwhile.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(format!("the work on the disk ended: {error}")))
}

fn python_of(environment: &Path) -> PathBuf {
    environment.join("bin/python")
}

/// Removes a folder, or whatever else stands in its place; it may be absent.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

#[cfg(test)]
mod tests;
