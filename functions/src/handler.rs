//! Which step this function is: `_HANDLER` names one.

use reveille_protocol::step::Step;

/// Reads `_HANDLER`, which Lambda sets from the template's `Handler`.
pub fn from_env() -> Result<Step, String> {
    let name = std::env::var("_HANDLER").unwrap_or_default();
    Step::ALL.into_iter().find(|step| step.name() == name).ok_or_else(|| {
        let names = Step::ALL.map(Step::name).join(", ");
        format!("_HANDLER is {name:?}; it must be one of {names}. Correct the function's Handler in the template.")
    })
}

/// Whether its arguments hold the execution's input.
pub const fn takes_input(step: Step) -> bool {
    match step {
        Step::AdmitRun | Step::ConcludeRun => true,
        Step::CheckInstance | Step::StartInstance | Step::AwaitRun | Step::VerifyStopped | Step::Sweep => false,
    }
}
