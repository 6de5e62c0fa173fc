//! `Retry` and `Catch`.

use serde_json::Value;

use super::model::{Machine, State, errors_of};
use super::{Classification, Findings, LintOptions, Rule};
use crate::expression;

/// The errors that Lambda itself, not the function, reports, and that AWS advises to retry ("Handling transient Lambda
/// service exceptions", "Best practices for Step Functions").
pub const LAMBDA_ERRORS: &[&str] = &[
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
];

/// What AWS retries when a retrier does not say how often ("Handling errors in Step Functions workflows").
const DEFAULT_MAX_ATTEMPTS: u64 = 3;

/// What AWS waits before the first retry when a retrier does not say ("Handling errors in Step Functions workflows").
const DEFAULT_INTERVAL_SECONDS: u64 = 1;

/// The longest `MaxDelaySeconds` that AWS takes, exclusive: a year and a day ("Handling errors").
const MAX_DELAY_LIMIT: u64 = 31_622_400;

/// Errors that are not a function's own: AWS reserves or reports these prefixes.
const AWS_PREFIXES: &[&str] = &["States.", "Lambda.", "Sandbox.", "Runtime."];

/// The names under which AWS shows a missed heartbeat. "Handling errors" says that the first is there for Catch and Retry,
/// and that the second stands for a missed heartbeat too; the second is what was recorded on AWS.
const MISSED_HEARTBEAT: [&str; 2] = ["States.HeartbeatTimeout", "States.Timeout"];

pub(super) fn check(machine: &Machine, options: &LintOptions, findings: &mut Findings) {
    for state in machine.states() {
        for field in ["Retry", "Catch"] {
            states_all(state, field, findings);
            both_heartbeat_names(state, field, findings);
        }
        heartbeat_names_in_expressions(state, findings);
        for (index, retrier) in state.list("Retry").iter().enumerate() {
            check_retrier(state, index, retrier, options, findings);
        }
        if state.is_lambda() && state.is_task() {
            lambda_retriers(state, findings);
        }
        let can_fail = matches!(state.kind, "Task" | "Parallel");
        if can_fail && !options.uncaught.contains(&state.name) && !catches_everything(state) {
            findings.add(
                state.name,
                Rule::CatchAll,
                "an error may end the execution here: let the last entry of \"Catch\" be States.ALL".to_owned(),
            );
        }
        if let Some(classification) = &options.classification {
            known_codes(state, classification, findings);
            if state.is_task() {
                attempts_by_class(state, classification, findings);
            }
        }
    }
}

/// Whether the last catcher takes every error (that can be caught at all).
pub(super) fn catches_everything(state: &State) -> bool {
    state.list("Catch").last().is_some_and(|catcher| errors_of(catcher) == ["States.ALL"])
}

fn states_all(state: &State, field: &str, findings: &mut Findings) {
    let entries = state.list(field);
    for (index, entry) in entries.iter().enumerate() {
        let errors = errors_of(entry);
        let place = format!("{field}[{index}]/ErrorEquals");
        if errors.is_empty() {
            findings.add(state.name, Rule::Fields, format!("\"{place}\" is not a list of error names: write one"));
        }
        if !errors.contains(&"States.ALL") {
            continue;
        }
        if errors.len() > 1 {
            findings.add(
                state.name,
                Rule::StatesAll,
                format!("\"{place}\" has States.ALL beside other errors: AWS wants it alone"),
            );
        }
        if index + 1 < entries.len() {
            findings.add(
                state.name,
                Rule::StatesAll,
                format!("\"{place}\" has States.ALL before other entries: AWS wants it last"),
            );
        }
    }
}

/// In one entry: with an entry for each, the two would be told apart, which AWS does not do.
fn both_heartbeat_names(state: &State, field: &str, findings: &mut Findings) {
    for (index, entry) in state.list(field).iter().enumerate() {
        let errors = errors_of(entry);
        let named: Vec<&str> = MISSED_HEARTBEAT.into_iter().filter(|name| errors.contains(name)).collect();
        if let [alone] = named[..] {
            findings.add(
                state.name,
                Rule::HeartbeatNames,
                format!(
                    "\"{field}[{index}]/ErrorEquals\" has {alone} alone: AWS shows a missed heartbeat under either name, \
                     so name {} together there",
                    MISSED_HEARTBEAT.join(" and ")
                ),
            );
        }
    }
}

/// An expression that knows one of the names asks which of the two it was.
fn heartbeat_names_in_expressions(state: &State, findings: &mut Findings) {
    for (field, value) in state.body {
        // The branches of a Parallel are states of their own.
        if field != "Branches" && expressions(value).any(|text| MISSED_HEARTBEAT.iter().any(|name| text.contains(name)))
        {
            findings.add(
                state.name,
                Rule::HeartbeatNames,
                format!(
                    "an expression in \"{field}\" asks for {}: AWS shows a missed heartbeat under either name, so decide \
                     by what can be observed",
                    MISSED_HEARTBEAT.join(" or ")
                ),
            );
        }
    }
}

fn expressions(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(expression::unwrap(text).into_iter()),
        Value::Array(items) => Box::new(items.iter().flat_map(expressions)),
        Value::Object(fields) => Box::new(fields.values().flat_map(expressions)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Box::new(std::iter::empty()),
    }
}

fn check_retrier(state: &State, index: usize, retrier: &Value, options: &LintOptions, findings: &mut Findings) {
    let mut report = |message: String| {
        findings.add(state.name, Rule::Retrier, format!("Retry[{index}]: {message}"));
    };
    match retrier.get("MaxAttempts").map(Value::as_u64) {
        Some(Some(0)) => return,
        Some(Some(attempts)) if attempts <= options.max_attempts => {}
        Some(Some(attempts)) => report(format!(
            "\"MaxAttempts\" {attempts} is more than {}: lower it, or make the loop a part of the machine",
            options.max_attempts
        )),
        Some(None) => report("\"MaxAttempts\" is not a whole number: write one".to_owned()),
        None => report("no \"MaxAttempts\": write one, so that the bound can be seen".to_owned()),
    }
    if let Some(rate) = retrier.get("BackoffRate")
        && rate.as_f64().is_none_or(|rate| rate < 1.0)
    {
        report(format!("\"BackoffRate\" is {rate}: AWS wants a number of at least 1"));
    }
    let interval = match retrier.get("IntervalSeconds") {
        None => DEFAULT_INTERVAL_SECONDS,
        Some(value) => value.as_u64().unwrap_or(0),
    };
    if interval == 0 {
        report("\"IntervalSeconds\" is not a positive whole number: write one".to_owned());
    }
    match retrier.get("MaxDelaySeconds").map(Value::as_u64) {
        Some(Some(delay)) if delay > interval && delay < MAX_DELAY_LIMIT => {}
        Some(_) => report(format!(
            "\"MaxDelaySeconds\" is not a whole number over \"IntervalSeconds\" ({interval}) and under {MAX_DELAY_LIMIT}: \
             correct it"
        )),
        None => report("no \"MaxDelaySeconds\": write one, so that the wait stays bounded".to_owned()),
    }
    if retrier.get("JitterStrategy").and_then(Value::as_str) != Some("FULL") {
        report("\"JitterStrategy\" is not FULL: executions that failed together would come again together".to_owned());
    }
}

/// The attempts that the first retrier matching `error` allows; `None` when none matches.
///
/// `States.TaskFailed` stands for every error of a task but `States.Timeout` ("Handling errors").
fn attempts_for(state: &State, error: &str) -> Option<u64> {
    let retrier = state.list("Retry").iter().find(|retrier| {
        errors_of(retrier).iter().any(|name| [error, "States.ALL", "States.TaskFailed"].contains(name))
    })?;
    Some(max_attempts(retrier))
}

/// `MaxAttempts` of a retrier, or AWS's default.
pub(super) fn max_attempts(retrier: &Value) -> u64 {
    retrier.get("MaxAttempts").and_then(Value::as_u64).unwrap_or(DEFAULT_MAX_ATTEMPTS)
}

fn lambda_retriers(state: &State, findings: &mut Findings) {
    for error in LAMBDA_ERRORS {
        if attempts_for(state, error).unwrap_or(0) == 0 {
            findings.add(
                state.name,
                Rule::LambdaRetriers,
                format!("{error} is not retried, though Lambda itself reports it: add it to a retrier"),
            );
        }
    }
}

fn known_codes(state: &State, classification: &Classification, findings: &mut Findings) {
    for field in ["Retry", "Catch"] {
        for entry in state.list(field) {
            for name in errors_of(entry) {
                let of_aws = AWS_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
                if !of_aws && !classification.codes.contains(&name) {
                    findings.add(
                        state.name,
                        Rule::Classification,
                        format!(
                            "\"{field}\" names {name}, which is not a known error code: correct it or add the code"
                        ),
                    );
                }
            }
        }
    }
}

fn attempts_by_class(state: &State, classification: &Classification, findings: &mut Findings) {
    for code in classification.codes {
        let allowed = (classification.allowed)(state.name, code);
        let attempts = attempts_for(state, code).unwrap_or(0);
        if !allowed.contains(&attempts) {
            findings.add(
                state.name,
                Rule::Classification,
                format!(
                    "{code} is retried {attempts} times, its class allows {} to {}: change \"Retry\" or the class",
                    allowed.start(),
                    allowed.end()
                ),
            );
        }
    }
}
