//! The waiting execution: its token's callbacks, and whether it runs.

use reveille_domain::ports::{
    AnswerTask, Call, CallError, DescribeExecution, DescribeWholeExecution, EndedExecution, EndedList, EndedPage,
    ExecutionEnding, ExecutionSeen, ExecutionStatus, ListEndedExecutions, SendTaskHeartbeat, TokenAnswer,
};
use reveille_domain::records::Execution;
use reveille_domain::{Failure, InputText};
use serde_json::{Value, json};

use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use aws_sdk_sfn::types::{ExecutionRedriveFilter, ExecutionStatus as Shown};
use chrono::{DateTime, Utc};

use crate::answer::{call_error, incomplete, service_error};
use crate::clients::Aws;

const DESCRIBE: &str = "states:DescribeExecution";

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
        // A failure's message is bounded, far below the 32,768 characters of a cause.
        let cause = json!({"errorType": failure.code, "errorMessage": failure.message}).to_string();
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
            Ok(answer) if answer.execution_arn().is_empty() => Err(incomplete(DESCRIBE, execution_arn, "an execution")),
            Ok(answer) => Ok(matches!(answer.status().as_str(), "RUNNING" | "PENDING_REDRIVE")),
            Err(error) => match service_error(&error) {
                Some(("ExecutionDoesNotExist", _)) => Ok(false),
                _ => Err(call_error(DESCRIBE, execution_arn, &error)),
            },
        }
    }
}

impl DescribeWholeExecution for Aws {
    async fn describe_whole_execution(&self, execution_arn: &str) -> Call<Option<ExecutionSeen>> {
        let answer = match self.sfn().describe_execution().execution_arn(execution_arn).send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match service_error(&error) {
                    Some(("ExecutionDoesNotExist", _)) => Ok(None),
                    _ => Err(call_error(DESCRIBE, execution_arn, &error)),
                };
            }
        };
        if answer.execution_arn().is_empty() {
            return Err(incomplete(DESCRIBE, execution_arn, "an execution"));
        }
        Ok(Some(execution_seen(execution_arn, &answer)))
    }
}

/// An execution, as DescribeExecution shows it.
#[must_use]
pub fn execution_seen(arn: &str, answer: &DescribeExecutionOutput) -> ExecutionSeen {
    ExecutionSeen {
        status: status(answer.status()),
        execution: Execution {
            arn: arn.to_owned(),
            name: answer.name().unwrap_or_default().to_owned(),
            start_time: millis(answer.start_date()).unwrap_or_default(),
            redrive_count: answer.redrive_count().and_then(|count| u32::try_from(count).ok()).unwrap_or(0),
        },
        input: InputText::new(answer.input().unwrap_or_default()),
        error: answer.error().map(str::to_owned),
        cause: answer.cause().map(str::to_owned),
    }
}

/// The time to the millisecond, which is what Step Functions keeps: seconds that came as a floating-point number are often a
/// hair below it.
#[must_use]
pub fn millis(time: &aws_smithy_types::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.secs() * 1_000 + (i64::from(time.subsec_nanos()) + 500_000) / 1_000_000)
}

fn status(shown: &Shown) -> ExecutionStatus {
    match shown {
        Shown::Succeeded => ExecutionStatus::Succeeded,
        Shown::Failed => ExecutionStatus::Failed,
        Shown::TimedOut => ExecutionStatus::TimedOut,
        Shown::Aborted => ExecutionStatus::Aborted,
        // Running, about to be redriven, or a status of a later API: nothing to clean up after yet.
        _ => ExecutionStatus::Running,
    }
}

impl ListEndedExecutions for Aws {
    async fn list_ended_executions(&self, list: EndedList, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        let status = match list.ending {
            ExecutionEnding::Aborted => Shown::Aborted,
            ExecutionEnding::TimedOut => Shown::TimedOut,
            ExecutionEnding::Failed => Shown::Failed,
        };
        self.page(Some(status), list.redriven, page, size).await
    }

    async fn list_executions(&self, redriven: bool, page: Option<&str>, size: usize) -> Call<Option<EndedPage>> {
        self.page(None, redriven, page, size).await
    }
}

impl Aws {
    async fn page(
        &self,
        status: Option<Shown>,
        redriven: bool,
        page: Option<&str>,
        size: usize,
    ) -> Call<Option<EndedPage>> {
        let call = self
            .sfn()
            .list_executions()
            .state_machine_arn(&self.state_machine)
            .set_status_filter(status)
            .set_redrive_filter(redriven.then_some(ExecutionRedriveFilter::Redriven))
            .max_results(i32::try_from(size).unwrap_or(i32::MAX))
            .set_next_token(page.map(str::to_owned));
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                return match service_error(&error) {
                    // A page is known for a day.
                    Some(("InvalidToken", _)) if page.is_some() => Ok(None),
                    _ => Err(call_error("states:ListExecutions", &self.state_machine, &error)),
                };
            }
        };
        let executions = answer.executions().iter().map(|execution| EndedExecution {
            arn: execution.execution_arn().to_owned(),
            started_at: millis(execution.start_date()).unwrap_or_default(),
            ended_at: execution.stop_date().and_then(millis),
        });
        Ok(Some(EndedPage { executions: executions.collect(), next: answer.next_token().map(str::to_owned) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_to_the_millisecond() {
        let seconds = 1_795_457_000;
        for (nanos, expected) in [(122_999_906, 123), (123_000_000, 123), (123_000_100, 123), (999_999_904, 1_000)] {
            let time = aws_smithy_types::DateTime::from_secs_and_nanos(seconds, nanos);
            assert_eq!(millis(&time).map(|time| time.timestamp_millis()), Some(seconds * 1_000 + expected), "{nanos}");
        }
    }
}
