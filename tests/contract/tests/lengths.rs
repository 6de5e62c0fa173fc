//! The longest values that the templates' parameters take, and what AWS takes of what is made of them: names, the on-start script,
//! policies. A value that is too long is refused where it is typed, and not in the middle of a deployment.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeMap;

use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::{provider, template, templates};
use reveille_domain::ids::MAX_INSTANCE_NAME;
use reveille_domain::limits::MAX_RUNS_PREFIX;
use serde_json::Value;

/// IAM's quotas, "IAM and AWS STS quotas, name requirements, and character limits". White space does not count.
const MANAGED_POLICY: usize = 6_144;
/// All inline policies of one role together.
const INLINE_POLICIES: usize = 10_240;
/// SageMaker API, `NotebookInstanceLifecycleHook`.
const SCRIPT_BASE64: usize = 16_384;

const BUCKET: usize = 63;
const REGION: &str = "ap-southeast-1";
const KEY: &str = "arn:aws-us-gov:kms:ap-southeast-1:123456789012:key/mrk-0123456789abcdef0123456789abcdef";

/// The longest value of a parameter, by its own bound.
fn most(template: &Value, parameter: &str) -> usize {
    let bound = template["Parameters"][parameter]["MaxLength"].as_u64();
    usize::try_from(bound.unwrap_or_else(|| panic!("{parameter} has no MaxLength"))).unwrap()
}

/// A prefix of so many characters.
fn prefix(chars: usize) -> String {
    format!("{}/", "p".repeat(chars - 1))
}

/// The stack of an instance with everything as long as it may be.
fn longest_instance(template: &Value) -> BTreeMap<String, Value> {
    let name = "n".repeat(most(template, "InstanceName"));
    let runner = format!("{:x<1$}", "artifacts/reveille-runner", most(template, "RunnerKey"));
    let (bucket, prefix) = ("b".repeat(BUCKET), prefix(most(template, "RunsPrefix")));
    let commands = "x".repeat(most(template, "OnStartCommands"));
    let (path, sha256) = (prefix_of_roles(most(template, "RolePath")), "0123456789abcdef".repeat(4));
    let given = [
        ("InstanceName", name.as_str()),
        ("RunsBucket", &bucket),
        ("RunsPrefix", &prefix),
        ("RunnerKey", &runner),
        ("RunnerSha256", &sha256),
        ("OnStartCommands", &commands),
        ("ReadBucket", &bucket),
        ("RunsKeyArn", KEY),
        ("VolumeKeyArn", KEY),
        ("RolePath", &path),
    ];
    ParametrisedStack::new(template, &given).knowing(&ELSEWHERE).resources()
}

fn prefix_of_roles(chars: usize) -> String {
    format!("/{}/", "r".repeat(chars - 2))
}

/// Of another partition, whose names are longer.
const ELSEWHERE: [(&str, &str); 3] =
    [("AWS::Partition", "aws-us-gov"), ("AWS::Region", REGION), ("AWS::URLSuffix", "amazonaws.com.cn")];

/// The properties of a stack's resources that are longer than AWS takes, each as a sentence.
fn too_long(resources: &BTreeMap<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, resource) in resources {
        let Some(schema) = provider::schema(resource["Type"].as_str().unwrap()) else { continue };
        for (property, value) in resource["Properties"].as_object().into_iter().flatten() {
            let most = schema["properties"][property]["maxLength"].as_u64();
            let chars = value.as_str().map(|text| text.chars().count() as u64);
            if let (Some(chars), Some(most)) = (chars, most)
                && chars > most
            {
                found.push(format!("{name}'s {property} has {chars} characters, and AWS takes {most}"));
            }
        }
    }
    found
}

#[test]
fn the_longest_values_make_nothing_that_aws_finds_too_long() {
    let instance = template("infra/instance.yaml");
    let resources = longest_instance(&instance);
    assert_eq!(too_long(&resources), Vec::<String>::new());
    let name = resources["LifecycleConfig"]["Properties"]["NotebookInstanceLifecycleConfigName"].as_str().unwrap();
    let schema = provider::schema("AWS::SageMaker::NotebookInstanceLifecycleConfig").unwrap();
    let most = schema["properties"]["NotebookInstanceLifecycleConfigName"]["maxLength"].as_u64().unwrap();
    assert_eq!(name.len() as u64, most, "no name that would fit is refused");

    let mut longer = instance.clone();
    longer["Parameters"]["InstanceName"]["MaxLength"] = 55.into();
    let told = ["LifecycleConfig's NotebookInstanceLifecycleConfigName has 64 characters, and AWS takes 63"];
    assert_eq!(too_long(&longest_instance(&longer)), told);
}

/// Every place where an instance's name is typed has a bound: the pattern alone admits any number of hyphens.
#[test]
fn no_template_takes_a_name_that_no_instance_can_have() {
    let mut seen = 0;
    for path in templates() {
        for (name, parameter) in template(&path)["Parameters"].as_object().unwrap() {
            let is_name = parameter["AllowedPattern"].as_str().is_some_and(|pattern| pattern.contains("](-*["));
            if is_name {
                seen += 1;
                let most = parameter["MaxLength"].as_u64().unwrap_or_else(|| panic!("{path}: {name} has no MaxLength"));
                assert!(most <= MAX_INSTANCE_NAME as u64, "{path}: {name}");
            }
        }
    }
    assert!(seen >= 7, "{seen}: two of the stack, four of the triggers, the instance's own");
}

/// One bound, wherever the prefix is typed, and the one with which the domain's keys are tried.
#[test]
fn the_prefix_of_the_records_has_one_bound() {
    for path in ["infra/template.yaml", "infra/instance.yaml"] {
        assert_eq!(most(&template(path), "RunsPrefix"), MAX_RUNS_PREFIX, "{path}");
    }
}

#[test]
fn the_longest_script_is_one_that_sagemaker_takes() {
    let resources = longest_instance(&template("infra/instance.yaml"));
    let script = resources["LifecycleConfig"]["Properties"]["OnStart"][0]["Content"]["Fn::Base64"].as_str().unwrap();
    assert!(script.contains(&prefix(MAX_RUNS_PREFIX)) && script.contains("set -u\n"), "it is the script");
    let base64 = script.len().div_ceil(3) * 4;
    assert!(base64 <= SCRIPT_BASE64, "SageMaker takes {SCRIPT_BASE64} base64 characters of a script, and not {base64}");
}

/// The characters of a policy that count.
fn counted(document: &Value) -> usize {
    let text = document.to_string();
    assert!(text.contains("Statement"), "{text}");
    text.chars().filter(|letter| !letter.is_whitespace()).count()
}

#[test]
fn the_runners_policy_is_one_that_iam_takes() {
    let resources = longest_instance(&template("infra/instance.yaml"));
    let chars = counted(&resources["RunnerPolicy"]["Properties"]["PolicyDocument"]);
    assert!(chars <= MANAGED_POLICY, "IAM takes {MANAGED_POLICY} characters of a managed policy, and not {chars}");
}

/// The inline policies of each role of the main stack, those beside it among them.
#[test]
fn the_roles_policies_are_ones_that_iam_takes() {
    let mut template = transformed("infra/template.yaml");
    template["Mappings"]["Release"]["Runner"]["File"] = "reveille-runner-1".into();
    let (bucket, prefix) = ("b".repeat(BUCKET), prefix(MAX_RUNS_PREFIX));
    let given = [
        ("RunsPrefix", prefix.as_str()),
        ("ArtifactsBucket", &bucket),
        ("ArtifactsKeyArn", KEY),
        ("RunsKeyArn", KEY),
        ("InstanceNames", &bucket),
        ("InstancesInVpc", "true"),
        ("PublishProgress", "true"),
        ("InstanceKeyArns", KEY),
        ("InstanceRoleArns", "arn:aws-us-gov:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"),
        (
            "GitSecretArns",
            "arn:aws-us-gov:secretsmanager:ap-southeast-1:123456789012:secret:AmazonSageMaker-git-abcdef",
        ),
    ];
    let machine = format!("arn:aws-us-gov:states:{REGION}:123456789012:stateMachine:NotebookRun-0123456789ab");
    let known = [("RunsBucketParameter.Value", bucket.as_str()), ("NotebookRun", &machine)];
    let resources = ParametrisedStack::new(&template, &given).knowing(&ELSEWHERE).knowing(&known).resources();
    let of_type = |kind: &'static str| resources.iter().filter(move |(_, resource)| resource["Type"] == kind);
    let mut seen = 0;
    for (role, body) in of_type("AWS::IAM::Role") {
        let own = body["Properties"]["Policies"].as_array().into_iter().flatten();
        let name = Value::from(format!("${{{role}}}"));
        let beside = of_type("AWS::IAM::Policy").map(|(_, policy)| &policy["Properties"]);
        let beside = beside.filter(|policy| policy["Roles"].as_array().unwrap().contains(&name));
        let chars: usize = own.chain(beside).map(|policy| counted(&policy["PolicyDocument"])).sum();
        assert!(chars > 0 && chars <= INLINE_POLICIES, "{role}: IAM takes {INLINE_POLICIES} characters, not {chars}");
        seen += 1;
    }
    assert!(seen >= 12, "{seen}: nine functions, the state machine, EventBridge and Scheduler");
}
