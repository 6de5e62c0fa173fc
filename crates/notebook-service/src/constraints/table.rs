//! From the service model of SageMaker in botocore 1.43.106: written by `make constraints`, not by hand.

use reveille_instance_model::Operation;

use super::{Member, Pattern, Shape};

/// What a request of this operation looks like.
pub(super) fn input(operation: Operation) -> &'static Shape {
    match operation {
        Operation::CreateNotebookInstance => &CREATE_NOTEBOOK_INSTANCE_INPUT,
        Operation::DescribeNotebookInstance => &DESCRIBE_NOTEBOOK_INSTANCE_INPUT,
        Operation::ListNotebookInstances => &LIST_NOTEBOOK_INSTANCES_INPUT,
        Operation::StartNotebookInstance => &START_NOTEBOOK_INSTANCE_INPUT,
        Operation::StopNotebookInstance => &STOP_NOTEBOOK_INSTANCE_INPUT,
        Operation::UpdateNotebookInstance => &UPDATE_NOTEBOOK_INSTANCE_INPUT,
        Operation::DeleteNotebookInstance => &DELETE_NOTEBOOK_INSTANCE_INPUT,
        Operation::CreateNotebookInstanceLifecycleConfig => &CREATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT,
        Operation::DescribeNotebookInstanceLifecycleConfig => &DESCRIBE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT,
        Operation::UpdateNotebookInstanceLifecycleConfig => &UPDATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT,
        Operation::DeleteNotebookInstanceLifecycleConfig => &DELETE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT,
        Operation::ListNotebookInstanceLifecycleConfigs => &LIST_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIGS_INPUT,
        Operation::AddTags => &ADD_TAGS_INPUT,
        Operation::ListTags => &LIST_TAGS_INPUT,
        Operation::DeleteTags => &DELETE_TAGS_INPUT,
    }
}

static ADD_TAGS_INPUT: Shape = Shape::Structure(&[
    Member { name: "ResourceArn", required: true, shape: &RESOURCE_ARN },
    Member { name: "Tags", required: true, shape: &TAG_LIST },
]);

static ADDITIONAL_CODE_REPOSITORY_NAMES_OR_URLS: Shape = Shape::List { item: &CODE_REPOSITORY_NAME_OR_URL, min: 0, max: 3 };

static CODE_REPOSITORY_CONTAINS: Shape = Shape::Text { min: 0, max: 1024, pattern: Some(Pattern::new("[a-zA-Z0-9-]+")) };

static CODE_REPOSITORY_NAME_OR_URL: Shape = Shape::Text { min: 1, max: 1024, pattern: Some(Pattern::new("https://([^/]+)/?(.*)$|^[a-zA-Z0-9](-*[a-zA-Z0-9])*")) };

static CREATE_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
    Member { name: "InstanceType", required: true, shape: &INSTANCE_TYPE },
    Member { name: "SubnetId", required: false, shape: &SUBNET_ID },
    Member { name: "SecurityGroupIds", required: false, shape: &SECURITY_GROUP_IDS },
    Member { name: "IpAddressType", required: false, shape: &IP_ADDRESS_TYPE },
    Member { name: "RoleArn", required: true, shape: &ROLE_ARN },
    Member { name: "KmsKeyId", required: false, shape: &KMS_KEY_ID },
    Member { name: "Tags", required: false, shape: &TAG_LIST },
    Member { name: "LifecycleConfigName", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
    Member { name: "DirectInternetAccess", required: false, shape: &DIRECT_INTERNET_ACCESS },
    Member { name: "VolumeSizeInGB", required: false, shape: &NOTEBOOK_INSTANCE_VOLUME_SIZE_IN_GB },
    Member { name: "AcceleratorTypes", required: false, shape: &NOTEBOOK_INSTANCE_ACCELERATOR_TYPES },
    Member { name: "DefaultCodeRepository", required: false, shape: &CODE_REPOSITORY_NAME_OR_URL },
    Member { name: "AdditionalCodeRepositories", required: false, shape: &ADDITIONAL_CODE_REPOSITORY_NAMES_OR_URLS },
    Member { name: "RootAccess", required: false, shape: &ROOT_ACCESS },
    Member { name: "PlatformIdentifier", required: false, shape: &PLATFORM_IDENTIFIER },
    Member { name: "InstanceMetadataServiceConfiguration", required: false, shape: &INSTANCE_METADATA_SERVICE_CONFIGURATION },
]);

static CREATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceLifecycleConfigName", required: true, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
    Member { name: "OnCreate", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_LIST },
    Member { name: "OnStart", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_LIST },
    Member { name: "Tags", required: false, shape: &TAG_LIST },
]);

static CREATION_TIME: Shape = Shape::Time;

static DELETE_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
]);

static DELETE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceLifecycleConfigName", required: true, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
]);

static DELETE_TAGS_INPUT: Shape = Shape::Structure(&[
    Member { name: "ResourceArn", required: true, shape: &RESOURCE_ARN },
    Member { name: "TagKeys", required: true, shape: &TAG_KEY_LIST },
]);

static DESCRIBE_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
]);

static DESCRIBE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceLifecycleConfigName", required: true, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
]);

static DIRECT_INTERNET_ACCESS: Shape = Shape::Choice(&[
    "Enabled", "Disabled",
]);

static DISASSOCIATE_ADDITIONAL_CODE_REPOSITORIES: Shape = Shape::Flag;

static DISASSOCIATE_DEFAULT_CODE_REPOSITORY: Shape = Shape::Flag;

static DISASSOCIATE_NOTEBOOK_INSTANCE_ACCELERATOR_TYPES: Shape = Shape::Flag;

static DISASSOCIATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG: Shape = Shape::Flag;

static IP_ADDRESS_TYPE: Shape = Shape::Choice(&[
    "ipv4", "dualstack",
]);

static INSTANCE_METADATA_SERVICE_CONFIGURATION: Shape = Shape::Structure(&[
    Member { name: "MinimumInstanceMetadataServiceVersion", required: true, shape: &MINIMUM_INSTANCE_METADATA_SERVICE_VERSION },
]);

static INSTANCE_TYPE: Shape = Shape::Choice(&[
    "ml.t2.medium", "ml.t2.large", "ml.t2.xlarge", "ml.t2.2xlarge", "ml.t3.medium", "ml.t3.large", "ml.t3.xlarge",
    "ml.t3.2xlarge", "ml.m4.xlarge", "ml.m4.2xlarge", "ml.m4.4xlarge", "ml.m4.10xlarge", "ml.m4.16xlarge",
    "ml.m5.xlarge", "ml.m5.2xlarge", "ml.m5.4xlarge", "ml.m5.12xlarge", "ml.m5.24xlarge", "ml.m5d.large",
    "ml.m5d.xlarge", "ml.m5d.2xlarge", "ml.m5d.4xlarge", "ml.m5d.8xlarge", "ml.m5d.12xlarge", "ml.m5d.16xlarge",
    "ml.m5d.24xlarge", "ml.c4.xlarge", "ml.c4.2xlarge", "ml.c4.4xlarge", "ml.c4.8xlarge", "ml.c5.xlarge",
    "ml.c5.2xlarge", "ml.c5.4xlarge", "ml.c5.9xlarge", "ml.c5.18xlarge", "ml.c5d.xlarge", "ml.c5d.2xlarge",
    "ml.c5d.4xlarge", "ml.c5d.9xlarge", "ml.c5d.18xlarge", "ml.p2.xlarge", "ml.p2.8xlarge", "ml.p2.16xlarge",
    "ml.p3.2xlarge", "ml.p3.8xlarge", "ml.p3.16xlarge", "ml.p3dn.24xlarge", "ml.g4dn.xlarge", "ml.g4dn.2xlarge",
    "ml.g4dn.4xlarge", "ml.g4dn.8xlarge", "ml.g4dn.12xlarge", "ml.g4dn.16xlarge", "ml.r5.large", "ml.r5.xlarge",
    "ml.r5.2xlarge", "ml.r5.4xlarge", "ml.r5.8xlarge", "ml.r5.12xlarge", "ml.r5.16xlarge", "ml.r5.24xlarge",
    "ml.g5.xlarge", "ml.g5.2xlarge", "ml.g5.4xlarge", "ml.g5.8xlarge", "ml.g5.16xlarge", "ml.g5.12xlarge",
    "ml.g5.24xlarge", "ml.g5.48xlarge", "ml.inf1.xlarge", "ml.inf1.2xlarge", "ml.inf1.6xlarge", "ml.inf1.24xlarge",
    "ml.trn1.2xlarge", "ml.trn1.32xlarge", "ml.trn1n.32xlarge", "ml.inf2.xlarge", "ml.inf2.8xlarge",
    "ml.inf2.24xlarge", "ml.inf2.48xlarge", "ml.p4d.24xlarge", "ml.p4de.24xlarge", "ml.p5.48xlarge",
    "ml.p6-b200.48xlarge", "ml.m6i.large", "ml.m6i.xlarge", "ml.m6i.2xlarge", "ml.m6i.4xlarge", "ml.m6i.8xlarge",
    "ml.m6i.12xlarge", "ml.m6i.16xlarge", "ml.m6i.24xlarge", "ml.m6i.32xlarge", "ml.m7i.large", "ml.m7i.xlarge",
    "ml.m7i.2xlarge", "ml.m7i.4xlarge", "ml.m7i.8xlarge", "ml.m7i.12xlarge", "ml.m7i.16xlarge", "ml.m7i.24xlarge",
    "ml.m7i.48xlarge", "ml.c6i.large", "ml.c6i.xlarge", "ml.c6i.2xlarge", "ml.c6i.4xlarge", "ml.c6i.8xlarge",
    "ml.c6i.12xlarge", "ml.c6i.16xlarge", "ml.c6i.24xlarge", "ml.c6i.32xlarge", "ml.c7i.large", "ml.c7i.xlarge",
    "ml.c7i.2xlarge", "ml.c7i.4xlarge", "ml.c7i.8xlarge", "ml.c7i.12xlarge", "ml.c7i.16xlarge", "ml.c7i.24xlarge",
    "ml.c7i.48xlarge", "ml.r6i.large", "ml.r6i.xlarge", "ml.r6i.2xlarge", "ml.r6i.4xlarge", "ml.r6i.8xlarge",
    "ml.r6i.12xlarge", "ml.r6i.16xlarge", "ml.r6i.24xlarge", "ml.r6i.32xlarge", "ml.r7i.large", "ml.r7i.xlarge",
    "ml.r7i.2xlarge", "ml.r7i.4xlarge", "ml.r7i.8xlarge", "ml.r7i.12xlarge", "ml.r7i.16xlarge", "ml.r7i.24xlarge",
    "ml.r7i.48xlarge", "ml.m6id.large", "ml.m6id.xlarge", "ml.m6id.2xlarge", "ml.m6id.4xlarge", "ml.m6id.8xlarge",
    "ml.m6id.12xlarge", "ml.m6id.16xlarge", "ml.m6id.24xlarge", "ml.m6id.32xlarge", "ml.c6id.large", "ml.c6id.xlarge",
    "ml.c6id.2xlarge", "ml.c6id.4xlarge", "ml.c6id.8xlarge", "ml.c6id.12xlarge", "ml.c6id.16xlarge",
    "ml.c6id.24xlarge", "ml.c6id.32xlarge", "ml.r6id.large", "ml.r6id.xlarge", "ml.r6id.2xlarge", "ml.r6id.4xlarge",
    "ml.r6id.8xlarge", "ml.r6id.12xlarge", "ml.r6id.16xlarge", "ml.r6id.24xlarge", "ml.r6id.32xlarge", "ml.g6.xlarge",
    "ml.g6.2xlarge", "ml.g6.4xlarge", "ml.g6.8xlarge", "ml.g6.12xlarge", "ml.g6.16xlarge", "ml.g6.24xlarge",
    "ml.g6.48xlarge", "ml.g7e.2xlarge", "ml.g7e.4xlarge", "ml.g7e.8xlarge", "ml.g7e.12xlarge", "ml.g7e.24xlarge",
    "ml.g7e.48xlarge", "ml.p5.4xlarge", "ml.p5en.48xlarge", "ml.g6e.xlarge", "ml.g6e.2xlarge", "ml.g6e.4xlarge",
    "ml.g6e.8xlarge", "ml.g6e.12xlarge", "ml.g6e.16xlarge", "ml.g6e.24xlarge", "ml.g6e.48xlarge",
]);

static KMS_KEY_ID: Shape = Shape::Text { min: 0, max: 2048, pattern: Some(Pattern::new("[a-zA-Z0-9:/_-]*")) };

static LAST_MODIFIED_TIME: Shape = Shape::Time;

static LIST_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIGS_INPUT: Shape = Shape::Structure(&[
    Member { name: "NextToken", required: false, shape: &NEXT_TOKEN },
    Member { name: "MaxResults", required: false, shape: &MAX_RESULTS },
    Member { name: "SortBy", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_SORT_KEY },
    Member { name: "SortOrder", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_SORT_ORDER },
    Member { name: "NameContains", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME_CONTAINS },
    Member { name: "CreationTimeBefore", required: false, shape: &CREATION_TIME },
    Member { name: "CreationTimeAfter", required: false, shape: &CREATION_TIME },
    Member { name: "LastModifiedTimeBefore", required: false, shape: &LAST_MODIFIED_TIME },
    Member { name: "LastModifiedTimeAfter", required: false, shape: &LAST_MODIFIED_TIME },
]);

static LIST_NOTEBOOK_INSTANCES_INPUT: Shape = Shape::Structure(&[
    Member { name: "NextToken", required: false, shape: &NEXT_TOKEN },
    Member { name: "MaxResults", required: false, shape: &MAX_RESULTS },
    Member { name: "SortBy", required: false, shape: &NOTEBOOK_INSTANCE_SORT_KEY },
    Member { name: "SortOrder", required: false, shape: &NOTEBOOK_INSTANCE_SORT_ORDER },
    Member { name: "NameContains", required: false, shape: &NOTEBOOK_INSTANCE_NAME_CONTAINS },
    Member { name: "CreationTimeBefore", required: false, shape: &CREATION_TIME },
    Member { name: "CreationTimeAfter", required: false, shape: &CREATION_TIME },
    Member { name: "LastModifiedTimeBefore", required: false, shape: &LAST_MODIFIED_TIME },
    Member { name: "LastModifiedTimeAfter", required: false, shape: &LAST_MODIFIED_TIME },
    Member { name: "StatusEquals", required: false, shape: &NOTEBOOK_INSTANCE_STATUS },
    Member { name: "NotebookInstanceLifecycleConfigNameContains", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
    Member { name: "DefaultCodeRepositoryContains", required: false, shape: &CODE_REPOSITORY_CONTAINS },
    Member { name: "AdditionalCodeRepositoryEquals", required: false, shape: &CODE_REPOSITORY_NAME_OR_URL },
]);

static LIST_TAGS_INPUT: Shape = Shape::Structure(&[
    Member { name: "ResourceArn", required: true, shape: &RESOURCE_ARN },
    Member { name: "NextToken", required: false, shape: &NEXT_TOKEN },
    Member { name: "MaxResults", required: false, shape: &LIST_TAGS_MAX_RESULTS },
]);

static LIST_TAGS_MAX_RESULTS: Shape = Shape::Integer { min: 50, max: i32::MAX };

static MAX_RESULTS: Shape = Shape::Integer { min: 1, max: 100 };

static MINIMUM_INSTANCE_METADATA_SERVICE_VERSION: Shape = Shape::Text { min: 0, max: 1, pattern: Some(Pattern::new("1|2")) };

static NEXT_TOKEN: Shape = Shape::Text { min: 0, max: 8192, pattern: Some(Pattern::new(".*")) };

static NOTEBOOK_INSTANCE_ACCELERATOR_TYPE: Shape = Shape::Choice(&[
    "ml.eia1.medium", "ml.eia1.large", "ml.eia1.xlarge", "ml.eia2.medium", "ml.eia2.large", "ml.eia2.xlarge",
]);

static NOTEBOOK_INSTANCE_ACCELERATOR_TYPES: Shape = Shape::List { item: &NOTEBOOK_INSTANCE_ACCELERATOR_TYPE, min: 0, max: usize::MAX };

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_CONTENT: Shape = Shape::Text { min: 1, max: 16384, pattern: Some(Pattern::new("[\\S\\s]+")) };

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_LIST: Shape = Shape::List { item: &NOTEBOOK_INSTANCE_LIFECYCLE_HOOK, min: 0, max: 1 };

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME: Shape = Shape::Text { min: 0, max: 63, pattern: Some(Pattern::new("[a-zA-Z0-9](-*[a-zA-Z0-9])*")) };

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME_CONTAINS: Shape = Shape::Text { min: 0, max: 63, pattern: Some(Pattern::new("[a-zA-Z0-9-]+")) };

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_SORT_KEY: Shape = Shape::Choice(&[
    "Name", "CreationTime", "LastModifiedTime",
]);

static NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_SORT_ORDER: Shape = Shape::Choice(&[
    "Ascending", "Descending",
]);

static NOTEBOOK_INSTANCE_LIFECYCLE_HOOK: Shape = Shape::Structure(&[
    Member { name: "Content", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_CONTENT },
]);

static NOTEBOOK_INSTANCE_NAME: Shape = Shape::Text { min: 0, max: 63, pattern: Some(Pattern::new("[a-zA-Z0-9](-*[a-zA-Z0-9])*")) };

static NOTEBOOK_INSTANCE_NAME_CONTAINS: Shape = Shape::Text { min: 0, max: 63, pattern: Some(Pattern::new("[a-zA-Z0-9-]+")) };

static NOTEBOOK_INSTANCE_SORT_KEY: Shape = Shape::Choice(&[
    "Name", "CreationTime", "Status",
]);

static NOTEBOOK_INSTANCE_SORT_ORDER: Shape = Shape::Choice(&[
    "Ascending", "Descending",
]);

static NOTEBOOK_INSTANCE_STATUS: Shape = Shape::Choice(&[
    "Pending", "InService", "Stopping", "Stopped", "Failed", "Deleting", "Updating", "PendingMaintenance",
    "InMaintenance",
]);

static NOTEBOOK_INSTANCE_VOLUME_SIZE_IN_GB: Shape = Shape::Integer { min: 5, max: 16384 };

static PLATFORM_IDENTIFIER: Shape = Shape::Text { min: 0, max: 20, pattern: Some(Pattern::new("(notebook-al1-v1|notebook-al2-v1|notebook-al2-v2|notebook-al2-v3|notebook-al2023-v1)")) };

static RESOURCE_ARN: Shape = Shape::Text { min: 0, max: 256, pattern: Some(Pattern::new("arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:.+")) };

static ROLE_ARN: Shape = Shape::Text { min: 20, max: 2048, pattern: Some(Pattern::new("arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+")) };

static ROOT_ACCESS: Shape = Shape::Choice(&[
    "Enabled", "Disabled",
]);

static SECURITY_GROUP_ID: Shape = Shape::Text { min: 0, max: 32, pattern: Some(Pattern::new("[-0-9a-zA-Z]+")) };

static SECURITY_GROUP_IDS: Shape = Shape::List { item: &SECURITY_GROUP_ID, min: 0, max: 5 };

static START_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
]);

static STOP_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
]);

static SUBNET_ID: Shape = Shape::Text { min: 0, max: 32, pattern: Some(Pattern::new("[-0-9a-zA-Z]+")) };

static TAG: Shape = Shape::Structure(&[
    Member { name: "Key", required: true, shape: &TAG_KEY },
    Member { name: "Value", required: true, shape: &TAG_VALUE },
]);

static TAG_KEY: Shape = Shape::Text { min: 1, max: 128, pattern: Some(Pattern::new("([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)")) };

static TAG_KEY_LIST: Shape = Shape::List { item: &TAG_KEY, min: 1, max: 50 };

static TAG_LIST: Shape = Shape::List { item: &TAG, min: 0, max: 50 };

static TAG_VALUE: Shape = Shape::Text { min: 0, max: 256, pattern: Some(Pattern::new("([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)")) };

static UPDATE_NOTEBOOK_INSTANCE_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceName", required: true, shape: &NOTEBOOK_INSTANCE_NAME },
    Member { name: "InstanceType", required: false, shape: &INSTANCE_TYPE },
    Member { name: "IpAddressType", required: false, shape: &IP_ADDRESS_TYPE },
    Member { name: "PlatformIdentifier", required: false, shape: &PLATFORM_IDENTIFIER },
    Member { name: "RoleArn", required: false, shape: &ROLE_ARN },
    Member { name: "LifecycleConfigName", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
    Member { name: "DisassociateLifecycleConfig", required: false, shape: &DISASSOCIATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG },
    Member { name: "VolumeSizeInGB", required: false, shape: &NOTEBOOK_INSTANCE_VOLUME_SIZE_IN_GB },
    Member { name: "DefaultCodeRepository", required: false, shape: &CODE_REPOSITORY_NAME_OR_URL },
    Member { name: "AdditionalCodeRepositories", required: false, shape: &ADDITIONAL_CODE_REPOSITORY_NAMES_OR_URLS },
    Member { name: "AcceleratorTypes", required: false, shape: &NOTEBOOK_INSTANCE_ACCELERATOR_TYPES },
    Member { name: "DisassociateAcceleratorTypes", required: false, shape: &DISASSOCIATE_NOTEBOOK_INSTANCE_ACCELERATOR_TYPES },
    Member { name: "DisassociateDefaultCodeRepository", required: false, shape: &DISASSOCIATE_DEFAULT_CODE_REPOSITORY },
    Member { name: "DisassociateAdditionalCodeRepositories", required: false, shape: &DISASSOCIATE_ADDITIONAL_CODE_REPOSITORIES },
    Member { name: "RootAccess", required: false, shape: &ROOT_ACCESS },
    Member { name: "InstanceMetadataServiceConfiguration", required: false, shape: &INSTANCE_METADATA_SERVICE_CONFIGURATION },
]);

static UPDATE_NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_INPUT: Shape = Shape::Structure(&[
    Member { name: "NotebookInstanceLifecycleConfigName", required: true, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_NAME },
    Member { name: "OnCreate", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_LIST },
    Member { name: "OnStart", required: false, shape: &NOTEBOOK_INSTANCE_LIFECYCLE_CONFIG_LIST },
]);
