//! The lease of an instance: whose boot this is, and what is being done to it. One function reads each fact from it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::age::{age, is_ahead};
use crate::ids::{InstanceName, RunId};
use crate::layout::AttemptRef;
use crate::limits::IN_FLIGHT;
use crate::observation::Observation;

/// What a boot of ours is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LeaseState {
    /// The intent to start is written; Start is about to be called, or its caller died.
    Starting,
    /// Start was called and its answer never came.
    Unsure,
    /// The boot is ours and runs may be claimed on it.
    Open,
    /// A run is claimed on it.
    Busy,
    /// It is about to be stopped: nothing is claimed from now on.
    Closing,
}

impl LeaseState {
    /// Its name in the record.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Unsure => "unsure",
            Self::Open => "open",
            Self::Busy => "busy",
            Self::Closing => "closing",
        }
    }
}

/// Who is closing a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Closer {
    /// The runner on the instance: dead as soon as the boot is.
    Runner,
    /// A function: its Stop may be under way for as long as a function lives.
    Function,
}

/// `leases/<instance>.json`: whose boot it is and what it is doing. Changed by compare-and-swap only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that are learnt apart from each other, each a field of the record"
)]
pub struct Lease {
    /// The instance; absent in leases of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceName>,
    /// What the boot is doing.
    pub state: LeaseState,
    /// Fresh at every write, so that two equal writes have two ETags.
    pub nonce: String,
    /// When this was written.
    pub at: DateTime<Utc>,
    /// The run whose execution started the boot.
    pub started_by: RunId,
    /// Its attempt.
    #[serde(default)]
    pub started_attempt: u32,
    /// Whether Start's answer came: only then is it certain that the boot is ours.
    pub certain: bool,
    /// `LastModifiedTime` that Describe showed before the start: an observation with the same time is from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_before_start: Option<DateTime<Utc>>,
    /// The kernel's boot id, once the runner bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// When a runner bound the boot first. What a runner waits for on a new boot counts from here, and not anew whenever its process
    /// is started again; absent in leases of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound_at: Option<DateTime<Utc>>,
    /// Whether the instance was seen `InService` while no runner had bound the boot: whoever binds it later may be the
    /// runner of another boot, so that it cannot be known any more whose boot it is.
    #[serde(default)]
    pub seen_up: bool,
    /// Whether the instance could not stop itself: its role or its network does not let it, so a function must.
    #[serde(default)]
    pub cannot_stop_itself: bool,
    /// The attempt that is claimed, while busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busy: Option<AttemptRef>,
    /// The last sign of a person on it: not when that was looked at, but when they did something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_at: Option<DateTime<Utc>>,
    /// Since when its Jupyter has not answered usably, so that it cannot be known whether a person works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jupyter_silent_since: Option<DateTime<Utc>>,
    /// Who closes it, while closing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closer: Option<Closer>,
    /// Whether an earlier Start may still arrive: one whose answer never came, or one that AWS accepted and that has not
    /// shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unresolved: bool,
    /// Whether the boot was seen to have ended. The lease is kept only because something that was sent under it may still
    /// arrive; no boot that comes up later is taken for the one that it names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Lease {
    /// The attempt that started the boot.
    #[must_use]
    pub fn starter(&self, instance: &InstanceName) -> AttemptRef {
        AttemptRef { instance: instance.to_string(), run: self.started_by.clone(), attempt: self.started_attempt }
    }

    /// The lease that says: we are about to start it.
    #[must_use]
    pub fn starting(me: &RunId, nonce: String, seen_before: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        Self {
            instance: None,
            state: LeaseState::Starting,
            nonce,
            at: now,
            started_by: me.clone(),
            started_attempt: 1,
            certain: false,
            seen_before_start: seen_before,
            boot_id: None,
            bound_at: None,
            seen_up: false,
            cannot_stop_itself: false,
            busy: None,
            person_at: None,
            jupyter_silent_since: None,
            closer: None,
            unresolved: false,
            ended: false,
        }
    }

    /// The lease that says: it is about to be stopped.
    #[must_use]
    pub fn closing(&self, closer: Closer, nonce: String, now: DateTime<Utc>) -> Self {
        Self { state: LeaseState::Closing, closer: Some(closer), nonce, at: now, busy: None, ..self.clone() }
    }

    /// The lease that says: its boot has ended. It is as old as before, so that it is over when it would have been.
    #[must_use]
    pub fn with_its_boot_ended(&self, nonce: String) -> Self {
        Self { ended: true, nonce, ..self.clone() }
    }

    /// Whether the boot of this lease is seen to have ended: the instance stopped after the lease was written, and no
    /// start of ours can still arrive.
    #[must_use]
    pub fn its_boot_has_ended(&self, rest: &Observation, now: DateTime<Utc>) -> bool {
        let answered = match self.state {
            LeaseState::Starting | LeaseState::Unsure => false,
            // A boot that came up resolved every start before it.
            LeaseState::Open | LeaseState::Busy => !self.unresolved || self.boot_id.is_some(),
            LeaseState::Closing => true,
        };
        self.ended || answered && rest.last_modified.is_some_and(|rested| rested > self.at && !is_ahead(rested, now))
    }

    /// Whether nothing that was sent under this lease can still take effect. The runner's own calls end with its boot.
    #[must_use]
    pub fn is_over(&self, now: DateTime<Utc>) -> bool {
        let by_runner = self.state == LeaseState::Closing && self.closer == Some(Closer::Runner);
        by_runner || age(self.at, now) >= IN_FLIGHT
    }

    /// Whether the start of this lease has not shown: what is observed is not newer than what was observed before it.
    #[must_use]
    pub fn its_start_has_not_shown(&self, observation: &Observation) -> bool {
        let not_seen_up = matches!(self.state, LeaseState::Starting | LeaseState::Unsure | LeaseState::Open)
            && self.boot_id.is_none()
            && !self.seen_up
            && !self.ended;
        not_seen_up && (self.seen_before_start.is_none() || observation.last_modified <= self.seen_before_start)
    }

    /// Whether the lease has to say that the boot came up without a runner's having bound it.
    #[must_use]
    pub fn came_up_unbound(&self) -> bool {
        self.state == LeaseState::Open && self.boot_id.is_none() && !self.seen_up && !self.ended
    }
}

#[cfg(test)]
mod tests;
