//! Finds a Python that has papermill, or makes one.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::execution::Execution;
use crate::job::Job;

/// What is installed into a new environment. These versions are the ones that the tests run with.
const REQUIREMENTS: [&str; 3] = ["papermill==2.7.0", "nbconvert==7.17.2", "ipykernel==7.4.0"];
/// Looks for the modules without importing them: some 20 ms, where importing papermill takes 400.
const PROBE: &str = "import importlib.util as u, sys\n\
                     sys.exit(0 if all(map(u.find_spec, ('papermill', 'nbconvert', 'ipykernel'))) else 3)";
/// An interpreter on a cold disk needs seconds; one that needs longer is no use.
const PROBE_LIMIT: Duration = Duration::from_secs(20);
/// Making an empty environment takes 3 s, on a small instance maybe 20.
const VENV_LIMIT: Duration = Duration::from_mins(2);
/// Fetching and installing some 40 packages.
const INSTALL_LIMIT: Duration = Duration::from_mins(10);
/// Written when an environment is whole: an installation that was cut off is made anew.
const COMPLETE: &str = ".reveille-complete";
/// Only this folder of an instance persists across a stop.
const ENVIRONMENT: &str = "home/ec2-user/SageMaker/.reveille/engine";
const CONDA: &str = "home/ec2-user/anaconda3";

/// Why a notebook could not even be started.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// `REVEILLE_PYTHON` names a Python that does not work or lacks papermill.
    #[error(
        "REVEILLE_PYTHON names {python}, which cannot import papermill, nbconvert and ipykernel; \
         install them there (`{python} -m pip install papermill nbconvert ipykernel`) or unset it",
        python = python.display()
    )]
    PythonUnusable {
        /// The interpreter.
        python: PathBuf,
    },
    /// No Python with papermill was found and none could be made.
    #[error(
        "no Python with papermill was found, and making one in {folder} failed: {reason}; if the instance \
         has no way to PyPI, make it yourself with `python3 -m venv {folder}`, install {requirements} into it \
         and create the empty file {COMPLETE} in it, or set REVEILLE_PYTHON",
        folder = folder.display(), requirements = REQUIREMENTS.join(" ")
    )]
    NotInstalled {
        /// Where the environment would have been.
        folder: PathBuf,
        /// What failed, with the end of its output.
        reason: String,
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
    #[error("{path} cannot be written: {source}; check the space and the permissions there", path = path.display())]
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

/// A Python with papermill, and what its processes need to know of the instance.
#[derive(Debug, Clone)]
pub struct Engine {
    python: PathBuf,
    root: PathBuf,
}

impl Engine {
    /// Finds a Python with papermill: `REVEILLE_PYTHON`; the environment that an earlier boot made; `python3`
    /// on `PATH`; `SageMaker`'s own Jupyter environment. If none has papermill, makes an environment below
    /// the folder that persists.
    ///
    /// `root` is the folder that stands for `/`; empty on a real instance.
    ///
    /// # Errors
    /// [`EngineError::PythonUnusable`] and [`EngineError::NotInstalled`]; both say what to do.
    pub async fn discover(root: &Path) -> Result<Self, EngineError> {
        let hints = Hints { python: env::var_os("REVEILLE_PYTHON"), path: env::var_os("PATH").unwrap_or_default() };
        let root = if root.as_os_str().is_empty() { Path::new("/") } else { root };
        find(root, &hints).await.map(|python| Self::with_python(python, root))
    }

    /// An engine on a Python that the caller knows to have papermill. Nothing is checked: if it has none,
    /// every execution ends as [`crate::Verdict::EngineBroken`].
    #[must_use]
    pub fn with_python(python: PathBuf, root: &Path) -> Self {
        let root = if root.as_os_str().is_empty() { Path::new("/") } else { root };
        // Driver processes have a working directory of their own. A bare name stays one, for PATH.
        let bare = python.components().count() == 1;
        let python = if bare { python } else { std::path::absolute(&python).unwrap_or(python) };
        Self { python, root: root.to_owned() }
    }

    /// The interpreter in use.
    #[must_use]
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// Starts a notebook. Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// When the job cannot be executed at all: no such file or folder, a parameter's name that is no
    /// identifier, an unusable output folder or interpreter. Whatever goes wrong later is a verdict.
    pub fn start(&self, job: Job) -> Result<Execution, EngineError> {
        Execution::start(self.clone(), job)
    }

    /// Where conda keeps its environments, if there is a conda.
    pub(crate) fn conda_envs(&self) -> PathBuf {
        self.root.join(CONDA).join("envs")
    }

    /// `JUPYTER_PATH` of a run: its own kernel specs first, then what the environment says, then the
    /// kernels of `SageMaker`'s Jupyter.
    pub(crate) fn jupyter_path(&self, own: PathBuf) -> OsString {
        let inherited = env::var_os("JUPYTER_PATH").unwrap_or_default();
        let system = self.conda_envs().join("JupyterSystemEnv/share/jupyter");
        let paths = [own].into_iter().chain(env::split_paths(&inherited)).chain(system.is_dir().then_some(system));
        // Only a path that itself holds a ':' cannot be joined; then the kernels there are not found.
        env::join_paths(paths.filter(|path| !path.as_os_str().is_empty())).unwrap_or(inherited)
    }
}

/// What the environment says about where to look.
struct Hints {
    python: Option<OsString>,
    path: OsString,
}

async fn find(root: &Path, hints: &Hints) -> Result<PathBuf, EngineError> {
    if let Some(python) = hints.python.as_ref().filter(|python| !python.is_empty()) {
        let python = PathBuf::from(python);
        return if usable(&python).await { Ok(python) } else { Err(EngineError::PythonUnusable { python }) };
    }
    let environment = root.join(ENVIRONMENT);
    let made = environment.join("bin/python");
    if environment.join(COMPLETE).is_file() && usable(&made).await {
        return Ok(made);
    }
    for python in interpreters(root, &hints.path) {
        if usable(&python).await {
            return Ok(python);
        }
    }
    install(root, hints, &environment).await.map(|()| made)
}

/// Interpreters that may be there, the likelier first.
fn interpreters(root: &Path, path: &OsStr) -> Vec<PathBuf> {
    let on_path = env::split_paths(path).map(|folder| folder.join("python3"));
    let conda = ["envs/JupyterSystemEnv/bin/python", "bin/python"].map(|python| root.join(CONDA).join(python));
    on_path
        .filter(|python| python.is_file())
        .take(1)
        .chain(conda.into_iter().filter(|python| python.is_file()))
        .collect()
}

async fn usable(python: &Path) -> bool {
    let mut probe = Command::new(python);
    probe.args(["-I", "-c", PROBE]);
    bounded(probe, PROBE_LIMIT).await.is_ok()
}

/// Makes the environment. On an instance conda's Python comes first: papermill needs 3.10, and the
/// system's `python3` of Amazon Linux 2023 is 3.9.
async fn install(root: &Path, hints: &Hints, environment: &Path) -> Result<(), EngineError> {
    let failed = |reason: String| EngineError::NotInstalled { folder: environment.to_owned(), reason };
    let base = interpreters(root, &hints.path).pop().ok_or_else(|| failed("there is no python3 on PATH".to_owned()))?;
    let mut venv = Command::new(base);
    venv.args(["-I", "-m", "venv", "--clear"]).arg(environment);
    bounded(venv, VENV_LIMIT).await.map_err(failed)?;
    let mut pip = Command::new(environment.join("bin/python"));
    pip.args(["-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet"]).args(REQUIREMENTS);
    bounded(pip, INSTALL_LIMIT).await.map_err(failed)?;
    std::fs::write(environment.join(COMPLETE), "").map_err(|error| failed(error.to_string()))
}

/// Runs a command to its end; an error has the end of what it wrote.
async fn bounded(mut command: Command, limit: Duration) -> Result<(), String> {
    let name = command.as_std().get_program().display().to_string();
    command.stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(limit, command.output()).await {
        Err(_) => return Err(format!("{name} took longer than {} s", limit.as_secs())),
        Ok(Err(error)) => return Err(format!("{name} cannot be started: {error}")),
        Ok(Ok(output)) => output,
    };
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let end = String::from_utf8_lossy(&text[text.len().saturating_sub(1_000)..]).trim().to_owned();
    Err(format!("{name} ended with {}: {end}", output.status))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// An executable that answers the probe as told.
    fn interpreter(path: &Path, script: &str) -> PathBuf {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = path.with_extension("text");
        fs::write(&text, format!("#!/bin/sh\n{script}\n")).unwrap();
        // By a process of its own: a program that this one writes cannot be executed ("text file busy") while a child
        // that another test forks in that moment has inherited the open file.
        let installed = std::process::Command::new("install").args(["-m", "755"]).args([&text, path]).status().unwrap();
        assert!(installed.success());
        path.to_owned()
    }

    fn hints(python: Option<&Path>, path: &Path) -> Hints {
        Hints { python: python.map(Into::into), path: path.into() }
    }

    #[tokio::test]
    async fn each_place_is_asked_in_its_turn() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let bin = root.join("bin");
        let system = interpreter(&root.join(CONDA).join("envs/JupyterSystemEnv/bin/python"), "exit 0");
        interpreter(&bin.join("python3"), "exit 3");
        assert_eq!(find(root, &hints(None, &bin)).await.unwrap(), system);

        let on_path = interpreter(&bin.join("python3"), "exit 0");
        assert_eq!(find(root, &hints(None, &bin)).await.unwrap(), on_path);

        let made = interpreter(&root.join(ENVIRONMENT).join("bin/python"), "exit 0");
        assert_eq!(find(root, &hints(None, &bin)).await.unwrap(), on_path, "a half-made one is not taken");
        fs::write(root.join(ENVIRONMENT).join(COMPLETE), "").unwrap();
        assert_eq!(find(root, &hints(None, &bin)).await.unwrap(), made);

        let named = interpreter(&root.join("named"), "exit 0");
        assert_eq!(find(root, &hints(Some(&named), &bin)).await.unwrap(), named);
    }

    #[tokio::test]
    async fn a_named_python_without_papermill_is_refused_with_advice() {
        let root = tempfile::tempdir().unwrap();
        let named = interpreter(&root.path().join("named"), "exit 3");
        let error = find(root.path(), &hints(Some(&named), root.path())).await.unwrap_err().to_string();
        assert!(error.contains("pip install papermill"), "{error}");
    }

    #[tokio::test]
    async fn an_environment_is_made_with_the_pinned_packages() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        // The stand-in makes a "venv" that holds itself, and records each call.
        let calls = root.join("calls");
        let script = format!(
            "case \"$*\" in *find_spec*) exit 3;; esac\necho \"$*\" >> {calls}\n\
             case \"$*\" in *venv*) mkdir -p \"$5/bin\"; cp \"$0\" \"$5/bin/python\";; esac",
            calls = calls.display()
        );
        interpreter(&root.join("bin/python3"), &script);
        let python = find(root, &hints(None, &root.join("bin"))).await.unwrap();
        let environment = root.join(ENVIRONMENT);
        assert_eq!(python, environment.join("bin/python"));
        let calls = fs::read_to_string(calls).unwrap();
        let expected = format!(
            "-I -m venv --clear {}\n-I -m pip install --no-input --disable-pip-version-check --quiet {}\n",
            environment.display(),
            REQUIREMENTS.join(" ")
        );
        assert_eq!(calls, expected);
        assert!(environment.join(COMPLETE).is_file());
    }

    #[tokio::test]
    async fn a_failed_installation_says_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let script = "case \"$*\" in *venv*) echo 'no network today' >&2; exit 1;; *) exit 3;; esac";
        interpreter(&root.path().join("bin/python3"), script);
        let error = find(root.path(), &hints(None, &root.path().join("bin"))).await.unwrap_err().to_string();
        assert!(error.contains("no network today") && error.contains("REVEILLE_PYTHON"), "{error}");
        assert!(!root.path().join(ENVIRONMENT).join(COMPLETE).exists());
    }

    #[tokio::test]
    async fn without_any_python_there_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let error = find(root.path(), &hints(None, root.path())).await.unwrap_err();
        assert!(error.to_string().contains("no python3 on PATH"), "{error}");
    }
}
