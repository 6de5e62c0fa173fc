//! Is a person working on the instance?
//!
//! Asks the instance's own Jupyter server for its kernels and terminals. Notebooks that we execute have
//! kernels of their own which that server does not know, so they never count. Sessions are not asked for:
//! each is a name for a kernel of the list.

use std::env;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use tokio::process::Command;

use crate::discovery::Engine;

const SCRIPT: &str = include_str!("jupyter_activity.py");
/// Where the server of a `SageMaker` notebook instance answers, without a token (as AWS's autostop samples do).
const INSTANCE_SERVER: &str = "https://localhost:8443";
/// The script's two requests have 5 s each.
const LIMIT: Duration = Duration::from_secs(15);

/// What the Jupyter server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// When a kernel or a terminal was last used; none if there are none.
    pub last_activity: Option<DateTime<Utc>>,
    /// Kernels that execute something now.
    pub busy_kernels: usize,
    /// Open terminals.
    pub terminals: usize,
}

/// Nobody knows whether a person is working.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the Jupyter server at {url} did not say whether a person is working: {reason}; look into its log")]
pub struct Unreachable {
    /// The server that was asked.
    pub url: String,
    /// What went wrong.
    pub reason: String,
}

#[derive(Deserialize)]
struct Answer {
    error: Option<String>,
    #[serde(default)]
    busy_kernels: usize,
    #[serde(default)]
    terminals: usize,
    #[serde(default)]
    seen: Vec<String>,
}

impl Activity {
    /// A person is active when a kernel is busy, or a kernel or a terminal was used within the last
    /// `within`. A time in the future (clocks differ) counts as now.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>, within: Duration) -> bool {
        let within = TimeDelta::from_std(within).unwrap_or(TimeDelta::MAX);
        self.busy_kernels > 0 || self.last_activity.is_some_and(|last| now.signed_duration_since(last) < within)
    }
}

impl Engine {
    /// Asks the instance's Jupyter server. `REVEILLE_JUPYTER_URL` names another one, whose token, if it
    /// needs one, is in `REVEILLE_JUPYTER_TOKEN`.
    ///
    /// # Errors
    /// [`Unreachable`] when the server does not answer, or with no list of kernels: unknown is not idle.
    pub async fn activity(&self) -> Result<Activity, Unreachable> {
        let url = env::var("REVEILLE_JUPYTER_URL").unwrap_or_else(|_| INSTANCE_SERVER.to_owned());
        self.activity_of(&url).await
    }

    /// Asks the Jupyter server at `url` (scheme, host, port and base path).
    ///
    /// # Errors
    /// As [`Engine::activity`].
    pub async fn activity_of(&self, url: &str) -> Result<Activity, Unreachable> {
        let unreachable = |reason: String| Unreachable { url: url.to_owned(), reason };
        let answer = self.ask(url).await.map_err(unreachable)?;
        match answer.error {
            Some(reason) => Err(unreachable(reason)),
            None => Ok(Activity {
                last_activity: answer.seen.iter().filter_map(|time| time.parse().ok()).max(),
                busy_kernels: answer.busy_kernels,
                terminals: answer.terminals,
            }),
        }
    }

    async fn ask(&self, url: &str) -> Result<Answer, String> {
        let output = Command::new(self.python())
            .args(["-I", "-c", SCRIPT, url])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .output();
        match tokio::time::timeout(LIMIT, output).await {
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
            Ok(Err(error)) => Err(format!("{} cannot be started: {error}", self.python().display())),
            Ok(Ok(output)) => serde_json::from_slice(&output.stdout)
                .map_err(|error| format!("the question ended with {} and no answer: {error}", output.status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(last_activity: Option<DateTime<Utc>>, busy_kernels: usize) -> Activity {
        Activity { last_activity, busy_kernels, terminals: 0 }
    }

    #[test]
    fn busy_or_recently_used_is_active() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let ago = |seconds| Some(now - TimeDelta::seconds(seconds));
        let within = Duration::from_mins(10);
        assert!(activity(ago(36_000), 1).is_active(now, within), "a kernel that computes for hours");
        assert!(activity(ago(599), 0).is_active(now, within));
        assert!(activity(ago(-30), 0).is_active(now, within), "their clock is ahead");
        assert!(!activity(ago(600), 0).is_active(now, within));
        assert!(!activity(None, 0).is_active(now, within));
    }
}
