//! The `Condition` of a policy's statement, for what AWS sends along with a call.
//!
//! - Owns: the operators and the keys that our templates use, as IAM evaluates them ("IAM JSON policy elements: Condition operators").
//! - Never: takes an operator or a key that it does not know for one that is met. It is an error, which whoever asks must fail with.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::iam::texts;
use crate::wildcards::{action_matches, matches};

/// What AWS sends along with a call: a key, as [`KEYS`] writes it, and its value.
pub type Context = BTreeMap<String, String>;

/// With which actions AWS sends a key ("Actions, resources, and condition keys for AWS services", and "AWS global condition
/// context keys"), as far as our policies ask for it. Whoever notes or invents calls gives each of them where it is sent.
const KEYS: [(&str, &str); 11] = [
    ("events:PutEvents", "events:source"),
    ("iam:PassRole", "iam:PassedToService"),
    ("kms:CreateGrant", "kms:GrantIsForAWSResource"),
    ("kms:Decrypt", "kms:ViaService"),
    ("kms:GenerateDataKey", "kms:ViaService"),
    ("lambda:InvokeFunction", "aws:SourceArn"),
    ("s3:*", "aws:SecureTransport"),
    ("sns:Publish", "aws:SourceArn"),
    ("sqs:SendMessage", "aws:SourceArn"),
    // Not by each service: see the templates' `IfExists`.
    ("sts:AssumeRole", "aws:SourceAccount"),
    ("sts:AssumeRole", "aws:SourceArn"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Operator {
    StringEquals,
    StringLike,
    /// `ArnEquals` too: IAM evaluates both alike.
    ArnLike,
    Bool,
    Null,
}

/// One key of a condition: any of its values is enough, and each clause of a statement must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Clause {
    operator: Operator,
    if_exists: bool,
    key: String,
    /// With `${...}` for what the stack knows.
    values: Vec<String>,
}

impl Clause {
    /// The clauses of a statement's `Condition`, for an action that the statement is about.
    ///
    /// # Errors
    /// An operator, a key, or a key with an action, that is not known here.
    pub fn read(condition: &Value, action: &str) -> Result<Vec<Self>, String> {
        let mut clauses = Vec::new();
        let Some(operators) = condition.as_object() else {
            return if condition.is_null() { Ok(clauses) } else { Err(format!("{condition} is no condition")) };
        };
        for (named, keys) in operators {
            let (name, if_exists) =
                named.strip_suffix("IfExists").map_or((named.as_str(), false), |name| (name, name != "Null"));
            let operator = match name {
                "StringEquals" => Operator::StringEquals,
                "StringLike" => Operator::StringLike,
                "ArnEquals" | "ArnLike" => Operator::ArnLike,
                "Bool" => Operator::Bool,
                "Null" => Operator::Null,
                _ => return Err(format!("the operator {named} is not known here")),
            };
            for (key, values) in keys.as_object().ok_or_else(|| format!("{named} has no keys"))? {
                let sent =
                    KEYS.iter().find(|(with, sent)| action_matches(with, action) && sent.eq_ignore_ascii_case(key));
                let (_, key) = sent.ok_or_else(|| format!("that {key} is sent with {action} is not known here"))?;
                clauses.push(Self { operator, if_exists, key: (*key).to_owned(), values: texts(values) });
            }
        }
        Ok(clauses)
    }

    /// Whether it holds; `resolve` gives the stack's own values for what the template leaves open.
    #[must_use]
    pub fn holds(&self, context: &Context, resolve: &dyn Fn(&str) -> String) -> bool {
        let sent = context.get(&self.key);
        let mut values = self.values.iter().map(|value| resolve(value));
        match (self.operator, sent) {
            (Operator::Null, sent) => values.any(|wanted| wanted == sent.is_none().to_string()),
            (_, None) => self.if_exists,
            (Operator::StringEquals, Some(sent)) => values.any(|wanted| wanted == *sent),
            (Operator::StringLike, Some(sent)) => values.any(|wanted| matches(&wanted, sent)),
            (Operator::ArnLike, Some(sent)) => values.any(|wanted| arn_matches(&wanted, sent)),
            (Operator::Bool, Some(sent)) => values.any(|wanted| wanted.eq_ignore_ascii_case(sent)),
        }
    }

    /// The same clause, for something that is never sent: what shows that it counts.
    #[must_use]
    pub fn of_nobody(&self) -> Self {
        let never = if self.operator == Operator::Null { "neither" } else { "arn:nobody:nobody:nobody:nobody:nobody" };
        Self { if_exists: false, values: vec![never.to_owned()], ..self.clone() }
    }
}

/// Each of an ARN's six parts by itself: no wildcard reaches over a colon before the last one.
fn arn_matches(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == 6 && parts.len() == 6 && patterns.iter().zip(parts).all(|(pattern, part)| matches(pattern, part))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Clause, Context};

    fn context(pairs: &[(&str, &str)]) -> Context {
        pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
    }

    fn holds(condition: &Value, action: &str, sent: &[(&str, &str)]) -> bool {
        let resolve = |text: &str| text.replace("${AWS::AccountId}", "123456789012");
        let clauses = Clause::read(condition, action).unwrap();
        clauses.iter().all(|clause| clause.holds(&context(sent), &resolve))
    }

    #[test]
    fn each_operator_as_iam_has_it() {
        let rule = |name: &str| format!("arn:aws:events:eu-west-1:123456789012:rule/{name}");
        let of_the_account = json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:${AWS::AccountId}:rule/*"}});
        let ours = rule("nightly");
        for (condition, action, sent, expected) in [
            (
                json!({"StringEquals": {"events:source": "reveille"}}),
                "events:PutEvents",
                &[("events:source", "reveille")][..],
                true,
            ),
            (
                json!({"StringEquals": {"events:source": "reveille"}}),
                "events:PutEvents",
                &[("events:source", "Reveille")],
                false,
            ),
            (json!({"StringEquals": {"events:source": "reveille"}}), "events:PutEvents", &[], false),
            (
                json!({"StringEquals": {"events:source": ["a", "b"]}}),
                "events:PutEvents",
                &[("events:source", "b")],
                true,
            ),
            // The name of a key has no case.
            (
                json!({"StringLike": {"Events:Source": "rev*"}}),
                "events:PutEvents",
                &[("events:source", "reveille")],
                true,
            ),
            (
                json!({"StringEquals": {"events:source": "rev*"}}),
                "events:PutEvents",
                &[("events:source", "reveille")],
                false,
            ),
            (json!({"StringEqualsIfExists": {"aws:SourceAccount": "${AWS::AccountId}"}}), "sts:AssumeRole", &[], true),
            (
                json!({"StringEqualsIfExists": {"aws:SourceAccount": "${AWS::AccountId}"}}),
                "sts:AssumeRole",
                &[("aws:SourceAccount", "210987654321")],
                false,
            ),
            (
                json!({"Bool": {"aws:SecureTransport": "false"}}),
                "s3:GetObject",
                &[("aws:SecureTransport", "false")],
                true,
            ),
            (
                json!({"Bool": {"aws:SecureTransport": "false"}}),
                "s3:GetObject",
                &[("aws:SecureTransport", "true")],
                false,
            ),
            (json!({"Null": {"events:source": "true"}}), "events:PutEvents", &[], true),
            (json!({"Null": {"events:source": "true"}}), "events:PutEvents", &[("events:source", "x")], false),
            (json!({"Null": {"events:source": "false"}}), "events:PutEvents", &[("events:source", "x")], true),
            (of_the_account.clone(), "sqs:SendMessage", &[("aws:SourceArn", &ours)], true),
            (
                of_the_account.clone(),
                "sqs:SendMessage",
                &[("aws:SourceArn", "arn:aws:events:eu-west-1:210987654321:rule/x")],
                false,
            ),
            // No wildcard reaches over a colon.
            (
                json!({"ArnEquals": {"aws:SourceArn": "arn:aws:*:rule/nightly"}}),
                "sqs:SendMessage",
                &[("aws:SourceArn", &ours)],
                false,
            ),
            (json!({}), "sqs:SendMessage", &[], true),
        ] {
            assert_eq!(holds(&condition, action, sent), expected, "{condition} {sent:?}");
        }
    }

    #[test]
    fn every_clause_counts() {
        let both = json!({
            "StringEquals": {"aws:SourceAccount": "1"}, "ArnLike": {"aws:SourceArn": "arn:aws:events:x:1:rule/*"},
        });
        let (account, arn) = (("aws:SourceAccount", "1"), ("aws:SourceArn", "arn:aws:events:x:1:rule/a"));
        assert!(holds(&both, "sts:AssumeRole", &[account, arn]));
        assert!(!holds(&both, "sts:AssumeRole", &[account]) && !holds(&both, "sts:AssumeRole", &[arn]));
        for clause in Clause::read(&both, "sts:AssumeRole").unwrap() {
            assert!(!clause.of_nobody().holds(&context(&[account, arn]), &str::to_owned), "{clause:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        for (condition, action) in [
            (json!({"StringEquals": {"aws:PrincipalTag/team": "a"}}), "events:PutEvents"),
            (json!({"StringNotEquals": {"events:source": "reveille"}}), "events:PutEvents"),
            (json!({"ForAnyValue:StringEquals": {"events:source": "reveille"}}), "events:PutEvents"),
            (json!({"NumericEquals": {"events:source": "1"}}), "events:PutEvents"),
            // A key that AWS sends, but not with this action.
            (json!({"StringEquals": {"events:source": "reveille"}}), "s3:PutObject"),
            (json!("odd"), "s3:PutObject"),
        ] {
            assert!(Clause::read(&condition, action).is_err(), "{condition}");
        }
    }
}
