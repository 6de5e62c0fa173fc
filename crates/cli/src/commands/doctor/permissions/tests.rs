use super::{Denied, Finding, Seen, another_version, finding, is_of_another_version, judge, not_asked};
use crate::{
    clients::checkup::{Denial, Unknown},
    commands::doctor::{
        finding::{Check, Verdict, tests::found},
        grants::{Named, RoleNeeds},
    },
};

const MACHINE: &str = "arn:aws:states:eu-west-1:1:stateMachine:m";

fn needs() -> RoleNeeds {
    let named = Named { machine: MACHINE, bucket: "runs", prefix: "", parts: &[], parameter: &|_| None };
    named.of_instance("arn:aws:iam::1:role/team/reader", "nightly")
}

fn denied(action: &str, on: &str, why: Denial) -> Denied {
    Denied { action: action.to_owned(), on: on.to_owned(), why }
}

#[test]
fn a_denial_names_the_role_the_action_the_resource_and_what_to_do() {
    let on = "arn:aws:s3:::runs/leases/nightly.json";
    for (why, said, cure) in [
        (Denial::NotGranted, "None of the role's policies", "aws iam list-role-policies --role-name reader"),
        (Denial::Statement, "A statement", "aws iam list-role-policies --role-name reader"),
        (Denial::Boundary, "permissions boundary", "aws iam get-role --role-name reader"),
        (Denial::Organization, "(SCP)", "whoever manages your AWS organization"),
    ] {
        for check in [Check::Permissions, Check::InstancePermissions] {
            let seen = Seen::Denied(vec![denied("s3:PutObject", on, why)]);
            let findings = [finding(check, &needs(), &seen)];
            let what =
                format!("the role reader (of the instance) may not s3:PutObject on {on} (notes whose boot it is)");
            for said in [&what, said, cure] {
                found(&findings, check, Verdict::Fail, said);
            }
        }
    }
}

#[test]
fn denials_of_one_purpose_are_told_together_and_each_kind_of_denial_is_named() {
    let needs = needs();
    let mut all: Vec<Denied> = needs
        .wishes
        .iter()
        .flat_map(|wish| wish.actions.iter().map(|action| denied(action, &wish.resource, Denial::NotGranted)))
        .collect();
    all.sort_by(|a, b| (&a.action, &a.on).cmp(&(&b.action, &b.on)));
    all[0].why = Denial::Boundary;
    let count = all.len();
    let findings = [finding(Check::Permissions, &needs, &Seen::Denied(all.clone()))];
    let first = &all[0].action;
    let gravest = format!("; and {} more. {first}: The role's permissions boundary does not allow it. ", count - 3);
    for said in [
        &gravest,
        " other actions: None of the role's policies allows it",
        &format!("For {first}: allow it in the boundary's policy"),
        " other actions: put the permission back",
    ] {
        found(&findings, Check::Permissions, Verdict::Fail, said);
    }
    all.retain(|it| it.on.contains("/output."));
    let findings = [finding(Check::Permissions, &needs, &Seen::Denied(all))];
    let folder = "arn:aws:s3:::runs/runs/nightly/*";
    let said = format!("s3:PutObject on {folder}/output.html and {folder}/output.ipynb (keeps the run's output). None");
    found(&findings, Check::Permissions, Verdict::Fail, &said);
}

#[test]
fn an_action_that_is_denied_for_two_reasons_is_named_with_its_resources() {
    let needs = needs();
    let asked = |action: &str, part: &str| {
        let wish =
            needs.wishes.iter().find(|wish| wish.actions.iter().any(|it| it == action) && wish.resource.contains(part));
        (action.to_owned(), wish.unwrap().resource.clone())
    };
    let pairs =
        [asked("s3:GetObject", "/leases/"), asked("s3:PutObject", "/leases/"), asked("s3:PutObject", "/output.html")];
    let [_, lease, output] = pairs.each_ref().map(|(action, on)| needs.why(action, on).1);
    let reasons = [Denial::Boundary, Denial::NotGranted, Denial::Statement];
    let all = pairs.iter().zip(reasons).map(|((action, on), why)| denied(action, on, why)).collect();
    let findings = [finding(Check::Permissions, &needs, &Seen::Denied(all))];
    for said in [
        format!("s3:PutObject on {lease}: None of the role's policies"),
        format!("s3:PutObject on {output}: A statement"),
        format!("For s3:PutObject on {output}: find the statement"),
        ". s3:GetObject: The role's permissions boundary".to_owned(),
    ] {
        found(&findings, Check::Permissions, Verdict::Fail, &said);
    }
}

#[test]
fn without_its_logs_a_run_runs() {
    let logs = denied("logs:PutLogEvents", "l", Denial::Boundary);
    let one = |all: Vec<Denied>| [finding(Check::InstancePermissions, &needs(), &Seen::Denied(all))];
    found(&one(vec![logs.clone()]), Check::InstancePermissions, Verdict::Warn, "logs:PutLogEvents");
    let both = vec![logs, denied("s3:GetObject", "a", Denial::Boundary)];
    found(&one(both), Check::InstancePermissions, Verdict::Fail, "s3:GetObject");
}

#[test]
fn a_role_that_is_gone_is_no_role_without_permissions() {
    for (check, cure) in [(Check::Permissions, "deploy it again"), (Check::InstancePermissions, "infra/instance.yaml")]
    {
        found(&[finding(check, &needs(), &Seen::NoSuchRole)], check, Verdict::Fail, cure);
    }
}

#[test]
fn roles_in_order_are_one_line_and_others_a_line_each() {
    let fine = || Ok(Seen::Denied(Vec::new()));
    let roles = [needs(), needs(), needs()];
    let things = needs().count();
    let line = format!("its 3 roles may do all that they need (permissions asked about: {})", 3 * things);
    found(&judge(&roles, &[fine(), fine(), fine()]), Check::Permissions, Verdict::Ok, &line);
    let ill = Ok(Seen::Denied(vec![denied("s3:GetObject", "a", Denial::Boundary)]));
    let findings = judge(&roles, &[fine(), ill, fine()]);
    assert_eq!(findings.len(), 2);
    found(&findings[1..], Check::Permissions, Verdict::Ok, "the other 2 roles may do all");
}

#[test]
fn whoever_may_not_ask_is_told_once_and_nothing_fails() {
    let unknown = Unknown::Denied("iam:SimulatePrincipalPolicy");
    // The others were not asked about.
    let findings = judge(&[needs(), needs()], &[Err(unknown.clone())]);
    assert_eq!(findings.len(), 1);
    for said in
        ["you may not ask, which takes iam:SimulatePrincipalPolicy", "let somebody allow you", "role/team/reader"]
    {
        found(&findings, Check::Permissions, Verdict::Unchecked, said);
    }
    assert_eq!(findings[0].permission, Some("iam:SimulatePrincipalPolicy"));
    let late = not_asked(Check::Permissions, &Unknown::Late("iam:SimulatePrincipalPolicy"), &needs());
    assert_eq!(late.cure, None);
}

#[test]
fn a_stack_of_another_version_is_not_held_to_this_versions_needs() {
    assert!(is_of_another_version(&Finding::warn(Check::Definition, "a", "b")));
    assert!(is_of_another_version(&Finding::warn(Check::StackOutputs, "a", "b")));
    assert!(!is_of_another_version(&Finding::unchecked(Check::Definition, &Unknown::Late("x"))));
    assert!(!is_of_another_version(&Finding::warn(Check::Sweeper, "a", "b")));
    // Neither its roles nor those of its instances.
    assert!(another_version(&[Finding::ok(Check::Stack, "a"), Finding::warn(Check::StackParts, "a", "b")]).is_some());
    assert_eq!(another_version(&[Finding::ok(Check::Definition, "a")]), None);
}
