//! What may be changed of a stack that is there, and what the pages say of what may not: CloudFormation refuses some changes in the
//! middle of a deployment, and others make a resource anew.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::intrinsics::{ParametrisedStack, default_of};
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::{provider, read, template, templates};
use serde_json::{Value, json};

/// The part of a page from some words on, up to the end of its paragraph.
fn paragraph(page: &str, begins: &str) -> String {
    let text = read(page);
    let found = text.split(begins).nth(1).unwrap_or_else(|| panic!("{page} has no {begins}"));
    found.split("\n\n").next().unwrap().to_owned()
}

/// Scheduler takes no start that has passed, and a stack that is deployed again sends it again.
#[test]
fn a_start_that_has_passed_is_taken_away_wherever_a_schedule_is_deployed_again() {
    let description = template("infra/trigger-schedule.yaml")["Parameters"]["StartDate"]["Description"].clone();
    assert!(description.as_str().unwrap().contains("Once it has passed, leave it empty"), "{description}");
    for (page, begins) in [
        ("docs/triggers.md", "\n### Pause a trigger\n\n"),
        ("docs/triggers.md", "\n| `StartDate`, `EndDate` "),
        ("docs/upgrade.md", "\n2. **The stacks of [triggers]"),
    ] {
        assert!(paragraph(page, begins).contains("StartDate=`"), "{page}: {begins}");
    }
}

/// Every export that another template imports, as the main stack writes its name.
fn imported() -> BTreeSet<String> {
    fn imports(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let name = fields.get("Fn::ImportValue").and_then(|name| name["Fn::Sub"].as_str());
                found.extend(name.map(|name| name.replace("${Stack}", "${AWS::StackName}")));
                fields.values().for_each(|field| imports(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| imports(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for path in &templates() {
        imports(&template(path), &mut found);
    }
    found
}

/// What CloudFormation would have to make anew of a resource if it changed.
fn fixed(resource: &Value) -> Value {
    let Some(schema) = provider::schema(resource["Type"].as_str().unwrap()) else { return Value::Null };
    let properties = schema["createOnlyProperties"].as_array().into_iter().flatten();
    let names = properties.map(|path| path.as_str().unwrap().trim_start_matches("/properties/").to_owned());
    names.map(|name| (name.clone(), resource["Properties"][&name].clone())).collect::<serde_json::Map<_, _>>().into()
}

/// What the exports that are imported rest on, for a value of one parameter.
fn exported(template: &Value, given: &[(&str, &str)]) -> Vec<Value> {
    let stack = ParametrisedStack::new(template, given);
    let resources = stack.resources();
    let imported = imported();
    let outputs = template["Outputs"].as_object().unwrap().values();
    let outputs =
        outputs.filter(|output| output["Export"]["Name"]["Fn::Sub"].as_str().is_some_and(|it| imported.contains(it)));
    let of = |output: &Value| {
        let value = &output["Value"];
        let resource = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str()).unwrap();
        json!([stack.value(value), resources.get(resource).map(fixed)])
    };
    outputs.map(of).collect()
}

/// Another value than the default.
fn another(parameter: &Value) -> String {
    let default = default_of(parameter).unwrap_or_default();
    let allowed = parameter["AllowedValues"].as_array().into_iter().flatten();
    let other = allowed.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let other = other.into_iter().find(|value| *value != default);
    other.unwrap_or_else(|| if parameter["Type"] == "Number" { "7".to_owned() } else { format!("{default}x/") })
}

/// CloudFormation refuses to change an export while another stack imports it, and rolls the update back.
#[test]
fn the_page_names_each_parameter_that_changes_what_other_stacks_import() {
    let template = transformed("infra/template.yaml");
    let before = exported(&template, &[]);
    assert!(before.len() >= 9, "{before:?}");
    let mut changing = BTreeSet::new();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        if exported(&template, &[(name, &another(parameter))]) != before {
            changing.insert(name.clone());
        }
    }
    let named = paragraph("docs/parameters.md", " So while such a stack exists, you cannot change these:\n\n");
    let named = named.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next().map(str::to_owned));
    assert_eq!(named.collect::<BTreeSet<_>>(), changing);
    assert!(!changing.is_empty());
}

/// What a stack of an earlier version imports stays: CloudFormation removes no export that is in use.
#[test]
fn no_export_goes() {
    let template = template("infra/template.yaml");
    let exports = template["Outputs"].as_object().unwrap().values();
    let exports: BTreeSet<_> = exports.filter_map(|output| output["Export"]["Name"]["Fn::Sub"].as_str()).collect();
    for name in [
        "EventBusName",
        "EventsRoleArn",
        "FunctionLogGroup",
        "NotificationsTopicArn",
        "NotifyRuleName",
        "RunsBucketName",
        "SchedulerRoleArn",
        "StateMachineArn",
        "SweepFailuresName",
        "SweepFunctionName",
        "UndeliveredEventsArn",
        "UndeliveredEventsName",
    ] {
        assert!(exports.contains(format!("${{AWS::StackName}}-{name}").as_str()), "{name}");
    }
}

/// What a property of the instance is called on the page.
const CALLED: [(&str, &str); 9] = [
    ("DirectInternetAccess", "`DirectInternetAccess`"),
    ("InstanceType", "type"),
    ("KmsKeyId", "the key"),
    ("PlatformIdentifier", "platform"),
    ("RoleArn", "role"),
    ("RootAccess", "root access"),
    ("SecurityGroupIds", "security groups"),
    ("SubnetId", "subnet"),
    ("VolumeSizeInGB", "volume"),
];

#[test]
fn the_page_says_of_each_setting_of_an_instance_whether_it_can_be_changed() {
    let said = paragraph("docs/deploy.md", "\n**Changing an instance that a stack made.** ");
    let (changes, rest) = said.split_once(" can then be changed in place. ").unwrap();
    let (_, rest) = rest.split_once(". ").unwrap();
    let (stays, _) = rest.split_once(" cannot be\nchanged: ").unwrap();
    let instance = template("infra/instance.yaml")["Resources"]["Instance"].clone();
    let fixed = fixed(&instance);
    // Its name says which one it is; the others are no setting.
    let no_setting = ["NotebookInstanceName", "LifecycleConfigName", "InstanceMetadataServiceConfiguration", "Tags"];
    let mut seen = 0;
    for property in instance["Properties"].as_object().unwrap().keys() {
        if no_setting.contains(&property.as_str()) {
            continue;
        }
        let (_, word) = CALLED.iter().find(|(name, _)| name == property).unwrap_or_else(|| panic!("{property}"));
        let (there, elsewhere) = if fixed[property].is_null() { (changes, stays) } else { (stays, changes) };
        assert!(there.contains(word), "{property}: {there}");
        assert!(!elsewhere.contains(word), "{property}: {elsewhere}");
        seen += 1;
    }
    assert_eq!(seen, CALLED.len());
}

/// A role to which somebody attached the policy by hand keeps the old one when CloudFormation makes another, and that one cannot be
/// deleted. So the pages give it to the role by a parameter, and nothing that a release says makes another.
#[test]
fn a_release_does_not_make_the_runners_policy_anew() {
    let policy = template("infra/instance.yaml")["Resources"]["RunnerPolicy"].clone();
    let expected = json!({
        "Description": {"Fn::Sub": "What Reveille's runner does on the notebook instance ${InstanceName}."},
        "ManagedPolicyName": null,
        "Path": {"Ref": "RolePath"},
    });
    assert_eq!(fixed(&policy), expected, "a release that changes this replaces the policy of each instance");
    for page in ["docs/deploy.md", "docs/migration.md"] {
        let text = read(page);
        assert!(text.contains(" RoleName=") && !text.contains("attach-role-policy --role-name ROLE"), "{page}");
        assert!(!text.contains("aws iam attach-role-policy"), "{page}");
    }
}
