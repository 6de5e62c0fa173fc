//! `TimeoutSeconds`, `HeartbeatSeconds` and the token of a callback.

use serde_json::Value;

use super::model::{Machine, State};
use super::{Findings, Rule};
use crate::expression::{self, Expression};

pub(super) fn check(machine: &Machine, findings: &mut Findings) {
    for state in machine.states().filter(|state| state.is_task()) {
        let timeout = timeout(state, findings);
        if state.waits_for_callback() {
            heartbeat(state, timeout, findings);
            token(state, findings);
        } else if state.body.contains_key("HeartbeatSeconds") {
            findings.add(
                state.name,
                Rule::Heartbeat,
                "\"HeartbeatSeconds\" on a task that nobody can beat for: take it out".to_owned(),
            );
        }
    }
}

/// Without it the task may stay for 99,999,999 s ("Task workflow state").
fn timeout(state: &State, findings: &mut Findings) -> Option<f64> {
    let Some(value) = state.body.get("TimeoutSeconds") else {
        findings.add(
            state.name,
            Rule::Timeout,
            "no \"TimeoutSeconds\": AWS would wait for three years; write one".to_owned(),
        );
        return None;
    };
    let seconds = constant(value).filter(|seconds| *seconds > 0.0);
    if seconds.is_none() {
        findings.add(
            state.name,
            Rule::Timeout,
            format!("\"TimeoutSeconds\" is {value}: write a positive number, a ceiling that can be checked here"),
        );
    }
    seconds
}

fn heartbeat(state: &State, timeout: Option<f64>, findings: &mut Findings) {
    let message = match state.body.get("HeartbeatSeconds").map(constant) {
        None => {
            "it waits for a callback without \"HeartbeatSeconds\", so a silent worker is seen only at the timeout: write one"
        }
        Some(None) => "\"HeartbeatSeconds\" is not a number that can be compared with the timeout: write a number",
        Some(Some(seconds)) if seconds <= 0.0 => "\"HeartbeatSeconds\" is not positive: raise it",
        Some(Some(seconds)) if timeout.is_some_and(|timeout| seconds >= timeout) => {
            "\"HeartbeatSeconds\" is not smaller than \"TimeoutSeconds\", which AWS refuses: lower it"
        }
        Some(Some(_)) => return,
    };
    findings.add(state.name, Rule::Heartbeat, message.to_owned());
}

fn token(state: &State, findings: &mut Findings) {
    let text = state.body.get("Arguments").map(Value::to_string).unwrap_or_default();
    if !text.contains("$states.context.Task.Token") {
        findings.add(
            state.name,
            Rule::Token,
            "it waits for a callback, but its \"Arguments\" do not carry $states.context.Task.Token: add it".to_owned(),
        );
    }
}

/// A number, or an expression that is one.
fn constant(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => Expression::compile(expression::unwrap(text)?).ok()?.constant_number(),
        _ => None,
    }
}
