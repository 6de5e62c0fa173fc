//! What SageMaker answers to calls of ours, in the domain's words.

use std::rc::Rc;
use std::time::Duration;

use reveille_domain::ports::{Call, CallError, CallErrorKind, InstanceStatus, Observation, StartAnswer, StopAnswer};
use reveille_instance_model::{ApiError, Command, FaultKind, InstanceFault, NotebookInstanceStatus, Response};

use super::World;
use super::boots::By;

/// Describe lags this much at most: with the latest landing of a request it stays below the domain's `IN_FLIGHT`.
const LAGS_MS: u64 = 15_000;

impl World {
    pub(super) fn start_by_us(self: &Rc<Self>, instance: &str, label: &str) -> Call<StartAnswer> {
        match self.start(instance, By::Us, label) {
            Ok(()) => Ok(StartAnswer::Accepted),
            Err(ApiError::RecordNotFound) => Ok(StartAnswer::NotFound),
            Err(error @ ApiError::IllegalTransition { .. }) => Ok(StartAnswer::WrongStatus(error.to_string())),
            Err(error @ ApiError::ResourceLimitExceeded { .. }) => Ok(StartAnswer::QuotaExceeded(error.to_string())),
            Err(error) => Err(call_error("sagemaker:StartNotebookInstance", instance, &error)),
        }
    }

    pub(super) fn stop_by_us(self: &Rc<Self>, instance: &str, label: &str) -> Call<StopAnswer> {
        match self.stop(instance, By::Us, label) {
            Ok(()) => Ok(StopAnswer::Accepted),
            Err(ApiError::RecordNotFound) => Ok(StopAnswer::NotFound),
            Err(error @ ApiError::IllegalTransition { .. }) => Ok(StopAnswer::WrongStatus(error.to_string())),
            Err(error) => Err(call_error("sagemaker:StopNotebookInstance", instance, &error)),
        }
    }

    /// What Describe shows; as it was some seconds ago, if that is the trouble.
    pub(super) fn describe(self: &Rc<Self>, instance: &str) -> Call<Option<Observation>> {
        let command = Command::DescribeInstance { name: instance.to_owned() };
        let lags = self.lagging.replace(false);
        let answer = {
            let mut account = self.account.borrow_mut();
            let fault = lags.then(|| {
                let age = Duration::from_millis(self.pick(1_000, LAGS_MS));
                account.arm(self.now(), InstanceFault::once(FaultKind::StaleDescribe { age }).on(instance)).ok()
            });
            let answer = account.apply(self.now(), "describe", command);
            if let Some(Some(fault)) = fault {
                account.clear_faults(self.now(), Some(fault));
            }
            answer
        };
        self.pump();
        match answer {
            Ok(Response::Instance(view)) => Ok(Some(Observation {
                status: status(view.status),
                failure_reason: view.failure_reason.clone(),
                last_modified: Some(view.modified),
                lifecycle_config: view.settings.lifecycle_config.clone(),
            })),
            Ok(_) | Err(ApiError::RecordNotFound) => Ok(None),
            Err(error) => Err(call_error("sagemaker:DescribeNotebookInstance", instance, &error)),
        }
    }
}

fn call_error(action: &'static str, resource: &str, error: &ApiError) -> CallError {
    let kind = match error {
        ApiError::Throttled => CallErrorKind::Throttled,
        ApiError::InternalFailure => CallErrorKind::NoAnswer,
        _ => CallErrorKind::Refused,
    };
    CallError { kind, action, resource: resource.to_owned(), message: error.to_string() }
}

fn status(status: NotebookInstanceStatus) -> InstanceStatus {
    match status {
        NotebookInstanceStatus::Pending => InstanceStatus::Pending,
        NotebookInstanceStatus::InService => InstanceStatus::InService,
        NotebookInstanceStatus::Stopping => InstanceStatus::Stopping,
        NotebookInstanceStatus::Stopped => InstanceStatus::Stopped,
        NotebookInstanceStatus::Failed => InstanceStatus::Failed,
        NotebookInstanceStatus::Deleting => InstanceStatus::Deleting,
        NotebookInstanceStatus::Updating => InstanceStatus::Updating,
        NotebookInstanceStatus::PendingMaintenance => InstanceStatus::PendingMaintenance,
        NotebookInstanceStatus::InMaintenance => InstanceStatus::InMaintenance,
    }
}
