//! How a state fails, and which names match it.

use jsonata_core::value::JValue;

use super::value::object;

/// The errors of AWS that this interpreter reports ("Handling errors in Step Functions workflows").
pub(crate) mod names {
    pub(crate) const ALL: &str = "States.ALL";
    pub(crate) const DATA_LIMIT_EXCEEDED: &str = "States.DataLimitExceeded";
    pub(crate) const HEARTBEAT_TIMEOUT: &str = "States.HeartbeatTimeout";
    pub(crate) const NO_CHOICE_MATCHED: &str = "States.NoChoiceMatched";
    pub(crate) const QUERY_EVALUATION_ERROR: &str = "States.QueryEvaluationError";
    pub(crate) const RUNTIME: &str = "States.Runtime";
    pub(crate) const TASK_FAILED: &str = "States.TaskFailed";
    pub(crate) const TIMEOUT: &str = "States.Timeout";
}

/// The name under which a task fails whose heartbeat was missed. AWS has two for it, and a machine must be right under each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MissedHeartbeat {
    /// `States.Timeout`: recorded on AWS in April 2024, in TaskTimedOut and in ExecutionFailed. An `ErrorEquals` of
    /// `States.HeartbeatTimeout` does not take it here, so that nothing rests on more than what was recorded.
    #[default]
    Timeout,
    /// `States.HeartbeatTimeout`: what "Handling errors" offers to Retry and Catch.
    HeartbeatTimeout,
}

impl MissedHeartbeat {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Timeout => names::TIMEOUT,
            Self::HeartbeatTimeout => names::HEARTBEAT_TIMEOUT,
        }
    }
}

/// An error with its cause, either of which may be missing (a Fail state without them, a timeout without a cause).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub error: Option<String>,
    pub cause: Option<String>,
    /// Ends the execution whatever the machine says, as the limit of the history does.
    pub fatal: bool,
}

impl Failure {
    pub(crate) fn new(error: &str, cause: Option<String>) -> Self {
        Self { error: Some(error.to_owned()), cause, fatal: false }
    }

    /// A result, output or input that is too large. Of `what`: the resource of a task or the name of a state.
    pub(crate) fn too_large(what: &str) -> Self {
        let cause = format!(
            "The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service limit."
        );
        Self::new(names::DATA_LIMIT_EXCEEDED, Some(cause))
    }

    /// The same failure, saying in which state it happened, as AWS does for its own errors.
    pub(crate) fn in_state(error: &str, state: &str, entered: u64, what: &str) -> Self {
        let cause = format!(
            "An error occurred while executing the state '{state}' (entered at the event id #{entered}). {what}"
        );
        Self::new(error, Some(cause))
    }

    /// `$states.errorOutput`. What is missing is an empty string there.
    pub(crate) fn error_output(&self) -> JValue {
        object([
            ("Error", JValue::from(self.error.as_deref().unwrap_or_default())),
            ("Cause", JValue::from(self.cause.as_deref().unwrap_or_default())),
        ])
    }

    /// Whether an `ErrorEquals` takes this failure ("Handling errors", "Error names").
    ///
    /// `States.Runtime` is neither retried nor caught. `States.ALL` does not take `States.DataLimitExceeded`.
    /// `States.TaskFailed` takes every error but `States.Timeout`, `States.DataLimitExceeded` and
    /// `States.QueryEvaluationError`. AWS's page does not list the last exception, but two engines built from recordings of AWS have
    /// it (`LocalStack`'s, and fakecloud's since 0.52), and a machine is safer if it rests on neither reading. `States.Timeout` takes
    /// a missed heartbeat too, which had no name of its own once.
    pub(crate) fn matches(&self, error_equals: &[String]) -> bool {
        let error = self.error.as_deref().unwrap_or_default();
        if self.fatal || error == names::RUNTIME {
            return false;
        }
        error_equals.iter().any(|name| match name.as_str() {
            names::ALL => error != names::DATA_LIMIT_EXCEEDED,
            names::TASK_FAILED => {
                ![names::TIMEOUT, names::DATA_LIMIT_EXCEEDED, names::QUERY_EVALUATION_ERROR].contains(&error)
            }
            names::TIMEOUT => error == names::TIMEOUT || error == names::HEARTBEAT_TIMEOUT,
            name => name == error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(error: &str, name: &str) -> bool {
        Failure::new(error, None).matches(&[name.to_owned()])
    }

    #[test]
    fn states_all_takes_all_but_two() {
        for error in ["Mine", "States.Timeout", "States.HeartbeatTimeout", "States.QueryEvaluationError"] {
            assert!(matches(error, "States.ALL"), "{error}");
        }
        assert!(!matches("States.Runtime", "States.ALL"));
        assert!(!matches("States.DataLimitExceeded", "States.ALL"));
    }

    #[test]
    fn states_runtime_is_never_taken() {
        assert!(!matches("States.Runtime", "States.Runtime"));
    }

    #[test]
    fn the_data_limit_is_taken_by_its_name() {
        assert!(matches("States.DataLimitExceeded", "States.DataLimitExceeded"));
    }

    #[test]
    fn task_failed_takes_all_but_the_timeout_and_an_expression() {
        assert!(matches("Mine", "States.TaskFailed"));
        assert!(matches("States.HeartbeatTimeout", "States.TaskFailed"));
        assert!(!matches("States.Timeout", "States.TaskFailed"));
        assert!(!matches("States.QueryEvaluationError", "States.TaskFailed"));
    }

    #[test]
    fn a_timeout_takes_a_missed_heartbeat() {
        assert!(matches("States.HeartbeatTimeout", "States.Timeout"));
        assert!(!matches("States.Timeout", "States.HeartbeatTimeout"));
    }

    #[test]
    fn a_failure_without_a_name_is_taken_by_states_all_only() {
        let failure = Failure { error: None, cause: None, fatal: false };
        assert!(failure.matches(&["States.ALL".to_owned()]));
        assert!(!failure.matches(&["Mine".to_owned()]));
    }
}
