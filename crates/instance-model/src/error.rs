//! The errors of the API, with AWS's codes and AWS's words.

use std::fmt;

use crate::NotebookInstanceStatus;

/// An error answer. `Display` is the message, as AWS words it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApiError {
    /// The instance's state does not allow the operation.
    IllegalTransition {
        /// The state it is in.
        status: NotebookInstanceStatus,
        /// The states that would allow it.
        legal: &'static [NotebookInstanceStatus],
        /// The state it would have entered.
        target: NotebookInstanceStatus,
        /// The instance's ARN.
        arn: String,
    },
    /// There is no such notebook instance (or no such resource to tag).
    RecordNotFound,
    /// There is no such lifecycle configuration. That `Start`, `Create` and `Update` answer this way
    /// for an instance that names a missing one is inferred from `Describe`.
    ConfigNotFound {
        /// What was attempted, e.g. `describe`.
        verb: &'static str,
        /// The ARN it would have.
        arn: String,
    },
    /// The name is taken.
    Duplicate {
        /// `Notebook Instance` or `Notebook Instance Lifecycle Config`.
        what: &'static str,
        /// The ARN of the existing one.
        arn: String,
    },
    /// A member of the request is missing or malformed.
    Invalid {
        /// The whole message.
        message: String,
    },
    /// A quota of the account is used up.
    ResourceLimitExceeded {
        /// What is limited, e.g. `ml.t3.medium for notebook instance usage`.
        what: String,
        limit: usize,
        /// How many are in use.
        in_use: usize,
        /// The unit that the message counts in, e.g. `Instances`.
        unit: &'static str,
    },
    /// Too many calls.
    Throttled,
    /// The service failed; whether the call took effect is unknown to the caller.
    InternalFailure,
}

impl ApiError {
    /// A violated constraint of one member, in AWS's words. `value` is as shown, with its quotes; `None`: not shown.
    #[must_use]
    pub fn violation(value: Option<&str>, member: &str, constraint: &str) -> String {
        let value = value.map_or_else(String::new, |value| format!("{value} "));
        format!("Value {value}at '{member}' failed to satisfy constraint: {constraint}")
    }

    /// Violated constraints, in AWS's words; `None`: there are none.
    #[must_use]
    pub fn violations(violations: &[String]) -> Option<Self> {
        let plural = match violations.len() {
            0 => return None,
            1 => "",
            _ => "s",
        };
        let message = format!("{} validation error{plural} detected: {}", violations.len(), violations.join("; "));
        Some(Self::Invalid { message })
    }

    /// One violated constraint of one member, in AWS's words.
    #[must_use]
    pub fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        let violation = Self::violation(Some(&format!("'{value}'")), member, constraint);
        Self::Invalid { message: format!("1 validation error detected: {violation}") }
    }

    /// The error code (`__type` on the wire).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ResourceLimitExceeded { .. } => "ResourceLimitExceeded",
            Self::Throttled => "ThrottlingException",
            Self::InternalFailure => "InternalFailure",
            Self::IllegalTransition { .. }
            | Self::RecordNotFound
            | Self::ConfigNotFound { .. }
            | Self::Duplicate { .. }
            | Self::Invalid { .. } => "ValidationException",
        }
    }

    /// The HTTP status that carries it.
    #[must_use]
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::InternalFailure => 500,
            _ => 400,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IllegalTransition { status, legal, target, arn } => {
                let legal: Vec<&str> = legal.iter().map(|status| status.as_str()).collect();
                write!(
                    f,
                    "Status ({status}) not in ([{}]). Unable to transition to ({target}) for Notebook Instance ({arn}).",
                    legal.join(", ")
                )
            }
            Self::RecordNotFound => f.write_str("RecordNotFound"),
            Self::ConfigNotFound { verb, arn } => write!(
                f,
                "Unable to {verb} Notebook Instance Lifecycle Config '{arn}'. (Details: Notebook Instance Lifecycle Config does not exist.)"
            ),
            Self::Duplicate { what, arn } => write!(f, "Cannot create a duplicate {what} ({arn})"),
            Self::Invalid { message } => f.write_str(message),
            Self::ResourceLimitExceeded { what, limit, in_use, unit } => write!(
                f,
                "The account-level service limit '{what}' is {limit} {unit}, with current utilization of {in_use} {unit} and a request delta of 1 {unit}. Please use AWS Service Quotas to request an increase for this quota. If AWS Service Quotas is not available, contact AWS support to request an increase for this quota."
            ),
            Self::Throttled => f.write_str("Rate exceeded"),
            Self::InternalFailure => {
                f.write_str("The request processing has failed because of an unknown error, exception or failure.")
            }
        }
    }
}

impl std::error::Error for ApiError {}
