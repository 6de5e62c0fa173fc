//! The nine states of a notebook instance.

use std::fmt;

/// `NotebookInstanceStatus` of the service model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotebookInstanceStatus {
    /// Being provisioned, or running its lifecycle scripts.
    Pending,
    /// On, and billed.
    InService,
    /// Being shut down.
    Stopping,
    /// Off; the notebook folder is kept.
    Stopped,
    /// Provisioning or a lifecycle script failed; off.
    Failed,
    /// Being deleted.
    Deleting,
    /// Its settings are being changed.
    Updating,
    /// Maintenance is about to begin. In the model, not described on the API page.
    PendingMaintenance,
    /// Under maintenance. In the model, not described on the API page.
    InMaintenance,
}

impl NotebookInstanceStatus {
    /// Every state, in the order of the service model.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::InService,
        Self::Stopping,
        Self::Stopped,
        Self::Failed,
        Self::Deleting,
        Self::Updating,
        Self::PendingMaintenance,
        Self::InMaintenance,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InService => "InService",
            Self::Stopping => "Stopping",
            Self::Stopped => "Stopped",
            Self::Failed => "Failed",
            Self::Deleting => "Deleting",
            Self::Updating => "Updating",
            Self::PendingMaintenance => "PendingMaintenance",
            Self::InMaintenance => "InMaintenance",
        }
    }

    /// The state with this name on the wire.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl fmt::Display for NotebookInstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
