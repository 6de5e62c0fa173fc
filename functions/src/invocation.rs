//! One invocation: parse, call, map the error, log one line. Never a token or a parameter in the log.

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use reveille_aws::Aws;
use reveille_domain::{Code, Failure};
use reveille_protocol::Stack;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::handler::Handler;

/// A step's failure as Lambda reports it: `errorType` is the code, which the state machine matches.
#[derive(Debug)]
struct StepError(Failure);

impl From<StepError> for Diagnostic {
    fn from(StepError(failure): StepError) -> Self {
        Self { error_type: failure.code.to_string(), error_message: failure.with_tail() }
    }
}

/// Serves invocations of one function until Lambda ends the process.
pub async fn serve<C, A>(
    handler: Handler,
    stack: &Stack,
    aws: &Aws,
    step: impl AsyncFn(&Stack, &Aws, C) -> Result<A, Failure>,
) -> Result<(), lambda_runtime::Error>
where
    C: DeserializeOwned,
    A: Serialize,
{
    let step = &step;
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
        let subject = subject(&event.payload);
        let result = match parse::<C>(handler, event.payload) {
            Ok(call) => step(stack, aws, call).await,
            Err(failure) => Err(failure),
        };
        log(&line(handler, &subject, &result));
        result.map_err(StepError)
    }))
    .await
}

fn parse<C: DeserializeOwned>(handler: Handler, payload: Value) -> Result<C, Failure> {
    serde_json::from_value(payload).map_err(|error| {
        let error = reveille_domain::input::without_value(&error.to_string());
        Failure::new(
            Code::Internal,
            format!(
                "{} was called with arguments it does not know: {error}. The state machine and the functions are of different versions: deploy the template again.",
                handler.name()
            ),
        )
    })
}

/// What an invocation is about, for the log.
fn subject(payload: &Value) -> Value {
    json!({
        "execution": payload.pointer("/execution/arn").or_else(|| payload.get("executionArn")),
        "run": payload.pointer("/run/id"),
        "attempt": payload.pointer("/run/attempt"),
        "instance": payload.pointer("/run/instance"),
    })
}

fn line<A: Serialize>(handler: Handler, subject: &Value, result: &Result<A, Failure>) -> Value {
    let mut line = json!({"step": handler.name(), "time": chrono::Utc::now()});
    if let (Some(line), Some(subject)) = (line.as_object_mut(), subject.as_object()) {
        line.extend(subject.iter().filter(|(_, value)| !value.is_null()).map(|(k, v)| (k.clone(), v.clone())));
        match result {
            Ok(answer) => {
                let answer = serde_json::to_value(answer).unwrap_or_default();
                let decision = answer.get("decision").cloned().unwrap_or(answer);
                line.insert("level".into(), "INFO".into());
                line.insert("decision".into(), decision);
            }
            Err(failure) => {
                line.insert("level".into(), "ERROR".into());
                line.insert("code".into(), failure.code.as_str().into());
                line.insert("message".into(), failure.message.clone().into());
            }
        }
    }
    line
}

/// Writes one line of JSON to the function's log.
#[expect(clippy::print_stdout, reason = "standard output is a Lambda function's log")]
pub fn log(line: &Value) {
    println!("{line}");
}
