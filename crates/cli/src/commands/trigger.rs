//! What triggers of every kind have in common: the input of the runs that they start, held against the contract before anything is made.

use reveille_domain::shown;
use serde_json::{Map, Value, json};

use super::run::{filled, plain, read, stem};
use crate::{error::CliError, ui::terminal::Tone};

/// The longest name that EventBridge takes, of a schedule and of a rule.
const MAX_NAME: usize = 64;

/// A trigger's name, if a person gives none: the stack's name and the notebook's.
pub(super) fn usual_name(stack: &str, notebook: &str) -> String {
    plain(&format!("{stack}-{}", stem(notebook)), '-', MAX_NAME)
}

/// A field of the input of a trigger's runs, for a person.
pub(super) fn field<'a>(input: &'a Value, name: &str) -> &'a str {
    input[name].as_str().unwrap_or("(none)")
}

/// What a trigger with this input starts.
pub(super) fn what(input: &Value) -> String {
    // Anybody may have made it, with whatever is in a name.
    shown::line(&format!("{} on {}", field(input, "notebook"), field(input, "instance")))
}

pub(super) const fn state(enabled: bool) -> (&'static str, Tone) {
    if enabled { ("on", Tone::Good) } else { ("paused", Tone::Quiet) }
}

/// Writes out what a person left to the defaults: a trigger stays as it is when they change.
pub(super) fn complete(input: &mut Map<String, Value>) {
    for (field, usual) in [("whenBusy", json!("queue")), ("limits", json!({})), ("html", json!("full"))] {
        input.entry(field).or_insert(usual);
    }
}

/// Holds a run's input against the contract, and its placeholders against what an event like the sample tells. The answer is the parameters of
/// the run that it would start.
///
/// # Errors
/// What a run with this input would fail with; `has` says which placeholders there are, where not all of them are.
pub(super) fn check(
    input: &Map<String, Value>,
    sample: &Value,
    has: Option<&str>,
) -> Result<Map<String, Value>, CliError> {
    let mut whole = input.clone();
    whole.insert("event".to_owned(), sample.clone());
    let input = read(&Value::Object(whole).to_string())?;
    filled(&input).map_err(|problem| {
        CliError::Usage(match has {
            Some(has) => format!("{problem} ({has})"),
            None => problem,
        })
    })
}
