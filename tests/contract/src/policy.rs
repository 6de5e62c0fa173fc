//! What is granted, held against what was called: nothing called that is not granted, nothing granted that is never called.
//! It knows no condition but a parameter's: what only a parameter grants is left out by whoever asks.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::iam::{Role, texts};

/// One action on one resource, of one statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// The role's logical name.
    pub role: String,
    /// As the template has it: `s3:GetObject`.
    pub action: String,
    /// As the template has it: `${...}` for what the stack knows.
    pub resource: String,
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

/// IAM's wildcards: any characters (a slash too), or any one.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(&pattern[1..], &text[at..]))
        }
        Some(first) => text.chars().next().is_some_and(|given| {
            (first == given || first == '?') && matches(&pattern[first.len_utf8()..], &text[given.len_utf8()..])
        }),
    }
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
    // Every event of ours has this source: its rules and its documents name it.
    let known = [Value::Null, json!({"StringEquals": {"events:source": "reveille"}})];
    assert!(statement["Effect"] == "Allow" && known.contains(&statement["Condition"]), "{role}: {statement}");
    let resources = texts(&statement["Resource"]);
    let each = |action: String| {
        let grant = move |resource: &String| Grant {
            role: role.to_owned(),
            action: action.clone(),
            resource: resource.clone(),
        };
        resources.iter().map(grant).collect::<Vec<_>>()
    };
    texts(&statement["Action"]).into_iter().flat_map(each).collect()
}

/// Whether a grant is what allows a call; `resolve` gives the stack's own values for what the template leaves open.
fn allows(grant: &Grant, call: &CheckedCall, resolve: &dyn Fn(&str, &CheckedCall) -> String) -> bool {
    grant.role == call.role
        && matches(&grant.action, &call.action)
        && matches(&resolve(&grant.resource, call), &call.resource)
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
        .map(|CheckedCall { role, action, resource, .. }| {
            format!("{role} calls {action} on {resource}, which its policy does not grant")
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
            let Grant { role, action, resource } = grant;
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
            let Grant { role, action, resource } = grant;
            found.push(format!("{role} is granted {action} on {resource} by another statement as well"));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{BTreeSet, CheckedCall, Grant, Unused, granted_twice, matches, not_granted, not_used};

    fn grant(action: &str, resource: &str) -> Grant {
        Grant { role: "Role".into(), action: action.into(), resource: resource.into() }
    }

    fn call(action: &str, resource: &str) -> CheckedCall {
        CheckedCall { role: "Role".into(), by: "role".into(), action: action.into(), resource: resource.into() }
    }

    fn resolve(resource: &str, _: &CheckedCall) -> String {
        resource.replace("${Bucket}", "runs")
    }

    #[test]
    fn iams_wildcards() {
        for (pattern, text, fits) in [
            ("a/*/c", "a/b/b/c", true),
            ("a/*/c", "a/c", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("a", "ab", false),
            ("ä*", "äöü", true),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
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
