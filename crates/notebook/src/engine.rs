//! A Python with papermill, and what its processes need to know of the instance.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::discovery::{self, Hints};
use crate::environment::Environment;
use crate::error::EngineError;
use crate::interpreters::CONDA;
use crate::wheelhouse::Supplies;

/// A Python with papermill, and what its processes need to know of the instance.
#[derive(Debug, Clone)]
pub struct Engine {
    python: PathBuf,
    root: PathBuf,
}

impl Engine {
    /// Finds a Python with papermill in a version that is supported: `REVEILLE_PYTHON`; the environment that an earlier boot
    /// made; a Python on `PATH` or of conda that somebody equipped. If none has it, makes an environment below the folder
    /// that persists, with the pinned packages: from an archive of wheels where there is one, else from the package index.
    /// An environment with other pins is replaced by a new one; where that fails and the old one is supported, it remains.
    ///
    /// `root` is the folder that stands for `/`; empty on a real instance.
    ///
    /// # Errors
    /// [`EngineError::PythonUnusable`] and [`EngineError::NotInstalled`]; both say what to do.
    pub async fn discover(root: &Path, supplies: &impl Supplies) -> Result<Self, EngineError> {
        let root = if root.as_os_str().is_empty() { Path::new("/") } else { root };
        discovery::find(root, &Hints::from_env(), supplies).await.map(|python| Self::with_python(python, root))
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

    /// What to do about papermill that cannot be imported. An environment of our own is given up: it is made anew.
    pub(crate) fn repair(&self) -> String {
        let own = Environment::of(&self.root);
        if self.python != own.python() {
            return discovery::install_with(&self.python);
        }
        let folder = own.folder();
        match own.condemn() {
            Ok(()) => format!("{} is broken, and will be created again at the instance's next start", folder.display()),
            Err(_) => {
                format!("remove the folder {}; it is created again at the instance's next start", folder.display())
            }
        }
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
