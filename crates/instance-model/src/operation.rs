//! The operations of the API, and in which state an instance accepts them.

use std::fmt;

use crate::NotebookInstanceStatus;

/// An operation of the `SageMaker` API that this model knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// `CreateNotebookInstance`
    CreateNotebookInstance,
    /// `DescribeNotebookInstance`
    DescribeNotebookInstance,
    /// `ListNotebookInstances`
    ListNotebookInstances,
    /// `StartNotebookInstance`
    StartNotebookInstance,
    /// `StopNotebookInstance`
    StopNotebookInstance,
    /// `UpdateNotebookInstance`
    UpdateNotebookInstance,
    /// `DeleteNotebookInstance`
    DeleteNotebookInstance,
    /// `CreateNotebookInstanceLifecycleConfig`
    CreateNotebookInstanceLifecycleConfig,
    /// `DescribeNotebookInstanceLifecycleConfig`
    DescribeNotebookInstanceLifecycleConfig,
    /// `UpdateNotebookInstanceLifecycleConfig`
    UpdateNotebookInstanceLifecycleConfig,
    /// `DeleteNotebookInstanceLifecycleConfig`
    DeleteNotebookInstanceLifecycleConfig,
    /// `ListNotebookInstanceLifecycleConfigs`
    ListNotebookInstanceLifecycleConfigs,
    /// `AddTags`
    AddTags,
    /// `ListTags`
    ListTags,
    /// `DeleteTags`
    DeleteTags,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 15] = [
        Self::CreateNotebookInstance,
        Self::DescribeNotebookInstance,
        Self::ListNotebookInstances,
        Self::StartNotebookInstance,
        Self::StopNotebookInstance,
        Self::UpdateNotebookInstance,
        Self::DeleteNotebookInstance,
        Self::CreateNotebookInstanceLifecycleConfig,
        Self::DescribeNotebookInstanceLifecycleConfig,
        Self::UpdateNotebookInstanceLifecycleConfig,
        Self::DeleteNotebookInstanceLifecycleConfig,
        Self::ListNotebookInstanceLifecycleConfigs,
        Self::AddTags,
        Self::ListTags,
        Self::DeleteTags,
    ];

    /// The name in `X-Amz-Target: SageMaker.<name>`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CreateNotebookInstance => "CreateNotebookInstance",
            Self::DescribeNotebookInstance => "DescribeNotebookInstance",
            Self::ListNotebookInstances => "ListNotebookInstances",
            Self::StartNotebookInstance => "StartNotebookInstance",
            Self::StopNotebookInstance => "StopNotebookInstance",
            Self::UpdateNotebookInstance => "UpdateNotebookInstance",
            Self::DeleteNotebookInstance => "DeleteNotebookInstance",
            Self::CreateNotebookInstanceLifecycleConfig => "CreateNotebookInstanceLifecycleConfig",
            Self::DescribeNotebookInstanceLifecycleConfig => "DescribeNotebookInstanceLifecycleConfig",
            Self::UpdateNotebookInstanceLifecycleConfig => "UpdateNotebookInstanceLifecycleConfig",
            Self::DeleteNotebookInstanceLifecycleConfig => "DeleteNotebookInstanceLifecycleConfig",
            Self::ListNotebookInstanceLifecycleConfigs => "ListNotebookInstanceLifecycleConfigs",
            Self::AddTags => "AddTags",
            Self::ListTags => "ListTags",
            Self::DeleteTags => "DeleteTags",
        }
    }

    /// The operation with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == name)
    }

    /// The states in which an existing instance accepts this operation and the state it then enters,
    /// in the order in which AWS's messages list them. `None`: the operation changes no state.
    #[must_use]
    pub const fn transition(self) -> Option<(&'static [NotebookInstanceStatus], NotebookInstanceStatus)> {
        match self {
            Self::StartNotebookInstance => Some((
                &[NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed],
                NotebookInstanceStatus::Pending,
            )),
            Self::StopNotebookInstance => {
                Some((&[NotebookInstanceStatus::InService], NotebookInstanceStatus::Stopping))
            }
            Self::UpdateNotebookInstance => {
                Some((&[NotebookInstanceStatus::Stopped], NotebookInstanceStatus::Updating))
            }
            Self::DeleteNotebookInstance => Some((
                &[NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed],
                NotebookInstanceStatus::Deleting,
            )),
            _ => None,
        }
    }

    /// Whether a call changes something, and so is worth a line in an instance's call log.
    #[must_use]
    pub const fn changes_instance(self) -> bool {
        matches!(self, Self::CreateNotebookInstance) || self.transition().is_some()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
