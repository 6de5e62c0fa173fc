//! A file of the stack's parameters, in the three forms that the aws command reads: a list of `ParameterKey` and `ParameterValue`, a list of
//! `Name=Value`, or an object with `Parameters`. Reads; whether the template takes them is checked elsewhere.

use std::path::Path;

use serde_json::{Map, Value};

use crate::{arguments::parameter, error::CliError, files};

/// The forms, for whoever wrote another one.
const FORMS: &str = r#"write [{"ParameterKey": "InstanceNames", "ParameterValue": "nightly"}], ["InstanceNames=nightly"] or {"Parameters": {"InstanceNames": "nightly"}}"#;

/// The parameters of a file, in its order; one that keeps its previous value is none.
///
/// # Errors
/// It cannot be read, or has another form: the field is named.
pub(super) fn read(path: &Path) -> Result<Vec<(String, String)>, CliError> {
    let shown = path.display();
    let value: Value = serde_json::from_str(&files::text(path)?)
        .map_err(|error| CliError::Usage(format!("{shown} is not JSON: {error}; {FORMS}")))?;
    parameters(value).map_err(|problem| CliError::Usage(format!("{shown}: {problem}")))
}

fn parameters(value: Value) -> Result<Vec<(String, String)>, String> {
    match value {
        Value::Array(entries) => {
            let read = entries.into_iter().enumerate().map(|(index, entry)| member(index, entry));
            Ok(read.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        }
        Value::Object(mut fields) => match fields.remove("Parameters") {
            Some(Value::Object(parameters)) => parameters
                .into_iter()
                .map(|(name, value)| Ok((name.clone(), text(&format!("Parameters.{name}"), value)?)))
                .collect(),
            Some(other) => Err(format!("Parameters must be an object of names and values, but is {}", kind(&other))),
            None => Err(format!("it has no field Parameters; {FORMS}")),
        },
        other => Err(format!("it must be a list or an object, but is {}; {FORMS}", kind(&other))),
    }
}

/// A member of the list; `None`: it keeps its previous value, as every parameter does that is not given.
fn member(index: usize, entry: Value) -> Result<Option<(String, String)>, String> {
    let mut fields = match entry {
        Value::Object(fields) => fields,
        // The text itself may be a secret whose name is missing.
        Value::String(text) => return parameter(&text).map(Some).map_err(|_| format!("[{index}] must be Name=Value")),
        other => {
            return Err(format!(
                "[{index}] must be an object with ParameterKey and ParameterValue, or Name=Value in quotes, but is {}",
                kind(&other)
            ));
        }
    };
    let name = match fields.remove("ParameterKey") {
        Some(name) => text(&format!("[{index}].ParameterKey"), name)?,
        None => return Err(format!("[{index}] has no ParameterKey{}", of_others(&fields))),
    };
    let keeps = match fields.remove("UsePreviousValue") {
        None => false,
        Some(Value::Bool(keeps)) => keeps,
        Some(other) => {
            return Err(format!("[{index}].UsePreviousValue ({name}) must be true or false, but is {}", kind(&other)));
        }
    };
    match (fields.remove("ParameterValue"), keeps) {
        (None, true) => Ok(None),
        (Some(_), true) => {
            Err(format!("[{index}] ({name}) has a ParameterValue and UsePreviousValue; give one of them"))
        }
        (None, false) => Err(format!("[{index}] ({name}) has no ParameterValue{}", of_others(&fields))),
        (Some(value), false) => Ok(Some((name.clone(), text(&format!("[{index}].ParameterValue ({name})"), value)?))),
    }
}

/// What a member has instead: mistyped, perhaps.
fn of_others(fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return String::new();
    }
    format!(", but {}", fields.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
}

/// CloudFormation's parameters are texts.
fn text(field: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(format!("{field} must be a string in quotes, but is {}", kind(&other))),
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{parameters, read};

    #[test]
    fn each_form_of_aws_is_read() {
        let expected =
            [("InstanceNames".to_owned(), "nightly".to_owned()), ("LogRetentionDays".to_owned(), "30".to_owned())];
        for form in [
            json!([{"ParameterKey": "InstanceNames", "ParameterValue": "nightly"},
                {"ParameterKey": "LogRetentionDays", "ParameterValue": "30", "UsePreviousValue": false},
                {"ParameterKey": "AlarmEmail", "UsePreviousValue": true}]),
            json!({"Parameters": {"InstanceNames": "nightly", "LogRetentionDays": "30"}, "Tags": {"team": "data"}}),
            json!(["InstanceNames=nightly", "LogRetentionDays=30"]),
        ] {
            assert_eq!(parameters(form).unwrap(), expected);
        }
        let with_signs = parameters(json!(["TriggerParameters={\"a\": \"b=c\"}", "NotifyEmail="])).unwrap();
        assert_eq!(with_signs[0].1, r#"{"a": "b=c"}"#);
        assert_eq!(with_signs[1], ("NotifyEmail".to_owned(), String::new()));
    }

    #[test]
    fn what_is_wrong_is_told_by_its_field() {
        for (form, said) in [
            (
                json!([{"ParameterKey": "A", "ParameterValue": 30}]),
                "[0].ParameterValue (A) must be a string in quotes, but is a number",
            ),
            (
                json!([{"ParameterKey": "A", "ParameterValue": "b"}, {"ParameterName": "B"}]),
                "[1] has no ParameterKey, but ParameterName",
            ),
            (json!([{"ParameterKey": "A", "Value": "b"}]), "[0] (A) has no ParameterValue, but Value"),
            (json!([{"ParameterKey": "A", "ParameterValue": "b", "UsePreviousValue": true}]), "give one of them"),
            (
                json!([{"ParameterKey": "A", "UsePreviousValue": "yes"}]),
                "[0].UsePreviousValue (A) must be true or false, but is a string",
            ),
            (
                json!([7]),
                "[0] must be an object with ParameterKey and ParameterValue, or Name=Value in quotes, but is a number",
            ),
            // Its value, where it was to be named: the message does not repeat what may be a secret.
            (json!(["A=b", "secret"]), "[1] must be Name=Value"),
            (json!(["=b"]), "[0] must be Name=Value"),
            (json!({"Parameters": {"A": null}}), "Parameters.A must be a string in quotes, but is null"),
            (json!({"Parameters": []}), "Parameters must be an object of names and values, but is a list"),
            (json!({"InstanceNames": "nightly"}), "it has no field Parameters; write [{"),
            (json!("A=b"), "it must be a list or an object, but is a string"),
        ] {
            let problem = parameters(form).unwrap_err();
            assert!(problem.contains(said), "{problem}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let missing = read(&folder.path().join("missing.json")).unwrap_err();
        assert!(missing.exit_code() == 2 && missing.to_string().contains("missing.json"), "{missing}");
        let file = folder.path().join("parameters.json");
        std::fs::write(&file, "InstanceNames: nightly").unwrap();
        let yaml = read(&file).unwrap_err();
        assert!(yaml.exit_code() == 2 && yaml.to_string().contains("parameters.json is not JSON"), "{yaml}");
    }
}
