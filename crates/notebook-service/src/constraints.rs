//! What AWS's own service model says of each request: types, required members, lengths, ranges, patterns and values.
//!
//! Owns the check of a request against that model, in AWS's words. The model is in `table.rs`, which
//! `make constraints` writes from botocore; a test holds it to the botocore that is installed. It knows nothing of states, of
//! what exists, or of rules between members: those are `reveille-instance-model`'s.

use std::sync::OnceLock;

use regex::Regex;
use reveille_instance_model::{ApiError, Operation};
use serde_json::{Map, Value};

use crate::wire::WireError;

#[rustfmt::skip]
mod table;

/// Violations that one answer lists: a body can hold thousands, and AWS's own answers are bounded too.
const LISTED: usize = 20;
/// The longest value that a message repeats. AWS leaves out the values of secret members; a longer value, which may be a
/// whole script, is left out in the same way.
const SHOWN: usize = 256;

/// What a value must look like.
enum Shape {
    Structure(&'static [Member]),
    List { item: &'static Shape, min: usize, max: usize },
    Text { min: usize, max: usize, pattern: Option<Pattern> },
    Choice(&'static [&'static str]),
    Integer { min: i32, max: i32 },
    Flag,
    Time,
}

struct Member {
    name: &'static str,
    required: bool,
    shape: &'static Shape,
}

/// A regular expression of the service model, compiled when it is first asked.
struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// Whether the whole value matches. A pattern that cannot be compiled matches nothing; a test compiles them all.
    fn matches(&self, value: &str) -> bool {
        let compile = || {
            // In AWS's dialect \d is an ASCII digit.
            let text = self.text.replace(r"\d", "[0-9]");
            Regex::new(&format!(r"\A(?:{text})\z")).ok()
        };
        self.compiled.get_or_init(compile).as_ref().is_some_and(|regex| regex.is_match(value))
    }
}

/// A whole number, however JSON spells it: `5` and `5.0`.
pub(crate) fn whole(value: &Value) -> Option<i32> {
    let float = || {
        let float = value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 2f64.powi(53))?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        let whole = float as i64;
        Some(whole)
    };
    value.as_i64().or_else(float).and_then(|whole| i32::try_from(whole).ok())
}

/// AWS's messages name members with a small first letter.
pub(crate) fn small(member: &str) -> String {
    let mut chars = member.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// The answer to a member whose JSON is of another type than the model's.
pub(crate) fn wrong_type(member: &str, wanted: &str) -> WireError {
    WireError::Serialization(format!("The member '{member}' is not {wanted}."))
}

/// Checks the members of a request. Members that the model does not know are not looked at here.
///
/// # Errors
/// `SerializationException` for the first value of a wrong type, else `ValidationException` with every violation.
pub(crate) fn check(operation: Operation, request: &Map<String, Value>) -> Result<(), WireError> {
    let mut found = Violations::default();
    if let Shape::Structure(members) = table::input(operation) {
        found.structure(members, request, "")?;
    }
    match ApiError::violations(&found.listed) {
        None => Ok(()),
        Some(error) => Err(error.into()),
    }
}

#[derive(Default)]
struct Violations {
    listed: Vec<String>,
}

impl Violations {
    fn add(&mut self, value: Option<&str>, member: &str, constraint: &str) {
        if self.listed.len() < LISTED {
            self.listed.push(ApiError::violation(value, member, constraint));
        }
    }

    fn structure(&mut self, members: &[Member], map: &Map<String, Value>, path: &str) -> Result<(), WireError> {
        for member in members {
            let path = format!("{path}{}", small(member.name));
            match map.get(member.name).filter(|value| !value.is_null()) {
                Some(value) => self.value(member.shape, value, &path)?,
                None if member.required => self.add(Some("null"), &path, "Member must not be null"),
                None => {}
            }
        }
        Ok(())
    }

    fn value(&mut self, shape: &Shape, value: &Value, path: &str) -> Result<(), WireError> {
        match shape {
            Shape::Structure(members) => {
                let map = value.as_object().ok_or_else(|| wrong_type(path, "a structure"))?;
                self.structure(members, map, &format!("{path}."))?;
            }
            Shape::List { item, min, max } => self.list(item, (*min, *max), value, path)?,
            Shape::Text { .. } | Shape::Choice(_) | Shape::Integer { .. } => {
                for constraint in simple(shape, value, path)? {
                    self.add(quoted(value).as_deref(), path, &constraint);
                }
            }
            Shape::Flag => {
                value.as_bool().ok_or_else(|| wrong_type(path, "a boolean"))?;
            }
            Shape::Time => {
                value.as_f64().ok_or_else(|| wrong_type(path, "a time in seconds"))?;
            }
        }
        Ok(())
    }

    fn list(&mut self, item: &Shape, (min, max): (usize, usize), list: &Value, path: &str) -> Result<(), WireError> {
        let values = list.as_array().ok_or_else(|| wrong_type(path, "a list"))?;
        let all = listed(values);
        if values.len() < min {
            self.add(all.as_deref(), path, &format!("Member must have length greater than or equal to {min}"));
        }
        if values.len() > max {
            self.add(all.as_deref(), path, &format!("Member must have length less than or equal to {max}"));
        }
        for (index, value) in values.iter().enumerate() {
            let member = format!("{path}.{}.member", index + 1);
            if value.is_null() {
                self.add(all.as_deref(), path, "Member must satisfy constraint: [Member must not be null]");
            } else if matches!(item, Shape::Structure(_) | Shape::List { .. }) {
                self.value(item, value, &member)?;
            } else {
                // AWS tells the whole list, and everything that each of its members must satisfy.
                let broken = simple(item, value, &member)?;
                if !broken.is_empty() {
                    let constraint = format!("Member must satisfy constraint: [{}]", broken.join(", "));
                    self.add(all.as_deref(), path, &constraint);
                }
            }
        }
        Ok(())
    }
}

/// The constraints that a text or a number breaks.
fn simple(shape: &Shape, value: &Value, path: &str) -> Result<Vec<String>, WireError> {
    let text = || value.as_str().ok_or_else(|| wrong_type(path, "a string"));
    let mut broken = Vec::new();
    match shape {
        Shape::Text { min, max, pattern } => {
            let text = text()?;
            let length = text.chars().count();
            if length < *min {
                broken.push(format!("Member must have length greater than or equal to {min}"));
            }
            if length > *max {
                broken.push(format!("Member must have length less than or equal to {max}"));
            }
            if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
                broken.push(format!("Member must satisfy regular expression pattern: {}", pattern.text));
            }
        }
        Shape::Choice(values) => {
            if !values.contains(&text()?) {
                broken.push(format!("Member must satisfy enum value set: [{}]", values.join(", ")));
            }
        }
        Shape::Integer { min, max } => {
            let number = whole(value).ok_or_else(|| wrong_type(path, "a whole number of 32 bits"))?;
            if number < *min {
                broken.push(format!("Member must have value greater than or equal to {min}"));
            }
            if number > *max {
                broken.push(format!("Member must have value less than or equal to {max}"));
            }
        }
        Shape::Structure(_) | Shape::List { .. } | Shape::Flag | Shape::Time => {}
    }
    Ok(broken)
}

fn quoted(value: &Value) -> Option<String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    (text.chars().count() <= SHOWN).then(|| format!("'{text}'"))
}

/// A list of texts as AWS shows it; nothing of a list of structures.
fn listed(values: &[Value]) -> Option<String> {
    let texts: Option<Vec<&str>> =
        values.iter().map(|value| if value.is_null() { Some("null") } else { value.as_str() }).collect();
    let all = texts?.join(", ");
    (all.chars().count() <= SHOWN).then(|| format!("'[{all}]'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(shape: &'static Shape, found: &mut Vec<&'static Pattern>) {
        match shape {
            Shape::Structure(members) => members.iter().for_each(|member| patterns(member.shape, found)),
            Shape::List { item, .. } => patterns(item, found),
            Shape::Text { pattern, .. } => found.extend(pattern.as_ref()),
            Shape::Choice(_) | Shape::Integer { .. } | Shape::Flag | Shape::Time => {}
        }
    }

    fn refused(operation: Operation, body: &Value) -> String {
        match check(operation, body.as_object().unwrap()).unwrap_err() {
            WireError::Api(error) => error.to_string(),
            WireError::Serialization(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_pattern_of_the_model_can_be_compiled() {
        let mut found = Vec::new();
        for operation in Operation::ALL {
            patterns(table::input(operation), &mut found);
        }
        assert!(found.len() > 30, "{}", found.len());
        for pattern in found {
            pattern.matches("");
            assert!(pattern.compiled.get().unwrap().is_some(), "{}", pattern.text);
        }
    }

    #[test]
    fn every_violation_is_told_at_once_in_awss_words() {
        let body = serde_json::json!({"NotebookInstanceName": "a_b", "InstanceType": "ml.t3.medium"});
        assert_eq!(
            refused(Operation::CreateNotebookInstance, &body),
            "2 validation errors detected: Value 'a_b' at 'notebookInstanceName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9](-*[a-zA-Z0-9])*; Value null at 'roleArn' failed to satisfy constraint: Member must not be null"
        );
        let body = serde_json::json!({"MaxResults": 101});
        assert_eq!(
            refused(Operation::ListNotebookInstances, &body),
            "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"
        );
    }

    #[test]
    fn members_of_lists_are_told_as_aws_tells_them() {
        let body =
            serde_json::json!({"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:x", "TagKeys": ["a", "b*"]});
        assert_eq!(
            refused(Operation::DeleteTags, &body),
            r"1 validation error detected: Value '[a, b*]' at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}_.:/=+\-@]*)]"
        );
        let tags = serde_json::json!([{"Key": "a", "Value": "1"}, {"Key": "", "Value": "1"}]);
        let body = serde_json::json!({"ResourceArn": "arn:aws:sagemaker:us-east-1:000000000000:x", "Tags": tags});
        assert_eq!(
            refused(Operation::AddTags, &body),
            "1 validation error detected: Value '' at 'tags.2.member.key' failed to satisfy constraint: Member must have length greater than or equal to 1"
        );
    }

    #[test]
    fn an_answer_is_bounded_whatever_the_request_holds() {
        let tags: Vec<Value> = (0..5000).map(|_| serde_json::json!({"Key": "*".repeat(40), "Value": "*"})).collect();
        let body = serde_json::json!({"ResourceArn": "x".repeat(100_000), "Tags": tags});
        let message = refused(Operation::AddTags, &body);
        assert!(message.len() < 10_000, "{}", message.len());
        assert!(message.starts_with("20 validation errors detected: Value at 'resourceArn'"), "{message}");
    }

    #[test]
    fn a_wrong_type_is_refused_before_anything_else() {
        let body = serde_json::json!({"NotebookInstanceName": "a_b", "VolumeSizeInGB": "5"});
        let message = refused(Operation::UpdateNotebookInstance, &body);
        assert_eq!(message, "The member 'volumeSizeInGB' is not a whole number of 32 bits.");
        for number in [serde_json::json!(5.5), serde_json::json!(1e300), serde_json::json!(3_000_000_000_u64)] {
            let body = serde_json::json!({"NotebookInstanceName": "a", "VolumeSizeInGB": number});
            assert_eq!(refused(Operation::UpdateNotebookInstance, &body), message);
        }
        let body = serde_json::json!({"NotebookInstanceName": "a", "VolumeSizeInGB": 5.0});
        assert!(check(Operation::UpdateNotebookInstance, body.as_object().unwrap()).is_ok());
    }
}
