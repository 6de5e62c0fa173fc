//! The parameters' names: each becomes a variable of the notebook's language.

use serde_json::{Map, Value};

use super::invalid;
use super::languages::Language;
use crate::error::Failure;
use crate::limits::{MAX_PARAMETER_NAME, MAX_PARAMETERS};
use crate::shown;

/// A parameter is written as `name = value` into a cell, so a name that is no identifier would be code, and a
/// keyword an error that quotes the value.
pub(super) fn check(parameters: &Map<String, Value>, kernel: Option<&str>) -> Result<(), Failure> {
    if parameters.len() > MAX_PARAMETERS {
        return Err(invalid(format!(
            "parameters: there are {}; at most {MAX_PARAMETERS} are accepted",
            parameters.len()
        )));
    }
    for (name, value) in parameters {
        let identifier = name.len() <= MAX_PARAMETER_NAME
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if !identifier {
            return Err(invalid(format!(
                "parameters: {} is not a parameter name: use a letter or underscore, then letters, digits and underscores, {MAX_PARAMETER_NAME} characters at most",
                shown::quoted(name)
            )));
        }
        if let Some(language) = Language::of_kernel(kernel) {
            check_language(name, value, language, kernel)?;
        }
    }
    Ok(())
}

/// What the kernel's language has no name or no value for, where the kernel's name tells the language.
fn check_language(name: &str, value: &Value, language: &Language, kernel: Option<&str>) -> Result<(), Failure> {
    if let Some(problem) = language.why_not_name(name) {
        let other = if kernel.is_none() { ", or name the notebook's \"kernel\" if it is not a Python one" } else { "" };
        return Err(invalid(format!("parameters.{name}: {name} {problem}; give the parameter another name{other}")));
    }
    language.lacks(value).map_or(Ok(()), |what| {
        Err(invalid(format!(
            "parameters.{name}: it is, or holds, {what}, and a kernel of {} cannot be given that; pass a text that the notebook reads",
            language.name
        )))
    })
}
