//! How long things take.

use std::time::Duration;

/// The durations of the model. Each may be zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From an accepted Start (or Create) until the boot begins and its scripts run.
    pub pending: Duration,
    /// From an accepted Stop until the processes of the boot are killed; part of `stopping`.
    pub shutdown: Duration,
    /// From an accepted Stop until Stopped (later, if the kill takes longer).
    pub stopping: Duration,
    /// From an accepted Update until Stopped.
    pub updating: Duration,
    /// From an accepted Delete until the instance is gone.
    pub deleting: Duration,
    /// How long one lifecycle script may run.
    pub script_limit: Duration,
}

impl Default for Timings {
    /// What is usual on AWS: a start of 2-5 minutes, and exactly five minutes for a script.
    fn default() -> Self {
        Self {
            pending: Duration::from_secs(150),
            shutdown: Duration::from_secs(10),
            stopping: Duration::from_secs(90),
            updating: Duration::from_secs(30),
            deleting: Duration::from_mins(1),
            script_limit: Duration::from_mins(5),
        }
    }
}

impl Timings {
    /// For a laptop: every wait is long enough to be observed and short enough not to annoy; the
    /// limit of scripts stays AWS's.
    #[must_use]
    pub fn local() -> Self {
        Self {
            pending: Duration::from_millis(500),
            shutdown: Duration::from_millis(100),
            stopping: Duration::from_millis(500),
            updating: Duration::from_millis(500),
            deleting: Duration::from_millis(300),
            ..Self::default()
        }
    }
}
