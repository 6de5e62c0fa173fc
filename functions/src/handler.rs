//! Which function this is: the closed list that `_HANDLER` names one of.

/// The functions of this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
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
}

impl Handler {
    /// Every function.
    pub const ALL: [Self; 7] = [
        Self::AdmitRun,
        Self::CheckInstance,
        Self::StartInstance,
        Self::AwaitRun,
        Self::VerifyStopped,
        Self::ConcludeRun,
        Self::Sweep,
    ];

    /// The template's `Handler`, and the name of the function's file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AdmitRun => "admit_run",
            Self::CheckInstance => "check_instance",
            Self::StartInstance => "start_instance",
            Self::AwaitRun => "await_run",
            Self::VerifyStopped => "verify_stopped",
            Self::ConcludeRun => "conclude_run",
            Self::Sweep => "sweep",
        }
    }

    /// Whether its arguments hold the execution's input.
    pub const fn takes_input(self) -> bool {
        match self {
            Self::AdmitRun | Self::ConcludeRun => true,
            Self::CheckInstance | Self::StartInstance | Self::AwaitRun | Self::VerifyStopped | Self::Sweep => false,
        }
    }

    /// Reads `_HANDLER`, which Lambda sets from the template's `Handler`.
    pub fn from_env() -> Result<Self, String> {
        let name = std::env::var("_HANDLER").unwrap_or_default();
        Self::ALL.into_iter().find(|handler| handler.name() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("_HANDLER is {name:?}; it must be one of {names}. Correct the function's Handler in the template.")
        })
    }
}
