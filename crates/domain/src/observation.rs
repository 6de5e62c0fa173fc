//! What is seen of a notebook instance.

use chrono::{DateTime, Utc};

/// A notebook instance's status (SageMaker API, DescribeNotebookInstance, and the service model).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InstanceStatus {
    /// Starting or being created.
    Pending,
    /// Up; its lifecycle script has ended.
    InService,
    /// Stopping.
    Stopping,
    /// At rest.
    Stopped,
    /// At rest, after a failed start.
    Failed,
    /// Being deleted.
    Deleting,
    /// Being updated; ends in Stopped.
    Updating,
    /// Maintenance is due; no operation is possible.
    PendingMaintenance,
    /// In maintenance; no operation is possible.
    InMaintenance,
    /// A status that this version does not know.
    Unknown,
}

/// What DescribeNotebookInstance showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The status.
    pub status: InstanceStatus,
    /// Why it failed, if it did.
    pub failure_reason: Option<String>,
    /// When it was last modified.
    pub last_modified: Option<DateTime<Utc>>,
    /// The name of its lifecycle configuration.
    pub lifecycle_config: Option<String>,
}
