//! Every definition of the project passes the lint and compiles for the interpreter. What the lint can only check with
//! the domain's help (classes of codes, the bounds of the history) is checked by the contract tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a definition that cannot be read fails the test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use reveille_asl::definition::{load, placeholders};
use reveille_asl::interpreter::Machine;
use reveille_asl::lint::{LintOptions, MustPass, lint};
use serde_json::Value;

/// What may have been started must be seen to have stopped (the run protocol, guarantee 3).
const STOPPED: MustPass = MustPass { from: "StartInstance", through: "VerifyStopped" };

/// The state that ends an execution with the run's own code, on purpose (the run protocol, "The state machine").
const UNCAUGHT: &[&str] = &["ConcludeRun"];

fn definitions() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachines");
    let entries = folder.read_dir().unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    let is_definition = |path: &PathBuf| path.to_string_lossy().ends_with(".asl.json");
    entries.map(|entry| entry.unwrap().path()).filter(is_definition).collect()
}

/// The definition with a value for each placeholder: a function's ARN, the partition, or a number.
fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let value = |name: &str| {
        if name.ends_with("Arn") {
            format!("arn:aws:lambda:eu-west-1:123456789012:function:{name}")
        } else if name == "Partition" {
            "aws".to_owned()
        } else {
            "7".to_owned()
        }
    };
    let substitutions: BTreeMap<_, _> = placeholders(&text)
        .unwrap()
        .into_iter()
        .map(|name| {
            let value = value(&name);
            (name, value)
        })
        .collect();
    load(&text, &substitutions).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_definition_is_sound() {
    let definitions = definitions();
    assert!(!definitions.is_empty(), "statemachines/ has no *.asl.json: the lint has nothing to check");
    for path in definitions {
        let definition = read(&path);
        let starts = definition["States"].get(STOPPED.from).is_some();
        let must_pass: &[MustPass] = if starts { &[STOPPED] } else { &[] };
        let findings = lint(&definition, &LintOptions { uncaught: UNCAUGHT, must_pass, ..LintOptions::default() });
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "{}:\n{}", path.display(), lines.join("\n"));
    }
}

#[test]
fn every_definition_runs_in_the_interpreter() {
    for path in definitions() {
        let arn = "arn:aws:states:eu-west-1:123456789012:stateMachine:checked";
        if let Err(error) = Machine::compile(arn, &read(&path)) {
            panic!("{}: {error}", path.display());
        }
    }
}
