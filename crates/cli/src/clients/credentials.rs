//! Why there are no credentials, in words that say what to do. The SDK's own messages name its providers.

use std::error::Error;

use aws_config::profile;
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use crate::error::{CliError, causes};

/// What the SDK or IAM Identity Center says if a sign-in's token is missing, unreadable or expired.
const SIGNED_OUT: [&str; 4] = ["SSO token", "/sso/cache/", "UnauthorizedException", "InvalidGrantException"];

/// Profiles that have their credentials from one another.
const MOST_SOURCES: usize = 10;

/// What to do where nothing is set.
const SET: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile with --profile (`aws configure list` shows what is set)";

/// Why the chain of providers gave none. `profile` is the one that a person named.
pub(super) async fn missing(error: &CredentialsError, profile: Option<&str>) -> CliError {
    let signed_out = SIGNED_OUT.iter().any(|words| causes(error).contains(words));
    let message = if signed_out { sign_in(signing_in(profile).await.as_deref()) } else { words(error, profile) };
    CliError::NoCredentials { message }
}

fn sign_in(profile: Option<&str>) -> String {
    let (which, of_profile) = match profile {
        Some(profile) => (format!("the profile {profile}"), format!(" --profile {profile}")),
        None => ("the profile".to_owned(), String::new()),
    };
    let login = "aws sso login";
    format!(
        "you are not signed in, or no longer: {which} signs in by IAM Identity Center (SSO). To sign in: {login}{of_profile}"
    )
}

/// The profile that signs in: one that takes on a role has its credentials from another.
async fn signing_in(profile: Option<&str>) -> Option<String> {
    let all = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await.ok()?;
    let mut name = profile.unwrap_or_else(|| all.selected_profile()).to_owned();
    for _ in 0..MOST_SOURCES {
        match all.get_profile(&name).and_then(|profile| profile.get("source_profile")) {
            Some(source) if source != name => name = source.to_owned(),
            _ => break,
        }
    }
    Some(name)
}

fn words(error: &CredentialsError, profile: Option<&str>) -> String {
    let whole = causes(error);
    let says = |words: &[&str]| words.iter().any(|word| whole.contains(word));
    let which = profile.map_or_else(|| "the profile".to_owned(), |profile| format!("the profile {profile}"));
    if says(&["dispatch failure", "timeout"]) && !whole.contains("IMDS") {
        return format!(
            "AWS did not answer when it was asked for the credentials ({}); check the network, then try again",
            innermost(error)
        );
    }
    if let Some((_, said)) = whole.split_once("external process ") {
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = said.trim_end_matches("Stderr:").trim_end_matches(['.', ' ']);
        return format!(
            "the program that {which} runs for its credentials (credential_process) failed: it {said}; correct it, or {SET}"
        );
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
        let silent = CredentialsError::provider_error("dispatch failure: io error: dns error");
        let program = CredentialsError::provider_error(
            "Error retrieving credentials: external process exited with code exit status: 1. Stderr: not\nallowed.",
        );
        let mute = CredentialsError::provider_error("external process exited with code exit status: 1. Stderr: ");
        for (error, profile, said) in [
            (&nothing, None, "no AWS credentials are set in the environment or in a profile; set AWS_ACCESS_KEY_ID"),
            (&nothing, Some("work"), "the profile work has no AWS credentials, or does not exist"),
            (&imds, None, "and this machine has no role; set"),
            (
                &half,
                Some("half"),
                "invalid credential source in `half`: profile missing aws_secret_access_key; correct it",
            ),
            (&silent, Some("work"), "check the network, then try again"),
            (
                &program,
                Some("work"),
                "the program that the profile work runs for its credentials (credential_process) failed: it exited with code exit status: 1. Stderr: not allowed; correct it",
            ),
            (&mute, None, "it exited with code exit status: 1; correct it"),
        ] {
            let words = words(error, profile);
            assert!(words.contains(said), "{words}");
            for theirs in ["Attempted", "IMDS", "feature", "provider"] {
                assert!(!words.contains(theirs), "{words}");
            }
        }
    }
}
