//! The parameters of a template, as CloudFormation checks them: so that a mistake is told before anything is made, and with the parameter's own words.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde::Deserialize;
use serde_yaml_ng::Value;

use super::nearest;
use crate::{clients::Given, error::CliError};

/// A template, as far as its parameters go.
#[derive(Debug, Deserialize)]
pub(in crate::commands) struct Template {
    #[serde(rename = "Parameters", default)]
    parameters: BTreeMap<String, Definition>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Definition {
    r#type: String,
    default: Option<Value>,
    allowed_pattern: Option<String>,
    allowed_values: Vec<Value>,
    min_length: Option<usize>,
    max_length: Option<usize>,
    min_value: Option<f64>,
    max_value: Option<f64>,
    description: String,
    no_echo: bool,
}

/// A parameter that changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Setting {
    pub(in crate::commands) name: String,
    /// `None`: it had no value, as in a new stack.
    pub(in crate::commands) before: Option<String>,
    pub(in crate::commands) after: String,
}

/// What CloudFormation is given, and what of it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Settings {
    pub(in crate::commands) given: Vec<Given>,
    pub(in crate::commands) changed: Vec<Setting>,
}

const SECRET: &str = "****";

impl Template {
    /// # Errors
    /// It is no template: `name` is where it is.
    pub(in crate::commands) fn read(text: &str, name: &str) -> Result<Self, CliError> {
        serde_yaml_ng::from_str(text).map_err(|error| {
            CliError::Missing(format!("{name} is not a CloudFormation template ({error}); use another release"))
        })
    }

    /// What a parameter has if nobody gives it a value.
    pub(in crate::commands) fn default(&self, name: &str) -> Option<String> {
        self.parameters.get(name).and_then(Definition::default)
    }

    /// Checks what was asked for, and adds what the stack keeps. `before` is what the stack has; of a new one nothing.
    ///
    /// # Errors
    /// A name that there is not, a value that is refused, or a parameter that needs a value and has none.
    pub(in crate::commands) fn settings(
        &self,
        asked: &[(String, String)],
        before: &BTreeMap<String, String>,
    ) -> Result<Settings, CliError> {
        let mut names = BTreeSet::new();
        for (name, value) in asked {
            if !names.insert(name.as_str()) {
                return Err(CliError::Usage(format!("the parameter {name} is given twice")));
            }
            self.check(name, value)?;
        }
        let asked: BTreeMap<&str, &str> = asked.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut settings = Settings { given: Vec::new(), changed: Vec::new() };
        for (name, definition) in &self.parameters {
            let old = before.get(name);
            match asked.get(name.as_str()) {
                Some(value) => settings.set(name, definition, old, value),
                None if old.is_some() => settings.given.push(Given::Previous(name.clone())),
                None if definition.default.is_some() => {}
                None => {
                    return Err(CliError::Usage(format!(
                        "the parameter {name} needs a value: --parameter {name}=... ({})",
                        definition.description
                    )));
                }
            }
        }
        Ok(settings)
    }

    fn check(&self, name: &str, value: &str) -> Result<(), CliError> {
        let Some(definition) = self.parameters.get(name) else {
            let hint = match nearest(name, self.parameters.keys().map(String::as_str)) {
                Some(near) => format!("did you mean {near}?"),
                None => "docs/parameters.md lists them".to_owned(),
            };
            return Err(CliError::Usage(format!("the template has no parameter {name}; {hint}")));
        };
        match definition.problem(value) {
            None => Ok(()),
            Some(problem) => Err(CliError::Usage(format!(
                "{name}={} is refused: it must {problem}. {name}: {}",
                if definition.no_echo { SECRET } else { value },
                definition.description
            ))),
        }
    }
}

impl Settings {
    fn set(&mut self, name: &str, definition: &Definition, old: Option<&String>, value: &str) {
        self.given.push(Given::Value(name.to_owned(), value.to_owned()));
        let is_new = old.is_none_or(|old| old != value);
        // In a new stack the default changes nothing.
        if !is_new || (old.is_none() && definition.default().is_some_and(|usual| usual == value)) {
            return;
        }
        let shown = |value: &str| if definition.no_echo { SECRET.to_owned() } else { value.to_owned() };
        self.changed.push(Setting { name: name.to_owned(), before: old.map(|old| shown(old)), after: shown(value) });
    }
}

impl Definition {
    fn default(&self) -> Option<String> {
        self.default.as_ref().map(text)
    }

    fn is_list(&self) -> bool {
        self.r#type == "CommaDelimitedList" || self.r#type.starts_with("List<")
    }

    /// What a value must be and is not, as the end of a sentence.
    fn problem(&self, value: &str) -> Option<String> {
        let members: Vec<&str> = if self.is_list() { value.split(',').map(str::trim).collect() } else { vec![value] };
        let is_number = self.r#type == "Number" || self.r#type == "List<Number>";
        members.into_iter().find_map(|member| {
            self.not_allowed(member)
                .or_else(|| if is_number { self.no_such_number(member) } else { self.no_such_text(member) })
        })
    }

    fn not_allowed(&self, value: &str) -> Option<String> {
        let allowed: Vec<String> = self.allowed_values.iter().map(text).collect();
        let is_allowed = allowed.is_empty() || allowed.iter().any(|one| one == value);
        (!is_allowed).then(|| format!("be one of {}", allowed.join(", ")))
    }

    fn no_such_number(&self, value: &str) -> Option<String> {
        let Ok(number) = value.parse::<f64>() else { return Some("be a number".to_owned()) };
        if let Some(least) = self.min_value.filter(|least| number < *least) {
            return Some(format!("be at least {least}"));
        }
        self.max_value.filter(|most| number > *most).map(|most| format!("be at most {most}"))
    }

    fn no_such_text(&self, value: &str) -> Option<String> {
        let length = value.chars().count();
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return Some(format!("have at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return Some(format!("have at most {most} characters, and has {length}"));
        }
        let pattern = self.allowed_pattern.as_deref()?;
        // CloudFormation matches the whole value. What this engine cannot read is left to it.
        let whole = Regex::new(&format!("^(?:{pattern})$")).ok()?;
        (!whole.is_match(value)).then(|| format!("match {pattern}"))
    }
}

/// A scalar of YAML, as CloudFormation reads it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
