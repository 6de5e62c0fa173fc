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

use crate::answer::{call_error, incomplete, service_error};
use crate::clients::Aws;

impl DescribeNotebookInstance for Aws {
    async fn describe_notebook_instance(&self, name: &InstanceName) -> Call<Option<Observation>> {
        const ACTION: &str = "sagemaker:DescribeNotebookInstance";
        let call = self.sagemaker().describe_notebook_instance().notebook_instance_name(name.as_str());
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) if refusal(service_error(&error)) == Refusal::NotFound => return Ok(None),
            Err(error) => return Err(call_error(ACTION, name.as_str(), &error)),
        };
        let shown = answer.notebook_instance_status().ok_or_else(|| incomplete(ACTION, name.as_str(), "a status"))?;
        Ok(Some(Observation {
            status: status(shown),
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
        Some(("ValidationException", words)) if is_not_found(words) => Refusal::NotFound,
        Some(("ValidationException", words)) if is_wrong_status(words) => Refusal::WrongStatus(words.to_owned()),
        Some(("ResourceLimitExceeded", words)) => Refusal::Quota(words.to_owned()),
        Some(_) | None => Refusal::Other,
    }
}

/// `RecordNotFound` is all that AWS says. Further in, a text may name an instance that is called so.
fn is_not_found(words: &str) -> bool {
    words
        .trim_start()
        .strip_prefix("RecordNotFound")
        .is_some_and(|rest| !rest.starts_with(|next: char| is_in_a_name(next)))
}

const fn is_in_a_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '-'
}

/// `Status (Stopping) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance (arn...)`: the
/// beginning, which holds statuses only.
fn is_wrong_status(words: &str) -> bool {
    let Some(rest) = words.trim_start().strip_prefix("Status (") else { return false };
    let Some((status, rest)) = rest.split_once(") not in ([") else { return false };
    let Some((legal, rest)) = rest.split_once("]). ") else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_alphabetic());
    is_word(status) && legal.split(", ").all(is_word) && rest.starts_with("Unable to transition to (")
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

    /// The texts hold the names that users gave, in any case.
    #[test]
    fn a_name_is_no_refusal() {
        for name in
            ["RecordNotFound", "recordnotfound", "Unable-to-transition", "capacity", "limit", "Stopped", "Status"]
        {
            let arn = format!("arn:aws:sagemaker:eu-west-1:123456789012:notebook-instance/{name}");
            let status = format!(
                "Status (Pending) not in ([Stopped, Failed]). Unable to transition to (Pending) for Notebook Instance ({arn})."
            );
            assert_eq!(refusal(Some(("ValidationException", &status))), Refusal::WrongStatus(status.clone()));
            for other in [
                format!("Unable to describe Notebook Instance Lifecycle Config '{arn}'. (Details: RecordNotFound)"),
                format!(
                    "1 validation error detected: Value '{name}' at 'notebookInstanceName' failed: Unable to transition"
                ),
                format!("Cannot create a duplicate Notebook Instance ({arn})"),
                format!("{name}-2 is busy. Status (Pending) not in ([Stopped]). Unable to transition to (Pending)"),
                format!("RecordNotFound-{name}"),
                format!("Status ({name}-1) not in ([Stopped]). Unable to transition to (Pending)"),
            ] {
                assert_eq!(refusal(Some(("ValidationException", &other))), Refusal::Other, "{other}");
            }
        }
        assert_eq!(refusal(Some(("ValidationException", "RecordNotFound: no such instance"))), Refusal::NotFound);
        assert_eq!(refusal(Some(("ThrottlingException", "RecordNotFound"))), Refusal::Other);
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
