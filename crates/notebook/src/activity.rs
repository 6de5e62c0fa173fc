//! Is a person working on the instance, as far as Jupyter knows?
//!
//! Asks the instance's own Jupyter server for its kernels and terminals. Notebooks that we execute have
//! kernels of their own which that server does not know, so they never count. Sessions are not asked for:
//! each is a name for a kernel of the list. What runs in a terminal without printing is seen by [`crate::terminals`].

use std::env;
use std::process::Stdio;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use tokio::process::Command;

use crate::engine::Engine;

const SCRIPT: &str = include_str!("jupyter_activity.py");
/// Where the server of a `SageMaker` notebook instance answers, without a token (as AWS's autostop samples do).
const INSTANCE_SERVER: &str = "https://localhost:8443";
/// The script's two requests have 10 s each. Less than the 30 s that the runner gives any question.
const LIMIT: Duration = Duration::from_secs(25);

/// What the Jupyter server says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// When each kernel and terminal was last used.
    pub seen: Vec<DateTime<Utc>>,
    /// Kernels that execute something now.
    pub busy_kernels: usize,
    /// Open terminals.
    pub terminals: usize,
    /// Why that is not all, if it is not.
    pub problem: Option<Problem>,
}

/// Why the Jupyter server did not say everything. Told by the kind of the error, never by its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// The connection was refused: there is no server, or it is being restarted.
    Refused,
    /// Anything else; the words are for the log.
    Unusable(String),
}

#[derive(Deserialize)]
struct Answer {
    busy_kernels: usize,
    terminals: usize,
    seen: Vec<String>,
    problem: Option<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    refused: bool,
    reason: String,
}

impl Activity {
    const fn nothing(problem: Problem) -> Self {
        Self { seen: Vec::new(), busy_kernels: 0, terminals: 0, problem: Some(problem) }
    }

    /// The last use that is not ahead of the clock, and the last that is.
    #[must_use]
    pub fn last_used(&self, now: DateTime<Utc>) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
        let last = |is_ahead: bool| self.seen.iter().copied().filter(|seen| (*seen > now) == is_ahead).max();
        (last(false), last(true))
    }
}

impl Engine {
    /// Asks the instance's Jupyter server. `REVEILLE_JUPYTER_URL` names another one, whose token, if it
    /// needs one, is in `REVEILLE_JUPYTER_TOKEN`.
    pub async fn activity(&self) -> Activity {
        let url = env::var("REVEILLE_JUPYTER_URL").unwrap_or_else(|_| INSTANCE_SERVER.to_owned());
        self.activity_of(&url).await
    }

    /// Asks the Jupyter server at `url` (scheme, host, port and base path).
    pub async fn activity_of(&self, url: &str) -> Activity {
        let answer = match self.ask(url).await {
            Ok(answer) => answer,
            Err(reason) => return Activity::nothing(Problem::Unusable(reason)),
        };
        let problem = answer
            .problem
            .map(|trouble| if trouble.refused { Problem::Refused } else { Problem::Unusable(trouble.reason) });
        Activity {
            seen: answer.seen.iter().filter_map(|time| time.parse().ok()).collect(),
            busy_kernels: answer.busy_kernels,
            terminals: answer.terminals,
            problem,
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

    #[test]
    fn a_time_ahead_of_the_clock_hides_no_other() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let at = |seconds| now + chrono::TimeDelta::seconds(seconds);
        let of = |seen: &[i64]| {
            let seen = seen.iter().map(|seconds| at(*seconds)).collect();
            Activity { seen, busy_kernels: 0, terminals: 0, problem: None }.last_used(now)
        };
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[-900, -20, 0]), (Some(now), None));
        assert_eq!(of(&[-900, 5, 86_400]), (Some(at(-900)), Some(at(86_400))));
    }
}
