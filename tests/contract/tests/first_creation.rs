//! A first creation that fails leaves no bucket behind, because nothing was in it: whatever can fail comes before the only resource that
//! writes into it, for each value of the parameters.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::transform::transformed;
use serde_json::{Value, json};

/// What writes into the bucket.
const LAST: &str = "InstalledRunner";
/// Each parameter that makes or leaves out a resource, with a value that is not its default.
const SET: [(&str, &str); 11] = [
    ("TriggerBucket", "uploads"),
    ("ScheduleExpression", "rate(1 day)"),
    ("NotifyEmail", "someone@example.com"),
    ("ExistingRunsBucket", "mine"),
    ("RunsKeyArn", "arn:aws:kms:eu-west-1:123456789012:key/0a1b"),
    ("InstanceRoleArns", "arn:aws:iam::123456789012:role/x"),
    ("InstancesInVpc", "true"),
    ("InstanceKeyArns", "arn:aws:kms:eu-west-1:123456789012:key/2c3d"),
    ("GitSecretArns", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:git"),
    ("ReleaseSchedule", "rate(10 minutes)"),
    ("PublishProgress", "true"),
];

/// A release's template, as SAM makes it.
fn released() -> Value {
    let mut template = transformed("infra/template.yaml");
    template["Mappings"]["Release"]["Runner"]["File"] = "reveille-runner-1".into();
    template
}

/// What each resource of a stack waits for: what it names, in `DependsOn` or in any value.
fn waits(resources: &BTreeMap<String, Value>) -> BTreeMap<&str, BTreeSet<&str>> {
    let of = |resource: &Value| {
        let text = resource.to_string();
        let named = resources.keys().map(String::as_str).filter(|name| {
            let depends = resource["DependsOn"].as_array().is_some_and(|all| all.contains(&json!(name)));
            depends
                || resource["DependsOn"] == *name
                || text.contains(&format!("${{{name}}}"))
                || text.contains(&format!("${{{name}."))
        });
        named.collect()
    };
    resources.iter().map(|(name, resource)| (name.as_str(), of(resource))).collect()
}

/// The resources of a stack with these parameters that may still be made, and fail, when something is in the bucket.
fn too_late(template: &Value, given: &[(&str, &str)]) -> Vec<String> {
    let resources = ParametrisedStack::new(template, given).resources();
    let waits = waits(&resources);
    let (mut before, mut left) = (BTreeSet::new(), vec![LAST]);
    while let Some(name) = left.pop() {
        if before.insert(name) {
            left.extend(&waits[name]);
        }
    }
    resources.keys().filter(|name| !before.contains(name.as_str())).cloned().collect()
}

/// Of no parameter, of each, and of all.
fn too_late_at_all(template: &Value) -> Vec<String> {
    let each = SET.iter().map(std::slice::from_ref);
    [&[][..], &SET].into_iter().chain(each).flat_map(|given| too_late(template, given)).collect()
}

#[test]
fn whatever_can_fail_is_made_before_anything_is_in_the_bucket() {
    let template = released();
    assert_eq!(too_late_at_all(&template), Vec::<String>::new());
    let conditions = template["Resources"].as_object().unwrap().values();
    let conditions: BTreeSet<_> = conditions.filter_map(|resource| resource["Condition"].as_str()).collect();
    for condition in conditions {
        let asks = |name: &str| template["Conditions"][condition].to_string().contains(&format!("\"{name}\""));
        let is_tried = condition == "InstallsRunner" || SET.iter().any(|(name, _)| asks(name));
        assert!(is_tried, "{condition} makes a resource, and SET has no parameter for it");
    }
}

/// Each of these faults is one that a reviewer could not see in the template.
#[test]
fn what_is_not_waited_for_is_noticed() {
    let good = released();
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut template = good.clone();
        change(&mut template["Resources"][LAST]);
        too_late_at_all(&template)
    };
    let without =
        |name: &'static str| changed(&|last| last["DependsOn"].as_array_mut().unwrap().retain(|other| other != name));
    // The rules of the sweeper are SAM's: a refused SweepSchedule fails there.
    for name in [
        "SweepFunctionTimerPermission",
        "UndeliveredNotificationsPolicy",
        "SchedulerRole",
        "SweepFunctionEventInvokeConfig",
    ] {
        assert!(!without(name).is_empty(), "nobody notices that {name} is not waited for");
    }
    assert!(without("UndeliveredNotificationsPolicy").contains(&"NotifyRule".to_owned()), "its rule too");
    assert!(without("SweepFunctionTimerPermission").contains(&"SweepFunctionTimer".to_owned()), "its rule too");
    let wrong = changed(&|last| {
        let after = last["Properties"]["After"].as_array_mut().unwrap();
        let trigger = after.iter_mut().find(|one| one["Fn::If"][0] == "HasTrigger").expect("the trigger's rule");
        trigger["Fn::If"][0] = "HasSchedule".into();
    });
    assert_eq!(wrong, ["ObjectCreatedRule"], "by the trigger alone");
}
