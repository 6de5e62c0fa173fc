//! Whether an execution went on after an attempt, as far as its end and that attempt's outcome tell.

use reveille_domain::Code;
use reveille_domain::input::{self, OnRunnerLost};
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_RERUNS;
use reveille_domain::ports::{ExecutionSeen, ExecutionStatus};
use reveille_domain::records::{Outcome, RunStatus};

/// Whether ConcludeRun ended the execution: no other state fails it with a code of ours.
#[must_use]
pub fn is_concluded(seen: &ExecutionSeen) -> bool {
    let code = seen.error.as_deref().and_then(Code::parse);
    seen.status == ExecutionStatus::Failed && code.is_some_and(|code| code != Code::OutcomeNotRecorded)
}

/// Whether an attempt with this outcome may be followed by another: a person redrove the execution, or its runner was lost and
/// it repeats itself.
#[must_use]
pub fn may_be_followed(at: &AttemptRef, outcome: &Outcome, seen: &ExecutionSeen) -> bool {
    if outcome.redrive_count < seen.execution.redrive_count {
        // Of a notebook that succeeded, a redrive only verifies the stop.
        return outcome.status != RunStatus::Succeeded
            && outcome.code.is_some_and(|code| code != Code::StopNotConfirmed);
    }
    let asked = || input::read(&seen.input).is_ok_and(|input| input.on_runner_lost == OnRunnerLost::Rerun);
    outcome.code == Some(Code::RunnerLost) && at.attempt <= MAX_RERUNS && asked()
}
