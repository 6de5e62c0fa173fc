//! What an execution remembers between the polls of its steps. The state machine carries it and does not look in; no notebook
//! can reach it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::age::age;
use crate::input::Limits;
use crate::limits::patience;
use crate::ports::{InstanceStatus, Observation};
use crate::records::{Lease, LeaseState, Rest};

/// What CheckInstance and StartInstance remember between polls. The state machine carries it and does not look in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The first look of the run.
    pub first_at: DateTime<Utc>,
    /// The first look since the run was last put before the runner: startSeconds counts from here.
    pub since: DateTime<Utc>,
    /// How often the ticket had fallen silent when `since` was set.
    pub silences: u32,
    /// Starts that were sent and not refused, since `since`.
    pub starts: u32,
    /// `LastModifiedTime` before the last start: an observation with the same time is from before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_before_start: Option<DateTime<Utc>>,
    /// When the last start was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_at: Option<DateTime<Utc>>,
    /// The last failure for lack of capacity: its words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_capacity: Option<String>,
    /// Poll intervals until the next look.
    pub patience: u32,
    /// When the instance was seen ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_at: Option<DateTime<Utc>>,
    /// When it was seen ready for the first time. A silence begins the wait anew, and what was waited for since then was the runner; absent
    /// in the memory of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_ready_at: Option<DateTime<Utc>>,
    /// `LastModifiedTime` of the boot that this execution started, as it was seen ready: with the same time it is still up,
    /// even if its lease is lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_boot: Option<DateTime<Utc>>,
    /// Whether the lease of that boot was bound and certain when it was seen ready. What it says later, a notebook on the
    /// instance may have written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_certain: bool,
    /// The attempt whose memory this is. The next one begins anew, and remembers the boot all the same: it may still be up. None in
    /// the memory of earlier versions, which was never handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
}

impl Waiting {
    /// The memory at a look: continued, or begun anew after a silence, or by another attempt.
    #[must_use]
    pub fn at_look(before: Option<Self>, attempt: u32, silences: u32, now: DateTime<Utc>) -> Self {
        let continues = before.as_ref().is_some_and(|waiting| waiting.is_of(attempt));
        match before {
            Some(waiting) if continues && waiting.silences == silences => {
                Self { patience: patience(age(waiting.since, now)), ..waiting }
            }
            before => Self {
                first_at: before.as_ref().filter(|_| continues).map_or(now, |waiting| waiting.first_at),
                first_ready_at: before.as_ref().filter(|_| continues).and_then(|waiting| waiting.first_ready_at),
                own_boot: before.as_ref().and_then(|waiting| waiting.own_boot),
                own_certain: before.is_some_and(|waiting| waiting.own_certain),
                attempt: Some(attempt),
                since: now,
                silences,
                starts: 0,
                seen_before_start: None,
                sent_at: None,
                no_capacity: None,
                patience: patience(TimeDelta::zero()),
                ready_at: None,
            },
        }
    }

    /// Notes that the instance is ready.
    pub fn note_ready(&mut self, now: DateTime<Utc>) {
        self.ready_at = Some(now);
        self.first_ready_at.get_or_insert(now);
    }

    /// Whether this is the memory of that attempt, and not what an earlier one handed on.
    #[must_use]
    pub fn is_of(&self, attempt: u32) -> bool {
        self.attempt.is_none_or(|own| own == attempt)
    }

    /// Whether startSeconds are over.
    #[must_use]
    pub fn expired(&self, limits: &Limits, now: DateTime<Utc>) -> bool {
        age(self.since, now) >= TimeDelta::seconds(limits.start_seconds.into())
    }

    /// Remembers whose boot is ready: the state machine's memory is out of the reach of every notebook. A boot that this
    /// execution started is Reveille's even if its lease is gone by now; one that another run started is if its lease says so.
    pub fn remember_boot(&mut self, lease: Option<&Lease>, up_since: Option<DateTime<Utc>>) {
        let is_certain = lease.is_some_and(|lease| {
            lease.certain
                && lease.boot_id.is_some()
                && !lease.seen_up
                && !lease.ended
                && lease.state != LeaseState::Closing
        });
        if self.starts > 0 || is_certain {
            self.own_boot = up_since;
            self.own_certain = is_certain;
        } else if self.own_boot != up_since {
            (self.own_boot, self.own_certain) = (None, false);
        }
    }

    /// Whether the boot that was remembered is up: a later one has another time.
    #[must_use]
    pub fn own_boot_is_up(&self, observation: &Observation) -> bool {
        observation.status == InstanceStatus::InService
            && self.own_boot.is_some()
            && self.own_boot == observation.last_modified
    }
}

/// What VerifyStopped remembers between polls. The state machine carries it and does not look in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stopping {
    /// The first look: stopSeconds counts from here.
    pub since: DateTime<Utc>,
    /// Poll intervals until the next look.
    pub patience: u32,
    /// When the instance was seen to have stopped, or was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
}

#[cfg(test)]
mod tests;
