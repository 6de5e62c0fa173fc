//! Runs last: what the roles really called, held against their policies in the templates.

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::iam;
use reveille_contract_tests::policy::{
    CheckedCall, Grant, Unused, conditions_that_do_not_count, granted_twice, grants, not_granted, not_used,
};
use reveille_e2e_tests::LocalAws;
use reveille_local::{ACCOUNT, REGION, RoleCall};

use crate::services;
use crate::stacks::aws;

/// The role of `infra/instance.yaml`; the local instances' roles are named like the instances.
const INSTANCE_ROLE: &str = "Role";
pub const TEMPLATE: &str = "infra/template.yaml";
const INSTANCE_TEMPLATE: &str = "infra/instance.yaml";

/// The stack of these tests.
const STACK: &str = "reveille";
/// Instances that other stacks of the same template use: their records are in those stacks' buckets.
const OF_OTHER_STACKS: [&str; 7] = ["released", "by-sam", "keyed", "wide", "telling", "undoctored", "doctor-older"];
/// The action of a note that says that the notes are not all.
const NOT_ALL: &str = "reveille:unknown";
/// A reader that finds what it looks for never needs this.
const WHEN_GONE: &str = "only where a record is removed between two calls";
/// The stack of these tests has a runner and no archive of papermill; `release.rs` deploys one that has both.
const OF_A_RELEASE: &str = "papermill's archive is a release's";
/// The stack of these tests publishes no progress; `progress.rs` deploys one that does, and looks at its role.
const OF_PROGRESS: &str = "only with PublishProgress";
/// The local services write no logs as the role.
const BY_THE_SERVICE: &str = "SageMaker writes the lifecycle scripts' and Jupyter's logs as the instance's role";

/// What no scenario is sure to call, and why. What is called all the same is no fault: much of it depends on who is faster.
const UNUSED: &[Unused] = &[
    unused("InstallRunnerFunctionRole", "s3:GetObject", "ArtifactsPrefix}reveille-engine", OF_A_RELEASE),
    unused("InstallRunnerFunctionRole", "s3:GetObject", "/artifacts/reveille-engine", OF_A_RELEASE),
    unused("InstallRunnerFunctionRole", "s3:PutObject", "/artifacts/reveille-engine", OF_A_RELEASE),
    unused(
        "InstallRunnerFunctionRole",
        "s3:ListBucket",
        "ArtifactsBucket",
        "only where a file of the release is missing",
    ),
    unused(
        "SchedulerRole",
        "sqs:SendMessage",
        "",
        "Scheduler keeps what it could not deliver; the local one has no such queue",
    ),
    unused(
        "SweepFunctionRole",
        "sqs:SendMessage",
        "",
        "Lambda keeps what failed at each try; the local one has no such queue",
    ),
    unused(
        "AdmitRunFunctionRole",
        "s3:GetObject",
        "request.json",
        "a call that is tried again after it recorded the request",
    ),
    unused("PublishProgressFunctionRole", "s3:GetObject", "", OF_PROGRESS),
    unused("PublishProgressFunctionRole", "s3:ListBucket", "", OF_PROGRESS),
    unused("PublishProgressFunctionRole", "events:PutEvents", "", OF_PROGRESS),
    unused(
        "PublishProgressFunctionRole",
        "sqs:SendMessage",
        "",
        "Lambda keeps what failed at each try; the local one has no such queue",
    ),
    unused("AdmitRunFunctionRole", "s3:ListBucket", "", WHEN_GONE),
    unused(
        "CheckInstanceFunctionRole",
        "s3:GetObject",
        "inbox/",
        "who waits, where a run may not and the lease names nobody",
    ),
    unused("CheckInstanceFunctionRole", "s3:PutObject", "leases/", "a boot that came up without a runner"),
    unused("AwaitRunFunctionRole", "s3:DeleteObject", "inbox/", "a wait that begins again after the report"),
    unused("AwaitRunFunctionRole", "states:SendTaskSuccess", "", "a wait that begins again after the report"),
    unused("AwaitRunFunctionRole", "states:SendTaskFailure", "", "a wait that begins again after the report"),
    unused(
        "VerifyStoppedFunctionRole",
        "s3:PutObject",
        "report.json",
        "a run that was given up and that nobody claimed",
    ),
    unused(
        "ConcludeRunFunctionRole",
        "s3:PutObject",
        "report.json",
        "a run that was given up and that VerifyStopped could not withdraw",
    ),
    unused(
        "SweepFunctionRole",
        "sagemaker:StopNotebookInstance",
        "",
        "an instance left on by an execution that ended and a runner that is dead",
    ),
    unused(
        "SweepFunctionRole",
        "s3:PutObject",
        "leases/",
        "a boot that nobody came back to: each minute it looks, others may be faster",
    ),
    unused(
        "SweepFunctionRole",
        "s3:PutObject",
        "history/",
        "a run that ConcludeRun did not conclude, or could not enter into the history",
    ),
    unused(
        "SweepFunctionRole",
        "s3:DeleteObject",
        "inbox/",
        "the ticket of an aborted run, where no runner was faster",
    ),
    unused("Role", "s3:DeleteObject", "leases/", "a boot that a person started while a start of ours was under way"),
    unused("Role", "s3:ListBucket", "ReadBucket", "notebooks list their own data; the scenarios' only read it"),
    unused("Role", "logs:CreateLogGroup", "", BY_THE_SERVICE),
    unused("Role", "logs:CreateLogStream", "", BY_THE_SERVICE),
    unused("Role", "logs:PutLogEvents", "", BY_THE_SERVICE),
    unused("Role", "logs:DescribeLogStreams", "", BY_THE_SERVICE),
];

const fn unused(role: &'static str, action: &'static str, on: &'static str, why: &'static str) -> Unused {
    Unused { role, action, on, why }
}

/// What a stack knows: a value for each name that stands in the policies.
pub struct JudgedStack {
    name: String,
    /// `${...}` to its value.
    values: Vec<(String, String)>,
    /// The roles' physical names to their logical ones.
    pub roles: BTreeMap<String, String>,
}

impl JudgedStack {
    pub async fn of(world: &LocalAws, name: &str) -> Self {
        let stack = aws(world, &format!("cloudformation describe-stacks --stack-name {name} --query Stacks[0]")).await;
        let outputs = stack["Outputs"].as_array().expect("outputs").iter();
        let bucket = outputs.filter(|output| output["OutputKey"] == "RunsBucketName");
        let bucket = bucket.map(|output| output["OutputValue"].as_str().expect("a name")).next().expect("a bucket");
        let mut values: Vec<(String, String)> = [
            ("${AWS::Partition}", "aws"),
            ("${AWS::Region}", REGION),
            ("${AWS::AccountId}", ACCOUNT),
            ("${AWS::URLSuffix}", "amazonaws.com"),
            ("${RunsBucketParameter.Value}", bucket),
            ("${RunsBucket}", bucket),
            ("${ReadBucket}", world.local().trigger_bucket()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        for parameter in stack["Parameters"].as_array().expect("parameters") {
            let [key, value] = ["ParameterKey", "ParameterValue"].map(|it| parameter[it].as_str().expect("a text"));
            values.push((format!("${{{key}}}"), value.to_owned()));
        }
        let mut roles = BTreeMap::new();
        let described = aws(world, &format!("cloudformation describe-stack-resources --stack-name {name}")).await;
        for resource in described["StackResources"].as_array().expect("resources") {
            let [logical, physical, kind] = ["LogicalResourceId", "PhysicalResourceId", "ResourceType"]
                .map(|name| resource[name].as_str().unwrap_or_default());
            let last = physical.rsplit(['/', ':']).next().unwrap_or_default();
            let arn = match kind {
                "AWS::Lambda::Function" => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{last}"),
                "AWS::SQS::Queue" => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{last}"),
                "AWS::Events::Rule" => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{last}"),
                "AWS::StepFunctions::StateMachine" | "AWS::SNS::Topic" => physical.to_owned(),
                "AWS::IAM::Role" => {
                    roles.insert(physical.to_owned(), logical.to_owned());
                    continue;
                }
                _ => continue,
            };
            values.push((format!("${{{logical}.Name}}"), last.to_owned()));
            values.push((format!("${{{logical}}}"), arn));
        }
        Self { name: name.to_owned(), values, roles }
    }

    /// A text of a policy, for the instance whose role makes the call.
    pub fn resolve(&self, text: &str, instance: &str) -> String {
        let text = text.replace("${InstanceName}", instance);
        let text = self.values.iter().fold(text, |text, (name, value)| text.replace(name, value));
        assert!(!text.contains("${"), "{text}: this test does not know what stands there");
        text
    }

    /// The logical name of what has this ARN.
    pub fn logical(&self, arn: &str) -> Option<&str> {
        let found = self.values.iter().find(|(name, value)| value == arn && !name.contains('.'));
        found.map(|(name, _)| name.trim_start_matches("${").trim_end_matches('}'))
    }
}

/// Every grant of both templates, with the parameters that scenarios use.
fn all_grants(parameters: &[&str]) -> Vec<Grant> {
    let roles = [TEMPLATE, INSTANCE_TEMPLATE].into_iter().flat_map(iam::roles);
    roles.flat_map(|role| grants(&role, parameters)).collect()
}

/// What roles called, by the roles' logical names, and the faults of the notes: a role of the stack that it does not have,
/// and notes that are not all. Roles of other stacks are left out.
fn calls(
    noted: Vec<RoleCall>,
    stack: &JudgedStack,
    is_instance: &dyn Fn(&str) -> bool,
) -> (BTreeSet<CheckedCall>, BTreeSet<String>) {
    let (mut calls, mut faults) = (BTreeSet::new(), BTreeSet::new());
    let of_the_stack = format!("{}-", stack.name);
    for call in noted {
        let by = call.role.rsplit('/').next().expect("a name").to_owned();
        // CloudFormation names the role of an instance's stack by the stack, which the scenario names by the instance.
        let by = by.split_once("-Role-").map_or(by.clone(), |(stack, _)| stack.to_owned());
        let role = match stack.roles.get(&by) {
            Some(logical) => logical.clone(),
            None if is_instance(&by) => INSTANCE_ROLE.to_owned(),
            None => {
                let RoleCall { role, action, resource, .. } = call;
                if by.starts_with(&of_the_stack) {
                    faults.insert(format!("{role} calls {action} on {resource}, and the stack has no such role"));
                } else if action == NOT_ALL {
                    faults.insert(format!("{role} made calls that were not noted or not understood: {resource}"));
                }
                continue;
            }
        };
        calls.insert(CheckedCall { role, by, action: call.action, resource: call.resource, context: call.context });
    }
    (calls, faults)
}

/// What is wrong. `whole`: every scenario ran well, so that what was not called is called by none.
pub async fn faults(world: &LocalAws, whole: bool) -> Vec<String> {
    let stack = JudgedStack::of(world, STACK).await;
    let noted = world.local().role_calls().expect("the calls are read");
    let of_services = services::faults(&stack, &noted, whole);
    let is_instance = |by: &str| !OF_OTHER_STACKS.contains(&by) && world.local().service().calls(by).is_some();
    let (calls, not_held) = calls(noted, &stack, &is_instance);
    let grants = all_grants(&["ReadBucket"]);
    let resolve = |resource: &str, call: &CheckedCall| stack.resolve(resource, &call.by);
    let mut faults: Vec<String> = not_held.into_iter().chain(of_services).collect();
    faults.extend(not_granted(&grants, &calls, &resolve));
    faults.extend(granted_twice(&grants, &calls, &resolve));
    faults.extend(conditions_that_do_not_count(&grants, &calls, &resolve));
    if whole {
        faults.extend(not_used(&grants, &calls, UNUSED, &resolve));
    }
    faults
}

/// What is wrong with what the roles of another stack of the template called, and with what its only instance did. Also which roles used
/// an action.
pub async fn faults_of(world: &LocalAws, name: &str, parameters: &[&str], action: &str) -> (Vec<String>, Vec<String>) {
    let stack = JudgedStack::of(world, name).await;
    let noted = world.local().role_calls().expect("the calls are read");
    let (calls, faults) = calls(noted, &stack, &|by| by == name);
    let grants = all_grants(parameters);
    let resolve = |resource: &str, call: &CheckedCall| stack.resolve(resource, &call.by);
    let mut faults: Vec<String> = faults.into_iter().collect();
    faults.extend(not_granted(&grants, &calls, &resolve));
    faults.extend(conditions_that_do_not_count(&grants, &calls, &resolve));
    let used: BTreeSet<String> = calls.into_iter().filter(|call| call.action == action).map(|call| call.role).collect();
    (faults, used.into_iter().collect())
}

/// The faults, as they are printed.
pub fn told(faults: &[String], whole: bool) -> String {
    let held = if whole { "what roles call is what they are granted" } else { "what roles call is granted" };
    match faults {
        [] => format!("permissions: {held} ... ok"),
        faults => format!(
            "permissions: {held} ... FAILED\n  {}\nChange the template (and run `make pages`), or give the grant a reason in tests/e2e/tests/e2e/permissions.rs.\n",
            faults.join("\n  ")
        ),
    }
}
