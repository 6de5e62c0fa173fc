#![doc = include_str!("../README.md")]
#![allow(clippy::missing_panics_doc, clippy::unwrap_used, clippy::expect_used, reason = "this crate is a test")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

pub mod conditions;
pub mod deployer;
pub mod grants;
pub mod iam;
pub mod intrinsics;
pub mod mails;
pub mod names;
pub mod policy;
pub mod provider;
pub mod resource_policy;
pub mod schemas;
pub mod transform;
pub mod wildcards;

/// The checkout.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A file of the checkout.
#[must_use]
pub fn read(path: &str) -> String {
    let file = root().join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Every file below a folder; of a file, the file itself.
#[must_use]
pub fn files_below(place: &Path) -> Vec<PathBuf> {
    if place.is_file() {
        return vec![place.to_owned()];
    }
    let entries = std::fs::read_dir(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    entries.flat_map(|entry| files_below(&entry.unwrap().path())).collect()
}

/// The Rust files below a folder of the checkout.
#[must_use]
pub fn rust_below(folder: &str) -> Vec<PathBuf> {
    let files = files_below(&root().join(folder)).into_iter();
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// `CheckInstance` is `check_instance`.
#[must_use]
pub fn snake(camel: &str) -> String {
    camel.char_indices().fold(String::new(), |mut snake, (index, letter)| {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        snake
    })
}

/// A CloudFormation template, its short forms (`!Ref`, `!GetAtt`) in their long form.
#[must_use]
pub fn template(path: &str) -> Value {
    parse_template(&read(path))
}

/// The text of a template, its short forms in their long form.
#[must_use]
pub fn parse_template(text: &str) -> Value {
    long_form(serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("no YAML: {error}")))
}

fn long_form(value: serde_yaml_ng::Value) -> Value {
    use serde_yaml_ng::Value as Yaml;
    match value {
        Yaml::Tagged(tagged) => {
            let name = tagged.tag.to_string();
            let name = name.trim_start_matches('!');
            let inner = long_form(tagged.value);
            let inner = match (name, &inner) {
                ("GetAtt", Value::String(path)) => {
                    path.split_once('.').map_or(inner.clone(), |(a, b)| [a, b].as_slice().into())
                }
                _ => inner,
            };
            let name = if matches!(name, "Ref" | "Condition") { name.to_owned() } else { format!("Fn::{name}") };
            Value::Object([(name, inner)].into_iter().collect())
        }
        Yaml::Mapping(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, field)| (name.as_str().expect("names are strings").to_owned(), long_form(field)))
                .collect(),
        ),
        Yaml::Sequence(items) => items.into_iter().map(long_form).collect(),
        scalar => serde_json::to_value(scalar).expect("a scalar"),
    }
}

/// The state machine's definition, with a value for each of the template's substitutions.
#[must_use]
pub fn definition() -> Value {
    let text = read("statemachines/notebook_run.asl.json");
    let template = template("infra/template.yaml");
    let substitutions: BTreeMap<String, String> =
        template["Resources"]["NotebookRun"]["Properties"]["DefinitionSubstitutions"]
            .as_object()
            .expect("substitutions")
            .iter()
            .map(|(name, value)| {
                let value = match value["Ref"].as_str() {
                    Some("AWS::Partition") => "aws".to_owned(),
                    Some(parameter) => template["Parameters"][parameter]["Default"].to_string(),
                    None => format!(
                        "arn:aws:lambda:eu-west-1:123456789012:function:{}",
                        value["Fn::GetAtt"][0].as_str().unwrap()
                    ),
                };
                (name.clone(), value)
            })
            .collect();
    reveille_asl::definition::load(&text, &substitutions).unwrap_or_else(|error| panic!("{error}"))
}

/// The functions of the template: logical name to resource.
#[must_use]
pub fn functions(template: &Value) -> BTreeMap<String, Value> {
    let resources = template["Resources"].as_object().expect("resources");
    let is_function = |resource: &Value| resource["Type"] == "AWS::Serverless::Function";
    resources.iter().filter(|(_, r)| is_function(r)).map(|(name, r)| (name.clone(), r.clone())).collect()
}

/// The names of the files in a folder, sorted.
#[must_use]
pub fn files(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every template that is deployed: `infra/template.yaml` and the others.
#[must_use]
pub fn templates() -> Vec<String> {
    let names = files("infra").into_iter().filter(|name| name.strip_suffix(".yaml").is_some());
    names.map(|name| format!("infra/{name}")).collect()
}

/// Whether a rule fires: for each event pattern, as JSON, and each event what the local EventBridge answers to `TestEventPattern`.
///
/// # Panics
/// A pattern is none, or the local tools are not installed.
#[must_use]
pub fn fires(tried: &[(String, Value)]) -> Vec<bool> {
    let script = "import json, sys\n\
        from ministack.services import eventbridge as e\n\
        tried = [(pattern, e._event_from_test_payload(event)) for pattern, event in json.load(sys.stdin)]\n\
        assert not any(e._event_pattern_error(pattern) for pattern, _ in tried)\n\
        print(json.dumps([bool(e._matches_pattern(pattern, event)) for pattern, event in tried]))";
    serde_json::from_value(python(script, &serde_json::json!(tried))).expect("it prints truth values")
}

/// What a Python script of the project's own environment prints, as JSON, of JSON that it is given.
#[must_use]
pub fn python(script: &str, input: &Value) -> Value {
    let python = root().join(".venv/bin/python");
    let mut child = Command::new(&python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}: run `make setup`", python.display()));
    child.stdin.take().expect("it has one").write_all(input.to_string().as_bytes()).expect("it reads all");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the script failed");
    serde_json::from_slice(&output.stdout).expect("it prints JSON")
}
