//! cfn-lint with all checks (`.cfnlintrc`): the templates as they are, and that it notices what it is there for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;
use std::process::Command;

use reveille_contract_tests::{read, root};
use serde_json::Value;

/// A template, what is replaced in it, and the check that must object.
const FAULTS: [(&str, &str, &str, &str); 5] = [
    ("template.yaml", "!GetAtt SweepFailures.Arn", "!GetAtt SweepFailure.Arn", "E1010"),
    (
        "template.yaml",
        "    DeletionPolicy: Delete\n    UpdateReplacePolicy: Delete\n    Properties:\n      MessageRetentionPeriod",
        "    Properties:\n      MessageRetentionPeriod",
        "I3011",
    ),
    (
        "template.yaml",
        "VersioningConfiguration: { Status: Enabled }",
        "VersioningConfiguration: { Status: On }",
        "E3030",
    ),
    ("instance.yaml", "    Default: Enabled\n", "    Default: Always\n", "E2015"),
    ("alarms.yaml", "Type: AWS::CloudWatch::Dashboard", "Type: AWS::CloudWatch::Dashbord", "E3006"),
];

/// The checks that object to each file.
fn findings(files: &[std::path::PathBuf]) -> Vec<(String, String)> {
    let mut lint = Command::new(root().join(".venv/bin/cfn-lint"));
    let output = lint.args(["--format", "json"]).args(files).current_dir(root()).output().expect("make setup");
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    found.as_array().unwrap().iter().map(|one| (text(&one["Filename"]), text(&one["Rule"]["Id"]))).collect()
}

#[test]
fn every_check_is_on_and_each_notices_its_fault() {
    let folder = root().join(format!("target/tmp/lint-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut files = Vec::new();
    for (number, (template, there, instead, _)) in FAULTS.iter().enumerate() {
        let text = read(&format!("infra/{template}"));
        assert!(text.contains(there), "{template}: {there}");
        let file = folder.join(format!("{number}.yaml"));
        std::fs::write(&file, text.replace(there, instead)).unwrap();
        files.push(file);
    }
    let found = findings(&files);
    std::fs::remove_dir_all(&folder).unwrap();
    for (file, (template, there, _, check)) in files.iter().zip(FAULTS) {
        let of_it: BTreeSet<&str> =
            found.iter().filter(|(name, _)| *name == file.display().to_string()).map(|(_, id)| id.as_str()).collect();
        assert!(of_it.contains(check), "{template} without {there:?}: {of_it:?} and not {check}");
    }
}

/// `make lint` fails on any of these too; here they are told apart from its other checks.
#[test]
fn the_templates_have_no_findings() {
    let templates = reveille_contract_tests::templates();
    let files: Vec<std::path::PathBuf> = templates.iter().map(|file| root().join(file)).collect();
    assert!(files.len() >= 6, "{files:?}");
    assert_eq!(findings(&files), []);
}
