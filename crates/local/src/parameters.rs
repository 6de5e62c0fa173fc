//! The template's parameters: a value that CloudFormation would refuse is refused here too. The local CloudFormation
//! checks neither names nor values, and a parameter that does nothing would be found out only by the run that it spoils.

use std::collections::BTreeMap;
use std::path::Path;

use regex_lite::Regex;
use serde::Deserialize;

use crate::LocalError;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Template {
    parameters: BTreeMap<String, Declared>,
}

/// What a template declares of a parameter: the constraints of CloudFormation's user guide, "Parameters".
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Declared {
    r#type: String,
    allowed_pattern: Option<String>,
    allowed_values: Option<Vec<serde_json::Value>>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    min_length: Option<usize>,
    max_length: Option<usize>,
}

/// Checks names and values against the template's declarations.
///
/// # Errors
/// The first parameter that the template would refuse; a template that cannot be read.
pub(crate) fn check(template: &Path, text: &str, parameters: &BTreeMap<String, String>) -> Result<(), LocalError> {
    let unreadable = |problem: String| LocalError::Template { path: template.to_owned(), problem };
    let declared: Template = serde_yaml_ng::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    for (name, value) in parameters {
        let refused = |problem: String| LocalError::Parameter { name: name.clone(), problem };
        let Some(parameter) = declared.parameters.get(name) else {
            let names: Vec<&str> = declared.parameters.keys().map(String::as_str).collect();
            return Err(refused(format!("the template has no such parameter; it has {}", names.join(", "))));
        };
        if let Some(problem) = parameter.problem(value).map_err(unreadable)? {
            return Err(refused(problem));
        }
    }
    Ok(())
}

impl Declared {
    /// Why a value is refused.
    ///
    /// # Errors
    /// The pattern is no pattern.
    fn problem(&self, value: &str) -> Result<Option<String>, String> {
        if let Some(values) = &self.allowed_values {
            let values: Vec<String> =
                values.iter().map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).collect();
            if !values.iter().any(|allowed| allowed == value) {
                return Ok(Some(format!("{value:?} is not one of {}", values.join(", "))));
            }
        }
        if self.r#type == "Number" {
            let Ok(number) = value.parse::<f64>() else { return Ok(Some(format!("{value:?} is not a number"))) };
            if self.min_value.is_some_and(|min| number < min) || self.max_value.is_some_and(|max| number > max) {
                let bound = |bound: Option<f64>| bound.map_or_else(|| "any".to_owned(), |bound| bound.to_string());
                let (min, max) = (bound(self.min_value), bound(self.max_value));
                return Ok(Some(format!("{value} is out of range; the smallest is {min} and the largest {max}")));
            }
        }
        let length = value.chars().count();
        if self.min_length.is_some_and(|min| length < min) || self.max_length.is_some_and(|max| length > max) {
            return Ok(Some(format!("{length} characters are too few or too many")));
        }
        let Some(pattern) = &self.allowed_pattern else { return Ok(None) };
        // CloudFormation matches the whole value.
        let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|error| format!("AllowedPattern: {error}"))?;
        Ok((!whole.is_match(value)).then(|| format!("{value:?} does not match the pattern {pattern}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::check;

    fn checked(name: &str, value: &str) -> Result<(), String> {
        let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/template.yaml");
        let text = std::fs::read_to_string(template).unwrap();
        let parameters = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        check(Path::new(template), &text, &parameters).map_err(|error| error.to_string())
    }

    #[test]
    fn what_the_template_takes_is_taken() {
        for (name, value) in [
            ("ScheduleExpression", "rate(1 minute)"),
            ("ScheduleExpression", ""),
            ("HeartbeatSeconds", "3"),
            ("Architecture", "arm64"),
            ("LogRetentionDays", "30"),
            ("TriggerParameters", r#"{"a": 1}"#),
        ] {
            checked(name, value).unwrap();
        }
    }

    #[test]
    fn what_the_template_refuses_is_refused_by_name() {
        for (name, value, why) in [
            ("Nonsense", "1", "no such parameter; it has AccessLogBucket"),
            ("architecture", "arm64", "no such parameter"),
            ("Architecture", "sparc", "not one of arm64, x86_64"),
            ("LogRetentionDays", "31", "not one of 7, 14"),
            ("HeartbeatSeconds", "2", "out of range"),
            ("HeartbeatSeconds", "soon", "not a number"),
            ("ScheduleExpression", "every night", "does not match the pattern"),
            ("RunsPrefix", "no-slash", "does not match the pattern"),
        ] {
            let refused = checked(name, value).unwrap_err();
            assert!(refused.contains(name) && refused.contains(why), "{refused}");
        }
    }
}
