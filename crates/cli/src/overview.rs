//! What a page of `reveille report` says: the runs of some days, those that were expected and did not come, and the instances. Pure: no clock, no AWS, no words.

pub(crate) mod costs;
pub(crate) mod expected;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::clients::{Ending, Run};

/// Everything that a page shows.
#[derive(Clone, Debug)]
pub(crate) struct Overview {
    pub(crate) stack: String,
    pub(crate) region: String,
    /// Whose days and clock the page has.
    pub(crate) zone: Tz,
    pub(crate) from: DateTime<Utc>,
    /// When it was asked for.
    pub(crate) made: DateTime<Utc>,
    /// The newest first.
    pub(crate) runs: Vec<Reported>,
    pub(crate) missed: Vec<Missed>,
    pub(crate) instances: Vec<ReportedInstance>,
    /// The days of which the prices are.
    pub(crate) prices_of: Vec<NaiveDate>,
    /// What the reader has to know of what is not there.
    pub(crate) notes: Vec<String>,
}

/// A run, and about what it cost.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    pub(crate) run: Run,
    pub(crate) usd: Option<f64>,
}

/// A run that a schedule was to start, and that did not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) notebook: String,
    pub(crate) schedule: String,
    pub(crate) at: DateTime<Utc>,
}

/// An instance as it was observed.
#[derive(Clone, Debug)]
pub(crate) struct ReportedInstance {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) is_on: bool,
    pub(crate) since: Option<DateTime<Utc>>,
    /// Why it is on, or why it cannot be used.
    pub(crate) why: String,
    pub(crate) usd_per_hour: Option<f64>,
    /// Since its status changed, if it is on.
    pub(crate) usd: Option<f64>,
}

/// How a run is coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Look {
    Failed,
    Running,
    Cancelled,
    Skipped,
    Succeeded,
}

impl Look {
    /// `None`: the execution had nothing to run.
    pub(crate) const fn of(ending: Ending) -> Option<Self> {
        match ending {
            Ending::Failed | Ending::TimedOut => Some(Self::Failed),
            Ending::Running => Some(Self::Running),
            Ending::Aborted => Some(Self::Cancelled),
            Ending::Skipped => Some(Self::Skipped),
            Ending::Succeeded => Some(Self::Succeeded),
            Ending::Duplicate | Ending::NotSelected => None,
        }
    }
}
