//! Reads the text of a state machine definition: JSON with `${Name}` placeholders.
//!
//! Owns: the placeholders of `CloudFormation`'s `DefinitionSubstitutions`, filled in as text as `CloudFormation` does.
//! Never does: judges what the definition says; that is [`crate::lint`]'s work.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Why a definition cannot be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LoadError {
    /// A `${Name}` in the text has no value.
    #[error(
        "the definition has the placeholder ${{{name}}}, which has no substitution: pass a value for it or take it out"
    )]
    MissingSubstitution {
        /// The placeholder's name, without `${` and `}`.
        name: String,
    },
    /// A `${` is never closed.
    #[error("the definition has an unclosed placeholder at byte {at}: close it with }}")]
    UnclosedPlaceholder {
        /// Byte offset of the `${`.
        at: usize,
    },
    /// A substitution that the text never names: a misspelt name on one of the two sides.
    #[error("the substitution {name} is named nowhere in the definition: take it out or use it")]
    UnusedSubstitution {
        /// The substitution's name.
        name: String,
    },
    /// After the placeholders were filled in, the text is not JSON.
    #[error("the definition is not JSON after its placeholders were filled in: {reason}: correct the text there")]
    NotJson {
        /// The parser's own words, with line and column.
        reason: String,
    },
}

/// Fills in the placeholders of `text` and parses it.
///
/// # Errors
/// [`LoadError`] when a placeholder has no value, a value has no placeholder, or the result is not JSON.
pub fn load(text: &str, substitutions: &BTreeMap<String, String>) -> Result<Value, LoadError> {
    let filled = substitute(text, substitutions)?;
    serde_json::from_str(&filled).map_err(|error| LoadError::NotJson { reason: error.to_string() })
}

/// The names of the placeholders in `text`.
///
/// # Errors
/// [`LoadError::UnclosedPlaceholder`].
pub fn placeholders(text: &str) -> Result<BTreeSet<String>, LoadError> {
    let mut names = BTreeSet::new();
    fill(text, |name| {
        names.insert(name.to_owned());
        Ok("")
    })?;
    Ok(names)
}

/// Replaces each `${Name}` by its value, textually, as `CloudFormation` does.
fn substitute(text: &str, substitutions: &BTreeMap<String, String>) -> Result<String, LoadError> {
    let mut unused: BTreeSet<&str> = substitutions.keys().map(String::as_str).collect();
    let filled = fill(text, |name| {
        unused.remove(name);
        let value = substitutions.get(name).map(String::as_str);
        value.ok_or_else(|| LoadError::MissingSubstitution { name: name.to_owned() })
    })?;
    match unused.first() {
        None => Ok(filled),
        Some(name) => Err(LoadError::UnusedSubstitution { name: (*name).to_owned() }),
    }
}

fn fill<'v>(text: &str, mut value: impl FnMut(&str) -> Result<&'v str, LoadError>) -> Result<String, LoadError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, placeholder)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = placeholder.split_once('}') else {
            return Err(LoadError::UnclosedPlaceholder { at: text.len() - placeholder.len() - "${".len() });
        };
        filled.push_str(value(name)?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn substitutions(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn fills_in_placeholders_inside_strings() {
        let value = load(
            r#"{"Seconds": "{% ${Poll} * 2 %}", "Resource": "${Arn}"}"#,
            &substitutions(&[("Poll", "5"), ("Arn", "arn:x")]),
        );
        assert_eq!(value, Ok(json!({"Seconds": "{% 5 * 2 %}", "Resource": "arn:x"})));
    }

    #[test]
    fn names_the_placeholders() {
        let names: Vec<_> = placeholders("${B} and ${A}, ${B}").unwrap().into_iter().collect();
        assert_eq!(names, ["A", "B"]);
    }

    #[test]
    fn refuses_a_placeholder_without_a_value() {
        let error = load(r#"{"a": "${Missing}"}"#, &substitutions(&[])).unwrap_err();
        assert_eq!(error, LoadError::MissingSubstitution { name: "Missing".to_owned() });
        assert!(error.to_string().contains("${Missing}"));
    }

    #[test]
    fn refuses_a_value_without_a_placeholder() {
        let error = load("{}", &substitutions(&[("Pol", "5")])).unwrap_err();
        assert_eq!(error, LoadError::UnusedSubstitution { name: "Pol".to_owned() });
    }

    #[test]
    fn refuses_an_unclosed_placeholder_and_text_that_is_no_json() {
        assert_eq!(load(r#"{"a": "${Open"#, &substitutions(&[])), Err(LoadError::UnclosedPlaceholder { at: 7 }));
        assert!(matches!(load("{", &substitutions(&[])), Err(LoadError::NotJson { .. })));
    }
}
