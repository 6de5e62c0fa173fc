//! What CloudFormation's handlers may call that none of our templates needs, and why: what sets a property that no template sets.
//! A test notices what has no reason, and a reason for nothing.

/// What a handler may call that no template needs: the type, the calls, and why.
pub const LEFT_OUT: &[(&str, &[&str], &str)] = &[
    ("AWS::IAM::ManagedPolicy", &["iam:*GroupPolicy", "iam:*UserPolicy"], "the policy is a role's"),
    ("AWS::IAM::Policy", &["iam:*GroupPolicy", "iam:*UserPolicy"], "the policies are roles'"),
    (
        "AWS::Lambda::Function",
        &["ec2:*", "elasticfilesystem:*", "s3files:*", "lambda:GetLayerVersion"],
        "the functions have no VPC, no file system and no layer",
    ),
    (
        "AWS::Lambda::Function",
        &["kms:CreateGrant", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"],
        "the functions' variables have no key of one's own",
    ),
    ("AWS::Lambda::Function", &["s3:GetObjectVersion"], "no template names a version of a file"),
    (
        "AWS::Lambda::Function",
        &[
            "lambda:*FunctionConcurrency",
            "lambda:*CodeSigningConfig",
            "lambda:PutRuntimeManagementConfig",
            "lambda:PutFunctionRecursionConfig",
            "lambda:PutFunctionScalingConfig",
            "lambda:PublishVersion",
            "lambda:PassCapacityProvider",
            "lambda:AssociateRuntimeAlias",
        ],
        "no template sets these",
    ),
    (
        "AWS::Logs::LogGroup",
        &[
            "logs:*KmsKey",
            "logs:DeleteRetentionPolicy",
            "logs:PutDataProtectionPolicy",
            "logs:CreateLogDelivery",
            "s3:REST.PUT.OBJECT",
            "firehose:TagDeliveryStream",
            "logs:PutResourcePolicy",
            "logs:DeleteResourcePolicy",
            "logs:PutIndexPolicy",
            "logs:DeleteIndexPolicy",
            "logs:PutBearerTokenAuthentication",
            "logs:PutLogGroupDeletionProtection",
        ],
        "the group has a retention, always, and nothing else",
    ),
    (
        "AWS::S3::Bucket",
        &["s3tables:*", "s3:CreateBucketMetadata*", "s3:UpdateBucketMetadata*", "s3:DeleteBucketMetadata*"],
        "the bucket has no tables of metadata",
    ),
    (
        "AWS::S3::Bucket",
        &["iam:PassRole", "s3:*Replication*", "s3:DeleteObject"],
        "its objects are copied nowhere, and CloudFormation deletes none",
    ),
    (
        "AWS::S3::Bucket",
        &[
            "s3:PutBucketAbac",
            "s3:PutAnalyticsConfiguration",
            "s3:*BucketCORS",
            "s3:PutInventoryConfiguration",
            "s3:PutMetricsConfiguration",
            "s3:*BucketWebsite",
            "s3:PutAccelerateConfiguration",
            "s3:Put*Acl",
            "s3:Put*ObjectLockConfiguration",
            "s3:PutIntelligentTieringConfiguration",
            "s3:DeleteBucketAnalyticsConfiguration",
            "s3:DeleteBucketMetricsConfiguration",
        ],
        "no template sets these",
    ),
    (
        "AWS::S3::Bucket",
        &["s3:DeleteBucketEncryption", "s3:DeleteBucketLifecycle"],
        "the template always sets these, so CloudFormation never takes them away",
    ),
    (
        "AWS::SNS::Subscription",
        &["iam:GetRole", "iam:PassRole"],
        "a subscription to Firehose has a role, and a mail none",
    ),
    (
        "AWS::SNS::Topic",
        &["iam:GetRole", "iam:PassRole", "sns:PutDataProtectionPolicy"],
        "the topic logs no delivery and looks into no message",
    ),
    ("AWS::SNS::Topic", &["sns:Subscribe", "sns:Unsubscribe"], "the subscription is a resource of its own"),
    ("AWS::StepFunctions::StateMachine", &["kms:*"], "the state machine has no key of one's own"),
    ("AWS::StepFunctions::StateMachine", &["s3:GetObjectVersion"], "no template names a version of a file"),
];
