//! Notebook instances. Missing instances and wrong statuses are unmodelled `ValidationException`s: they are told by
//! their words, which are AWS's (see the facts in `docs/aws.md`).

use aws_sdk_sagemaker::config::Builder;
use aws_sdk_sagemaker::config::retry::RetryConfig;
use aws_sdk_sagemaker::types::NotebookInstanceStatus;
use chrono::{DateTime, Utc};
use reveille_domain::InstanceName;
use reveille_domain::ports::{
    Call, DescribeNotebookInstance, InstanceStatus, Observation, StartAnswer, StartNotebookInstance, StopAnswer,
    StopNotebookInstance,
};

use crate::answer::{call_error, service_error};
use crate::clients::Aws;

impl DescribeNotebookInstance for Aws {
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>> {
        let call = self.sagemaker().describe_notebook_instance().notebook_instance_name(name.as_str());
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if refusal(service_error(&error)) == Refusal::NotFound => return Ok(None),
            Err(error) => return Err(call_error("sagemaker:DescribeNotebookInstance", name.as_str(), &error)),
        };
        Ok(Some(Observation {
            status: answer.notebook_instance_status().map_or(InstanceStatus::Unknown, status),
            failure_reason: answer.failure_reason().map(str::to_owned),
            last_modified: answer.last_modified_time().and_then(time),
            lifecycle_config: answer.notebook_instance_lifecycle_config_name().map(str::to_owned),
        }))
    }
}

impl StartNotebookInstance for Aws {
    async fn start_notebook_instance(&self, name: &InstanceName) -> Call<StartAnswer> {
        let call = self.sagemaker().start_notebook_instance().notebook_instance_name(name.as_str());
        let Err(error) = call.customize().config_override(once()).send().await else {
            return Ok(StartAnswer::Accepted);
        };
        match refusal(service_error(&error)) {
            Refusal::NotFound => Ok(StartAnswer::NotFound),
            Refusal::WrongStatus(words) => Ok(StartAnswer::WrongStatus(words)),
            Refusal::Quota(words) => Ok(StartAnswer::QuotaExceeded(words)),
            Refusal::Other => Err(call_error("sagemaker:StartNotebookInstance", name.as_str(), &error)),
        }
    }
}

impl StopNotebookInstance for Aws {
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer> {
        let call = self.sagemaker().stop_notebook_instance().notebook_instance_name(name.as_str());
        let Err(error) = call.customize().config_override(once()).send().await else { return Ok(StopAnswer::Accepted) };
        match refusal(service_error(&error)) {
            Refusal::NotFound => Ok(StopAnswer::NotFound),
            Refusal::WrongStatus(words) => Ok(StopAnswer::WrongStatus(words)),
            Refusal::Quota(_) | Refusal::Other => {
                Err(call_error("sagemaker:StopNotebookInstance", name.as_str(), &error))
            }
        }
    }
}

/// A second send could start a boot that a person ended, or end one that a person started.
fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NotFound,
    WrongStatus(String),
    Quota(String),
    Other,
}

fn refusal(error: Option<(&str, &str)>) -> Refusal {
    match error {
        Some(("ValidationException", words)) if words.contains("RecordNotFound") => Refusal::NotFound,
        Some(("ValidationException", words)) if words.contains("Unable to transition") => {
            Refusal::WrongStatus(words.to_owned())
        }
        Some(("ResourceLimitExceeded", words)) => Refusal::Quota(words.to_owned()),
        Some(_) | None => Refusal::Other,
    }
}

fn status(status: &NotebookInstanceStatus) -> InstanceStatus {
    match status.as_str() {
        "Pending" => InstanceStatus::Pending,
        "InService" => InstanceStatus::InService,
        "Stopping" => InstanceStatus::Stopping,
        "Stopped" => InstanceStatus::Stopped,
        "Failed" => InstanceStatus::Failed,
        "Deleting" => InstanceStatus::Deleting,
        "Updating" => InstanceStatus::Updating,
        "PendingMaintenance" => InstanceStatus::PendingMaintenance,
        "InMaintenance" => InstanceStatus::InMaintenance,
        _ => InstanceStatus::Unknown,
    }
}

fn time(time: &aws_smithy_types::DateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(time.to_millis().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_by_the_words_of_aws() {
        let status = "Status (Stopping) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance (arn:x).";
        assert_eq!(refusal(Some(("ValidationException", status))), Refusal::WrongStatus(status.into()));
        assert_eq!(refusal(Some(("ValidationException", "RecordNotFound"))), Refusal::NotFound);
        let quota = "The account-level service limit 'ml.t3.medium for notebook instance usage' is 1 Instances";
        assert_eq!(refusal(Some(("ResourceLimitExceeded", quota))), Refusal::Quota(quota.into()));
        assert_eq!(refusal(Some(("ValidationException", "1 validation error detected"))), Refusal::Other);
        assert_eq!(refusal(None), Refusal::Other);
    }

    #[test]
    fn all_nine_statuses_are_known() {
        for (name, expected) in [
            ("Pending", InstanceStatus::Pending),
            ("InService", InstanceStatus::InService),
            ("Stopping", InstanceStatus::Stopping),
            ("Stopped", InstanceStatus::Stopped),
            ("Failed", InstanceStatus::Failed),
            ("Deleting", InstanceStatus::Deleting),
            ("Updating", InstanceStatus::Updating),
            ("PendingMaintenance", InstanceStatus::PendingMaintenance),
            ("InMaintenance", InstanceStatus::InMaintenance),
            ("Hibernating", InstanceStatus::Unknown),
        ] {
            assert_eq!(status(&NotebookInstanceStatus::from(name)), expected);
        }
    }
}
