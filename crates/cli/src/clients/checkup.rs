//! What `reveille doctor` asks: each thing within a time limit, and what cannot be asked with the reason. Decides nothing.

use std::time::Duration;

use futures_util::future::LocalBoxFuture;

use crate::error::CliError;

mod bucket;
mod instance;
mod last_runs;
mod simulation;
mod stack;
mod who;

pub(crate) use bucket::{BucketEvents, BucketFacts, Heading};
pub(crate) use instance::{InstanceFacts, Unreadable, decoded, instance_facts, is_missing, on_start, readable};
pub(crate) use last_runs::{Lack, LastOnInstance, LastRuns};
pub(crate) use simulation::{Denial, Simulated, Wish};
pub(crate) use stack::{MachineFacts, ResourceFacts, RuleFacts};
pub(crate) use who::{Greeting, SeenClock, greet};

/// The longest that one thing is waited for: some take a call for each rule, and a local AWS on a busy machine is slow.
const LIMIT: Duration = Duration::from_mins(1);

/// What was asked, or why it is not known.
pub(crate) type Known<T> = Result<T, Unknown>;

/// Why something is not known. Each has the permissions that asking takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    Denied(&'static str),
    Late(&'static str),
    /// What was answered instead.
    Failed(String),
}

impl Unknown {
    /// As a sentence.
    pub(crate) fn why(&self) -> String {
        match self {
            Self::Denied(permission) => format!("you may not ask, which takes {permission}"),
            Self::Late(permission) => {
                format!("AWS did not answer {permission} within {} s; run doctor again", LIMIT.as_secs())
            }
            Self::Failed(answer) => answer.clone(),
        }
    }

    /// What is missing, where it is a permission.
    pub(crate) const fn permission(&self) -> Option<&'static str> {
        match self {
            Self::Denied(permission) => Some(permission),
            Self::Late(_) | Self::Failed(_) => None,
        }
    }
}

/// Asks one thing. On the heap: many are asked at the same time, and a call of the SDK is large.
pub(crate) fn ask<'a, T: 'a>(
    permission: &'static str,
    call: impl Future<Output = Result<T, CliError>> + 'a,
) -> LocalBoxFuture<'a, Known<T>> {
    Box::pin(within(LIMIT, permission, call))
}

async fn within<T>(
    limit: Duration,
    permission: &'static str,
    call: impl Future<Output = Result<T, CliError>>,
) -> Known<T> {
    match tokio::time::timeout(limit, call).await {
        Ok(Ok(known)) => Ok(known),
        Ok(Err(CliError::Refused { .. })) => Err(Unknown::Denied(permission)),
        Ok(Err(error)) => Err(Unknown::Failed(error.to_string())),
        Err(_) => Err(Unknown::Late(permission)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Unknown, ask, within};
    use crate::error::CliError;

    #[tokio::test]
    async fn what_cannot_be_asked_says_why() {
        let refused = async { Err::<(), _>(CliError::Refused { action: "look".into(), message: "no".to_owned() }) };
        assert_eq!(ask("s3:GetObject", refused).await, Err(Unknown::Denied("s3:GetObject")));
        let hangs = std::future::pending::<Result<(), CliError>>();
        assert_eq!(within(Duration::ZERO, "s3:GetObject", hangs).await, Err(Unknown::Late("s3:GetObject")));
        let broken = async { Err::<(), _>(CliError::NotThere("there is no bucket a".to_owned())) };
        assert_eq!(ask("s3:GetObject", broken).await.unwrap_err().why(), "there is no bucket a");
        assert_eq!(ask("s3:GetObject", async { Ok(7) }).await, Ok(7));
    }
}
