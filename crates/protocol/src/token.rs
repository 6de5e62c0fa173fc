//! Answering the token of a ticket, whoever does it: the step that met the report, or the runner that wrote it.

use reveille_domain::Failure;
use reveille_domain::error::RetryClass;
use reveille_domain::ports::{AnswerTask, CallError, CallErrorKind, TokenAnswer};
use reveille_domain::records::{Report, Ticket};

/// Answers a ticket's token with what the report says. A token that nobody waits under is fine: the wait is over.
///
/// # Errors
/// The call's failure.
pub async fn answer<P: AnswerTask>(ports: &P, ticket: &Ticket, report: &Report) -> Result<(), CallError> {
    match &report.failure {
        // The token is only a wake-up. A failure of a code that the state machine retries would wake it as a success
        // of the wait: the run is over, and must not be submitted again.
        Some(failure) if failure.code.class() == RetryClass::Never => answer_failure(ports, ticket, failure).await,
        Some(_) | None => {
            let output = serde_json::json!({"run": report.run, "attempt": report.attempt});
            refusal_is_final(ports.send_task_success(&ticket.task_token, &output).await)
        }
    }
}

/// Ends the wait of a ticket's execution with a failure.
///
/// # Errors
/// The call's failure.
pub async fn answer_failure<P: AnswerTask>(ports: &P, ticket: &Ticket, failure: &Failure) -> Result<(), CallError> {
    refusal_is_final(ports.send_task_failure(&ticket.task_token, &failure.clone().bounded()).await)
}

/// A refusal is final for this token; the heartbeat's end wakes the execution, which then meets the report.
fn refusal_is_final(answered: Result<TokenAnswer, CallError>) -> Result<(), CallError> {
    match answered {
        Ok(_) => Ok(()),
        Err(error) if error.kind == CallErrorKind::Refused => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever asked too often, or got no answer, tries again.
    #[test]
    fn only_a_refusal_is_final() {
        assert_eq!(refusal_is_final(Ok(TokenAnswer::Accepted)), Ok(()));
        for (kind, is_final) in [
            (CallErrorKind::Refused, true),
            (CallErrorKind::Throttled, false),
            (CallErrorKind::AccessDenied, false),
            (CallErrorKind::NoAnswer, false),
        ] {
            let error = CallError { kind, action: "a", resource: "r".into(), message: "m".into() };
            assert_eq!(refusal_is_final(Err(error)).is_ok(), is_final, "{kind:?}");
        }
    }
}
