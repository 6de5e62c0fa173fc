//! Which function this is: `_HANDLER` names one.

use reveille_protocol::step::Step;

/// A function of the bootstrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// A step of the protocol.
    Step(Step),
    /// CloudFormation's resource that installs the runner: no part of a run.
    InstallRunner,
}

impl Handler {
    /// Its name, which is the template's `Handler`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Step(step) => step.name(),
            Self::InstallRunner => "install_runner",
        }
    }

    fn all() -> impl Iterator<Item = Self> {
        Step::ALL.into_iter().map(Self::Step).chain([Self::InstallRunner])
    }
}

/// Reads `_HANDLER`, which Lambda sets from the template's `Handler`.
pub fn from_env() -> Result<Handler, String> {
    let name = std::env::var("_HANDLER").unwrap_or_default();
    Handler::all().find(|handler| handler.name() == name).ok_or_else(|| {
        let names = Handler::all().map(Handler::name).collect::<Vec<_>>().join(", ");
        format!("_HANDLER is {name:?}; it must be one of {names}. Correct the function's Handler in the template.")
    })
}

/// Whether its arguments hold the execution's input.
pub const fn takes_input(step: Step) -> bool {
    match step {
        Step::AdmitRun | Step::ConcludeRun => true,
        Step::CheckInstance
        | Step::StartInstance
        | Step::AwaitRun
        | Step::VerifyStopped
        | Step::Sweep
        | Step::PublishProgress => false,
    }
}
