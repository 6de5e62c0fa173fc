//! Lambda's runtime API, as the bootstrap needs it: fetch an invocation, answer it, and let no failure go untold.
//!
//! Owns the loop, the time that an invocation has, the function's log, and what is said when the process ends on the way.
//! Never knows which function runs. See decision 0020 for why this is not AWS's client.

mod api;
pub mod bounds;
pub mod last_words;
pub mod log;

pub use api::{Answered, LambdaInvocation, RuntimeApi};

use std::process::ExitCode;

use bounds::Termination;
use reveille_domain::{Code, Failure};

use crate::log::{Level, Line};

/// Serves invocations until Lambda ends the environment.
///
/// # Errors
/// What made it impossible to go on: the runtime API is gone, or answers what it never answers.
pub async fn serve(
    api: &mut RuntimeApi,
    answer: impl AsyncFn(&LambdaInvocation, &mut Termination) -> Result<String, Failure>,
) -> Result<ExitCode, String> {
    let mut termination = Termination::listen().map_err(|error| format!("SIGTERM cannot be waited for: {error}."))?;
    loop {
        let invocation = tokio::select! {
            invocation = api.next() => invocation?,
            () = termination.wait() => return Ok(ExitCode::SUCCESS),
        };
        last_words::begin(&invocation);
        let result = answer(&invocation, &mut termination).await;
        deliver(api, &invocation, result).await?;
        last_words::end();
        if termination.came() {
            return Ok(ExitCode::SUCCESS);
        }
    }
}

/// Answers, and where Lambda refuses the answer, says so to the caller and in the log.
async fn deliver(
    api: &mut RuntimeApi,
    invocation: &LambdaInvocation,
    result: Result<String, Failure>,
) -> Result<(), String> {
    let (answered, bytes) = match &result {
        Ok(answer) => (api.respond(invocation, answer).await?, answer.len()),
        Err(failure) => (api.fail(invocation, failure).await?, 0),
    };
    let Answered::Refused(status) = answered else { return Ok(()) };
    let message = match &result {
        Ok(_) => format!(
            "Lambda refused the answer of {bytes} bytes with HTTP {status}. What the step did remains. Redrive the execution to go on."
        ),
        Err(failure) => format!("Lambda refused the report of a failure ({}) with HTTP {status}.", failure.code),
    };
    let failure = Failure::new(Code::Internal, message);
    Line::new(Level::Error).about(invocation).failure(&failure).write();
    if (500..600).contains(&status) {
        // "Container error. Non-recoverable state. Runtime should exit promptly." (Lambda runtime API)
        return Err(format!("Lambda's runtime API is in a state that it does not recover from: HTTP {status}."));
    }
    // Without an answer the caller would wait until the timeout. One that was too late (410) needs none.
    if result.is_ok() && status != GONE {
        api.fail(invocation, &failure).await?;
    }
    Ok(())
}

/// The invocation timed out: nobody waits for its answer.
const GONE: u16 = 410;
