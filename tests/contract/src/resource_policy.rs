//! Policies of resources: a bucket's, a queue's, a topic's, a role's trust. Each names who may do what, so each is evaluated by itself.
//!
//! - Owns: what a document without intrinsics says of one call.
//! - Never: passes over an element of a statement that it does not know: that is an error.

use serde_json::Value;

use crate::conditions::{Clause, Context};
use crate::iam::texts;
use crate::wildcards::{action_matches, matches};

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub enum PolicyCaller<'a> {
    /// `events.amazonaws.com`
    Service(&'a str),
    /// Anybody else: a role, a person, a stranger.
    Anybody,
}

/// One call on the resource.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub by: PolicyCaller<'a>,
    pub action: &'a str,
    /// Of a role's trust: the role.
    pub resource: &'a str,
    pub context: Context,
}

/// What a document says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyVerdict {
    Allowed,
    Denied,
    /// It is for others to allow.
    Nothing,
}

/// The elements of a statement that are known here.
const ELEMENTS: [&str; 6] = ["Sid", "Effect", "Principal", "Action", "Resource", "Condition"];

/// What a document says: a statement that denies wins.
///
/// # Errors
/// An element, a principal or a condition that is not known here.
pub fn verdict(document: &Value, asked: &Asked<'_>) -> Result<PolicyVerdict, String> {
    let statements = document["Statement"].as_array().ok_or("the document has no statements")?;
    let mut found = PolicyVerdict::Nothing;
    for statement in statements {
        let fields = statement.as_object().ok_or("a statement is no object")?;
        if let Some(name) = fields.keys().find(|name| !ELEMENTS.contains(&name.as_str())) {
            return Err(format!("{name} of a statement is not known here"));
        }
        let actions = texts(&statement["Action"]);
        let about = actions.iter().any(|action| action_matches(action, asked.action));
        // Also of a statement about another call, so that what is not known is told whatever is asked.
        let for_caller = is_principal(&statement["Principal"], asked.by)?;
        for action in &actions {
            Clause::read(&statement["Condition"], action)?;
        }
        // The pattern's keys were known; these are the ones that AWS sends with this very action.
        let clauses = if about { Clause::read(&statement["Condition"], asked.action)? } else { Vec::new() };
        // A trust has no resource: it is about its role.
        let on = &statement["Resource"];
        let fits = about
            && for_caller
            && (on.is_null() || texts(on).iter().any(|on| matches(on, asked.resource)))
            && clauses.iter().all(|clause| clause.holds(&asked.context, &str::to_owned));
        match (fits, statement["Effect"].as_str(), found) {
            (true, Some("Deny"), _) => found = PolicyVerdict::Denied,
            (true, Some("Allow"), PolicyVerdict::Nothing) => found = PolicyVerdict::Allowed,
            (_, Some("Allow" | "Deny"), _) => {}
            (_, other, _) => return Err(format!("the effect {other:?} is not known here")),
        }
    }
    Ok(found)
}

fn is_principal(principal: &Value, by: PolicyCaller<'_>) -> Result<bool, String> {
    if principal == "*" {
        return Ok(true);
    }
    let services = principal.as_object().filter(|kinds| kinds.len() == 1).and_then(|kinds| kinds.get("Service"));
    let services = texts(services.ok_or_else(|| format!("the principal {principal} is not known here"))?);
    Ok(matches!(by, PolicyCaller::Service(name) if services.iter().any(|service| service == name)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Asked, PolicyCaller, PolicyVerdict, verdict};

    fn asked(action: &str) -> Asked<'_> {
        Asked { by: PolicyCaller::Service("events.amazonaws.com"), action, resource: "arn:q", context: [].into() }
    }

    fn document(statement: &Value) -> Value {
        let first = json!({"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "arn:q"});
        json!({"Statement": [first, statement]})
    }

    #[test]
    fn what_denies_wins_and_what_is_about_another_call_says_nothing() {
        let deny = |part: &str, value: Value| {
            let mut statement =
                json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": "*"});
            statement[part] = value;
            verdict(&document(&statement), &asked("sqs:SendMessage")).unwrap()
        };
        assert_eq!(deny("Resource", json!(["arn:q"])), PolicyVerdict::Denied);
        for (part, value) in [
            ("Resource", json!("arn:other")),
            ("Action", json!(["sqs:ReceiveMessage"])),
            ("Principal", json!({"Service": "sns.amazonaws.com"})),
            ("Condition", json!({"ArnLike": {"aws:SourceArn": "arn:a:b:c:d:e"}})),
        ] {
            assert_eq!(deny(part, value.clone()), PolicyVerdict::Allowed, "{value}");
        }
        // IAM's actions are case-insensitive.
        assert_eq!(deny("Action", json!("SQS:sendmessage")), PolicyVerdict::Denied);
        let nobody = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage"});
        assert_eq!(verdict(&document(&nobody), &asked("sns:Publish")).unwrap(), PolicyVerdict::Nothing);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for (part, value) in [
            ("NotAction", json!("sqs:*")),
            ("Principal", json!({"AWS": "arn:aws:iam::123456789012:root"})),
            ("Condition", json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})),
            ("Effect", json!("Perhaps")),
        ] {
            let mut statement = json!({"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*"});
            statement[part] = value.clone();
            // Whatever is asked, and wherever the statement is.
            let last = document(&statement);
            let mut denied = last.clone();
            denied["Statement"][0]["Effect"] = "Deny".into();
            for (document, action) in [(&last, "sqs:SendMessage"), (&last, "sns:Publish"), (&denied, "sqs:SendMessage")]
            {
                assert!(verdict(document, &asked(action)).is_err(), "{part} {value} {action}");
            }
        }
    }
}
