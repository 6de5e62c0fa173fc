//! Fields: which are missing, unknown, or of the wrong kind.

use serde_json::{Map, Value};

use super::model::{Machine, State};
use super::{Findings, Rule};
use crate::fields::{self, Shape};

/// AWS allows at most this many characters in a state's name ("State machine structure").
const MAX_STATE_NAME: usize = 80;

pub(super) fn check(definition: &Value, machine: &Machine, findings: &mut Findings) {
    if let Some(body) = definition.as_object() {
        check_object("", "", body, &fields::MACHINE, fields::allowed, findings);
        query_language("", body, findings);
        check_positive("", "TimeoutSeconds", body, findings);
    }
    for state in machine.states() {
        check_state(state, findings);
    }
}

fn check_state(state: &State, findings: &mut Findings) {
    if state.name.chars().count() > MAX_STATE_NAME {
        report(state.name, format!("the name is longer than {MAX_STATE_NAME} characters: shorten it"), findings);
    }
    let Some(shape) = fields::of_state(state.kind) else {
        report(
            state.name,
            format!(
                "the type \"{}\" is not one of Task, Pass, Choice, Wait, Succeed, Fail, Parallel: use one of them",
                state.kind
            ),
            findings,
        );
        return;
    };
    check_object(state.name, "", state.body, &shape, fields::allowed_in_state, findings);
    query_language(state.name, state.body, findings);
    next_or_end(state, findings);
    if state.kind == "Wait" {
        wait(state, findings);
    }
    if state.kind == "Choice" && state.list("Choices").is_empty() {
        report(state.name, "\"Choices\" has no rule: write one".to_owned(), findings);
    }
    for (field, shape) in [
        ("Retry", fields::RETRIER),
        ("Catch", fields::CATCHER),
        ("Choices", fields::CHOICE_RULE),
        ("Branches", fields::BRANCH),
    ] {
        check_entries(state, field, &shape, findings);
    }
    assigns(state, findings);
}

/// The objects in one of a state's lists.
fn check_entries(state: &State, field: &str, shape: &Shape, findings: &mut Findings) {
    if let Some(value) = state.body.get(field)
        && !value.is_array()
    {
        report(state.name, format!("\"{field}\" is not a list: make it one"), findings);
    }
    for (index, entry) in state.list(field).iter().enumerate() {
        let place = format!("{field}[{index}]/");
        match entry.as_object() {
            Some(body) => check_object(state.name, &place, body, shape, fields::allowed, findings),
            None => {
                report(state.name, format!("{field}[{index}] is not an object: make it a {}", shape.name), findings);
            }
        }
    }
}

fn check_object(
    state: &str,
    place: &str,
    body: &Map<String, Value>,
    shape: &Shape,
    allowed: fn(&Shape, &str) -> bool,
    findings: &mut Findings,
) {
    for field in shape.required {
        if !body.contains_key(*field) {
            report(state, format!("the {} lacks \"{place}{field}\": add it", shape.name), findings);
        }
    }
    for field in body.keys().filter(|field| !allowed(shape, field)) {
        let advice = if fields::JSONPATH_ONLY.contains(&field.as_str()) {
            "it belongs to JSONPath; in JSONata write Arguments, Assign or Output"
        } else {
            "it is not a field of the language there; take it out or move it"
        };
        report(state, format!("the {} has \"{place}{field}\": {advice}", shape.name), findings);
    }
}

fn query_language(state: &str, body: &Map<String, Value>, findings: &mut Findings) {
    if let Some(language) = body.get("QueryLanguage")
        && language != "JSONata"
    {
        report(state, format!("\"QueryLanguage\" is {language}: only \"JSONata\" is used here"), findings);
    }
}

fn next_or_end(state: &State, findings: &mut Findings) {
    let has_next = state.body.contains_key("Next");
    let end = state.body.get("End");
    if !fields::has_next_or_end(state.kind) {
        return;
    }
    if end.is_some_and(|end| *end != Value::Bool(true)) {
        report(state.name, "\"End\" is not true: write true or take it out".to_owned(), findings);
    }
    if has_next == end.is_some() {
        report(state.name, "it needs exactly one of \"Next\" and \"End\"".to_owned(), findings);
    }
}

fn wait(state: &State, findings: &mut Findings) {
    let given = ["Seconds", "Timestamp"].iter().filter(|field| state.body.contains_key(**field)).count();
    if given != 1 {
        report(state.name, "a Wait needs exactly one of \"Seconds\" and \"Timestamp\"".to_owned(), findings);
    }
}

/// `Assign` is an object whose keys are names of variables ("Passing data between states with variables": letters,
/// digits and underscores, at most 80 characters; `states` is reserved).
fn assigns(state: &State, findings: &mut Findings) {
    let own = state.body.get("Assign").map(|assign| (String::new(), assign));
    let nested = ["Choices", "Catch"].into_iter().flat_map(|field| {
        state
            .list(field)
            .iter()
            .enumerate()
            .filter_map(move |(index, entry)| Some((format!("{field}[{index}]/"), entry.get("Assign")?)))
    });
    for (place, assign) in own.into_iter().chain(nested) {
        let Some(assign) = assign.as_object() else {
            report(
                state.name,
                format!("\"{place}Assign\" is not an object: write one with a field for each variable"),
                findings,
            );
            continue;
        };
        for name in assign.keys().filter(|name| !is_variable_name(name)) {
            report(
                state.name,
                format!("\"{place}Assign/{name}\" cannot be a variable: use letters, digits and _, not \"states\""),
                findings,
            );
        }
    }
}

fn is_variable_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
        && name.chars().count() <= MAX_STATE_NAME
        && name != "states"
}

fn check_positive(state: &str, field: &str, body: &Map<String, Value>, findings: &mut Findings) {
    if let Some(value) = body.get(field)
        && value.as_u64().is_none_or(|seconds| seconds == 0)
    {
        report(state, format!("\"{field}\" is {value}: write a positive whole number"), findings);
    }
}

fn report(state: &str, message: String, findings: &mut Findings) {
    findings.add(state, Rule::Fields, message);
}
