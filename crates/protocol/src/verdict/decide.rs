//! What an execution ended with, as a failure of its run.

use reveille_domain::error::{Code, Failure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An error as a Catch carries it: which state, and the `Error` and `Cause` of its `$states.errorOutput`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caught {
    /// The state that failed.
    pub state: String,
    /// The error's name.
    pub error: String,
    /// Its cause: for a function's own error, Lambda's JSON.
    #[serde(default)]
    pub cause: String,
}

/// Reads a caught error back into a failure: a step's own code keeps its sentence, an engine's error gets ours.
#[must_use]
pub fn classify(caught: &Caught) -> Failure {
    let message = cause_message(&caught.cause);
    if let Some(code) = Code::parse(&caught.error) {
        return of_a_run(Failure::new(code, message)).retries_exhausted();
    }
    let code = match caught.error.as_str() {
        "Lambda.TooManyRequestsException" => Code::Throttled,
        "Lambda.ServiceException"
        | "Lambda.AWSLambdaException"
        | "Lambda.SdkClientException"
        | "Lambda.ClientExecutionTimeoutException" => Code::ServiceUnavailable,
        _ => Code::Internal,
    };
    Failure::new(
        code,
        format!(
            "{} failed with {}: {}. Look at the function's log for this execution, then redrive it. If the notebook had started, a redrive may run it again.",
            caught.state,
            caught.error,
            message.trim_end_matches('.')
        ),
    )
}

/// A failure that a run can end with. A notebook on the instance may write a report and answer a token with any code; with the
/// code of ConcludeRun's own trouble the step would be retried in vain, and the execution end without a code of its run.
#[must_use]
pub fn of_a_run(failure: Failure) -> Failure {
    let code = if failure.code == Code::OutcomeNotRecorded { Code::Internal } else { failure.code };
    Failure { code, ..failure }
}

/// The sentence inside Lambda's `{"errorType", "errorMessage"}`, or the cause as it is.
fn cause_message(cause: &str) -> String {
    serde_json::from_str::<Value>(cause)
        .ok()
        .and_then(|value| value.get("errorMessage").and_then(Value::as_str).map(str::to_owned))
        .unwrap_or_else(|| if cause.is_empty() { "no cause was given.".to_owned() } else { cause.to_owned() })
}
