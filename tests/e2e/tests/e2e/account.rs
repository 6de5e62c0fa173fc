//! A stack in somebody's account: what its bucket is like, a key of their own, a bucket that was there before, and one whose policy denies.

use std::fs;

use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::Operation;
use serde_json::{Value, json};

use crate::Scenario;
use crate::permissions;
use crate::release::{Shell, ended, first_released, stopped};

pub const ALL: &[Scenario] = &[
    ("account::the_bucket_is_as_its_parameters_say_and_stays", |h, w| h.block_on(keyed(w))),
    ("account::a_bucket_that_denies_fails_a_creation_whole", |h, w| h.block_on(denied(w))),
    ("account::a_run_that_may_not_touch_its_instance_fails_and_says_why", |h, w| h.block_on(not_granted(w))),
];

/// A stack from a release, and the bucket to which that is copied.
pub struct AccountStack<'a> {
    pub shell: Shell<'a>,
    stack: &'static str,
}

impl<'a> AccountStack<'a> {
    pub async fn new(world: &'a LocalAws, folder: &std::path::Path, stack: &'static str) -> Self {
        first_released(world, folder, "0.2.0");
        let shell = Shell::new(world, folder, stack);
        shell.types(&format!("aws s3 mb s3://{stack}-artifacts")).await;
        shell.types(&format!("aws s3 cp dist/ s3://{stack}-artifacts/reveille/ --recursive")).await;
        Self { shell, stack }
    }

    pub async fn deploy(&self, parameters: &str) -> Result<String, String> {
        let stack = self.stack;
        let command = format!(
            "aws cloudformation deploy --stack-name {stack} --template-file dist/template.yaml --s3-bucket {stack}-artifacts \
             --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND --parameter-overrides ArtifactsBucket={stack}-artifacts {parameters}"
        );
        self.shell.tried(&command).await
    }

    pub async fn delete(&self) {
        let stack = self.stack;
        self.shell.types(&format!("aws cloudformation delete-stack --stack-name {stack}")).await;
        self.shell.types(&format!("aws cloudformation wait stack-delete-complete --stack-name {stack}")).await;
    }

    /// What a command prints as JSON.
    async fn asks(&self, command: &str) -> Value {
        let printed = self.shell.types(&format!("aws {command} --output json")).await;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{command}: {error}: {printed}"))
    }

    /// The settings of a bucket, by what asks for them.
    async fn settings(&self, bucket: &str) -> Value {
        let mut settings = json!({});
        for name in ["versioning", "encryption", "lifecycle-configuration", "logging", "ownership-controls", "policy"] {
            settings[name] = self.asks(&format!("s3api get-bucket-{name} --bucket {bucket}")).await;
        }
        settings
    }
}

/// docs/bucket.md, on a stack that sets all of its parameters.
async fn keyed(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let stack = AccountStack::new(world, folder.path(), "keyed").await;
    let shell = &stack.shell;
    // This version of the aws command takes that service's endpoint from nowhere else.
    let create = "aws --endpoint-url \"$AWS_ENDPOINT_URL\" kms create-key --query KeyMetadata.Arn --output text";
    let key = shell.types(create).await;
    shell.types("aws s3 mb s3://keyed-logs").await;
    let polls = "StartPollSeconds=1 StopPollSeconds=1 HeartbeatSeconds=30";
    let parameters = format!("RunsKeyArn={key} RunsExpireDays=45 NoncurrentDays=7 AccessLogBucket=keyed-logs {polls}");
    stack.deploy(&parameters).await.unwrap();
    let bucket = shell.output_of("keyed", "RunsBucketName").await;
    let settings = stack.settings(&bucket).await;
    assert_facts(&settings, &key);

    ran(world, shell, &bucket, &key).await;
    let (faults, decrypted) = permissions::faults_of(world, "keyed", &["RunsKeyArn"], "kms:Decrypt").await;
    assert_eq!(faults, Vec::<String>::new());
    let (_, encrypted) = permissions::faults_of(world, "keyed", &["RunsKeyArn"], "kms:GenerateDataKey").await;
    for role in
        ["AdmitRunFunctionRole", "AwaitRunFunctionRole", "ConcludeRunFunctionRole", "InstallRunnerFunctionRole", "Role"]
    {
        assert!(encrypted.contains(&role.to_owned()), "{role} writes: {encrypted:?}");
    }
    assert!(decrypted.contains(&"Role".to_owned()), "the instance reads: {decrypted:?}");

    stack.delete().await;
    assert_eq!(stack.settings(&bucket).await, settings, "the bucket stays as it was, with its policy");
    let kept = shell.types(&format!("aws s3 ls s3://{bucket}/runs/keyed/ --recursive")).await;
    assert!(kept.contains("/outcome.json"), "{kept}");

    stack.deploy(&format!("ExistingRunsBucket={bucket} RunsKeyArn={key} RunsExpireDays=60 {polls}")).await.unwrap();
    assert_eq!(shell.output_of("keyed", "RunsBucketName").await, bucket);
    assert_eq!(stack.settings(&bucket).await, settings, "the settings of a bucket that is adopted are its owner's");
    ran(world, shell, &bucket, &key).await;
    stack.delete().await;
    assert_eq!(stack.settings(&bucket).await, settings);
}

fn assert_facts(settings: &Value, key: &str) {
    assert_eq!(settings["versioning"]["Status"], "Enabled");
    let encryption = &settings["encryption"]["ServerSideEncryptionConfiguration"]["Rules"][0];
    let by_default = json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key});
    assert_eq!(encryption["ApplyServerSideEncryptionByDefault"], by_default);
    assert_eq!(encryption["BucketKeyEnabled"], true);
    let logs = json!({"TargetBucket": "keyed-logs", "TargetPrefix": "keyed/"});
    assert_eq!(settings["logging"]["LoggingEnabled"], logs);
    assert_eq!(
        settings["ownership-controls"]["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "BucketOwnerEnforced"
    );
    let policy: Value = serde_json::from_str(settings["policy"]["Policy"].as_str().unwrap()).unwrap();
    let statement = &policy["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Sid"]), (&json!("Deny"), &json!("TlsOnly")));
    let rules = settings["lifecycle-configuration"]["Rules"].as_array().unwrap();
    let expiring = |id: &str| {
        let rule = rules.iter().find(|rule| rule["ID"] == id).unwrap_or_else(|| panic!("{id} is not in {rules:?}"));
        (
            rule["Filter"]["Prefix"].clone(),
            rule["Expiration"]["Days"].clone(),
            rule["NoncurrentVersionExpiration"].clone(),
        )
    };
    assert_eq!(rules.len(), 5);
    assert_eq!(expiring("History"), (json!("history/"), json!(45), Value::Null));
    assert_eq!(expiring("Runs"), (json!("runs/"), json!(45), Value::Null));
    assert_eq!(expiring("Triggers"), (json!("triggers/"), json!(45), Value::Null));
    assert_eq!(expiring("Live"), (json!("live/"), json!(30), Value::Null));
    assert_eq!(expiring("Noncurrent").2["NoncurrentDays"], 7);
}

/// docs/errors/AccessDenied.md: the instance's name does not match `InstanceNames`. The roles' own policies deny it.
async fn not_granted(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let stack = AccountStack::new(world, folder.path(), "narrow").await;
    let shell = &stack.shell;
    let polls = "StartPollSeconds=1 StopPollSeconds=1 HeartbeatSeconds=30";
    stack.deploy(&format!("InstanceNames=narrow-* {polls}")).await.unwrap();
    let bucket = shell.output_of("narrow", "RunsBucketName").await;
    let settings = format!("REVEILLE_BUCKET='{bucket}'\n");
    world.local().create_instance_with_commands("wide", &settings).await.expect("the instance is created");
    world.put_notebook("wide", "run.ipynb", &Notebook::of(&["print('granted')"]));

    let (status, error, cause) = stopped(world, &started(shell, "narrow", "wide").await).await;
    assert_eq!((status.as_str(), error.as_str()), ("FAILED", "AccessDenied"), "{cause}");
    for part in [
        "sagemaker:DescribeNotebookInstance on wide was denied",
        ":role/narrow-CheckInstanceFunctionRole-",
        "is not authorized to perform: sagemaker:DescribeNotebookInstance on resource: arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/wide",
    ] {
        assert!(cause.contains(part), "{part} is not in {cause}");
    }
    assert!(!cause.contains("may still be running"), "it started nothing: {cause}");
    assert_eq!(world.accepted("wide", Operation::StartNotebookInstance), 0);
    assert_eq!(world.status("wide").await, "Stopped");

    stack.deploy("InstanceNames=wide").await.unwrap();
    let outcome = ended(world, &started(shell, "narrow", "wide").await).await;
    assert_eq!((&outcome["status"], &outcome["instanceAfter"]), (&json!("SUCCEEDED"), &json!("atRest")), "{outcome}");
    stack.delete().await;
}

/// An execution of a stack's state machine that runs the notebook on an instance.
pub async fn started(shell: &Shell<'_>, stack: &str, instance: &str) -> String {
    let machine = shell.output_of(stack, "StateMachineArn").await;
    let start = format!(
        "aws --endpoint-url \"$AWS_ENDPOINT_URL\" stepfunctions start-execution --state-machine-arn {machine} \
         --input '{{\"instance\": \"{instance}\", \"notebook\": \"run.ipynb\"}}' --query executionArn --output text"
    );
    shell.types(&start).await
}

/// A run on an instance of this stack; what it leaves is encrypted with the key.
async fn ran(world: &LocalAws, shell: &Shell<'_>, bucket: &str, key: &str) {
    // This local AWS has another stack's bucket in its scripts.
    if world.status("keyed").await == "Gone" {
        let settings = format!("REVEILLE_BUCKET='{bucket}'\n");
        world.local().create_instance_with_commands("keyed", &settings).await.expect("the instance is created");
        world.put_notebook("keyed", "run.ipynb", &Notebook::of(&["print('with a key')"]));
    }
    let outcome = ended(world, &started(shell, "keyed", "keyed").await).await;
    assert_eq!(outcome["status"], "SUCCEEDED", "{outcome}");
    let output = outcome["outputs"]["notebook"].as_str().unwrap_or_else(|| panic!("{outcome}"));
    let path = output.strip_prefix(&format!("s3://{bucket}/")).unwrap_or_else(|| panic!("{output} is in {bucket}"));
    let head = format!("aws s3api head-object --bucket {bucket} --key '{path}' --query SSEKMSKeyId --output text");
    assert_eq!(shell.types(&head).await, key);
}

/// The policy of a bucket, which denies everybody an action on some of its objects.
fn denying(action: &str, objects: &str) -> Value {
    let resource = format!("arn:aws:s3:::denying/{objects}");
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": action, "Resource": resource}]})
}

/// InstallRunner against a bucket of somebody's, which lets it do all but one thing: a role that was just made has every grant, and the
/// bucket's policy denies.
async fn denied(world: &LocalAws) {
    let folder = tempfile::tempdir().unwrap();
    let stack = AccountStack::new(world, folder.path(), "denied").await;
    let shell = &stack.shell;
    shell.types("aws s3 mb s3://denying").await;
    let adopt = "ExistingRunsBucket=denying";
    for (action, objects, left) in [
        ("s3:GetObject", "artifacts/*", &[][..]),
        ("s3:PutObject", "artifacts/reveille-engine-*", &[]),
        // The last thing that it writes. Copies that no record names start nothing.
        ("s3:PutObject", "runner.sha256", &["artifacts/"]),
    ] {
        fs::write(folder.path().join("policy.json"), denying(action, objects).to_string()).unwrap();
        shell.types("aws s3api put-bucket-policy --bucket denying --policy file://policy.json").await;
        assert!(stack.deploy(adopt).await.is_err(), "{action} on {objects}");
        let failed = "StackEvents[?ResourceStatus=='CREATE_FAILED'].[LogicalResourceId,ResourceStatusReason] | [0]";
        let events = format!("cloudformation describe-stack-events --stack-name denied --query \"{failed}\"");
        let event = stack.asks(&events).await;
        assert_eq!(event[0], "InstalledRunner", "everything else was made before: {event}");
        let reason = event[1].as_str().expect("a reason");
        let named = format!("{action} on s3://denying/{}", objects.trim_end_matches('*'));
        assert!(reason.contains(&named) && reason.contains(" was denied"), "{reason}");
        let describe = "cloudformation describe-stacks --stack-name denied --query Stacks[0].StackStatus";
        assert_eq!(stack.asks(describe).await, "ROLLBACK_COMPLETE");
        let resources = "cloudformation describe-stack-resources --stack-name denied --query";
        let alive = "\"StackResources[?ResourceStatus!='DELETE_COMPLETE'].LogicalResourceId\"";
        assert_eq!(stack.asks(&format!("{resources} {alive}")).await, json!([]), "nothing of the stack is left");
        let keys = "s3api list-objects-v2 --bucket denying --query \"Contents[].Key || \\`[]\\`\"";
        let keys = stack.asks(keys).await;
        let others = |key: &&Value| !left.iter().any(|prefix| key.as_str().unwrap().starts_with(prefix));
        assert_eq!(keys.as_array().unwrap().iter().find(others), None, "{action} on {objects}: {keys}");
        stack.delete().await;
    }
    shell.types("aws s3api delete-bucket-policy --bucket denying").await;
    stack.deploy(adopt).await.unwrap();
    let runner = shell.output_of("denied", "RunnerKey").await;
    let counts = shell.types("aws s3 cp s3://denying/runner.sha256 - | cat").await;
    assert!(counts.ends_with(runner.trim_start_matches("artifacts/")), "{counts}, and not {runner}");
    stack.delete().await;
}
