//! `history.json`: how far the sweeper came with the history.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

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
}
