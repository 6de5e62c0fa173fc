//! The pins against the package index: can they be installed wherever the engine must be?
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::path::Path;
use std::process::{Command, Output};

/// The Pythons that the pins are for. The first is that of conda_python3 on notebook-al2023-v1.
const PYTHONS: [&str; 4] = ["3.10", "3.11", "3.12", "3.13"];
/// What crates/notebook/wheelhouse.py exits with when the package index does not answer.
const NO_INDEX: i32 = 69;

/// Runs wheelhouse.py with the Python of `make setup`. None when there is no way to the package index, which is no fault
/// of the pins; continuous integration has one.
fn wheelhouse(arguments: &[&str]) -> Option<Output> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".venv/bin/python");
    assert!(python.is_file(), "{} is missing: run `make setup`", python.display());
    let output = Command::new(python)
        .arg("crates/notebook/wheelhouse.py")
        .args(arguments)
        .current_dir(root)
        .output()
        .expect("wheelhouse.py is started");
    if output.status.code() == Some(NO_INDEX) && std::env::var_os("CI").is_none_or(|ci| ci != "true") {
        eprintln!("skipped: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(output)
}

/// Pip resolves them from wheels for each Python on the instance's Linux; with nothing missing that a package asks for,
/// nothing superfluous, and in the versions that the tests run with.
#[test]
fn the_pins_are_whole_for_every_python_that_an_instance_may_have() {
    let check = |python: &str| wheelhouse(&["check", "--python", python, "--tools", "requirements.txt"]);
    let outputs = std::thread::scope(|scope| {
        let checks = PYTHONS.map(|python| scope.spawn(move || check(python)));
        checks.map(|check| check.join().unwrap())
    });
    for (python, output) in PYTHONS.iter().zip(outputs) {
        let Some(output) = output else { return };
        assert!(output.status.success(), "Python {python}: {}", String::from_utf8_lossy(&output.stderr));
        let wheels = String::from_utf8_lossy(&output.stdout);
        assert!(wheels.starts_with(&format!("Python {python}.")), "{wheels}");
    }
}
