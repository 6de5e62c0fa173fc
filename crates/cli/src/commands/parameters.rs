//! The parameters of a run: those that a person gives, as papermill reads them, and what a person is shown of them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{arguments::ParameterArguments, error::CliError, files};

/// All that is given, by name.
pub(super) fn given(arguments: &ParameterArguments) -> Result<Map<String, Value>, CliError> {
    let mut parameters = match &arguments.file {
        Some(path) => read_yaml(&files::text(path)?, &path.display().to_string())?,
        None => Map::new(),
    };
    if let Some(text) = &arguments.yaml {
        parameters.extend(read_yaml(text, "--parameters-yaml")?);
    }
    let mut seen = BTreeSet::new();
    let typed = arguments.parameters.iter().map(|(name, value)| (name, scalar(name, value)));
    let raw = arguments.raw.iter().map(|(name, value)| (name, Ok(Value::from(value.as_str()))));
    for (name, value) in typed.chain(raw) {
        if !seen.insert(name) {
            return Err(CliError::Usage(format!("the parameter {name} is given twice; give it once")));
        }
        parameters.insert(name.clone(), value?);
    }
    Ok(parameters)
}

/// The names of a run's parameters, for a person; `None`: there are none. Their values may be what only the notebook should see.
pub(super) fn names(parameters: &Map<String, Value>) -> Option<String> {
    let names = parameters.keys().map(String::as_str).collect::<Vec<_>>();
    (!names.is_empty()).then(|| names.join(", "))
}

/// A value as papermill reads one on its command line: True, False, None, whole numbers, numbers with a point, or else text.
fn scalar(name: &str, text: &str) -> Result<Value, CliError> {
    match text {
        "True" => return Ok(Value::Bool(true)),
        "False" => return Ok(Value::Bool(false)),
        "None" => return Ok(Value::Null),
        _ => {}
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Ok(Value::from(whole));
    }
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        let problem = format!("the parameter {name} is too large for a number; pass it as text: -r {name}={text}");
        return Err(CliError::Usage(problem));
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite());
    Ok(number.map_or_else(|| Value::from(text), Value::from))
}

/// Parameters as papermill reads them. JSON is YAML, too.
fn read_yaml(text: &str, from: &str) -> Result<Map<String, Value>, CliError> {
    let wrong = |what: &str| CliError::Usage(format!("{from}: {what}"));
    match serde_yaml_ng::from_str(text)
        .map_err(|error| wrong(&format!("it is not valid YAML: {error}; write for example `day: 2026-11-26`")))?
    {
        Value::Object(parameters) => Ok(parameters),
        Value::Null => Ok(Map::new()),
        _ => Err(wrong("it must hold names and values, such as `day: 2026-11-26`")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{read_yaml, scalar};

    #[test]
    fn parameters_come_as_yaml_or_json() {
        for text in ["a: 1\nb: [x, null]", r#"{"a": 1, "b": ["x", null]}"#] {
            assert_eq!(serde_json::Value::Object(read_yaml(text, "-y").unwrap()), json!({"a": 1, "b": ["x", null]}));
        }
        assert!(read_yaml("", "-y").unwrap().is_empty());
        for wrong in ["- 1", "a", "a: [", "{"] {
            assert!(read_yaml(wrong, "-y").unwrap_err().to_string().starts_with("-y: it "), "{wrong}");
        }
    }

    #[test]
    fn values_are_read_as_papermill_reads_them() {
        for (text, value) in [
            ("1", json!(1)),
            ("-2.5", json!(-2.5)),
            ("1e3", json!(1e3)),
            ("True", json!(true)),
            ("true", json!("true")),
            ("None", json!(null)),
            ("2026-11-26", json!("2026-11-26")),
            ("007", json!(7)),
            ("nan", json!("nan")),
            ("1.2.3", json!("1.2.3")),
            ("", json!("")),
            ("[1]", json!("[1]")),
        ] {
            assert_eq!(scalar("a", text).unwrap(), value, "{text}");
        }
        assert!(scalar("a", &"9".repeat(30)).unwrap_err().to_string().contains("-r a=9"));
    }
}
