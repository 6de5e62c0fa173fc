//! The Pythons of a machine: where they may be, what each of them is, and what it is good for.

use std::collections::{BTreeMap, HashSet};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use crate::commands;
use crate::pins::{self, NEWEST_TESTED_PYTHON, OLDEST_PYTHON};

/// Where conda is on a notebook instance.
pub(crate) const CONDA: &str = "home/ec2-user/anaconda3";
/// The Pythons of a notebook instance: the environment of the kernel conda_python3, Jupyter's own, and conda's base.
const CONDA_PYTHONS: [&str; 3] = ["envs/python3/bin/python", "envs/JupyterSystemEnv/bin/python", "bin/python"];
/// Names on PATH, after `python3` itself.
const PATH_PYTHONS: [&str; 4] = ["python3.13", "python3.12", "python3.11", "python3.10"];
/// No machine has more Pythons that matter, and each that hangs costs [`PROBE_LIMIT`].
const MOST: usize = 16;
/// An interpreter on a cold disk needs seconds; one that needs longer is no use.
const PROBE_LIMIT: Duration = Duration::from_mins(1);
/// What an interpreter is asked: in words that every Python understands. It looks for the modules and their versions without
/// importing them: some 30 ms, where importing papermill takes 500.
const PROBE: &str = "\
import json, os, sys
found = {'version': list(sys.version_info[:3]), 'machine': os.uname()[4], 'packages': {},
         'implementation': getattr(getattr(sys, 'implementation', None), 'name', 'unknown')}
if sys.version_info >= (3, 8):
    from importlib import metadata, util
    for name in sys.argv[1:]:
        try:
            found['packages'][name] = metadata.version(name) if util.find_spec(name) else None
        except metadata.PackageNotFoundError:
            pass
print(json.dumps(found))
";

/// An interpreter that answered.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    pub(crate) python: PathBuf,
    facts: Facts,
}

/// What it says of itself.
#[derive(Debug, Clone, Deserialize)]
struct Facts {
    version: (u32, u32, u32),
    machine: String,
    implementation: String,
    packages: BTreeMap<String, Option<String>>,
}

/// What an interpreter is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Use {
    /// It has the packages, in versions that we support.
    Engine,
    /// An environment can be made with it; what it lacks to be an engine itself.
    Base(String),
    /// Nothing, and why.
    Nothing(String),
}

/// Interpreters that may be there, the likelier to have the packages first.
pub(crate) fn candidates(root: &Path, path: &OsStr) -> Vec<PathBuf> {
    // An empty or relative entry of PATH would mean whatever folder we happen to be in.
    let folders: Vec<PathBuf> = env::split_paths(path).filter(|folder| folder.is_absolute()).collect();
    let on_path = |name: &'static str| folders.iter().map(move |folder| folder.join(name));
    let conda = CONDA_PYTHONS.iter().map(|python| root.join(CONDA).join(python));
    let all = on_path("python3").chain(conda).chain(PATH_PYTHONS.into_iter().flat_map(on_path));
    let mut seen = HashSet::new();
    // Where /bin is a link to /usr/bin, one of them is enough. The file itself stays a link: an environment's Python is one.
    let place = |python: &PathBuf| Some((python.parent()?.canonicalize().ok()?, python.file_name()?.to_owned()));
    all.filter(|python| python.is_file() && seen.insert(place(python))).take(MOST).collect()
}

/// The order in which an environment is tried to be made with them: those of a version that the pins are tried with, then
/// conda's, which are a notebook instance's own.
pub(crate) fn rank(root: &Path, interpreter: &Interpreter) -> (bool, bool) {
    let (major, minor, _) = interpreter.facts.version;
    ((major, minor) > NEWEST_TESTED_PYTHON, !interpreter.python.starts_with(root.join(CONDA)))
}

/// Asks an interpreter what it is.
///
/// # Errors
/// It cannot be started, or does not answer.
pub(crate) async fn probe(python: &Path) -> Result<Interpreter, String> {
    let mut command = Command::new(python);
    // Isolated: neither a folder nor PYTHON* variables decide what it finds; as the driver is started.
    command.args(["-I", "-c", PROBE]).args(pins::supported().iter().map(|package| package.name));
    let answer = commands::run(command, PROBE_LIMIT).await?;
    // A site's own start-up code may print something first.
    let facts = answer.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    let facts = facts.ok_or_else(|| format!("{} did not answer as a Python does", python.display()))?;
    Ok(Interpreter { python: python.to_owned(), facts })
}

impl Interpreter {
    /// What it is good for.
    pub(crate) fn good_for(&self) -> Use {
        let Facts { version: (major, minor, _), implementation, .. } = &self.facts;
        let ours = format!("{} is Python {}", self.python.display(), self.version());
        if (*major, *minor) < OLDEST_PYTHON {
            return Use::Nothing(format!("{ours}, and {}.{} or newer is needed", OLDEST_PYTHON.0, OLDEST_PYTHON.1));
        }
        if implementation != "cpython" {
            return Use::Nothing(format!("{ours} ({implementation}), and CPython is needed"));
        }
        let lacks: Vec<String> = pins::supported().iter().filter_map(|package| self.lacks(package)).collect();
        if lacks.is_empty() {
            return Use::Engine;
        }
        Use::Base(format!("{ours} and has {}", lacks.join(", ")))
    }

    fn lacks(&self, package: &pins::Supported) -> Option<String> {
        match self.facts.packages.get(package.name).and_then(Option::as_ref) {
            Some(version) if package.covers(version) => None,
            Some(version) => Some(format!("{} {version} ({} is supported)", package.name, package.specification)),
            None => Some(format!("no {}", package.name)),
        }
    }

    /// `3.10.14`.
    pub(crate) fn version(&self) -> String {
        let (major, minor, patch) = self.facts.version;
        format!("{major}.{minor}.{patch}")
    }

    /// `3.10`.
    pub(crate) fn minor_version(&self) -> String {
        format!("{}.{}", self.facts.version.0, self.facts.version.1)
    }

    /// `x86_64`; only what can be part of a file's name.
    pub(crate) fn machine(&self) -> String {
        self.facts.machine.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    }
}

#[cfg(test)]
mod tests;
