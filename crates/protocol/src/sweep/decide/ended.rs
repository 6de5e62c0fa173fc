//! What ended an execution that no Catch saw to its end, as an error that a run can end with.

use reveille_domain::error::START_ANEW;
use reveille_domain::ports::{ExecutionSeen, ExecutionStatus};
use reveille_domain::records::Progress;
use reveille_domain::{Code, shown};

use crate::verdict::decide::Caught;

/// What ended the execution. `progress`: what its attempt last told of the notebook.
#[must_use]
pub fn caught(seen: &ExecutionSeen, progress: Option<&Progress>) -> Caught {
    let name = &seen.execution.name;
    let ours = |code: Code, message: String| (code.as_str().to_owned(), message);
    let (error, cause) = match seen.status {
        // What a person gave as the error is their word for it, and no code of a run, whatever it is called.
        ExecutionStatus::Aborted => ours(
            Code::Cancelled,
            format!(
                "Execution {name} was stopped by a person{}.{} To run the notebook again, redrive this execution, or {START_ANEW}.",
                place(progress),
                reason(seen)
            ),
        ),
        ExecutionStatus::TimedOut => ours(
            Code::Internal,
            format!(
                "Execution {name} ran into the state machine's own time limit. Redrive it to go on. If the notebook had started, that may run it again."
            ),
        ),
        ExecutionStatus::Failed | ExecutionStatus::Running | ExecutionStatus::Succeeded => {
            (seen.error.clone().unwrap_or_default(), seen.cause.clone().unwrap_or_default())
        }
    };
    Caught { state: format!("Execution {name}"), error, cause }
}

/// Where its notebook was. The record is some seconds old, and a notebook can write it: it counts for no more than words.
fn place(progress: Option<&Progress>) -> String {
    match progress {
        None => String::new(),
        Some(progress) if progress.cell == 0 => " before the first cell of its notebook".to_owned(),
        Some(progress) => format!(" while its notebook was at cell {} of {}", progress.cell, progress.cells),
    }
}

/// What the person said with it (`--error` and `--cause`), which Step Functions shows beside the execution only.
fn reason(seen: &ExecutionSeen) -> String {
    let given = |text: Option<&String>| text.filter(|text| !shown::line(text).is_empty()).cloned();
    let error = given(seen.error.as_ref()).map(|error| format!("the error {}", shown::quoted(&error)));
    let cause = given(seen.cause.as_ref()).map(|cause| format!("this cause: {}", shown::phrase(cause)));
    match (error, cause) {
        (None, None) => String::new(),
        (Some(one), None) | (None, Some(one)) => format!(" They gave {one}."),
        (Some(error), Some(cause)) => format!(" They gave {error} and {cause}."),
    }
}
