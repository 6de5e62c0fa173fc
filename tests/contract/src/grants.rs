//! What `reveille doctor` asks IAM about: the grants of docs/iam.md, from the same templates, as a file that the command has in it.

use serde_json::{Map, Value, json};

use crate::iam::{TEMPLATES, roles, texts, who, why};

/// Where the file is.
pub const FILE: &str = "crates/cli/src/commands/doctor/grants.json";

/// One grant a line, so that a change is seen as one.
#[must_use]
pub fn file() -> String {
    let lines: Vec<String> = grants().iter().map(|grant| format!("  {grant}")).collect();
    format!("[\n{}\n]\n", lines.join(",\n"))
}

/// Each action of each role on each resource, with `${Name}` for what the stack knows.
#[must_use]
pub fn grants() -> Vec<Value> {
    let mut grants: Vec<Value> = Vec::new();
    for role in TEMPLATES.into_iter().flat_map(roles) {
        for (statement, parameter) in &role.statements {
            for action in texts(&statement["Action"]) {
                for on in texts(&statement["Resource"]) {
                    let mut grant = json!({
                        "role": role.name,
                        "of": who(&role.name),
                        "action": action,
                        "on": on,
                        "why": why(&action, &on),
                    });
                    if let Some(parameter) = parameter {
                        grant["onlyWith"] = json!(parameter);
                    }
                    let context = context(&statement["Condition"]);
                    if !context.is_empty() {
                        grant["context"] = context.into();
                    }
                    if !grants.contains(&grant) {
                        grants.push(grant);
                    }
                }
            }
        }
    }
    grants
}

/// What a call has to bring along so that a statement's condition is met.
fn context(condition: &Value) -> Map<String, Value> {
    let operators = condition.as_object().into_iter().flatten();
    let mut context = Map::new();
    for (operator, keys) in operators {
        assert!(
            ["StringEquals", "Bool"].contains(&operator.as_str()),
            "{operator}: the command cannot say to IAM what meets it"
        );
        for (key, value) in keys.as_object().expect("keys") {
            let [value] = &texts(value)[..] else { panic!("{key} has several values") };
            context.insert(key.clone(), json!(value));
        }
    }
    context
}
