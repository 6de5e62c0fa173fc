//! The world that tasks call into.

use std::future::Future;
use std::rc::Rc;

use jsonata_core::value::JValue;
use serde_json::{Value, json};

use super::callbacks::Token;
use super::execution::Description;
use super::failure::Failure;
use super::value;

#[derive(Debug, Clone)]
pub struct TaskCall {
    /// `Resource`, as it appears in the definition.
    pub resource: Rc<str>,
    /// The Lambda function: `Arguments.FunctionName`, or the resource itself when that is a function's ARN.
    pub function_name: Option<String>,
    /// What the function is given: `Arguments.Payload`, or all the arguments when the resource is not `lambda:invoke`.
    pub payload: Value,
    /// The token of this attempt, when the task waits for a callback.
    pub token: Option<Token>,
    /// The ARN of the execution.
    pub execution: Rc<str>,
    /// The state's name.
    pub state: Rc<str>,
    /// From 0: how often the state was retried before this call.
    pub attempt: u32,
}

/// What a call returned.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskAnswer {
    /// A function's answer. `lambda:invoke` wraps it as AWS does: `Payload`, `StatusCode`, `ExecutedVersion`.
    Payload(Value),
    /// The result as the state sees it, whatever the resource.
    Result(Value),
}

impl TaskAnswer {
    /// The result that `$states.result` shows.
    pub(crate) fn into_result(self, wrapped: bool) -> JValue {
        match self {
            Self::Payload(payload) if wrapped => value::object([
                ("ExecutedVersion", JValue::from("$LATEST")),
                ("Payload", value::from_json(payload)),
                ("StatusCode", JValue::from(200_i64)),
            ]),
            Self::Payload(value) | Self::Result(value) => value::from_json(value),
        }
    }
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// The error's name, which `ErrorEquals` is compared with.
    pub error: String,
    pub cause: String,
}

impl TaskError {
    /// The error of a function that answered with `errorType` and `errorMessage`, as Lambda and Step Functions pass it
    /// on: the type is the name, the cause is the JSON text of the function's answer.
    #[must_use]
    pub fn of_function(error_type: &str, error_message: &str) -> Self {
        let cause = json!({"errorMessage": error_message, "errorType": error_type}).to_string();
        Self { error: error_type.to_owned(), cause }
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        // An empty text is none: a timeout has no cause.
        let given = |text: String| (!text.is_empty()).then_some(text);
        Self { error: given(error.error), cause: given(error.cause), fatal: false }
    }
}

/// The world: what tasks call, and who hears of executions.
pub trait Tasks {
    /// Makes one call. The future is dropped when the state stops waiting for it (a timeout, an abort): a world in which
    /// the call goes on, as a Lambda function does, runs it in a task of its own.
    fn invoke(&self, call: TaskCall) -> impl Future<Output = Result<TaskAnswer, TaskError>>;

    /// An execution started, was redriven or ended, as a `Step Functions Execution Status Change` event tells it.
    fn status_changed(&self, _execution: &Description) {}
}
