//! What whoever deploys the templates needs: for each type of resource, what CloudFormation calls in their name. A test holds it to the
//! permissions that AWS publishes with its own handlers ([`crate::provider`]).
//!
//! - Owns: which of those calls our templates need, with what, and why the others are left out.
//! - Never: what the roles that are deployed may do. That is [`crate::iam`]'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::templates;
use crate::transform::transformed;

pub mod left_out;

/// The calls for one type.
pub struct Deployed {
    pub kind: &'static str,
    /// In the order of the page. `*` is IAM's.
    pub calls: &'static [&'static str],
    /// On what, or for what, a call is, where it does not say it.
    pub notes: &'static [(&'static str, &'static str)],
    /// Calls that are needed only with a parameter or where something is so, and with what.
    pub only: &'static [(&'static str, &'static [&'static str])],
}

const fn of(kind: &'static str, calls: &'static [&'static str]) -> Deployed {
    Deployed { kind, calls, notes: &[], only: &[] }
}

impl Deployed {
    const fn noting(mut self, notes: &'static [(&'static str, &'static str)]) -> Self {
        self.notes = notes;
        self
    }

    const fn only_with(mut self, only: &'static [(&'static str, &'static [&'static str])]) -> Self {
        self.only = only;
        self
    }

    /// Each call that the page names.
    pub fn all(&self) -> impl Iterator<Item = &'static str> {
        self.calls.iter().chain(self.only.iter().flat_map(|(_, calls)| *calls)).copied()
    }
}

/// Of each type that a template has.
pub const DEPLOYS: &[Deployed] = &[
    of(
        "AWS::CloudWatch::Alarm",
        &[
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:DeleteAlarms",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
            "cloudwatch:ListTagsForResource",
        ],
    ),
    of(
        "AWS::CloudWatch::Dashboard",
        &[
            "cloudwatch:PutDashboard",
            "cloudwatch:GetDashboard",
            "cloudwatch:DeleteDashboards",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
            "cloudwatch:ListTagsForResource",
        ],
    ),
    of(
        "AWS::Events::Rule",
        &[
            "events:PutRule",
            "events:DescribeRule",
            "events:DeleteRule",
            "events:PutTargets",
            "events:RemoveTargets",
            "events:ListTargetsByRule",
            "events:TagResource",
            "events:UntagResource",
            "events:ListTagsForResource",
            "iam:PassRole",
        ],
    )
    .noting(&[("iam:PassRole", "EventsRole to EventBridge")]),
    of(
        "AWS::IAM::ManagedPolicy",
        &[
            "iam:CreatePolicy",
            "iam:CreatePolicyVersion",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:ListPolicyVersions",
            "iam:ListEntitiesForPolicy",
            "iam:DeletePolicyVersion",
            "iam:DeletePolicy",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
        ],
    )
    .noting(&[("iam:DetachRolePolicy", "these two on `RoleName` too")]),
    of("AWS::IAM::Policy", &["iam:PutRolePolicy", "iam:GetRolePolicy", "iam:DeleteRolePolicy"]),
    of(
        "AWS::IAM::Role",
        &[
            "iam:CreateRole",
            "iam:GetRole",
            "iam:UpdateRole",
            "iam:UpdateRoleDescription",
            "iam:UpdateAssumeRolePolicy",
            "iam:PutRolePermissionsBoundary",
            "iam:DeleteRolePermissionsBoundary",
            "iam:AttachRolePolicy",
            "iam:DetachRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:PutRolePolicy",
            "iam:GetRolePolicy",
            "iam:DeleteRolePolicy",
            "iam:ListRolePolicies",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:ListRoleTags",
            "iam:DeleteRole",
        ],
    ),
    of(
        "AWS::Lambda::EventInvokeConfig",
        &[
            "lambda:PutFunctionEventInvokeConfig",
            "lambda:GetFunctionEventInvokeConfig",
            "lambda:UpdateFunctionEventInvokeConfig",
            "lambda:DeleteFunctionEventInvokeConfig",
        ],
    ),
    of(
        "AWS::Lambda::Function",
        &[
            "lambda:CreateFunction",
            "lambda:GetFunction*",
            "lambda:GetRuntimeManagementConfig",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "lambda:TagResource",
            "lambda:UntagResource",
            "lambda:ListTags",
            "lambda:DeleteFunction",
            "iam:PassRole",
            "s3:GetObject",
        ],
    )
    .noting(&[("iam:PassRole", "the functions' roles to Lambda"), ("s3:GetObject", "the release's files")])
    .only_with(&[("`ArtifactsKeyArn`, on that key", &["kms:Decrypt"])]),
    of("AWS::Lambda::Permission", &["lambda:AddPermission", "lambda:GetPolicy", "lambda:RemovePermission"]),
    of(
        "AWS::Logs::LogGroup",
        &[
            "logs:CreateLogGroup",
            "logs:DescribeLogGroups",
            "logs:PutRetentionPolicy",
            "logs:DeleteLogGroup",
            "logs:GetDataProtectionPolicy",
            "logs:DeleteDataProtectionPolicy",
            "logs:DescribeIndexPolicies",
            "logs:DescribeResourcePolicies",
            "logs:TagResource",
            "logs:UntagResource",
            "logs:ListTagsForResource",
        ],
    ),
    of("AWS::Logs::MetricFilter", &["logs:PutMetricFilter", "logs:DescribeMetricFilters", "logs:DeleteMetricFilter"]),
    of(
        "AWS::S3::Bucket",
        &[
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:GetBucket*",
            "s3:Get*Configuration",
            "s3:PutEncryptionConfiguration",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketVersioning",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketLogging",
            "s3:PutBucketTagging",
            "s3:DeleteBucketTagging",
            "s3:TagResource",
            "s3:UntagResource",
            "s3:ListTagsForResource",
            "s3:DeleteBucket",
        ],
    )
    .noting(&[("s3:DeleteBucket", "if a first creation fails")])
    .only_with(&[("`PublishProgress`", &["s3:PutBucketNotification"])]),
    of("AWS::S3::BucketPolicy", &["s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:DeleteBucketPolicy"]),
    of(
        "AWS::SNS::Subscription",
        &["sns:Subscribe", "sns:GetSubscriptionAttributes", "sns:SetSubscriptionAttributes", "sns:Unsubscribe"],
    ),
    of(
        "AWS::SNS::Topic",
        &[
            "sns:CreateTopic",
            "sns:GetTopicAttributes",
            "sns:SetTopicAttributes",
            "sns:ListSubscriptionsByTopic",
            "sns:GetDataProtectionPolicy",
            "sns:TagResource",
            "sns:UntagResource",
            "sns:ListTagsForResource",
            "sns:DeleteTopic",
        ],
    ),
    of("AWS::SNS::TopicPolicy", &["sns:SetTopicAttributes"]),
    of(
        "AWS::SQS::Queue",
        &[
            "sqs:CreateQueue",
            "sqs:GetQueueUrl",
            "sqs:GetQueueAttributes",
            "sqs:SetQueueAttributes",
            "sqs:TagQueue",
            "sqs:UntagQueue",
            "sqs:ListQueueTags",
            "sqs:DeleteQueue",
        ],
    ),
    of("AWS::SQS::QueuePolicy", &["sqs:SetQueueAttributes"]),
    of(
        "AWS::SSM::Parameter",
        &[
            "ssm:PutParameter",
            "ssm:GetParameters",
            "ssm:AddTagsToResource",
            "ssm:RemoveTagsFromResource",
            "ssm:ListTagsForResource",
            "ssm:DeleteParameter",
        ],
    ),
    of(
        "AWS::SageMaker::NotebookInstance",
        &[
            "sagemaker:CreateNotebookInstance",
            "sagemaker:DescribeNotebookInstance",
            "sagemaker:UpdateNotebookInstance",
            "sagemaker:StopNotebookInstance",
            "sagemaker:StartNotebookInstance",
            "sagemaker:DeleteNotebookInstance",
            "sagemaker:AddTags",
            "sagemaker:DeleteTags",
            "sagemaker:ListTags",
            "iam:PassRole",
        ],
    )
    .noting(&[("iam:PassRole", "Role to SageMaker")])
    .only_with(&[
        (
            "`SubnetId`",
            &[
                "ec2:CreateNetworkInterface",
                "ec2:CreateNetworkInterfacePermission",
                "ec2:DeleteNetworkInterface",
                "ec2:DeleteNetworkInterfacePermission",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeVpcs",
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeSubnets",
                "ec2:DescribeSecurityGroups",
            ],
        ),
        ("`VolumeKeyArn`, on that key", &["kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey"]),
    ]),
    of(
        "AWS::SageMaker::NotebookInstanceLifecycleConfig",
        &[
            "sagemaker:CreateNotebookInstanceLifecycleConfig",
            "sagemaker:DescribeNotebookInstanceLifecycleConfig",
            "sagemaker:UpdateNotebookInstanceLifecycleConfig",
            "sagemaker:DeleteNotebookInstanceLifecycleConfig",
            "sagemaker:AddTags",
            "sagemaker:DeleteTags",
            "sagemaker:ListTags",
        ],
    ),
    of(
        "AWS::Scheduler::Schedule",
        &[
            "scheduler:CreateSchedule",
            "scheduler:GetSchedule",
            "scheduler:UpdateSchedule",
            "scheduler:DeleteSchedule",
            "iam:PassRole",
        ],
    )
    .noting(&[("iam:PassRole", "SchedulerRole to Scheduler")]),
    of(
        "AWS::StepFunctions::StateMachine",
        &[
            "states:CreateStateMachine",
            "states:DescribeStateMachine",
            "states:UpdateStateMachine",
            "states:DeleteStateMachine",
            "states:TagResource",
            "states:UntagResource",
            "states:ListTagsForResource",
            "iam:PassRole",
            "s3:GetObject",
        ],
    )
    .noting(&[("iam:PassRole", "NotebookRunRole to Step Functions"), ("s3:GetObject", "the release's files")]),
    of("Custom::InstalledRunner", &["lambda:InvokeFunction"])
        .noting(&[("lambda:InvokeFunction", "on InstallRunnerFunction")]),
];

/// The types of resources in every template, each with the files that have it.
#[must_use]
pub fn types() -> BTreeMap<String, BTreeSet<String>> {
    let mut types: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for path in templates() {
        let file = path.trim_start_matches("infra/").to_owned();
        for resource in transformed(&path)["Resources"].as_object().expect("resources").values() {
            types.entry(resource["Type"].as_str().expect("a type").to_owned()).or_default().insert(file.clone());
        }
    }
    types
}

/// The calls for a type.
///
/// # Panics
/// Nobody said them.
#[must_use]
pub fn deployed(kind: &str) -> &'static Deployed {
    let known = DEPLOYS.iter().find(|known| known.kind == kind);
    known.unwrap_or_else(|| panic!("{kind} has no row in tests/contract/src/deployer.rs"))
}

/// `` `iam:CreateRole`, `GetRole` ``: a service is named once, where its calls begin.
fn listed(calls: &[&str], notes: &[(&str, &str)]) -> String {
    let (mut before, mut shown) = ("", Vec::new());
    for call in calls {
        let (service, action) = call.split_once(':').expect("service:Action");
        let note = notes.iter().find(|(of, _)| of == call).map_or(String::new(), |(_, note)| format!(" ({note})"));
        shown.push(format!("`{}`{note}", if service == before { action } else { call }));
        before = service;
    }
    shown.join(", ")
}

/// The rows of the page.
#[must_use]
pub fn table() -> String {
    let mut text = String::from("| resource | in | calls |\n| --- | --- | --- |\n");
    for (kind, files) in types() {
        let Deployed { calls, notes, only, .. } = deployed(&kind);
        let mut cell = listed(calls, notes);
        for (with, calls) in *only {
            write!(cell, "; with {with}: {}", listed(calls, &[])).expect("a text takes all");
        }
        let files = files.iter().map(|file| format!("`{file}`")).collect::<Vec<_>>().join(", ");
        writeln!(text, "| `{kind}` | {files} | {cell} |").expect("a text takes all");
    }
    text
}
