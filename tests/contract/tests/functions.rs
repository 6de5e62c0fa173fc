//! States, functions, their files, their roles.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::{definition, files, functions, read, root, snake, template};
use serde_json::{Value, json};

/// `AdmitRunFunction` to `admit_run`.
fn step_of(logical: &str) -> String {
    snake(logical.strip_suffix("Function").expect("functions are called ...Function"))
}

/// CloudFormation's: it has no room, because it is no part of a run.
const INSTALLER: &str = "InstallRunnerFunction";

/// The functions that have a step.
fn with_a_step(template: &Value) -> BTreeMap<String, Value> {
    let mut all = functions(template);
    all.remove(INSTALLER).expect("the template has it");
    all
}

/// The steps: the rooms of `crates/protocol/src` whose function, of the room's own name, takes its own input.
fn steps() -> BTreeSet<String> {
    let rooms = files("crates/protocol/src").into_iter().filter_map(|file| file.strip_suffix(".rs").map(str::to_owned));
    rooms
        .filter(|room| {
            let source = read(&format!("crates/protocol/src/{room}.rs"));
            let function = source.split(&format!("pub async fn {room}<P>(")).nth(1).unwrap_or_default();
            function.split(')').next().unwrap().contains("Input")
        })
        .collect()
}

#[test]
fn every_function_has_its_room_its_step_and_its_handler() {
    let template = template("infra/template.yaml");
    let main = read("functions/src/main.rs");
    let steps_listed = read("crates/protocol/src/step.rs");
    let mut names = BTreeSet::new();
    for (logical, function) in with_a_step(&template) {
        let name = step_of(&logical);
        assert_eq!(function["Properties"]["Handler"], *name, "{logical}");
        assert!(main.contains(&format!("use reveille_protocol::{name}::{name};")), "main.rs calls {name}");
        assert!(steps_listed.contains(&format!("\"{name}\"")), "step.rs names {name}");
        assert!(files("crates/protocol/tests").contains(&format!("{name}.rs")), "crates/protocol/tests/{name}.rs");
        assert_eq!(function["Metadata"]["BuildProperties"]["Binary"], "bootstrap", "{logical}");
        names.insert(name);
    }
    assert_eq!(steps(), names, "every step has a function in the template");
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
        assert_eq!(logical, format!("{state}Function"), "one name for one thing");
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
        ("Sleep", &[]),
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
    let source = read(&format!("crates/protocol/src/{step}.rs"));
    let function =
        source.split(&format!("pub async fn {step}<P>")).nth(1).unwrap_or_else(|| panic!("{step} takes ports"));
    let bounds = function.split("P:").nth(1).unwrap().split('{').next().unwrap();
    bounds.split(['+', ',']).map(|bound| bound.trim().to_owned()).filter(|bound| !bound.is_empty()).collect()
}

#[test]
fn every_role_grants_what_its_step_is_bound_to_and_nothing_else() {
    let known = actions();
    let template = template("infra/template.yaml");
    for (logical, function) in with_a_step(&template) {
        let needed: BTreeSet<&str> = ports(&step_of(&logical))
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
        let mut granted: BTreeSet<String> = policies.iter().flat_map(granted_by).collect();
        for (_, policy) in policies_of_role(&template, &logical) {
            if policy["Condition"].is_null() {
                granted.extend(granted_by(&policy["Properties"]["PolicyDocument"]));
            }
        }
        let granted: BTreeSet<&str> = granted.iter().map(String::as_str).collect();
        assert_eq!(granted, needed, "{logical}");
    }
}

/// What CloudFormation calls: its handler, its folder, its tests, and the resource that waits for it.
#[test]
fn the_installer_is_no_step_and_has_its_place() {
    let template = template("infra/template.yaml");
    let installer = &functions(&template)[INSTALLER]["Properties"];
    let name = step_of(INSTALLER);
    assert_eq!(installer["Handler"], *name);
    assert!(read("functions/src/handler.rs").contains(&format!("\"{name}\"")), "handler.rs names it");
    assert!(
        read("functions/README.md").contains(&format!("functions/src/{name}.rs")),
        "functions/README.md has its row"
    );
    assert!(
        read(&format!("functions/src/{name}.rs")).starts_with("//! **InstallRunner**: "),
        "its file begins with its name"
    );
    assert!(files("functions/tests").contains(&format!("{name}.rs")), "functions/tests/{name}.rs");
    assert!(!steps().contains(&name), "it is no room of the protocol");
    let resource = &template["Resources"]["InstalledRunner"];
    assert_eq!(resource["Properties"]["ServiceToken"], json!({"Fn::GetAtt": [INSTALLER, "Arn"]}));
    assert_eq!(
        resource["Condition"],
        functions(&template)[INSTALLER]["Condition"],
        "there with the function, or not at all"
    );
    // A call that fails is sent again twice, after one and two minutes.
    let time = resource["Properties"]["ServiceTimeout"].as_u64().unwrap();
    assert!(time >= 3 * installer["Timeout"].as_u64().unwrap() + 180, "{time}");
    let granted: BTreeSet<String> = installer["Policies"].as_array().unwrap().iter().flat_map(granted_by).collect();
    assert_eq!(granted, ["s3:GetObject", "s3:ListBucket", "s3:PutObject"].map(String::from).into());
}

/// The actions that a policy document allows, but for those that only a parameter asks for.
fn granted_by(document: &Value) -> Vec<String> {
    let statements = document["Statement"].as_array().unwrap().iter();
    statements
        .filter(|statement| statement["Fn::If"].is_null() && statement["Effect"] == "Allow")
        .flat_map(|statement| match &statement["Action"] {
            Value::String(action) => vec![action.clone()],
            actions => serde_json::from_value(actions.clone()).unwrap(),
        })
        .collect()
}

/// The policies beside the function that its role has, by their names.
fn policies_of_role(template: &Value, logical: &str) -> BTreeMap<String, Value> {
    let role = json!({"Ref": format!("{logical}Role")});
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == "AWS::IAM::Policy")
        .filter(|(_, policy)| policy["Properties"]["Roles"].as_array().unwrap().contains(&role))
        .map(|(name, policy)| (name.clone(), policy.clone()))
        .collect()
}

/// AWS's table of API permissions for StartNotebookInstance, but for the action itself: asked for by a parameter, given to the
/// role of StartInstance alone, and bound to what the parameter names.
#[test]
fn what_some_instances_need_to_start_is_off_until_asked_for_and_start_instances_alone() {
    let template = template("infra/template.yaml");
    let expected = [
        ("InstanceRoleArns", &["iam:PassRole"][..]),
        (
            "InstancesInVpc",
            &[
                "ec2:AttachNetworkInterface",
                "ec2:CreateNetworkInterface",
                "ec2:DescribeAvailabilityZones",
                "ec2:DescribeInternetGateways",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
                "ec2:ModifyNetworkInterfaceAttribute",
            ],
        ),
        ("InstanceKeyArns", &["kms:CreateGrant"]),
        ("GitSecretArns", &["secretsmanager:GetSecretValue"]),
    ];
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (logical, _) in functions(&template) {
        for (name, policy) in policies_of_role(&template, &logical) {
            let Some(condition) = policy["Condition"].as_str() else { continue };
            // Of whoever uses the bucket: iam.rs looks at it.
            if condition == "UsesRunsKey" {
                continue;
            }
            assert_eq!(logical, "StartInstanceFunction", "{name}");
            assert_eq!(policy["Properties"]["Roles"].as_array().unwrap().len(), 1, "{name}");
            let asked = template["Conditions"][condition].to_string();
            let (parameter, _) =
                *expected.iter().find(|(parameter, _)| asked.contains(parameter)).expect("a parameter");
            let default = template["Parameters"][parameter]["Default"].as_str().unwrap();
            assert!(["", "false"].contains(&default), "{parameter} is off by default");
            let document = &policy["Properties"]["PolicyDocument"];
            for statement in document["Statement"].as_array().unwrap() {
                let bound = statement["Resource"]["Ref"] == parameter;
                assert!(bound || parameter == "InstancesInVpc", "{name} is bound to what the parameter names");
            }
            found.entry(parameter.to_owned()).or_default().extend(granted_by(document));
        }
    }
    let expected = expected.iter().map(|(parameter, actions)| {
        ((*parameter).to_owned(), actions.iter().map(|action| (*action).to_owned()).collect::<BTreeSet<_>>())
    });
    assert_eq!(found, expected.collect());
    let conditions =
        |name: &str| template["Resources"][name]["Properties"]["PolicyDocument"]["Statement"][0]["Condition"].clone();
    let to_sagemaker = json!({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}});
    assert_eq!(conditions("StartInstancePassesRoles"), to_sagemaker);
    assert_eq!(conditions("StartInstanceUsesKeys"), json!({"Bool": {"kms:GrantIsForAWSResource": "true"}}));
}

#[test]
fn no_policy_reaches_the_executions_of_other_state_machines() {
    let text = read("infra/template.yaml");
    assert!(!text.contains(":execution:*"), "name the state machine: execution:${{NotebookRun.Name}}:*");
    let ours = "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:execution:${NotebookRun.Name}:*";
    let statements = statements_with("states:", &template("infra/template.yaml"));
    for statement in &statements {
        // The callbacks have no resource in IAM: the token is the capability.
        let actions = statement["Action"].to_string();
        let known = if actions.contains("SendTask") {
            statement["Resource"] == "*"
        } else {
            statement["Resource"] == json!({"Ref": "NotebookRun"}) || statement["Resource"] == json!({"Fn::Sub": ours})
        };
        assert!(known, "{statement}");
    }
    assert_eq!(statements.len(), 5, "describe, list, callbacks, and the start by rules and by schedules");
}

/// Every statement in a template that has an action of this service.
fn statements_with(service: &str, value: &Value) -> Vec<Value> {
    let inside: Vec<Value> = match value {
        Value::Object(fields) => fields.values().flat_map(|field| statements_with(service, field)).collect(),
        Value::Array(items) => items.iter().flat_map(|item| statements_with(service, item)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    if value["Effect"].is_string() && value["Action"].to_string().contains(&format!("\"{service}")) {
        return vec![value.clone()];
    }
    inside
}

/// A service sends `aws:SourceAccount` or `aws:SourceArn` only where its documents say so. None does for a role that it
/// assumes here; a condition that needs the key would lock the service out.
#[test]
fn a_trust_policy_asks_for_the_callers_account_only_if_it_is_told() {
    let mut trusts = 0;
    for path in ["infra/template.yaml", "infra/instance.yaml"] {
        for (name, resource) in template(path)["Resources"].as_object().unwrap() {
            let document = &resource["Properties"]["AssumeRolePolicyDocument"];
            for statement in document["Statement"].as_array().into_iter().flatten() {
                trusts += 1;
                for (operator, keys) in statement["Condition"].as_object().into_iter().flatten() {
                    let source = keys.as_object().unwrap().keys().any(|key| key.starts_with("aws:Source"));
                    assert!(!source || operator.ends_with("IfExists"), "{path}, {name}: {operator}");
                }
            }
        }
    }
    assert_eq!(trusts, 3, "of the rules' role, the schedules', and the instance's");
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

/// Somebody who has only the picture of the console finds by a state's name, without a search, all that is its: where the name is the
/// path, a look at the folder is enough. (The function's own tests hold the rest: its line in the table, its step, its handler.)
#[test]
fn a_states_name_alone_leads_to_all_that_is_its() {
    let (template, definition) = (template("infra/template.yaml"), definition());
    let pages = ["docs/architecture.md", "docs/iam.md"].map(read);
    let mut tasks = 0;
    for (state, body) in definition["States"].as_object().unwrap() {
        assert!(pages[0].contains(state.as_str()), "docs/architecture.md tells what {state} is for");
        if body["Type"] != "Task" {
            continue;
        }
        tasks += 1;
        let room = snake(state);
        let function = &template["Resources"][format!("{state}Function")];
        assert_eq!(function["Properties"]["Handler"], *room, "{state}Function is its function");
        assert!(
            function["Properties"]["Policies"].is_array(),
            "{state}Function has a role of its own, {state}FunctionRole"
        );
        let effects = read(&format!("crates/protocol/src/{room}.rs"));
        // What to do about a boot is decided for VerifyStopped, for the sweeper and for CheckInstance alike.
        let decisions = if state == "VerifyStopped" { "bring_to_rest" } else { &room };
        assert!(
            read(&format!("crates/protocol/src/{decisions}/decide.rs")).starts_with("//! "),
            "{decisions}/decide.rs"
        );
        let module_doc: String = effects.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(decisions == room || module_doc.contains(decisions), "{room}.rs says at its top where it decides");
        assert!(
            effects.starts_with(&format!("//! **{state}**: ")),
            "crates/protocol/src/{room}.rs begins with its state"
        );
        assert!(effects.contains(&format!("pub async fn {room}<P>(")), "{room}::{room} is the step");
        assert!(effects.contains(&format!("pub struct {state}Input")), "{state}Input is what it is given");
        assert!(root().join(format!("crates/protocol/tests/{room}.rs")).is_file(), "its test is {room}.rs");
        assert!(pages[0].contains(&format!("**{state}**")), "docs/architecture.md has its paragraph");
        assert!(pages[1].contains(state.as_str()), "docs/iam.md has its role");
    }
    assert_eq!(tasks, 6, "AdmitRun to ConcludeRun");
}
