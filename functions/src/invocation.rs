//! One invocation: parse, call, map the error, log one line. Never a token or a parameter in the log.

use std::process::ExitCode;

use reveille_aws::Aws;
use reveille_domain::{Code, Failure, InstanceName, RETRIED};
use reveille_functions::bounds::{ANSWER_TIME, StepEnded, Termination};
use reveille_functions::log::{Level, Line};
use reveille_functions::{LambdaInvocation, RuntimeApi};
use reveille_protocol::Stack;
use reveille_protocol::conclude_run;
use serde::Serialize;
use serde_json::Value;

use crate::arguments::{self, Arguments};
use reveille_protocol::step::Step;

/// An answer without a decision is the sweeper's counts; a longer one does not belong into a log.
const MAX_SHOWN_ANSWER: usize = 256;
/// The field of the sweeper's answer that has a sentence.
const HISTORY_FAILURE: &str = "historyFailure";
/// The field of the sweeper's answer that the metric filter of `infra/alarms.yaml` reads.
const LONGEST_ON_SECONDS: &str = "longestOnSeconds";

/// Serves invocations of one function until Lambda ends the process.
///
/// # Errors
/// What made it impossible to go on.
pub async fn serve<C, A: Serialize>(
    api: &mut RuntimeApi,
    handler: Step,
    stack: &Stack,
    aws: &Aws,
    parse: fn(Step, Arguments) -> Result<C, Failure>,
    step: impl AsyncFn(&Stack, &Aws, C) -> Result<A, Failure>,
) -> Result<ExitCode, String> {
    let step = &step;
    let answer = async |invocation: &LambdaInvocation, termination: &mut Termination| {
        let mut line = Subject::default();
        let result = match arguments::read(handler, &invocation.payload) {
            Ok(arguments) => {
                line = Subject::of(&arguments.own);
                let concludes = handler == Step::ConcludeRun;
                let unconfirmed = concludes.then(|| conclude_run::unconfirmed_in(&arguments.own)).flatten();
                match parse(handler, arguments) {
                    Ok(call) => {
                        let ended = termination.bound(invocation, Box::pin(step(stack, aws, call))).await;
                        told(handler, aws, ended, unconfirmed.as_ref())
                    }
                    Err(failure) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        };
        let result = result.and_then(|answer| json(handler, &answer));
        line.log(handler, invocation, &result);
        result.map(|answer| answer.to_string())
    };
    reveille_functions::serve(api, answer).await
}

/// What came of the step; of one that was given up, what it waited for.
fn told<A>(
    handler: Step,
    aws: &Aws,
    ended: StepEnded<Result<A, Failure>>,
    unconfirmed: Option<&InstanceName>,
) -> Result<A, Failure> {
    let calls = aws.calls_under_way();
    aws.forget_calls();
    let waited = if calls.is_empty() {
        "no call was under way".to_owned()
    } else {
        format!("no answer yet to {}", calls.join(", "))
    };
    let name = handler.name();
    match ended {
        StepEnded::Done(result) => result,
        StepEnded::TooLate => Err(given_up(
            handler,
            unconfirmed,
            format!(
                "{name} was called with less than {} s of its time left, and did nothing. {RETRIED}",
                ANSWER_TIME.as_secs()
            ),
        )),
        StepEnded::OutOfTime(after) => Err(given_up(
            handler,
            unconfirmed,
            format!("{name} ran out of time after {:.1} s ({waited}). {RETRIED}", after.as_secs_f64()),
        )),
        StepEnded::ToldToEnd => Err(given_up(
            handler,
            unconfirmed,
            format!("Lambda ended the environment while {name} ran in it ({waited}). {RETRIED}"),
        )),
    }
}

/// A step that was given up: what it sent may still take effect, as after a lost answer, and it is run again.
fn given_up(handler: Step, unconfirmed: Option<&InstanceName>, message: String) -> Failure {
    let failure = Failure::new(Code::ServiceUnavailable, message);
    // No run's own code, or the state machine would take it for the end of the run.
    if handler == Step::ConcludeRun { conclude_run::not_recorded(&failure, unconfirmed) } else { failure }
}

fn json<A: Serialize>(handler: Step, answer: &A) -> Result<Value, Failure> {
    serde_json::to_value(answer).map_err(|error| {
        Failure::new(Code::Internal, format!("The answer of {} cannot be written as JSON: {error}.", handler.name()))
    })
}

/// What an invocation is about, for the log.
#[derive(Debug, Default)]
struct Subject {
    execution: Option<String>,
    run: Option<String>,
    attempt: Option<u64>,
    instance: Option<String>,
}

impl Subject {
    fn of(own: &Value) -> Self {
        let text = |path: &str| own.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Self {
            execution: text("/execution/arn").or_else(|| text("/executionArn")),
            run: text("/run/id"),
            attempt: own.pointer("/run/attempt").and_then(Value::as_u64),
            instance: text("/run/instance"),
        }
    }

    fn log(self, handler: Step, invocation: &LambdaInvocation, result: &Result<Value, Failure>) {
        let level = if result.is_ok() { Level::Info } else { Level::Error };
        let mut line = Line::new(level).with("step", handler.name()).about(invocation);
        let fields = [("execution", self.execution), ("run", self.run), ("instance", self.instance)];
        for (name, value) in fields {
            if let Some(value) = value {
                line = line.with(name, &value);
            }
        }
        if let Some(attempt) = self.attempt {
            line = line.with_number("attempt", attempt);
        }
        match result {
            Ok(answer) => told_of_sweep(line, answer).with("decision", &decision(answer)),
            Err(failure) => line.failure(failure),
        }
        .write();
    }
}

/// What a sweep says in fields of its own: a number that an alarm looks at, and what went wrong with the history, which fails no sweep and is
/// said here alone.
fn told_of_sweep(line: Line, answer: &Value) -> Line {
    let line = match answer.get(LONGEST_ON_SECONDS).and_then(Value::as_u64) {
        Some(seconds) => line.with_number(LONGEST_ON_SECONDS, seconds),
        None => line,
    };
    match answer.get(HISTORY_FAILURE).and_then(Value::as_str) {
        Some(failure) => line.with(HISTORY_FAILURE, failure),
        None => line,
    }
}

fn decision(answer: &Value) -> String {
    match answer.get("decision").and_then(Value::as_str) {
        Some(decision) => decision.to_owned(),
        None => Some(counts(answer).to_string()).filter(|text| text.len() <= MAX_SHOWN_ANSWER).unwrap_or_default(),
    }
}

/// An answer without what has a field of its own.
fn counts(answer: &Value) -> Value {
    let mut counts = answer.clone();
    if let Some(fields) = counts.as_object_mut() {
        fields.retain(|name, _| ![HISTORY_FAILURE, LONGEST_ON_SECONDS].contains(&name.as_str()));
    }
    counts
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use reveille_functions::log::{Level, Line};
    use reveille_protocol::sweep::SweepOutput;
    use serde_json::{Value, json};

    use super::{decision, told_of_sweep};

    fn line(output: SweepOutput) -> Value {
        let answer = serde_json::to_value(output).unwrap();
        told_of_sweep(Line::new(Level::Info), &answer).with("decision", &decision(&answer)).json()
    }

    /// The metric filter reads a number. What was not measured is not there, or it would end an alarm.
    #[test]
    fn how_long_an_instance_is_on_has_a_field_of_its_own() {
        let measured = |seconds| line(SweepOutput { longest_on_seconds: seconds, ..SweepOutput::default() });
        assert_eq!(measured(Some(90_001))["longestOnSeconds"], 90_001);
        assert_eq!(measured(Some(0))["longestOnSeconds"], 0);
        let not = measured(None);
        assert!(not.get("longestOnSeconds").is_none(), "{not}");
        assert_eq!(measured(Some(5))["decision"], not["decision"], "said once");
        let failed = line(SweepOutput { history_failure: Some("lost".to_owned()), ..SweepOutput::default() });
        assert_eq!(failed["historyFailure"], json!("lost"));
    }
}
