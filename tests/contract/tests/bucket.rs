//! docs/bucket.md, for each value of its parameters: the bucket as CloudFormation would make it, its policy, and who may use its key.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::conditions::Clause;
use reveille_contract_tests::iam::texts;
use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::resource_policy::{Asked, PolicyCaller, PolicyVerdict, verdict};
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::wildcards::matches;
use reveille_contract_tests::{parse_template, read, template};
use serde_json::{Value, json};

const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/0a1b";
const BUCKET: &str = "arn:aws:s3:::reveille-runsbucket";
/// How S3 of the stack's region asks KMS, and how others do.
const BY_S3: &str = "s3.eu-west-1.amazonaws.com";
const BY_OTHERS: [&str; 2] = ["s3.us-east-1.amazonaws.com", "lambda.eu-west-1.amazonaws.com"];

type Resources = BTreeMap<String, Value>;

/// The resources of a stack with these parameters.
fn made(template: &Value, given: &[(&str, &str)]) -> Resources {
    let adopted = given.iter().find(|(name, _)| *name == "ExistingRunsBucket");
    let name = adopted.map_or("reveille-runsbucket", |(_, name)| name);
    let names = [("RunsBucket", name), ("RunsBucket.Arn", BUCKET), ("RunsBucketParameter.Value", name)];
    ParametrisedStack::new(template, given).knowing(&names).resources()
}

fn stack(given: &[(&str, &str)]) -> Resources {
    made(&template("infra/template.yaml"), given)
}

/// The roles of a release's stack, which has the installer too.
fn with_roles(given: &[(&str, &str)]) -> Resources {
    let mut released = transformed("infra/template.yaml");
    released["Mappings"]["Release"]["Runner"]["File"] = "reveille-runner-1".into();
    made(&released, given)
}

fn properties(given: &[(&str, &str)]) -> Value {
    stack(given)["RunsBucket"]["Properties"].clone()
}

/// The rules that expire something or clean up, by their names.
fn rules(given: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let bucket = properties(given);
    let rules = bucket["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    rules.iter().map(|rule| (rule["Id"].as_str().unwrap().to_owned(), rule.clone())).collect()
}

/// docs/bucket.md: "The bucket that the stack makes is private, refuses requests without TLS, is encrypted, and keeps versions of what is overwritten or deleted."
#[test]
fn without_parameters_it_is_private_encrypted_and_keeps_versions() {
    let bucket = properties(&[]);
    let encrypted = json!([{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]);
    assert_eq!(bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], encrypted);
    assert_eq!(bucket["VersioningConfiguration"], json!({"Status": "Enabled"}));
    assert_eq!(bucket["OwnershipControls"]["Rules"], json!([{"ObjectOwnership": "BucketOwnerEnforced"}]), "no ACLs");
    assert_eq!(bucket["LoggingConfiguration"], Value::Null, "no access logs");
    assert_eq!(rules(&[]).into_keys().collect::<Vec<_>>(), ["Live", "Noncurrent"], "nothing else expires");
}

#[test]
fn what_expires_is_what_the_parameters_say() {
    let given = rules(&[("RunsExpireDays", "45"), ("NoncurrentDays", "7"), ("RunsPrefix", "team/")]);
    let expiring = |id: &str| (given[id]["Prefix"].clone(), given[id]["ExpirationInDays"].clone());
    assert_eq!(given.len(), 5);
    assert_eq!(expiring("Runs"), (json!("team/runs/"), json!("45")));
    assert_eq!(expiring("Triggers"), (json!("team/triggers/"), json!("45")));
    assert_eq!(expiring("History"), (json!("team/history/"), json!("45")));
    assert_eq!(expiring("Live"), (json!("team/live/"), json!(30)));
    let noncurrent = &given["Noncurrent"];
    assert_eq!(noncurrent["NoncurrentVersionExpiration"]["NoncurrentDays"], "7");
    assert_eq!((&noncurrent["Prefix"], &noncurrent["ExpirationInDays"]), (&Value::Null, &Value::Null));
    assert_eq!(rules(&[])["Noncurrent"]["NoncurrentVersionExpiration"]["NoncurrentDays"], "30");
    assert!(given.values().all(|rule| rule["Status"] == "Enabled"));
}

#[test]
fn a_key_and_access_logs_are_what_the_parameters_say() {
    let bucket = properties(&[("RunsKeyArn", KEY), ("AccessLogBucket", "logs")]);
    let encrypted = json!([{
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}, "BucketKeyEnabled": true,
    }]);
    assert_eq!(bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"], encrypted);
    let logs = json!({"DestinationBucketName": "logs", "LogFilePrefix": "reveille/"});
    assert_eq!(bucket["LoggingConfiguration"], logs);
}

/// docs/bucket.md: "The stack then makes no bucket and changes no setting of yours"
#[test]
fn a_bucket_that_is_adopted_is_used_and_not_touched() {
    let given = [
        ("ExistingRunsBucket", "mine"),
        ("RunsExpireDays", "45"),
        ("NoncurrentDays", "7"),
        ("AccessLogBucket", "logs"),
        ("RunsKeyArn", KEY),
    ];
    let resources = with_roles(&given);
    for (name, resource) in &resources {
        let kind = resource["Type"].as_str().unwrap();
        assert!(!kind.starts_with("AWS::S3::"), "{name} is a {kind}");
    }
    assert_eq!(resources["RunsBucketParameter"]["Properties"]["Value"], "mine");
    assert_eq!(resources["InstalledRunner"]["Properties"]["To"], "s3://mine/");
    let mut readers = 0;
    for (name, statement) in statements(&resources) {
        for on in texts(&statement["Resource"]).iter().filter(|on| on.starts_with("arn:aws:s3:::")) {
            readers += 1;
            assert!(on.starts_with("arn:aws:s3:::mine") || name == "InstallRunnerFunctionRole", "{name}: {on}");
        }
    }
    assert!(readers > 20, "{readers}");
    assert_eq!(uses_of_the_key(&resources).len(), 8, "its key is used as the key of a bucket of the stack's");
}

/// What its policy says of a call, and whether it came with TLS.
fn said(bucket_policy: &Value, action: &str, on: &str, tls: bool) -> PolicyVerdict {
    let context = [("aws:SecureTransport".to_owned(), tls.to_string())].into();
    let asked = Asked { by: PolicyCaller::Anybody, action, resource: on, context };
    verdict(&bucket_policy["Properties"]["PolicyDocument"], &asked).unwrap_or_else(|unknown| panic!("{unknown}"))
}

/// The calls that come through without TLS, and those that are denied with it: for each action of S3 that a role has, on a bucket and
/// its objects.
fn wrong_by_tls(resources: &Resources) -> Vec<String> {
    let policy = &resources["RunsBucketPolicy"];
    let actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:PutBucketPolicy"];
    let mut wrong = Vec::new();
    for action in actions {
        for on in [BUCKET.to_owned(), format!("{BUCKET}/runs/nightly/a/1/output.ipynb")] {
            for (tls, expected) in [(false, PolicyVerdict::Denied), (true, PolicyVerdict::Nothing)] {
                let said = said(policy, action, &on, tls);
                if said != expected {
                    wrong.push(format!("{action} on {on}, TLS {tls}: {said:?}"));
                }
            }
        }
    }
    wrong
}

#[test]
fn its_policy_denies_every_call_without_tls_and_no_other() {
    assert_eq!(wrong_by_tls(&stack(&[])), Vec::<String>::new());
    assert_eq!(wrong_by_tls(&stack(&[("RunsKeyArn", KEY)])), Vec::<String>::new());
    let text = read("infra/template.yaml");
    for (there, instead) in [
        ("Bool: { \"aws:SecureTransport\": \"false\" }", "Bool: { \"aws:SecureTransport\": \"true\" }"),
        ("[!GetAtt RunsBucket.Arn, !Sub \"${RunsBucket.Arn}/*\"]", "[!Sub \"${RunsBucket.Arn}/*\"]"),
        ("[!GetAtt RunsBucket.Arn, !Sub \"${RunsBucket.Arn}/*\"]", "[!GetAtt RunsBucket.Arn]"),
        ("Action: \"s3:*\"", "Action: [s3:GetObject, s3:ListBucket]"),
        ("Effect: Deny", "Effect: Allow"),
    ] {
        assert!(text.contains(there), "{there}");
        let wrong = wrong_by_tls(&made(&parse_template(&text.replacen(there, instead, 1)), &[]));
        assert!(!wrong.is_empty(), "nobody notices {instead}");
    }
}

/// Each statement of each role, with the role's logical name.
fn statements(resources: &Resources) -> Vec<(String, Value)> {
    let listed = |document: &Value| document["Statement"].as_array().unwrap().clone();
    let mut found = Vec::new();
    for (name, resource) in resources {
        let properties = &resource["Properties"];
        let documents: Vec<(String, &Value)> = match resource["Type"].as_str().unwrap() {
            "AWS::IAM::Role" => {
                let own = properties["Policies"].as_array().into_iter().flatten();
                own.map(|policy| (name.clone(), &policy["PolicyDocument"])).collect()
            }
            "AWS::IAM::Policy" => {
                let roles = properties["Roles"].as_array().unwrap().iter().map(|role| role.as_str().unwrap());
                let roles = roles.map(|role| role.trim_start_matches("${").trim_end_matches('}').to_owned());
                roles.map(|role| (role, &properties["PolicyDocument"])).collect()
            }
            // Of the instance's template, which has one role.
            "AWS::IAM::ManagedPolicy" => vec![("Role".to_owned(), &properties["PolicyDocument"])],
            _ => Vec::new(),
        };
        found.extend(
            documents.into_iter().flat_map(|(role, it)| listed(it).into_iter().map(move |s| (role.clone(), s))),
        );
    }
    found
}

/// Which of the two actions on the key a role has, by way of S3 of this region. An action that it has in any other way is named too.
fn uses_of_the_key(resources: &Resources) -> BTreeMap<String, BTreeSet<String>> {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (role, statement) in statements(resources) {
        for action in texts(&statement["Action"]).into_iter().filter(|action| action.starts_with("kms:")) {
            if !texts(&statement["Resource"]).iter().any(|on| matches(on, KEY)) {
                continue;
            }
            let clauses = Clause::read(&statement["Condition"], &action).unwrap();
            let may = |by: &[(&str, &str)]| {
                let context = by.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
                clauses.iter().all(|clause| clause.holds(&context, &str::to_owned))
            };
            if may(&[("kms:ViaService", BY_S3)]) {
                uses.entry(role.clone()).or_default().insert(action.clone());
            }
            if may(&[]) || BY_OTHERS.iter().any(|by| may(&[("kms:ViaService", by)])) {
                uses.entry(role.clone()).or_default().insert(format!("{action} without S3"));
            }
        }
    }
    uses
}

/// What a role that reads or writes objects of the bucket needs: S3 asks KMS as the role.
fn needs_of_the_key(resources: &Resources, bucket: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut needs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (role, statement) in statements(resources) {
        let on_objects = texts(&statement["Resource"]).iter().any(|on| on.starts_with(&format!("{bucket}/")));
        for action in texts(&statement["Action"]).iter().filter(|_| on_objects) {
            let asked = match action.as_str() {
                "s3:GetObject" => "kms:Decrypt",
                "s3:PutObject" => "kms:GenerateDataKey",
                _ => continue,
            };
            needs.entry(role.clone()).or_default().insert(asked.to_owned());
        }
    }
    needs
}

#[test]
fn each_role_has_of_the_buckets_key_what_it_needs_and_by_way_of_s3_only() {
    let given = [("RunsKeyArn", KEY), ("ArtifactsBucket", "releases")];
    let resources = with_roles(&given);
    let uses = uses_of_the_key(&resources);
    assert_eq!(uses, needs_of_the_key(&resources, BUCKET));
    assert!(uses.contains_key("InstallRunnerFunctionRole") && uses.contains_key("SweepFunctionRole"), "{uses:?}");
    assert!(!uses.contains_key("EventsRole") && !uses.contains_key("SchedulerRole"), "who starts runs reads no record");
    assert_eq!(uses_of_the_key(&with_roles(&[])), [].into(), "none without a key");

    let instance = template("infra/instance.yaml");
    let of_the_instance = |key| {
        let given = [("InstanceName", "nightly"), ("RunsBucket", "reveille-runsbucket"), ("RunsKeyArn", key)];
        ParametrisedStack::new(&instance, &given).resources()
    };
    let resources = of_the_instance(KEY);
    assert_eq!(uses_of_the_key(&resources), needs_of_the_key(&resources, BUCKET));
    assert_eq!(uses_of_the_key(&resources)["Role"].len(), 2);
    assert_eq!(uses_of_the_key(&of_the_instance("")), [].into());
}

/// The release's bucket has a key of its own, which one function reads with.
#[test]
fn only_the_installer_reads_with_the_releases_key() {
    let uses = uses_of_the_key(&with_roles(&[("ArtifactsKeyArn", KEY), ("ArtifactsBucket", "releases")]));
    let decrypts = [("InstallRunnerFunctionRole".to_owned(), ["kms:Decrypt".to_owned()].into())];
    assert_eq!(uses, decrypts.into());
}

/// What the comparison above would notice.
#[test]
fn a_grant_on_the_key_that_is_missing_too_wide_or_for_nobody_is_noticed() {
    let good = with_roles(&[("RunsKeyArn", KEY)]);
    let is_wrong = |resources: &Resources| uses_of_the_key(resources) != needs_of_the_key(resources, BUCKET);
    assert!(!is_wrong(&good));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut resources = good.clone();
        change(&mut resources.get_mut("UseRunsKey").expect("a policy")["Properties"]);
        is_wrong(&resources)
    };
    let statement =
        |policy: &mut Value, part: &str, value: Value| policy["PolicyDocument"]["Statement"][0][part] = value;
    assert!(changed(&|policy| _ = policy["Roles"].as_array_mut().unwrap().pop()), "a role that lacks it");
    assert!(changed(&|policy| policy["Roles"].as_array_mut().unwrap().push("${EventsRole}".into())), "one too many");
    assert!(changed(&|policy| statement(policy, "Action", json!("kms:Decrypt"))), "an action that lacks");
    assert!(changed(&|policy| statement(policy, "Condition", Value::Null)), "anybody asks KMS as it");
    let elsewhere = json!({"StringEquals": {"kms:ViaService": BY_OTHERS[0]}});
    assert!(changed(&|policy| statement(policy, "Condition", elsewhere.clone())), "by way of another region");
    assert!(changed(&|policy| statement(policy, "Resource", json!("arn:aws:kms:eu-west-1:1:key/x"))), "another key");
}
