//! The driver from inside: a script that knows its files changes it before it runs a notebook, or looks at it.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::{Bench, python};

/// A script that changes the driver before it runs the bench's notebook; what it wrote for people.
pub fn changed_driver(bench: &Bench, script: &str) -> String {
    let out = &bench.job.output_dir;
    let spec = json!({
        "mode": "execute", "unfinished": null, "exit_seconds": 600, "interrupt_seconds": 1, "grace_seconds": 1,
        "notebook": bench.job.notebook, "title": bench.job.title, "output_dir": out, "working_dir": bench.job.working_dir,
        "kernel_folder": bench.folder.path().join("kernel"),
        "parameters": {"x": 1}, "kernel": null, "conda_envs": "", "sanitize_html": false,
        "max_notebook_bytes": 1 << 20, "max_output_bytes": 1 << 20, "export_seconds": 60,
    });
    fs::write(out.join("spec.json"), spec.to_string()).unwrap();
    let mut beside = beside_the_driver(script, &[&out.join("spec.json")]);
    told(beside.env("JUPYTER_RUNTIME_DIR", out.join("runtime")).current_dir(out))
}

/// A script that knows the driver's files, in a process of its own.
pub fn beside_the_driver(script: &str, arguments: &[&Path]) -> Command {
    let mut python = Command::new(python());
    python.args(["-B", "-I", "-X", "utf8", "-c"]);
    python.arg(format!("import sys\nsys.path.insert(0, sys.argv.pop(1))\n{script}"));
    python.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/driver")).args(arguments);
    python
}

/// What a script wrote for people that succeeded.
pub fn told(script: &mut Command) -> String {
    let done = script.output().unwrap();
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    told
}
