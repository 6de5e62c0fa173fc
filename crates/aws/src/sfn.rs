//! The waiting execution: its token's callbacks, and whether it runs.

use reveille_domain::Failure;
use reveille_domain::ports::{AnswerTask, Call, CallError, DescribeExecution, SendTaskHeartbeat, TokenAnswer};
use serde_json::{Value, json};

use crate::answer::{call_error, service_error};
use crate::clients::Aws;

/// Step Functions accepts causes of 32,768 characters; the evidence is in the report.
const MAX_CAUSE_CHARS: usize = 30_000;

/// The resource that errors name: the token itself is a capability.
const TOKEN: &str = "the run's task token";

/// Nobody waits under this token, now or ever again.
fn gone_or(error: Option<(&str, &str)>, otherwise: CallError) -> Call<TokenAnswer> {
    match error {
        Some(("TaskTimedOut" | "TaskDoesNotExist" | "InvalidToken", _)) => Ok(TokenAnswer::Gone),
        _ => Err(otherwise),
    }
}

impl AnswerTask for Aws {
    async fn send_task_success(&self, token: &str, output: &Value) -> Call<TokenAnswer> {
        match self.sfn().send_task_success().task_token(token).output(output.to_string()).send().await {
            Ok(_) => Ok(TokenAnswer::Accepted),
            Err(error) => gone_or(service_error(&error), call_error("states:SendTaskSuccess", TOKEN, &error)),
        }
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer> {
        // The shape of a Lambda function's own error, so that every Catch reads one shape.
        let cause = json!({"errorType": failure.code, "errorMessage": failure.message}).to_string();
        let cause: String = cause.chars().take(MAX_CAUSE_CHARS).collect();
        let call = self.sfn().send_task_failure().task_token(token).error(failure.code.as_str()).cause(cause);
        match call.send().await {
            Ok(_) => Ok(TokenAnswer::Accepted),
            Err(error) => gone_or(service_error(&error), call_error("states:SendTaskFailure", TOKEN, &error)),
        }
    }
}

impl SendTaskHeartbeat for Aws {
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer> {
        match self.sfn().send_task_heartbeat().task_token(token).send().await {
            Ok(_) => Ok(TokenAnswer::Accepted),
            Err(error) => gone_or(service_error(&error), call_error("states:SendTaskHeartbeat", TOKEN, &error)),
        }
    }
}

impl DescribeExecution for Aws {
    async fn is_running(&self, execution_arn: &str) -> Call<bool> {
        match self.sfn().describe_execution().execution_arn(execution_arn).send().await {
            Ok(answer) => Ok(matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE")),
            Err(error) => match service_error(&error) {
                Some(("ExecutionDoesNotExist", _)) => Ok(false),
                _ => Err(call_error("states:DescribeExecution", execution_arn, &error)),
            },
        }
    }
}
