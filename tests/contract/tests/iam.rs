//! Every role of the templates, as SAM makes them, and the page that an administrator signs.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::{functions, grants, iam, provider, read, template, templates};
use reveille_domain::limits::REDRIVABLE;
use serde_json::{Value, json};

#[test]
fn the_page_is_what_the_templates_say() {
    assert!(read(iam::PAGE) == iam::page(), "docs/iam.md is not what the templates say now: run `make pages`");
}

/// `reveille doctor` has them in it.
#[test]
fn the_command_knows_what_the_templates_grant() {
    assert!(
        read(grants::FILE) == grants::file(),
        "{} is not what the templates say now: run `make pages`",
        grants::FILE
    );
}

/// The roles that SAM makes too: for each function, and for the state machine.
#[test]
fn every_role_takes_the_boundary_the_path_and_the_tag() {
    let mut names = Vec::new();
    for path in iam::TEMPLATES {
        for role in iam::roles(path) {
            let properties = &role.properties;
            let boundary =
                json!({"Fn::If": ["HasBoundary", {"Ref": "PermissionsBoundaryArn"}, {"Ref": "AWS::NoValue"}]});
            assert_eq!(properties["PermissionsBoundary"], boundary, "{path}: {}", role.name);
            assert_eq!(properties["Path"], json!({"Ref": "RolePath"}), "{path}: {}", role.name);
            let tag = json!({"Key": "reveille:owner", "Value": {"Ref": "OwnerTag"}});
            assert!(properties["Tags"].as_array().unwrap().contains(&tag), "{path}: {}", role.name);
            let version =
                json!({"Key": "reveille:version", "Value": {"Fn::FindInMap": ["About", "Reveille", "Version"]}});
            assert!(properties["Tags"].as_array().unwrap().contains(&version), "{path}: {}", role.name);
            names.push(role.name);
        }
        let version = &template(path)["Mappings"]["About"]["Reveille"]["Version"];
        assert_eq!(*version, reveille_domain::VERSION, "{path}: a new version has another tag");
    }
    assert_eq!(names.len(), functions(&template("infra/template.yaml")).len() + 4, "{names:?}");
    // No template makes a role that nobody looks at here.
    for path in templates() {
        assert!(iam::TEMPLATES.contains(&path.as_str()) || iam::roles(&path).is_empty(), "{path} makes roles");
    }
}

/// Of whatever takes tags.
#[test]
fn everything_of_an_instance_says_whose_it_is() {
    let template = template("infra/instance.yaml");
    let mut tagged = Vec::new();
    for (name, resource) in template["Resources"].as_object().unwrap() {
        let schema = provider::schema(resource["Type"].as_str().unwrap()).unwrap();
        let Some(property) = provider::tag_property(schema) else { continue };
        let tag = json!({"Key": "reveille:owner", "Value": {"Ref": "OwnerTag"}});
        assert!(resource["Properties"][property].as_array().is_some_and(|tags| tags.contains(&tag)), "{name}");
        tagged.push(name);
    }
    assert_eq!(tagged, ["Role", "LifecycleConfig", "Instance"], "policies take no tags");
}

#[test]
fn nothing_is_granted_on_everything_but_what_iam_has_no_resource_for() {
    let mut open = Vec::new();
    for path in iam::TEMPLATES {
        for (statement, _) in iam::roles(path).into_iter().flat_map(|role| role.statements) {
            assert_eq!(statement["Effect"], "Allow");
            if statement["Resource"] == "*" {
                open.push(statement["Action"].to_string());
            }
            assert!(!statement["Action"].to_string().contains('*'), "{statement}: name each action");
        }
    }
    assert!(open.iter().all(|actions| actions.contains("states:SendTask") || actions.contains("ec2:")), "{open:?}");
}

/// AWS's own policy lets a function make any group. One that Lambda makes of the stack's name after the stack was deleted is in the way of
/// the next one: CloudFormation calls a function for the deletion, and its lines arrive later than the group goes. So the roles
/// themselves deny it, as long as they are there.
#[test]
fn no_function_makes_a_group_of_logs() {
    let mut functions = 0;
    for role in iam::roles("infra/template.yaml") {
        let writes_logs = role.properties["ManagedPolicyArns"].to_string().contains("AWSLambdaBasicExecutionRole");
        let expected = json!({"Effect": "Deny", "Action": "logs:CreateLogGroup", "Resource": "*"});
        assert_eq!(role.denied, if writes_logs { vec![expected] } else { Vec::new() }, "{}", role.name);
        functions += usize::from(writes_logs);
        // In the role itself, and not beside it, where CloudFormation could take it away before the role.
        let own = role.properties["Policies"].to_string();
        assert_eq!(own.contains("logs:CreateLogGroup"), writes_logs, "{}", role.name);
    }
    assert_eq!(functions, 9);
    for (name, function) in reveille_contract_tests::functions(&template("infra/template.yaml")) {
        let group = &function["Properties"]["LoggingConfig"]["LogGroup"];
        assert_eq!(*group, json!({"Ref": "FunctionLogs"}), "{name}: no other group, which nobody would make");
    }
}

fn bucket() -> Value {
    template("infra/template.yaml")["Resources"]["RunsBucket"].clone()
}

#[test]
fn the_bucket_is_private_versioned_and_kept() {
    let bucket = bucket();
    assert_eq!(bucket["DeletionPolicy"], "RetainExceptOnCreate", "kept, but not by a first creation that failed");
    assert_eq!(bucket["UpdateReplacePolicy"], "Retain");
    assert_eq!(bucket["Properties"]["VersioningConfiguration"]["Status"], "Enabled");
    for block in ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"] {
        assert_eq!(bucket["Properties"]["PublicAccessBlockConfiguration"][block], true, "{block}");
    }
    let policy = template("infra/template.yaml")["Resources"]["RunsBucketPolicy"].clone();
    assert_eq!(policy["Condition"], bucket["Condition"], "the policy of a bucket that is adopted is its owner's");
    let statement = &policy["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Deny"), &json!("s3:*")));
    assert_eq!(statement["Condition"], json!({"Bool": {"aws:SecureTransport": "false"}}));
    assert_eq!(statement["Resource"].as_array().unwrap().len(), 2, "the bucket and its objects");
}

/// Only records of runs expire: a lease or a ticket that expired would leave an instance on, or lose a run. What notebooks have left
/// before their end always does; a lost run, which has nothing else, may be looked at for as long as it may be redriven.
#[test]
fn only_runs_what_they_left_and_the_triggers_they_answered_expire() {
    let bucket = bucket();
    let rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    let (mut expiring, mut live) = (Vec::new(), false);
    for rule in rules {
        let rule = rule["Fn::If"].as_array().map_or(rule, |branches| {
            assert_eq!(branches[0], "ExpiresRuns");
            &branches[1]
        });
        if rule["Id"] == "Live" {
            assert_eq!(rule["Prefix"], json!({"Fn::Sub": "${RunsPrefix}live/"}));
            assert!(rule["ExpirationInDays"].as_i64().unwrap() >= REDRIVABLE.num_days());
            live = true;
        } else if !rule["ExpirationInDays"].is_null() {
            assert_eq!(rule["ExpirationInDays"], json!({"Ref": "RunsExpireDays"}));
            expiring.push(rule["Prefix"]["Fn::Sub"].as_str().expect("never the whole bucket").to_owned());
        }
    }
    assert_eq!(
        (live, expiring.as_slice()),
        (true, &["runs/", "triggers/", "history/"].map(|folder| format!("${{RunsPrefix}}{folder}"))[..])
    );
    assert_eq!(template("infra/template.yaml")["Parameters"]["RunsExpireDays"]["Default"], "0", "kept unless asked");
}

/// Whoever reads or writes objects of a bucket with a key of its own asks KMS as itself.
#[test]
fn whoever_uses_the_bucket_may_use_its_key() {
    for path in iam::TEMPLATES {
        for role in iam::roles(path) {
            let uses = |service: &str| {
                role.statements
                    .iter()
                    .filter(|(statement, _)| statement["Action"].to_string().contains(service))
                    .count()
            };
            let expected = usize::from(uses("\"s3:") > 0);
            // S3 asks for a key of its data only where something is written.
            let actions = match uses("\"s3:Put") {
                0 => json!("kms:Decrypt"),
                _ => json!(["kms:Decrypt", "kms:GenerateDataKey"]),
            };
            let key: Vec<_> = role
                .statements
                .iter()
                .filter(|(statement, _)| statement["Action"].to_string().contains("kms:Decrypt"))
                // Of the release's bucket, which nobody but the installer reads.
                .filter(|(statement, _)| statement["Resource"] != json!({"Ref": "ArtifactsKeyArn"}))
                .collect();
            assert_eq!(key.len(), expected, "{path}: {}", role.name);
            for (statement, parameter) in key {
                assert_eq!(statement["Action"], actions, "{path}: {}", role.name);
                assert_eq!(statement["Resource"], json!({"Ref": "RunsKeyArn"}));
                assert!(statement["Condition"]["StringEquals"]["kms:ViaService"].is_object(), "by way of S3 only");
                assert_eq!(parameter.as_deref(), Some("RunsKeyArn"), "off until asked for");
            }
        }
    }
}

/// Nobody may write each record of a run: what it was asked for is AdmitRun's, how it ended ConcludeRun's and the sweeper's.
#[test]
fn who_writes_records_of_runs_may_write_those_by_name() {
    let mut written = 0;
    for path in iam::TEMPLATES {
        for role in iam::roles(path) {
            for (statement, _) in &role.statements {
                if !statement["Action"].to_string().contains("s3:PutObject") {
                    continue;
                }
                for on in iam::texts(&statement["Resource"]).iter().filter(|on| on.contains("}runs/")) {
                    let name = on.rsplit('/').next().unwrap();
                    assert!(name.contains('.') && !name.contains('*'), "{path}: {} writes {on}", role.name);
                    written += 1;
                }
            }
        }
    }
    assert!(written > 8, "{written}");
}
