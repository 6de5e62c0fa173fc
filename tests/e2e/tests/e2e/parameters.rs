//! Every template, deployed with a value for every parameter: no engine refuses one, each arrives where it belongs, and a run goes through all
//! of it. The values are `tests/e2e/src/parameters.rs`.

use std::collections::BTreeMap;
use std::fs;

use reveille_e2e_tests::parameters::{SET, STACK};
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::Command;
use serde_json::{Value, json};

use crate::Scenario;
use crate::release::{Shell, ended, released};
use crate::stacks::{aws, service, typed};

pub const ALL: &[Scenario] =
    &[("parameters::each_template_takes_a_value_for_each_of_its_parameters", |h, w| h.block_on(every(w)))];

/// What the values name with `<...>`.
type Known = BTreeMap<String, String>;

/// What somebody has before they deploy.
async fn prepared(world: &LocalAws, shell: &Shell<'_>) -> Known {
    for name in ["artifacts", "uploads", "logs"] {
        shell.types(&format!("aws s3 mb s3://every-{name}")).await;
    }
    shell.types("aws s3 cp dist/ s3://every-artifacts/releases/1/ --recursive").await;
    service(world, "events create-event-bus --name every").await;
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    let policy = format!("iam create-policy --policy-name every --policy-document '{document}' --query Policy.Arn");
    let key = service(world, "kms create-key --query KeyMetadata.Arn --output text").await;
    let topic = service(world, "sns create-topic --name every --query TopicArn --output text").await;
    let boundary = service(world, &format!("{policy} --output text")).await;
    [("KEY", key), ("TOPIC", topic), ("BOUNDARY", boundary)].map(|(name, value)| (name.to_owned(), value)).into()
}

fn filled(value: &str, known: &Known) -> String {
    known.iter().fold(value.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
}

/// Deploys a template of the release with all of its values.
async fn deploy(shell: &Shell<'_>, (path, stack, set): (&str, &str, &[(&str, &str)]), known: &Known) {
    let values: Vec<String> = set.iter().map(|(name, value)| format!("{name}={}", filled(value, known))).collect();
    fs::write(shell.folder.join("every.json"), json!(values).to_string()).unwrap();
    let file = path.trim_start_matches("infra/");
    let command = format!(
        "aws cloudformation deploy --cli-read-timeout 0 --stack-name {stack} --template-file dist/{file} --s3-bucket every-artifacts \
         --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides file://every.json"
    );
    shell.types(&command).await;
}

/// The physical id of a resource.
async fn physical(world: &LocalAws, stack: &str, logical: &str) -> String {
    let describe =
        format!("cloudformation describe-stack-resource --stack-name {stack} --logical-resource-id {logical}");
    let id = aws(world, &format!("{describe} --query StackResourceDetail.PhysicalResourceId")).await;
    id.as_str().unwrap_or_else(|| panic!("{stack} has no {logical}")).to_owned()
}

async fn every(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    released(world, folder.path(), "0.3.0", "dist");
    let shell = Shell::new(world, folder.path(), STACK);
    let mut known = prepared(world, &shell).await;
    for (path, stack, set) in SET {
        deploy(&shell, (path, stack, set), &known).await;
        if *stack == STACK {
            for output in ["RunsBucketName", "RunnerKey", "RunnerSha256"] {
                known.insert(output.to_owned(), shell.output(output).await);
            }
        }
    }
    of_the_stack(world).await;
    of_the_instance(world, &known).await;
    of_the_small_stacks(world, &known).await;
    ran(world, &shell, &known).await;

    for (_, stack, _) in SET.iter().rev() {
        shell.types(&format!("aws cloudformation delete-stack --stack-name {stack}")).await;
        shell.types(&format!("aws cloudformation wait stack-delete-complete --stack-name {stack}")).await;
    }
}

async fn of_the_stack(world: &LocalAws) {
    for logical in ["ConcludeRunFunctionRole", "NotebookRunRole", "EventsRole"] {
        let name = physical(world, STACK, logical).await;
        let role = aws(world, &format!("iam get-role --role-name {name} --query Role")).await;
        assert_eq!(role["Path"], "/every/", "{logical}");
        let tag = json!({"Key": "reveille:owner", "Value": "every team"});
        assert!(role["Tags"].as_array().is_some_and(|tags| tags.contains(&tag)), "{logical}: {role}");
    }
    let start = physical(world, STACK, "StartInstanceFunctionRole").await;
    let policies = aws(world, &format!("iam list-role-policies --role-name {start} --query PolicyNames")).await;
    for policy in ["PassesRoles", "InVpc", "UsesKeys", "ReadsGitSecrets"] {
        assert!(policies.to_string().contains(&format!("StartInstance{policy}")), "{policy}: {policies}");
    }
    let rules = aws(world, "events list-rules --event-bus-name every --query Rules[].Name").await;
    assert!(rules.to_string().contains("NotifyRule"), "the rule is on the bus: {rules}");
    let topic = physical(world, STACK, "Notifications").await;
    let subscribed = format!("sns list-subscriptions-by-topic --topic-arn {topic} --query Subscriptions[].Endpoint");
    assert_eq!(aws(world, &subscribed).await, json!(["every@example.com"]));
    let group = "logs describe-log-groups --log-group-name-prefix /reveille/every --query logGroups[0].retentionInDays";
    assert_eq!(aws(world, group).await, 30);
}

async fn of_the_instance(world: &LocalAws, known: &Known) {
    let describe = "sagemaker describe-notebook-instance --notebook-instance-name every";
    let instance: Value = serde_json::from_str(&typed(world, &format!("aws {describe} --output json")).await).unwrap();
    for (member, expected) in [
        ("InstanceType", json!("ml.t3.large")),
        ("VolumeSizeInGB", json!(21)),
        ("SubnetId", json!("subnet-0123456789abcdef0")),
        ("SecurityGroups", json!(["sg-0123456789abcdef0", "sg-0123456789abcdef1"])),
        ("DirectInternetAccess", json!("Disabled")),
        ("RootAccess", json!("Disabled")),
        ("KmsKeyId", json!(known["KEY"])),
    ] {
        assert_eq!(instance[member], expected, "{member}");
    }
    assert!(instance["RoleArn"].as_str().unwrap().contains(":role/every/every-instance-"), "{instance}");
    let role = physical(world, "every-instance", "Role").await;
    let reads = aws(world, &format!("iam list-role-policies --role-name {role} --query PolicyNames")).await;
    assert!(reads.to_string().contains("ReadBucket"), "{reads}");
}

async fn of_the_small_stacks(world: &LocalAws, known: &Known) {
    let upload = physical(world, "every-upload", "ObjectCreatedRule").await;
    let state = format!("events describe-rule --name {upload} --query State");
    assert_eq!(aws(world, &state).await, "DISABLED");
    let rules = aws(world, "events list-rules --event-bus-name every --query Rules[].Name").await;
    assert!(rules.to_string().contains("every-run-"), "a run follows where runs are published: {rules}");
    let schedule = physical(world, "every-schedule", "Schedule").await;
    let schedule = aws(world, &format!("scheduler get-schedule --name {schedule}")).await;
    assert_eq!(schedule["State"], "DISABLED");
    assert_eq!(schedule["FlexibleTimeWindow"]["Mode"], "FLEXIBLE");
    let alarms = aws(world, "cloudwatch describe-alarms --alarm-name-prefix every-alarms").await;
    let alarms = alarms["MetricAlarms"].as_array().unwrap();
    assert_eq!(alarms.len(), 11);
    for alarm in alarms {
        assert_eq!(alarm["AlarmActions"], json!([known["TOPIC"]]), "{alarm}");
    }
}

/// A run through the prefix, the key, the pinned runner and the commands.
async fn ran(world: &LocalAws, shell: &Shell<'_>, known: &Known) {
    world.by_hand(Command::Stop { name: STACK.to_owned() });
    world.until_status(STACK, "Stopped").await;
    world.put_notebook(STACK, "run.ipynb", &Notebook::of(&["import os\nassert os.environ['PIP_MARK'] == 'every'"]));
    let machine = shell.output("StateMachineArn").await;
    let input = json!({"instance": STACK, "notebook": "run.ipynb"});
    let start = format!("stepfunctions start-execution --state-machine-arn {machine} --input '{input}'");
    let execution = service(world, &format!("{start} --query executionArn --output text")).await;
    let outcome = ended(world, &execution).await;
    assert_eq!(outcome["status"], "SUCCEEDED", "{outcome}");
    let output = outcome["outputs"]["notebook"].as_str().unwrap_or_else(|| panic!("{outcome}"));
    assert!(output.starts_with(&format!("s3://{}/every/runs/every/", known["RunsBucketName"])), "{output}");
    world.assert_at_rest(STACK, 1).await;
}
