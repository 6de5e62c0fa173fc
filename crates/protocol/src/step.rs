//! Which step a function is: one for each state that calls a function, the sweeper, and the one that publishes progress.

use serde::{Deserialize, Serialize};

/// A step, by its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// State AdmitRun.
    AdmitRun,
    /// State CheckInstance.
    CheckInstance,
    /// State StartInstance.
    StartInstance,
    /// State AwaitRun.
    AwaitRun,
    /// State VerifyStopped.
    VerifyStopped,
    /// State ConcludeRun.
    ConcludeRun,
    /// The sweeper.
    Sweep,
    /// What S3's events call, where progress is published.
    PublishProgress,
}

impl Step {
    /// Every step.
    pub const ALL: [Self; 8] = [
        Self::AdmitRun,
        Self::CheckInstance,
        Self::StartInstance,
        Self::AwaitRun,
        Self::VerifyStopped,
        Self::ConcludeRun,
        Self::Sweep,
        Self::PublishProgress,
    ];

    /// Its module, its function and the template's `Handler`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdmitRun => "admit_run",
            Self::CheckInstance => "check_instance",
            Self::StartInstance => "start_instance",
            Self::AwaitRun => "await_run",
            Self::VerifyStopped => "verify_stopped",
            Self::ConcludeRun => "conclude_run",
            Self::Sweep => "sweep",
            Self::PublishProgress => "publish_progress",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_the_name_of_its_module() {
        let names = [
            "admit_run",
            "check_instance",
            "start_instance",
            "await_run",
            "verify_stopped",
            "conclude_run",
            "sweep",
            "publish_progress",
        ];
        assert_eq!(Step::ALL.map(Step::name), names);
    }
}
