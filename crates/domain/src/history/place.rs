//! `history.json`: how far the sweeper came with the history.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::age::age;

/// A history that was not looked through for longer than this may lack any number of runs: nobody says that ConcludeRun entered
/// them, because the stack may be of a version without a history.
const TRUSTED: TimeDelta = TimeDelta::hours(25);

/// How far the sweeper came. Without it, or with one that is not readable, it begins at the beginning, and enters nothing twice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPlace {
    /// Every execution that Step Functions knew was looked at: what the history lacks since then, a sweep is about to enter.
    #[serde(default)]
    pub is_whole: bool,
    /// When the last pass began that came to its end: what had ended by then was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked_at: Option<DateTime<Utc>>,
    /// The pass that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<HistoryPass>,
    /// Executions that could not be entered when a pass came to them, and are tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed: Vec<HistoryMissed>,
    /// How many were given up: the history lacks them.
    #[serde(default)]
    pub lacking: u64,
}

impl HistoryPlace {
    /// Whether the history has all that ended until shortly ago, but for what is lacking.
    #[must_use]
    pub fn is_trusted(&self, now: DateTime<Utc>) -> bool {
        self.is_whole && self.looked_at.is_some_and(|at| age(at, now) < TRUSTED)
    }
}

/// An execution that could not be entered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryMissed {
    /// Its ARN.
    pub arn: String,
    /// How often that was tried.
    pub tries: u32,
}

/// A pass through the executions, from the newest on; then once more through those that were redriven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HistoryPass {
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// It looks at what ended since then; none: at everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<DateTime<Utc>>,
    /// Whether it is at those that were redriven.
    pub redriven: bool,
    /// The page it is at; none: the list's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// The last execution of that page that was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Sweeps in a row that stayed here, because AWS did not answer or was asked too often.
    #[serde(default)]
    pub held: u32,
}
