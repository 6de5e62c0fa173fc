//! What the tests of the engine share: a real Python with papermill, notebooks made on the spot.
#![allow(dead_code, reason = "each test binary uses a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

pub mod changed;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reveille_notebook::{Engine, Job, NotebookProcess, Patience, Verdict};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// The Python of `REVEILLE_PYTHON`, or of the workspace's own environment.
pub fn python() -> PathBuf {
    if let Some(python) = std::env::var_os("REVEILLE_PYTHON") {
        return python.into();
    }
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/bin/python");
    assert!(python.exists(), "{} does not exist: run `make setup`, or set REVEILLE_PYTHON", python.display());
    python
}

/// What takes longer hangs: less than the 600 s for which the cells of the tests sleep.
const PATIENCE: Duration = Duration::from_mins(5);

/// For what has to happen: however busy the machine is.
pub const ALL_THE_TIME: Patience = Patience {
    exit: Duration::from_mins(3),
    interrupt: Duration::from_mins(5),
    grace: Duration::from_mins(5),
    save: Duration::from_mins(5),
    export: Duration::from_mins(5),
    hurry: Duration::from_mins(5),
};
/// For a kernel that answers neither an interrupt nor SIGTERM: nothing happens, however long it is waited for.
pub const DEAF: Patience =
    Patience { interrupt: Duration::from_millis(500), grace: Duration::from_millis(500), ..ALL_THE_TIME };
/// For a driver that is stopped: nothing is waited for either.
pub const STOPPED: Patience = Patience { save: Duration::from_millis(500), ..DEAF };

/// What a cell is to do so that a text is in the saved notebook before the cell goes on, and not still on its way out of the
/// kernel: `print` with `flush` returns before another thread of the kernel has sent the text. The source does not hold it.
pub fn saved(text: &str) -> String {
    let (first, rest) = text.split_at(text.len() / 2);
    format!(
        "import time\nprint('{first}' + '{rest}', flush=True)\n\
         while '{first}' + '{rest}' not in open('../out {{x}}/output.ipynb', encoding='utf-8').read(): time.sleep(0.05)\n"
    )
}

/// A folder for one execution, its notebook, and a marker of its own.
pub struct Bench {
    pub folder: TempDir,
    pub job: Job,
}

impl Bench {
    /// A bench with a notebook file of these bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let working_dir = folder.path().join("a folder {with} braces");
        let output_dir = folder.path().join("out {x}");
        fs::create_dir(&working_dir).unwrap();
        fs::create_dir(&output_dir).unwrap();
        let notebook = working_dir.join("some {y} notebook.ipynb");
        fs::write(&notebook, bytes).unwrap();
        let marker = folder.path().display().to_string();
        let (limit, patience) = (Duration::from_mins(20), ALL_THE_TIME);
        let parameters = Map::new();
        let job = Job {
            notebook,
            title: "some {y} notebook".to_owned(),
            output_dir,
            working_dir,
            parameters,
            kernel: None,
            sanitize_html: false,
            limit,
            patience,
            marker,
        };
        Self { folder, job }
    }

    /// A bench with this notebook.
    pub fn of(notebook: &Value) -> Self {
        Self::of_bytes(notebook.to_string().as_bytes())
    }

    /// A bench with a Python notebook of these code cells.
    pub fn of_cells(cells: &[&str]) -> Self {
        Self::of(&notebook(cells))
    }

    pub fn start(&self) -> NotebookProcess {
        self.start_with(python())
    }

    /// The same with another program as Python.
    pub fn start_with(&self, python: PathBuf) -> NotebookProcess {
        Engine::with_python(python, self.folder.path()).start(self.job.clone()).unwrap()
    }

    pub async fn run(&self) -> Verdict {
        let verdict = self.start().wait().await;
        assert_eq!(self.left(), 0, "processes of the run are left");
        verdict
    }

    pub fn output(&self, name: &str) -> String {
        let path = self.job.output_dir.join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub fn output_notebook(&self) -> Value {
        serde_json::from_str(&self.output("output.ipynb")).unwrap()
    }

    /// How many processes carry this run's marker.
    pub fn left(&self) -> usize {
        marked(&self.job.marker).len()
    }
}

/// The processes whose environment has this run's marker.
pub fn marked(marker: &str) -> Vec<i32> {
    let entry = format!("REVEILLE_RUN={marker}");
    let carries = |pid: &i32| {
        let environment = reveille_processes::environment(*pid).unwrap_or_default();
        reveille_processes::has(&environment, entry.as_bytes())
    };
    reveille_processes::pids().unwrap().filter(carries).collect()
}

/// A kernel of a conda environment: in the folder where an instance has them, started by a script of its own.
pub fn kernel(bench: &Bench, env: &str, name: &str, language: &str, argv: &[&str], variables: &Value) -> PathBuf {
    let env = bench.folder.path().join("home/ec2-user/anaconda3/envs").join(env);
    let spec = env.join("share/jupyter/kernels").join(name);
    fs::create_dir_all(&spec).unwrap();
    let real = fs::canonicalize(python().parent().unwrap()).unwrap().join("python");
    let argv: Vec<&str> = [real.to_str().unwrap()].into_iter().chain(argv.iter().copied()).collect();
    let content = json!({"argv": argv, "display_name": "Special", "language": language, "env": variables});
    fs::write(spec.join("kernel.json"), content.to_string()).unwrap();
    env
}

/// A kernel of Python that is not ipykernel and knows no sockets, as xeus-python.
pub const KERNEL_WITHOUT_SOCKETS: &str = "import json, runpy, sys
assert json.load(open(sys.argv[-1]))['transport'] == 'tcp', 'this kernel knows no sockets'
sys.argv = ['kernel', '-f', sys.argv[-1]]
runpy.run_module('ipykernel_launcher', run_name='__main__')";

/// The arguments of a kernel's interpreter.
pub const IPYKERNEL: [&str; 4] = ["-m", "ipykernel_launcher", "-f", "{connection_file}"];

pub fn code_cell(source: &str) -> Value {
    json!({"cell_type": "code", "id": format!("c{}", source.len()), "source": source, "metadata": {}, "outputs": [], "execution_count": null})
}

pub fn notebook(cells: &[&str]) -> Value {
    let cells: Vec<Value> = cells.iter().map(|source| code_cell(source)).collect();
    json!({
        "nbformat": 4, "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}, "language_info": {"name": "python"}},
        "cells": cells,
    })
}

/// Waits until a file exists.
pub async fn appears(path: &Path) {
    let begun = std::time::Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < PATIENCE, "{} did not appear", path.display());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits until no process of a run is left: a killed one needs the processor once more.
pub async fn none_left(bench: &Bench) {
    let begun = std::time::Instant::now();
    while bench.left() > 0 {
        assert!(begun.elapsed() < PATIENCE, "processes of the run are left");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
