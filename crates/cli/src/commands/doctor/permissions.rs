//! Whether each role may do what it needs. A policy that somebody changed, a permissions boundary or an organization's policy denies what the
//! templates grant, and until then only a run shows it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use futures_util::{StreamExt, stream};

use super::{
    finding::{Check, Finding, Verdict},
    grants::{Named, RoleNeeds},
};
use crate::clients::{
    Account,
    checkup::{Denial, Known, ResourceFacts, Simulated, Unknown, Wish, ask},
};

const PERMISSION: &str = "iam:SimulatePrincipalPolicy";
/// Roles of the stack that are asked about at the same time, with two calls each, so that eight calls are under way; those of the instances'
/// roles come on top. IAM's limits are low, and there are some ten calls a role.
const ROLES_AT_ONCE: usize = 4;
/// Calls about one role that are under way at the same time.
const CALLS_AT_ONCE: usize = 2;
/// Purposes that are named one by one.
const SHOWN: usize = 3;

/// What a role may not do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Denied(Vec<Denied>),
    NoSuchRole,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Denied {
    action: String,
    on: String,
    why: Denial,
}

/// Of the stack's roles. `stack`: what was found of the stack so far.
pub(super) async fn of_stack(
    account: &Account,
    stack: &[Finding],
    parts: &Known<Vec<ResourceFacts>>,
    instances: &[&str],
) -> Vec<Finding> {
    if let Some(other) = another_version(stack) {
        return vec![Finding::unchecked(Check::Permissions, &other)];
    }
    let parts = match parts {
        Ok(parts) => parts,
        Err(unknown) => return vec![Finding::unchecked(Check::Permissions, unknown)],
    };
    let parameter = |name: &str| account.parameter(name);
    let roles = named(account, parts, &parameter).of_stack(instances);
    let mut seen = Vec::new();
    let mut looks = stream::iter(roles.iter()).map(|role| look(account, role)).buffered(ROLES_AT_ONCE);
    while let Some(role) = looks.next().await {
        let is_denied = matches!(role, Err(Unknown::Denied(_)));
        seen.push(role);
        // Whoever may not ask about one role is told so once, not once for each role.
        if is_denied {
            break;
        }
    }
    judge(&roles, &seen)
}

/// Of an instance's role. `other`: why nothing can be judged.
pub(super) async fn of_instance(
    account: &Account,
    role: Option<&str>,
    name: &str,
    other: Option<&Unknown>,
) -> Option<Finding> {
    let role = role?;
    if let Some(other) = other {
        return Some(Finding::unchecked(Check::InstancePermissions, other));
    }
    let parameter = |name: &str| account.parameter(name);
    let needs = named(account, &[], &parameter).of_instance(role, name);
    let seen = look(account, &needs).await;
    Some(match &seen {
        Err(unknown) => not_asked(Check::InstancePermissions, unknown, &needs),
        Ok(Seen::Denied(denied)) if denied.is_empty() => Finding::ok(
            Check::InstancePermissions,
            format!("its role may do all that the runner needs (permissions asked about: {})", needs.count()),
        ),
        Ok(seen) => finding(Check::InstancePermissions, &needs, seen),
    })
}

fn named<'a>(
    account: &'a Account,
    parts: &'a [ResourceFacts],
    parameter: &'a dyn Fn(&str) -> Option<String>,
) -> Named<'a> {
    let (bucket, prefix) = (&account.layout.bucket, &account.layout.prefix);
    Named { machine: &account.state_machine, bucket, prefix, parts, parameter }
}

/// Why no role can be judged, if the stack is of another version: that has other needs. `stack`: what was found of it.
pub(super) fn another_version(stack: &[Finding]) -> Option<Unknown> {
    let why = "the stack does not match this command's version, which only knows what its own version needs";
    stack.iter().any(is_of_another_version).then(|| Unknown::Failed(why.to_owned()))
}

/// Another version has other parts and other needs. What is not known of it is no difference.
fn is_of_another_version(finding: &Finding) -> bool {
    let differs = [Check::StackOutputs, Check::StackParts, Check::Definition].contains(&finding.check);
    differs && matches!(finding.verdict, Verdict::Warn | Verdict::Fail)
}

async fn look(account: &Account, role: &RoleNeeds) -> Known<Seen> {
    ask(PERMISSION, async {
        let mut denied = Vec::new();
        let one = |wish: &'_ Wish| {
            let wish = wish.clone();
            async move { account.simulate(&role.arn, &wish).await.map(|simulated| (wish, simulated)) }
        };
        let mut answers = stream::iter(&role.wishes).map(one).buffered(CALLS_AT_ONCE);
        while let Some(answer) = answers.next().await {
            let (wish, simulated) = answer?;
            match simulated {
                Simulated::NoSuchRole => return Ok(Seen::NoSuchRole),
                Simulated::Denied(found) => denied.extend(found.into_iter().map(|(action, why)| Denied {
                    action,
                    on: wish.resource.clone(),
                    why,
                })),
            }
        }
        Ok(Seen::Denied(denied))
    })
    .await
}

fn judge(roles: &[RoleNeeds], seen: &[Known<Seen>]) -> Vec<Finding> {
    let fine = |seen: &Known<Seen>| matches!(seen, Ok(Seen::Denied(denied)) if denied.is_empty());
    let good: Vec<&RoleNeeds> = roles.iter().zip(seen).filter(|(_, seen)| fine(seen)).map(|(role, _)| role).collect();
    let mut findings: Vec<Finding> = Vec::new();
    for (role, seen) in roles.iter().zip(seen) {
        match seen {
            Err(unknown) => findings.push(not_asked(Check::Permissions, unknown, role)),
            Ok(_) if fine(seen) => {}
            Ok(seen) => findings.push(finding(Check::Permissions, role, seen)),
        }
    }
    if !good.is_empty() {
        let things: usize = good.iter().map(|role| role.count()).sum();
        let whose = match (good.len() == roles.len(), good.len()) {
            (true, 1) => "its role".to_owned(),
            (true, count) => format!("its {count} roles"),
            (false, 1) => "the other role".to_owned(),
            (false, count) => format!("the other {count} roles"),
        };
        let what = format!("{whose} may do all that they need (permissions asked about: {things})");
        let what = if good.len() == 1 { what.replace("they need", "it needs") } else { what };
        findings.push(Finding::ok(Check::Permissions, what));
    }
    findings
}

fn not_asked(check: Check, unknown: &Unknown, role: &RoleNeeds) -> Finding {
    let cure = unknown.permission().map(|permission| {
        format!(
            "let somebody allow you {permission} on the stack's roles, such as {} (docs/cli.md#what-it-may-do)",
            role.arn
        )
    });
    Finding { cure, ..Finding::unchecked(check, unknown) }
}

fn finding(check: Check, role: &RoleNeeds, seen: &Seen) -> Finding {
    let name = name(role);
    let denied = match seen {
        Seen::NoSuchRole => {
            let what = format!("the role {name} (of {}) does not exist any more", role.of);
            let cure = match check {
                Check::InstancePermissions => {
                    "give the instance a role with the policy of infra/instance.yaml (docs/instance.md)"
                }
                _ => {
                    "delete the stack and deploy it again (docs/deploy.md): CloudFormation thinks that the role is unchanged, and does not create it again"
                }
            };
            return Finding::fail(check, what, cure);
        }
        Seen::Denied(denied) => denied,
    };
    let (lines, left) = lines(role, denied);
    let more = match left {
        0 => String::new(),
        left => format!("; and {left} more"),
    };
    let (reasons, cure) = why_and_cure(check, role, denied);
    let what = format!("the role {name} (of {}) may not {}{more}. {reasons}", role.of, lines.join("; "));
    // Without its logs a run runs.
    if denied.iter().all(|it| it.action.starts_with("logs:")) {
        return Finding::warn(check, what, cure);
    }
    Finding::fail(check, what, cure)
}

/// Why, and what to do about it, the gravest first; which actions each is about, where there are several.
fn why_and_cure(check: Check, role: &RoleNeeds, denied: &[Denied]) -> (String, String) {
    let name = name(role);
    let mut kinds: BTreeMap<Reverse<Denial>, BTreeSet<String>> = BTreeMap::new();
    for it in denied {
        // One action may be denied on one resource for this reason, and on another for that.
        let is_elsewhere = denied.iter().any(|other| other.action == it.action && other.why != it.why);
        let on = if is_elsewhere { format!(" on {}", role.why(&it.action, &it.on).1) } else { String::new() };
        kinds.entry(Reverse(it.why)).or_default().insert(format!("{}{on}", it.action));
    }
    let one = kinds.len() == 1;
    let told = kinds.into_iter().map(|(Reverse(why), actions)| {
        if one {
            return (reason(why).to_owned(), cure(check, why, name));
        }
        let mut named: Vec<&str> = actions.iter().take(SHOWN).map(String::as_str).collect();
        let left = actions.len() - named.len();
        let more = format!("{left} other action{}", if left == 1 { "" } else { "s" });
        if actions.len() > SHOWN {
            named.push(&more);
        }
        let named = named.join(", ");
        (format!("{named}: {}", reason(why)), format!("For {named}: {}", cure(check, why, name)))
    });
    let (reasons, cures): (Vec<String>, Vec<String>) = told.unzip();
    (reasons.join(". "), cures.join(". "))
}

/// The first denials, those of one action and one purpose together, and how many are left out.
fn lines(role: &RoleNeeds, denied: &[Denied]) -> (Vec<String>, usize) {
    let mut groups: Vec<((&str, &str), Vec<&str>)> = Vec::new();
    for it in denied {
        let (why, pattern) = role.why(&it.action, &it.on);
        let of = (it.action.as_str(), why);
        match groups.iter_mut().find(|(group, _)| *group == of) {
            Some((_, on)) => on.push(pattern),
            None => groups.push((of, vec![pattern])),
        }
    }
    let left = groups.iter().skip(SHOWN).map(|(_, on)| on.len()).sum();
    let line = |((action, why), on): &((&str, &str), Vec<&str>)| format!("{action} on {} ({why})", on.join(" and "));
    (groups.iter().take(SHOWN).map(line).collect(), left)
}

fn name(role: &RoleNeeds) -> &str {
    role.arn.rsplit('/').next().unwrap_or(&role.arn)
}

const fn reason(why: Denial) -> &'static str {
    match why {
        Denial::NotGranted => "None of the role's policies allows it",
        Denial::Statement => "A statement of the role's policies denies it",
        Denial::Boundary => "The role's permissions boundary does not allow it",
        Denial::Organization => "A policy of your AWS organization (SCP) does not allow it",
    }
}

fn cure(check: Check, why: Denial, name: &str) -> String {
    let policies = format!("aws iam list-role-policies --role-name {name} (and list-attached-role-policies)");
    match (why, check) {
        (Denial::NotGranted, Check::InstancePermissions) => format!(
            "attach the policy of infra/instance.yaml to it (docs/deploy.md#3-the-notebook-instance); to see what it has: {policies}"
        ),
        (Denial::NotGranted, _) => format!(
            "put the permission back as docs/iam.md has it: CloudFormation does so only when the template changes. To see what the role has: {policies}"
        ),
        (Denial::Statement, _) => format!("find the statement and remove it: {policies}"),
        (Denial::Boundary, _) => format!(
            "allow it in the boundary's policy, whose ARN this prints: aws iam get-role --role-name {name} --query Role.PermissionsBoundary; docs/iam.md lists what each role needs"
        ),
        (Denial::Organization, _) => {
            "let whoever manages your AWS organization allow it; docs/iam.md lists what each role needs".to_owned()
        }
    }
}

#[cfg(test)]
mod tests;
