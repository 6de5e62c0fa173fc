//! SDK errors in the domain's words: throttled, denied, no answer, or refused.

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use reveille_domain::ports::{CallError, CallErrorKind};

use crate::foreign;

/// An error that the service answered: its code and its words.
pub(crate) fn service_error<E: ProvideErrorMetadata>(error: &SdkError<E, Response>) -> Option<(&str, &str)> {
    match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            Some((meta.code().unwrap_or_default(), meta.message().unwrap_or_default()))
        }
        _ => None,
    }
}

/// The error as the domain knows it.
pub(crate) fn call_error<E>(action: &'static str, resource: &str, error: &SdkError<E, Response>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (kind, message) = match error {
        SdkError::ServiceError(service) => {
            let meta = service.err().meta();
            let raw = service.raw();
            match meta.code().filter(|code| !code.is_empty()) {
                Some(code) => {
                    let message = format!("{code}: {}", meta.message().unwrap_or("no message"));
                    (kind_of(code, raw.status().as_u16()), message)
                }
                None => (kind_without_code(raw), foreign::describe(raw)),
            }
        }
        SdkError::ResponseError(unusable) => (CallErrorKind::NoAnswer, foreign::describe(unusable.raw())),
        SdkError::ConstructionFailure(_) => (CallErrorKind::Refused, chain(error)),
        _ => (CallErrorKind::NoAnswer, chain(error)),
    };
    CallError { kind, action, resource: resource.to_owned(), message }
}

/// A success in which something is missing that the service always sends.
pub(crate) fn incomplete(action: &'static str, resource: &str, missing: &str) -> CallError {
    let message =
        format!("a success without {missing}, which AWS always sends: a proxy or gateway on the way may have sent it");
    CallError { kind: CallErrorKind::NoAnswer, action, resource: resource.to_owned(), message }
}

/// The error and its causes in words. Never their debug form, which shows raw answers, and with them parameters.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// An answer that names no error: of AWS itself, its status tells; of anything else, nothing is known of the effect.
fn kind_without_code(raw: &Response) -> CallErrorKind {
    let status = raw.status().as_u16();
    let is_awss = foreign::has_request_id(raw) && !raw.status().is_success();
    if is_awss || status == 429 { kind_of("", status) } else { CallErrorKind::NoAnswer }
}

/// Codes that AWS services use for a rate limit. The list is the SDK's own (`aws_runtime::retries::classifiers`).
const THROTTLED: [&str; 14] = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "PriorRequestNotComplete",
    "EC2ThrottledException",
];

fn kind_of(code: &str, status: u16) -> CallErrorKind {
    if THROTTLED.contains(&code) || status == 429 {
        CallErrorKind::Throttled
    } else if status == 403 && code != "InvalidObjectState" || code.starts_with("AccessDenied") {
        CallErrorKind::AccessDenied
    } else if status >= 500 || code == "RequestTimeout" || code == "ConditionalRequestConflict" {
        CallErrorKind::NoAnswer
    } else {
        CallErrorKind::Refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_services_are_told_apart() {
        assert_eq!(kind_of("ThrottlingException", 400), CallErrorKind::Throttled);
        assert_eq!(kind_of("SlowDown", 503), CallErrorKind::Throttled);
        assert_eq!(kind_of("AccessDeniedException", 400), CallErrorKind::AccessDenied);
        assert_eq!(kind_of("AccessDenied", 403), CallErrorKind::AccessDenied);
        assert_eq!(kind_of("InvalidObjectState", 403), CallErrorKind::Refused);
        assert_eq!(kind_of("InternalFailure", 500), CallErrorKind::NoAnswer);
        assert_eq!(kind_of("ServiceUnavailable", 503), CallErrorKind::NoAnswer);
        assert_eq!(kind_of("ValidationException", 400), CallErrorKind::Refused);
    }
}
