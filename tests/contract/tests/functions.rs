//! States, functions, their files, their roles.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::{definition, files, functions, read, template};
use serde_json::Value;

/// `AdmitRunFunction` to `admit_run`.
fn snake(logical: &str) -> String {
    let name = logical.strip_suffix("Function").expect("functions are called ...Function");
    name.char_indices().fold(String::new(), |mut snake, (index, letter)| {
        if letter.is_uppercase() && index > 0 {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        snake
    })
}

#[test]
fn every_function_has_its_file_its_step_and_its_handler() {
    let template = template("infra/template.yaml");
    let main = read("functions/src/main.rs");
    let handlers = read("functions/src/handler.rs");
    let mut names = BTreeSet::new();
    for (logical, function) in functions(&template) {
        let name = snake(&logical);
        assert_eq!(function["Properties"]["Handler"], *name, "{logical}");
        assert!(files("functions/src").contains(&format!("{name}.rs")), "functions/src/{name}.rs");
        assert!(files("crates/protocol/src/steps").contains(&format!("{name}.rs")), "the step {name}");
        assert!(main.contains(&format!("{name}::handle")), "main.rs calls {name}");
        assert!(handlers.contains(&format!("\"{name}\"")), "handler.rs names {name}");
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"], "bootstrap", "{logical}");
        names.insert(format!("{name}.rs"));
    }
    let steps: BTreeSet<String> = files("crates/protocol/src/steps").into_iter().collect();
    assert_eq!(steps, names, "every step has a function in the template");
}

#[test]
fn every_task_calls_a_function_and_every_function_of_the_machine_is_called() {
    let template = template("infra/template.yaml");
    let substitutions = &template["Resources"]["NotebookRun"]["Properties"]["DefinitionSubstitutions"];
    let raw: Value = serde_json::from_str(&read("statemachines/notebook_run.asl.json")).unwrap();
    let mut called = BTreeSet::new();
    for (state, body) in raw["States"].as_object().unwrap() {
        if body["Type"] != "Task" {
            continue;
        }
        let placeholder = body["Arguments"]["FunctionName"].as_str().unwrap();
        let name = placeholder.trim_start_matches("${").trim_end_matches('}');
        let logical = substitutions[name]["Fn::GetAtt"][0].as_str().unwrap_or_else(|| panic!("{state}: {name}"));
        assert_eq!(name, format!("{logical}Arn"), "{state}");
        if state != "AwaitRun" {
            assert_eq!(logical, format!("{state}Function"), "one name for one thing");
        }
        called.insert(logical.to_owned());
    }
    let invoked: BTreeSet<String> =
        template["Resources"]["NotebookRun"]["Properties"]["Policies"][0]["Statement"][0]["Resource"]
            .as_array()
            .unwrap()
            .iter()
            .map(|arn| arn["Fn::GetAtt"][0].as_str().unwrap().to_owned())
            .collect();
    assert_eq!(called, invoked, "the machine's role may call what it calls, and nothing else");
}

/// The IAM action behind each port; none for what is no call.
fn actions() -> BTreeMap<&'static str, &'static [&'static str]> {
    [
        ("Clock", &[][..]),
        ("Nonces", &[]),
        ("DescribeNotebookInstance", &["sagemaker:DescribeNotebookInstance"]),
        ("StartNotebookInstance", &["sagemaker:StartNotebookInstance"]),
        ("StopNotebookInstance", &["sagemaker:StopNotebookInstance"]),
        // A missing object is answered 404 only to who may list.
        ("GetObject", &["s3:GetObject", "s3:ListBucket"]),
        ("PutObject", &["s3:PutObject"]),
        ("DeleteObject", &["s3:DeleteObject"]),
        ("ListObjects", &["s3:ListBucket"]),
        ("AnswerTask", &["states:SendTaskSuccess", "states:SendTaskFailure"]),
        ("DescribeExecution", &["states:DescribeExecution"]),
        ("DescribeWholeExecution", &["states:DescribeExecution"]),
        ("ListEndedExecutions", &["states:ListExecutions"]),
        ("PublishEvent", &["events:PutEvents"]),
    ]
    .into()
}

/// The ports of a step, from the bounds of its function.
fn ports(step: &str) -> BTreeSet<String> {
    let source = read(&format!("crates/protocol/src/steps/{step}.rs"));
    let function =
        source.split(&format!("pub async fn {step}<P>")).nth(1).unwrap_or_else(|| panic!("{step} takes ports"));
    let bounds = function.split("P:").nth(1).unwrap().split('{').next().unwrap();
    bounds.split(['+', ',']).map(|bound| bound.trim().to_owned()).filter(|bound| !bound.is_empty()).collect()
}

#[test]
fn every_role_grants_what_its_step_is_bound_to_and_nothing_else() {
    let known = actions();
    for (logical, function) in functions(&template("infra/template.yaml")) {
        let needed: BTreeSet<&str> = ports(&snake(&logical))
            .iter()
            .flat_map(|port| {
                known
                    .get(port.as_str())
                    .unwrap_or_else(|| panic!("{logical}: the port {port} has no action"))
                    .iter()
                    .copied()
            })
            .collect();
        let policies = function["Properties"]["Policies"].as_array().unwrap();
        let statements = policies.iter().flat_map(|policy| policy["Statement"].as_array().unwrap());
        let granted: Vec<String> = statements
            .flat_map(|statement| match &statement["Action"] {
                Value::String(action) => vec![action.clone()],
                actions => serde_json::from_value(actions.clone()).unwrap(),
            })
            .collect();
        let granted: BTreeSet<&str> = granted.iter().map(String::as_str).collect();
        assert_eq!(granted, needed, "{logical}");
    }
}

#[test]
fn every_task_says_which_execution_it_is() {
    for (name, state) in definition()["States"].as_object().unwrap() {
        if state["Type"] == "Task" {
            let execution = &state["Arguments"]["Payload"]["execution"];
            for field in ["arn", "name", "startTime", "redriveCount"] {
                assert!(execution[field].is_string(), "{name}: execution.{field}");
            }
        }
    }
}
