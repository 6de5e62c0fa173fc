//! That the end-to-end tests deploy each template with a value for each parameter: no line of a template that no engine ever read.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::intrinsics::default_of;
use reveille_contract_tests::{python, read, template, templates};
use serde_json::{Value, json};

/// What `tests/e2e/tests/e2e/parameters.rs` deploys.
#[path = "../../e2e/src/parameters.rs"]
mod parameters;

use parameters::{LEFT_OUT, SET, STACK};

#[test]
fn each_parameter_of_each_template_is_set_or_left_out_for_a_reason() {
    let deployed: BTreeSet<&str> = SET.iter().map(|(path, ..)| *path).collect();
    assert_eq!(deployed, templates().iter().map(String::as_str).collect(), "each template is deployed");
    assert!(SET.iter().all(|(_, stack, _)| stack.starts_with(STACK)), "nobody else's stack");
    for (path, _, set) in SET {
        let left_out = LEFT_OUT.iter().filter(|(of, ..)| of == path).map(|(_, name, _)| *name);
        let names: Vec<&str> = set.iter().map(|(name, _)| *name).chain(left_out).collect();
        let once: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(once.len(), names.len(), "{path}: a parameter stands twice");
        let declared: BTreeSet<String> = template(path)["Parameters"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(
            once, declared,
            "{path}: give it a value in tests/e2e/src/parameters.rs, or leave it out with a reason"
        );
    }
}

/// A default would show nothing, and the local CloudFormation takes any value.
#[test]
fn each_value_is_one_that_the_template_takes_and_is_not_its_default() {
    let mut patterns = Vec::new();
    for (path, _, set) in SET {
        let template = template(path);
        for (name, value) in *set {
            let parameter = &template["Parameters"][name];
            assert_ne!(default_of(parameter).as_deref(), Some(*value), "{path}: {name}");
            if value.starts_with('<') {
                continue;
            }
            let allowed = parameter["AllowedValues"].as_array();
            let same = |allowed: &Value| {
                allowed == value || serde_json::from_str::<Value>(value).is_ok_and(|it| it == *allowed)
            };
            assert!(allowed.is_none_or(|all| all.iter().any(same)), "{path}: {name}={value}");
            if let Some(pattern) = parameter["AllowedPattern"].as_str() {
                patterns.push(json!([format!("{path}: {name}={value}"), pattern, value]));
            }
        }
    }
    assert!(patterns.len() > 40, "{}", patterns.len());
    let script = "import json, re, sys\n\
        print(json.dumps([name for name, pattern, value in json.load(sys.stdin) if not re.fullmatch(pattern, value)]))";
    assert_eq!(python(script, &patterns.into()), json!([]));
}

/// What is left out here is deployed where its reason says.
#[test]
fn who_deploys_what_is_left_out_does() {
    for (_, name, why) in LEFT_OUT {
        let Some(file) = why.split_whitespace().find(|word| word.strip_suffix(".rs").is_some()) else { continue };
        let scenario = read(&format!("tests/e2e/tests/e2e/{file}"));
        // `reveille attach` gives its two parameters to the stack itself.
        let plan = read("crates/cli/src/commands/attach/plan.rs");
        let command = file.starts_with("command_") && plan.contains(&format!("\"{name}\""));
        assert!(command || scenario.contains(&format!("{name}=")), "{name}: {why}");
    }
}
