//! What is granted, held against what was called: nothing called that is not granted, nothing granted that is never called.
//! What only a parameter grants is left out by whoever asks.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::conditions::{Clause, Context};
use crate::iam::{Role, texts};
use crate::wildcards::{action_matches, matches};

/// One action on one resource, of one statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role's logical name.
    pub role: String,
    /// As the template has it: `s3:GetObject`.
    pub action: String,
    /// As the template has it: `${...}` for what the stack knows.
    pub resource: String,
    /// All of them must hold.
    pub clauses: Vec<Clause>,
}

/// One action on one resource, as somebody called it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CheckedCall {
    /// The role's logical name.
    pub role: String,
    /// Its name in the account, which says of which instance it is.
    pub by: String,
    pub action: String,
    /// An ARN, or `*`.
    pub resource: String,
    /// What AWS sends along with it.
    pub context: Context,
}

/// A grant that no test need use, and why.
pub struct Unused {
    /// A role's logical name, or `*` for each.
    pub role: &'static str,
    pub action: &'static str,
    /// What the resource contains.
    pub on: &'static str,
    pub why: &'static str,
}

/// What a role may do without any parameter but these.
///
/// # Panics
/// A statement denies, or has a condition that is not known here: this would have to learn it.
#[must_use]
pub fn grants(role: &Role, parameters: &[&str]) -> Vec<Grant> {
    let granted = |parameter: &Option<String>| parameter.as_deref().is_none_or(|name| parameters.contains(&name));
    let granted = role.statements.iter().filter(|(_, parameter)| granted(parameter));
    granted.flat_map(|(statement, _)| of_statement(&role.name, statement)).collect()
}

fn of_statement(role: &str, statement: &Value) -> Vec<Grant> {
    assert!(statement["Effect"] == "Allow", "{role}: {statement}");
    let resources = texts(&statement["Resource"]);
    let each = |action: String| {
        let clauses = Clause::read(&statement["Condition"], &action);
        let clauses = clauses.unwrap_or_else(|unknown| panic!("{role}, {statement}: {unknown}"));
        let grant = move |resource: &String| Grant {
            role: role.to_owned(),
            action: action.clone(),
            resource: resource.clone(),
            clauses: clauses.clone(),
        };
        resources.iter().map(grant).collect::<Vec<_>>()
    };
    texts(&statement["Action"]).into_iter().flat_map(each).collect()
}

/// Whether a grant is what allows a call; `resolve` gives the stack's own values for what the template leaves open.
fn allows(grant: &Grant, call: &CheckedCall, resolve: &dyn Fn(&str, &CheckedCall) -> String) -> bool {
    grant.role == call.role
        && action_matches(&grant.action, &call.action)
        && matches(&resolve(&grant.resource, call), &call.resource)
        && grant.clauses.iter().all(|clause| clause.holds(&call.context, &|text| resolve(text, call)))
}

/// The calls that nothing grants, each as a sentence.
#[must_use]
pub fn not_granted(
    grants: &[Grant],
    calls: &BTreeSet<CheckedCall>,
    resolve: &dyn Fn(&str, &CheckedCall) -> String,
) -> Vec<String> {
    let denied = calls.iter().filter(|call| !grants.iter().any(|grant| allows(grant, call, resolve)));
    denied
        .map(|CheckedCall { role, action, resource, context, .. }| {
            let with = if context.is_empty() { String::new() } else { format!(" with {context:?}") };
            format!("{role} calls {action} on {resource}{with}, which its policy does not grant")
        })
        .collect()
}

/// The grants that no call needed and that have no reason, and the reasons for nothing; each as a sentence.
#[must_use]
pub fn not_used(
    grants: &[Grant],
    calls: &BTreeSet<CheckedCall>,
    unused: &[Unused],
    resolve: &dyn Fn(&str, &CheckedCall) -> String,
) -> Vec<String> {
    let excuses = |reason: &Unused, grant: &Grant| {
        (reason.role == "*" || reason.role == grant.role)
            && reason.action == grant.action
            && grant.resource.contains(reason.on)
    };
    let mut found = Vec::new();
    for grant in grants {
        let is_used = calls.iter().any(|call| allows(grant, call, resolve));
        if !is_used && !unused.iter().any(|reason| excuses(reason, grant)) {
            let Grant { role, action, resource, .. } = grant;
            found.push(format!("{role} is granted {action} on {resource}, and nobody calls it"));
        }
    }
    for reason in unused.iter().filter(|reason| !grants.iter().any(|grant| excuses(reason, grant))) {
        let Unused { role, action, on, .. } = reason;
        found.push(format!(
            "{role} is not granted {action} on {on}: the reason why nobody calls it has no grant any more"
        ));
    }
    found
}

/// The grants without which nothing would be denied, though calls use them: another grant allows all of that too. Each as a
/// sentence. For all other grants that are used, this shows that [`not_granted`] notices when they are removed.
#[must_use]
pub fn granted_twice(
    grants: &[Grant],
    calls: &BTreeSet<CheckedCall>,
    resolve: &dyn Fn(&str, &CheckedCall) -> String,
) -> Vec<String> {
    let mut found = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        let allowed: BTreeSet<CheckedCall> =
            calls.iter().filter(|call| allows(grant, call, resolve)).cloned().collect();
        let others: Vec<Grant> = [&grants[..index], &grants[index + 1..]].concat();
        if !allowed.is_empty() && not_granted(&others, &allowed, resolve).is_empty() {
            let Grant { role, action, resource, .. } = grant;
            found.push(format!("{role} is granted {action} on {resource} by another statement as well"));
        }
    }
    found
}

/// The conditions that let calls through which they are not about, each as a sentence: a condition that a call needed is exchanged for
/// one that nothing meets, and then that call must be denied. This shows that conditions are evaluated.
#[must_use]
pub fn conditions_that_do_not_count(
    grants: &[Grant],
    calls: &BTreeSet<CheckedCall>,
    resolve: &dyn Fn(&str, &CheckedCall) -> String,
) -> Vec<String> {
    let mut found = Vec::new();
    for (index, grant) in grants.iter().enumerate() {
        let allowed: BTreeSet<CheckedCall> =
            calls.iter().filter(|call| allows(grant, call, resolve)).cloned().collect();
        for place in 0..grant.clauses.len() {
            let mut faulty = grants.to_vec();
            let clause = &mut faulty[index].clauses[place];
            *clause = clause.of_nobody();
            if !allowed.is_empty() && not_granted(&faulty, &allowed, resolve).is_empty() {
                let Grant { role, action, .. } = grant;
                found.push(format!("a condition of {action} for {role} does not count: {:?}", grant.clauses[place]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{
        BTreeSet, CheckedCall, Clause, Grant, Unused, conditions_that_do_not_count, granted_twice, not_granted,
        not_used,
    };

    fn grant(action: &str, resource: &str) -> Grant {
        Grant { role: "Role".into(), action: action.into(), resource: resource.into(), clauses: Vec::new() }
    }

    fn call(action: &str, resource: &str) -> CheckedCall {
        CheckedCall {
            role: "Role".into(),
            by: "role".into(),
            action: action.into(),
            resource: resource.into(),
            context: [].into(),
        }
    }

    fn resolve(resource: &str, _: &CheckedCall) -> String {
        resource.replace("${Bucket}", "runs")
    }

    #[test]
    fn a_call_without_a_grant_and_a_grant_without_a_call_are_told() {
        let grants = [grant("s3:GetObject", "arn:${Bucket}/a/*"), grant("s3:PutObject", "arn:${Bucket}/a/*")];
        let calls: BTreeSet<_> = [call("s3:GetObject", "arn:runs/a/1"), call("s3:PutObject", "arn:runs/a/1")].into();
        assert_eq!(not_granted(&grants, &calls, &resolve), Vec::<String>::new());
        assert_eq!(not_used(&grants, &calls, &[], &resolve), Vec::<String>::new());

        let denied = not_granted(&grants[..1], &calls, &resolve);
        assert_eq!(denied, ["Role calls s3:PutObject on arn:runs/a/1, which its policy does not grant"]);
        let elsewhere = [grant("s3:GetObject", "arn:${Bucket}/b/*"), grants[1].clone()];
        assert_eq!(not_granted(&elsewhere, &calls, &resolve).len(), 1, "the resource counts");
        assert_eq!(not_used(&elsewhere, &calls, &[], &resolve).len(), 1, "there too");
        let mut other = call("s3:GetObject", "arn:runs/a/1");
        other.role = "Other".into();
        assert_eq!(not_granted(&grants, &[other].into(), &resolve).len(), 1, "another's grant is no use");
    }

    #[test]
    fn a_call_that_does_not_meet_the_condition_is_told() {
        let put = |source: &str| {
            let mut call = call("events:PutEvents", "arn:bus");
            call.context.insert("events:source".into(), source.into());
            call
        };
        let mut granted = grant("events:PutEvents", "arn:bus");
        granted.clauses =
            Clause::read(&json!({"StringEquals": {"events:source": "${Bucket}"}}), "events:PutEvents").unwrap();
        let grants = [granted];
        assert_eq!(not_granted(&grants, &[put("runs")].into(), &resolve), Vec::<String>::new());
        let denied = not_granted(&grants, &[put("other"), call("events:PutEvents", "arn:bus")].into(), &resolve);
        let [without, other] = denied.as_slice() else { panic!("{denied:?}") };
        assert!(other.contains(r#"with {"events:source": "other"}, which"#), "{other}");
        assert!(without.contains("on arn:bus, which"), "{without}");
        assert_eq!(conditions_that_do_not_count(&grants, &[put("runs")].into(), &resolve), Vec::<String>::new());
        let twice = [grants[0].clone(), grant("events:PutEvents", "*")];
        assert_eq!(conditions_that_do_not_count(&twice, &[put("runs")].into(), &resolve).len(), 1);
    }

    #[test]
    fn a_grant_that_another_makes_needless_is_told() {
        let calls: BTreeSet<_> = [call("s3:GetObject", "arn:runs/a/1"), call("s3:GetObject", "arn:runs/b/1")].into();
        let apart = [grant("s3:GetObject", "arn:${Bucket}/a/*"), grant("s3:GetObject", "arn:${Bucket}/b/*")];
        assert_eq!(granted_twice(&apart, &calls, &resolve), Vec::<String>::new());
        let wide = [apart[0].clone(), grant("s3:GetObject", "arn:${Bucket}/*")];
        let told = ["Role is granted s3:GetObject on arn:${Bucket}/a/* by another statement as well"];
        assert_eq!(granted_twice(&wide, &calls, &resolve), told);
    }

    #[test]
    fn a_reason_excuses_what_it_names_and_must_have_a_grant() {
        let grants = [grant("s3:GetObject", "arn:${Bucket}/a/*"), grant("s3:PutObject", "arn:${Bucket}/a/*")];
        let reason = |role, on| Unused { role, action: "s3:PutObject", on, why: "" };
        let calls: BTreeSet<_> = [call("s3:GetObject", "arn:runs/a/1")].into();
        assert_eq!(not_used(&grants, &calls, &[reason("*", "/a/")], &resolve), Vec::<String>::new());
        for wrong in [reason("Other", "/a/"), reason("Role", "/b/")] {
            assert_eq!(not_used(&grants, &calls, &[wrong], &resolve).len(), 2, "the grant, and the reason for nothing");
        }
    }
}
