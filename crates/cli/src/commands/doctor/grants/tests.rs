use std::collections::BTreeMap;

use reveille_contract_tests::template;

use super::{GRANTS, Grant, Named, OF_INSTANCE, RoleNeeds};
use crate::clients::checkup::ResourceFacts;

const MACHINE: &str = "arn:aws:states:eu-west-1:111122223333:stateMachine:reveille-NotebookRun";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/r-";

/// Where it cannot be read, no role would need anything, and each would be in order.
#[test]
fn the_list_of_grants_can_be_read_and_has_each_role() {
    let read: Result<Vec<Grant>, _> = serde_json::from_str(include_str!("../grants.json"));
    assert_eq!(read.unwrap(), *GRANTS);
    let template = template("infra/template.yaml");
    let functions = reveille_contract_tests::functions(&template);
    let roles = functions.keys().map(|name| format!("{name}Role"));
    for role in roles.chain(["EventsRole", "SchedulerRole", "NotebookRunRole", OF_INSTANCE].map(str::to_owned)) {
        assert!(GRANTS.iter().any(|grant| grant.role == role), "{role} needs nothing, and would always be in order");
    }
}

/// What a stack has that has every part; a queue is known by its address.
fn parts() -> Vec<ResourceFacts> {
    let names = GRANTS.iter().flat_map(|grant| {
        let named = grant.on.split("${").skip(1).filter_map(|rest| rest.split('}').next());
        named.chain([grant.role.as_str()])
    });
    let id = |name: &str| match name {
        "UndeliveredEvents" | "UndeliveredNotifications" | "SweepFailures" => {
            format!("https://sqs.eu-west-1.amazonaws.com/111122223333/r-{name}")
        }
        _ => format!("r-{name}"),
    };
    names
        .map(|name| ResourceFacts {
            name: name.to_owned(),
            id: id(name),
            status: "CREATE_COMPLETE".to_owned(),
            reason: None,
        })
        .collect()
}

fn parameters(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let of = [("RolePath", "/team/"), ("EventBusName", "default"), ("InstanceNames", "*"), ("InstancesInVpc", "false")];
    let none = ["RunsKeyArn", "InstanceRoleArns", "InstanceKeyArns", "GitSecretArns", "ArtifactsKeyArn"];
    let release = [("ArtifactsBucket", "artifacts"), ("ArtifactsPrefix", "reveille/")];
    let all = of.into_iter().chain(release).chain(none.map(|name| (name, ""))).chain(given.iter().copied());
    all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn look<T>(given: &[(&str, &str)], look: impl FnOnce(&Named<'_>) -> T) -> T {
    let (parts, parameters) = (parts(), parameters(given));
    let parameter = |name: &str| parameters.get(name).cloned();
    look(&Named { machine: MACHINE, bucket: "runs", prefix: "p/", parts: &parts, parameter: &parameter })
}

fn of<'a>(roles: &'a [RoleNeeds], name: &str) -> &'a RoleNeeds {
    roles.iter().find(|role| role.arn == format!("{ROLE}{name}")).unwrap_or_else(|| panic!("{name}"))
}

/// Whether it is asked about.
fn asks(role: &RoleNeeds, action: &str, resource: &str) -> bool {
    role.wishes.iter().any(|wish| wish.resource == resource && wish.actions.iter().any(|it| it == action))
}

#[test]
fn every_grant_has_all_its_names() {
    assert!(GRANTS.len() > 100, "the file is there, and is read");
    let with = [
        ("RunsKeyArn", "arn:aws:kms:eu-west-1:1:key/runs"),
        ("InstanceRoleArns", "arn:aws:iam::1:role/a,arn:aws:iam::1:role/b"),
        ("InstanceKeyArns", "arn:aws:kms:eu-west-1:1:key/a"),
        ("GitSecretArns", "arn:aws:secretsmanager:eu-west-1:1:secret:git"),
        ("ArtifactsKeyArn", "arn:aws:kms:eu-west-1:1:key/artifacts"),
        ("InstancesInVpc", "true"),
        ("ReadBucket", "read"),
    ];
    let (roles, instance) = look(&with, |named| (named.of_stack(&["nightly"]), named.of_instance("arn:r", "nightly")));
    let all = roles.iter().chain([&instance]);
    let whats: Vec<(&str, &str)> =
        all.flat_map(|role| role.whys.keys()).map(|(action, resource)| (action.as_str(), resource.as_str())).collect();
    // One role of two is passed besides.
    let expected = GRANTS.len() + 1;
    assert_eq!(whats.len(), expected, "a grant was left out, or two became one");
    for (action, resource) in whats {
        assert!(resource == "*" || resource.starts_with("arn:aws:"), "{action} on {resource}");
        assert!(!resource.contains("${") && (resource == "*" || !resource.contains('*')), "{action} on {resource}");
    }
    let passed = of(&roles, "StartInstanceFunctionRole").wishes.iter().find(|wish| wish.resource.ends_with("role/b"));
    assert_eq!(passed.unwrap().context["iam:PassedToService"], "sagemaker.amazonaws.com");
}

#[test]
fn what_a_stack_does_not_have_is_not_asked_about() {
    let roles = look(&[], |named| named.of_stack(&[]));
    assert_eq!(roles.len(), GRANTS.iter().map(|it| &it.role).collect::<std::collections::BTreeSet<_>>().len() - 1);
    for role in &roles {
        assert!(role.wishes.iter().all(|wish| wish.context.keys().all(|key| key == "events:source")), "{role:#?}");
        assert!(
            role.wishes
                .iter()
                .all(|wish| !wish.resource.is_empty() && !wish.actions.contains(&"ec2:DescribeVpcs".into()))
        );
    }
    let without = look(&[], |named| {
        let parts: Vec<_> = named.parts.iter().filter(|it| it.name != "InstallRunnerFunctionRole").cloned().collect();
        Named { parts: &parts, ..*named }.of_stack(&[])
    });
    assert_eq!(without.len(), roles.len() - 1);
}

#[test]
fn names_are_the_stacks_own() {
    let roles = look(&[("InstanceNames", "team-*")], |named| named.of_stack(&["team-a", "other", "team-B"]));
    let stop = "sagemaker:StopNotebookInstance";
    let arn = |name: &str| format!("arn:aws:sagemaker:eu-west-1:111122223333:notebook-instance/{name}");
    let sweeper = of(&roles, "SweepFunctionRole");
    assert!(asks(sweeper, stop, &arn("team-a")) && asks(sweeper, stop, &arn("team-b")));
    assert!(!asks(sweeper, stop, &arn("other")), "the stack does not serve it");
    assert!(asks(sweeper, "states:ListExecutions", MACHINE));
    assert!(asks(sweeper, "sqs:SendMessage", "arn:aws:sqs:eu-west-1:111122223333:r-SweepFailures"));
    let claim = "arn:aws:s3:::runs/p/runs/example/claim.json";
    assert!(asks(sweeper, "s3:PutObject", claim));
    let (why, pattern) = sweeper.why("s3:PutObject", claim);
    assert_eq!(
        (why, pattern),
        ("claims an attempt, so that nobody else runs it", "arn:aws:s3:::runs/p/runs/*/claim.json")
    );
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:r-AdmitRunFunction";
    assert!(asks(of(&roles, "NotebookRunRole"), "lambda:InvokeFunction", function));
    let none = look(&[("InstanceNames", "team-*")], |named| named.of_stack(&["other"]));
    assert!(asks(of(&none, "SweepFunctionRole"), stop, &arn("team-example")));
    let instance = look(&[], |named| named.of_instance("arn:r", "nightly"));
    assert!(asks(&instance, stop, &arn("nightly")));
    assert!(asks(&instance, "s3:PutObject", "arn:aws:s3:::runs/p/runs/nightly/example/claim.json"));
    assert!(GRANTS.iter().any(|grant| grant.role == OF_INSTANCE && grant.only_with.as_deref() == Some("ReadBucket")));
    assert!(!instance.wishes.iter().any(|wish| wish.resource.contains("ReadBucket")));
}
