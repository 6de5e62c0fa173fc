//! Why a command ended without success, and the exit code of each reason.

use std::{borrow::Cow, error::Error, io, path::PathBuf};

use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use reveille_local::LocalError;
pub(crate) use reveille_local::causes;

/// What AWS's services call credentials that are missing, wrong or over.
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// What AWS's services call a fault of their own, which may have struck after they did what was asked.
const FAULTS_OF_THEIRS: [&str; 6] = [
    "InternalError",
    // EventBridge's.
    "InternalException",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "ServiceUnavailable",
];

/// What AWS's services say to whoever asks too often.
const TOO_OFTEN: [&str; 4] = ["ThrottlingException", "Throttling", "TooManyRequestsException", "SlowDown"];

/// Whether this is what AWS says to whoever asks too often: the same may be asked a little later.
pub(crate) fn is_too_often(code: &str) -> bool {
    TOO_OFTEN.contains(&code)
}

/// What others say, to stand within a sentence of ours: theirs may end in a full stop.
pub(crate) fn within(text: &str) -> &str {
    text.trim_end_matches(['.', ' ', '\n'])
}

/// Which stack to name instead.
fn others(ours: &[String]) -> String {
    match ours {
        [] => "name another with --stack or --region (`aws cloudformation list-stacks` lists them)".to_owned(),
        [only] => {
            format!("Reveille's only stack there is {only}: name it with --stack, or another region with --region")
        }
        [all @ .., last] => format!(
            "Reveille's stacks there are {} and {last}: name one with --stack, or another region with --region",
            all.join(", ")
        ),
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error("the command's runtime could not start: {0}; see the limits of this machine (`ulimit -a`)")]
    Runtime(io::Error),
    #[error(transparent)]
    Local(#[from] LocalError),
    #[error("cannot {action}: {message}; see the logs of the local AWS")]
    Aws { action: &'static str, message: String },
    #[error("cannot write {}: {source}; check its rights and the room on its disk", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("{run}: expected {expected}, saw {seen}; the lines above show how it went")]
    Unexpected { run: &'static str, expected: String, seen: String },
    #[error("{what} did not happen within {seconds} s; see the logs of the local AWS")]
    Late { what: &'static str, seconds: u64 },
    #[error("stopped before it was done")]
    Interrupted,
    /// The command told it already.
    #[error("stopped following")]
    Detached,
    #[error("no region is set: give --region, or set AWS_REGION or a region in the profile")]
    NoRegion,
    #[error("{message}")]
    NoCredentials { message: String },
    #[error("AWS refused to {action}: {message}; docs/cli.md lists the permissions that each command needs")]
    Refused { action: Cow<'static, str>, message: String },
    #[error("cannot {action}: {message}")]
    Asked { action: Cow<'static, str>, message: String },
    /// AWS gave no answer, or one that holds for now only.
    #[error("cannot {action}: {message}")]
    ForNow { action: Cow<'static, str>, message: String },
    /// A call that changes something was sent, and what became of it is not known.
    #[error("AWS's answer was lost ({message}), so {maybe}; to find out: {find_out}")]
    Unanswered { message: String, maybe: String, find_out: String },
    /// The change was made, and what the command does after it failed.
    #[error("{done}, but: {error}. Continue with: {next}")]
    Afterwards { done: String, error: Box<Self>, next: String },
    /// What it all came to, where its causes were told before.
    #[error("{told}")]
    Summed { told: String, cause: Box<Self> },
    /// What had been done before it was taken back.
    #[error("{error}; {undone}")]
    Undone { error: Box<Self>, undone: String },
    #[error("there is no stack {stack} in {region}; {}", others(ours))]
    NoStack {
        stack: String,
        region: String,
        /// Reveille's stacks that there are, as far as AWS tells.
        ours: Vec<String>,
    },
    #[error(
        "the stack {stack} has no output {output}, so it is not a Reveille stack, or one of an earlier version; name another with --stack, or update it"
    )]
    NotOurStack { stack: String, output: &'static str },
    #[error("{what}")]
    NoRun { what: String },
    #[error("{count} runs begin with {start}, {first} and {second} among them; give more of the id")]
    Ambiguous { start: String, first: String, second: String, count: usize },
    #[error("the record {key} cannot be read: {problem}; what to do about it: reveille explain Internal")]
    Record { key: String, problem: String },
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    NotThere(String),
    /// Something that must be set up first.
    #[error("{0}")]
    Missing(String),
    /// What is asked for makes no sense as things are.
    #[error("{0}")]
    NotNow(String),
}

impl CliError {
    /// A failed call, with the whole chain of its causes.
    pub(crate) fn aws<E: Error>(action: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Aws { action, message: causes(&error) }
    }

    /// A call that AWS did not answer as asked: without the request's details, which say nothing to a person. `action` names the thing, because
    /// not every service's refusal does.
    pub(crate) fn asked<E, R>(action: impl Into<Cow<'static, str>>, error: &SdkError<E, R>) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let (code, message) =
            (error.code().unwrap_or_default().to_owned(), within(error.message().unwrap_or_default()));
        let message = match (code.as_str(), message) {
            _ if matches!(error, SdkError::DispatchFailure(_)) => format!(
                "AWS did not answer ({}); check the network, the region and AWS_ENDPOINT_URL. If that names a local AWS that has ended, start it again and take its new variables",
                causes(error)
            ),
            ("", "") => causes(error),
            (code, "") => code.to_owned(),
            (code, message) => format!("{code}: {message}"),
        };
        if CREDENTIALS.contains(&code.as_str()) {
            Self::NoCredentials {
                message: format!(
                    "AWS does not accept these credentials ({message}); sign in again or name a profile with --profile (`aws configure list` shows which are set)"
                ),
            }
        } else if code.starts_with("AccessDenied") {
            Self::Refused { action: action.into(), message }
        } else if is_passing(error) {
            Self::ForNow { action: action.into(), message }
        } else {
            Self::Asked { action: action.into(), message }
        }
    }

    /// The same of a call that changes something: without an answer it may have been carried out. `maybe` says what may have happened, and
    /// `find_out` is the command that tells.
    pub(crate) fn changing<E, R>(
        action: impl Into<Cow<'static, str>>,
        error: &SdkError<E, R>,
        maybe: impl Into<String>,
        find_out: impl Into<String>,
    ) -> Self
    where
        E: ProvideErrorMetadata + Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        // A refusal is an answer. A service's own fault is one that may have struck after the change.
        let unanswered = match error {
            SdkError::ConstructionFailure(_) => false,
            SdkError::ServiceError(answered) => {
                answered.err().code().is_some_and(|code| FAULTS_OF_THEIRS.contains(&code))
            }
            _ => true,
        };
        if !unanswered {
            return Self::asked(action, error);
        }
        let message = error.message().map_or_else(|| causes(error), |message| within(message).to_owned());
        Self::Unanswered { message, maybe: maybe.into(), find_out: find_out.into() }
    }

    /// An entry that EventBridge refused in a call that it accepted.
    pub(crate) fn entry(action: String, code: Option<&str>, message: Option<&str>) -> Self {
        let said = [code, message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        let (action, message) = (action.into(), within(&said).to_owned());
        if code.is_some_and(|code| code.starts_with("AccessDenied")) {
            Self::Refused { action, message }
        } else {
            Self::Asked { action, message }
        }
    }

    /// As documented by `reveille --help`.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoCredentials { .. } | Self::Refused { .. } => 4,
            Self::NoStack { .. } | Self::NoRun { .. } | Self::NotThere(_) => 5,
            Self::NoRegion | Self::Missing(_) => 3,
            Self::Local(error) if error.is_missing_here() => 3,
            Self::Usage(_) | Self::Ambiguous { .. } | Self::Local(LocalError::Parameter { .. }) => 2,
            // 128 + SIGINT, as shells have it.
            Self::Interrupted | Self::Detached => 130,
            Self::Undone { error, .. } | Self::Summed { cause: error, .. } => error.exit_code(),
            // 2 says that nothing was made.
            Self::Afterwards { error, .. } => Some(error.exit_code()).filter(|code| *code != 2).unwrap_or(1),
            _ => 1,
        }
    }

    /// Whether AWS does not let this person do it.
    pub(crate) fn is_denied(&self) -> bool {
        match self {
            Self::NoCredentials { .. } | Self::Refused { .. } => true,
            Self::Afterwards { error, .. } | Self::Undone { error, .. } | Self::Summed { cause: error, .. } => {
                error.is_denied()
            }
            _ => false,
        }
    }
}

/// Whether the same may be answered otherwise a little later.
fn is_passing<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::ServiceError(answered) => {
            let code = answered.err().code().unwrap_or_default();
            is_too_often(code) || FAULTS_OF_THEIRS.contains(&code)
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::client::result::SdkError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::CliError;

    #[test]
    fn a_service_that_is_asked_too_often_is_asked_again() {
        for (code, again) in [
            ("ThrottlingException", true),
            ("SlowDown", true),
            ("InternalServerException", true),
            ("ThrottlingRules", false),
        ] {
            for message in [None, Some("Rate exceeded")] {
                let error = ErrorMetadata::builder().code(code);
                let error = message.into_iter().fold(error, |error, message: &str| error.message(message)).build();
                let told = CliError::asked("describe it", &SdkError::service_error(error, ()));
                assert_eq!(matches!(told, CliError::ForNow { .. }), again, "{told}");
            }
        }
    }

    #[test]
    fn a_stack_that_is_not_there_is_told_with_those_that_are() {
        let told = |ours: &[&str]| {
            let ours = ours.iter().map(|name| (*name).to_owned()).collect();
            CliError::NoStack { stack: "a".to_owned(), region: "eu-west-1".to_owned(), ours }.to_string()
        };
        assert!(told(&[]).starts_with("there is no stack a in eu-west-1; name another with --stack"));
        assert!(told(&["b"]).contains("only stack there is b:"));
        assert!(told(&["b", "c", "d"]).contains("stacks there are b, c and d:"));
    }

    #[test]
    fn what_was_done_before_does_not_hide_why_it_ended() {
        let cause = |code| match code {
            2 => CliError::Usage(String::new()),
            3 => CliError::Missing(String::new()),
            4 => CliError::Refused { action: "read it".into(), message: String::new() },
            5 => CliError::NotThere(String::new()),
            130 => CliError::Interrupted,
            _ => CliError::NotNow(String::new()),
        };
        for code in [1, 2, 3, 4, 5, 130] {
            let undone = CliError::Undone { error: Box::new(cause(code)), undone: String::new() };
            assert_eq!(undone.exit_code(), code, "{undone:?}");
            let after = CliError::Afterwards { done: String::new(), error: Box::new(cause(code)), next: String::new() };
            assert_eq!(after.exit_code(), if code == 2 { 1 } else { code }, "{after:?}");
            let both = CliError::Afterwards { done: String::new(), error: Box::new(undone), next: String::new() };
            assert_eq!(both.exit_code(), if code == 2 { 1 } else { code }, "{both:?}");
        }
    }

    #[test]
    fn a_fault_of_the_service_is_no_answer_and_a_refusal_is_one() {
        for (code, unanswered) in
            [("InternalException", true), ("InternalServerException", true), ("ValidationException", false)]
        {
            let error = SdkError::service_error(ErrorMetadata::builder().code(code).build(), ());
            let told = CliError::changing("change it", &error, "it may have changed or not", "reveille runs");
            assert_eq!(matches!(told, CliError::Unanswered { .. }), unanswered, "{code}: {told}");
        }
    }
}
