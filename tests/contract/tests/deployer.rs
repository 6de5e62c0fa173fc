//! What docs/iam.md says that whoever deploys needs, against what AWS publishes of the handlers that CloudFormation runs in their name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use reveille_contract_tests::deployer::left_out::LEFT_OUT;
use reveille_contract_tests::deployer::{DEPLOYS, Deployed, deployed, types};
use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::wildcards::action_matches;
use reveille_contract_tests::{iam, provider, read, template, templates};
use serde_json::Value;

/// What AWS says that a type's handlers call, its tags among it.
fn of_the_handlers(schema: &Value) -> BTreeSet<String> {
    let tagging = schema["tagging"]["permissions"].as_array().into_iter().flatten();
    let tagging = tagging.map(|call| call.as_str().unwrap().to_owned());
    provider::calls(schema).into_iter().chain(tagging).collect()
}

/// What is wrong with the calls for a type, each as a sentence. `left_out`: the calls that are, each as the list has it.
fn wrong(row: &Deployed, left_out: &[&str], handlers: &BTreeSet<String>) -> Vec<String> {
    let kind = row.kind;
    let named = |call: &str| row.all().any(|pattern| action_matches(pattern, call));
    let excused = |call: &str| left_out.iter().any(|pattern| action_matches(pattern, call));
    let missing = handlers.iter().filter(|call| !named(call) && !excused(call));
    let mut found: Vec<String> =
        missing.map(|call| format!("CloudFormation calls {call} for {kind}: name it, or say why not")).collect();
    let exists = |pattern: &str| handlers.iter().any(|call| action_matches(pattern, call));
    found.extend(row.all().filter(|call| !exists(call)).map(|call| format!("{kind}: no handler calls {call}")));
    let idle = |pattern: &&&str| !handlers.iter().any(|call| action_matches(pattern, call) && !named(call));
    found.extend(left_out.iter().filter(idle).map(|call| format!("{kind}: {call} is left out, and nobody calls it")));
    found
}

/// Of every type.
fn left_out(kind: &str) -> Vec<&'static str> {
    LEFT_OUT.iter().filter(|(of, ..)| *of == kind).flat_map(|(_, calls, _)| *calls).copied().collect()
}

#[test]
fn whoever_has_what_the_page_says_may_deploy_change_and_delete_every_template() {
    let mut found = Vec::new();
    for kind in types().keys() {
        let row = deployed(kind);
        if let Some(schema) = provider::schema(kind) {
            found.extend(wrong(row, &left_out(kind), &of_the_handlers(schema)));
        }
    }
    assert_eq!(found, Vec::<String>::new());
    let types = types();
    let idle: Vec<&str> = DEPLOYS.iter().map(|row| row.kind).filter(|kind| !types.contains_key(*kind)).collect();
    assert!(idle.is_empty(), "no template has {idle:?}");
    let idle: Vec<&str> = LEFT_OUT.iter().map(|(kind, ..)| *kind).filter(|kind| !types.contains_key(*kind)).collect();
    assert!(idle.is_empty(), "no template has {idle:?}");
}

/// What a setting is about, by the name of the property or of the call that puts it: `NotificationConfiguration` and
/// `PutBucketNotification` are both about `notification`.
fn subject(name: &str) -> String {
    ["Put", "Bucket", "Configuration", "*"]
        .iter()
        .fold(name.to_owned(), |name, part| name.replace(part, ""))
        .to_lowercase()
}

/// The calls that are left out although a template sets what they put: the reasons say that no template does.
fn left_out_and_set(kind: &str, left_out: &[&str], properties: &BTreeSet<String>) -> Vec<String> {
    let puts = left_out
        .iter()
        .filter_map(|call| Some((call, call.split_once(':')?.1)))
        .filter(|(_, name)| name.starts_with(['P', '*']));
    let about = |name: &str| properties.iter().find(|property| subject(property) == subject(name));
    puts.filter_map(|(call, name)| Some(format!("{kind}: {call} is left out, and a template sets {}", about(name)?)))
        .collect()
}

/// The properties that templates set, of each type.
fn properties_of(kind: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for path in templates() {
        for resource in transformed(&path)["Resources"].as_object().unwrap().values() {
            if resource["Type"] == kind {
                names.extend(resource["Properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
            }
        }
    }
    names
}

#[test]
fn no_call_is_left_out_whose_property_a_template_sets() {
    for kind in types().keys() {
        assert_eq!(left_out_and_set(kind, &left_out(kind), &properties_of(kind)), Vec::<String>::new());
    }
    let bucket = "AWS::S3::Bucket";
    for (call, property) in
        [("s3:PutBucketNotification", "NotificationConfiguration"), ("s3:PutBucketLogging", "LoggingConfiguration")]
    {
        let told = left_out_and_set(bucket, &[call], &properties_of(bucket));
        assert_eq!(told, [format!("{bucket}: {call} is left out, and a template sets {property}")]);
    }
}

/// Each call that the page names is one without which something fails.
#[test]
fn a_call_that_is_taken_away_is_noticed() {
    let row = deployed("AWS::S3::Bucket");
    let handlers = of_the_handlers(provider::schema(row.kind).unwrap());
    for taken in row.calls {
        let calls: Vec<&'static str> = row.calls.iter().copied().filter(|call| call != taken).collect();
        let without = Deployed { calls: calls.leak(), ..*row };
        assert!(!wrong(&without, &left_out(row.kind), &handlers).is_empty(), "nobody notices that {taken} is missing");
    }
    let more = Deployed { calls: &["s3:CreateBuckets"], ..*row };
    let told = "AWS::S3::Bucket: no handler calls s3:CreateBuckets";
    assert!(wrong(&more, &[], &handlers).contains(&told.to_owned()));
    assert_eq!(wrong(row, &[&left_out(row.kind)[..], &["s3:CreateBucket"]].concat(), &handlers).len(), 1);
}

/// Without this call a stack with a transform is refused before anything of it is made.
#[test]
fn a_transform_is_named_where_the_permissions_are() {
    let transforms =
        templates().into_iter().filter_map(|path| template(&path)["Transform"].as_str().map(str::to_owned));
    let transforms: BTreeSet<String> = transforms.collect();
    assert_eq!(transforms.len(), 1, "{transforms:?}");
    for transform in transforms {
        let name = transform.strip_prefix("AWS::").unwrap();
        let arn = format!("arn:aws:cloudformation:REGION:aws:transform/{name}");
        for page in [iam::PAGE, "docs/cli.md"] {
            assert!(read(page).contains(&arn), "{page} lacks {arn}");
        }
    }
}
