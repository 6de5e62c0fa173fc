//! Why there are no credentials, in words that say what to do. The SDK's own messages name its providers and the features that it was built with.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;

use crate::error::{CliError, causes};

/// The remedy of whatever the AWS CLI can read and this command cannot.
const EXPORT: &str = "eval \"$(aws configure export-credentials --format env";

/// What to do where nothing is set.
const SET: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile (`aws configure list` shows what is set)";

/// Why the chain of providers gave none. `profile` is the one that a person named.
pub(super) fn missing(error: &CredentialsError, profile: Option<&str>) -> CliError {
    CliError::NoCredentials { message: words(error, profile) }
}

fn words(error: &CredentialsError, profile: Option<&str>) -> String {
    let whole = causes(error);
    let of_profile = profile.map_or_else(String::new, |profile| format!(" --profile {profile}"));
    for (feature, how) in [
        ("sso", "signs in by IAM Identity Center (SSO)"),
        ("credentials-process", "runs a program for its credentials"),
    ] {
        if whole.contains(&format!("enabled: {feature}.")) {
            let which = profile.map_or_else(|| "the profile".to_owned(), |profile| format!("the profile {profile}"));
            return format!(
                "{which} {how}, which this command cannot do. Put the credentials into the environment first: {EXPORT}{of_profile})\""
            );
        }
    }
    match error {
        CredentialsError::CredentialsNotLoaded(_) => match profile {
            Some(profile) => format!(
                "the profile {profile} has no AWS credentials, or does not exist (`aws configure list-profiles` lists them); name another with --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ),
            None => format!("no AWS credentials are set in the environment or in a profile; {SET}"),
        },
        CredentialsError::InvalidConfiguration(_) => {
            format!("the AWS configuration cannot be used: {}; correct it, or {SET}", innermost(error))
        }
        CredentialsError::ProviderTimedOut(_) => {
            format!("the source of the AWS credentials did not answer in time; try again, or {SET}")
        }
        // Asked last, where nothing else is set: on most machines it is not there.
        _ if whole.contains("IMDS") => {
            format!(
                "no AWS credentials are set in the environment or in a profile, and this machine has no role; {SET}"
            )
        }
        _ => format!("the AWS credentials cannot be loaded: {}; try again, or {SET}", innermost(error)),
    }
}

/// The last cause: those before it say which part of the SDK asked which.
fn innermost(error: &CredentialsError) -> String {
    let mut cause: &dyn Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string().lines().next().unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;

    use super::words;

    #[test]
    fn missing_credentials_are_told_in_our_own_words() {
        let nothing = CredentialsError::not_loaded("no credentials found in chain. Attempted:");
        let imds = CredentialsError::provider_error("failed to load IMDS session token: request forbidden");
        let half = CredentialsError::invalid_configuration(
            "invalid credential source in `half`: profile missing aws_secret_access_key",
        );
        let sso =
            CredentialsError::invalid_configuration("This behavior requires following cargo feature(s) enabled: sso. ");
        let program =
            CredentialsError::invalid_configuration("feature(s) enabled: credentials-process. In order to ...");
        for (error, profile, said) in [
            (&nothing, None, "no AWS credentials are set in the environment or in a profile; set AWS_ACCESS_KEY_ID"),
            (&nothing, Some("work"), "the profile work has no AWS credentials, or does not exist"),
            (&imds, None, "and this machine has no role; set"),
            (
                &half,
                Some("half"),
                "invalid credential source in `half`: profile missing aws_secret_access_key; correct it",
            ),
            (
                &sso,
                Some("work"),
                "the profile work signs in by IAM Identity Center (SSO), which this command cannot do",
            ),
            (&sso, Some("work"), "eval \"$(aws configure export-credentials --format env --profile work)\""),
            (&program, None, "the profile runs a program for its credentials"),
        ] {
            let words = words(error, profile);
            assert!(words.contains(said), "{words}");
            for theirs in ["Attempted", "IMDS", "feature", "provider"] {
                assert!(!words.contains(theirs), "{words}");
            }
        }
    }
}
