//! Lies of ports, for the tests of the simulation itself: each takes one lock out of the protocol, without a switch in
//! the code that is deployed.

use chrono::{DateTime, Utc};
use reveille_domain::ports::{Object, PutCondition};
use serde_json::{Value, json};

/// What a stray object's key ends with: a copy of a ticket that somebody made.
pub const STRAY: &str = ".bak";

/// One lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Every claim is granted, whoever holds it: there is no fence.
    NoFence,
    /// Every trigger is granted, whoever holds it: duplicates are not recognised.
    NoDedupe,
    /// A lease is overwritten, whatever stands there: there is no compare-and-swap.
    NoCompareAndSwap,
    /// A runner takes every lease for one of its own boot: there is no ownership of boots.
    NoOwnership,
    /// Reports are overwritten: the later verdict wins.
    NoVerdict,
    /// The runner never sees a person's activity.
    NobodyWorks,
    /// The intent of a start is not written.
    NoIntent,
    /// A trigger's record never shows the execution that wrote it its own start time.
    ForgetsItself,
    /// The role of an instance may write what functions write of it.
    WritesForFunctions,
    /// The role of an instance reaches every other.
    ReachesOthers,
    /// A lease of the future counts as one of this moment.
    BelievesTheFuture,
    /// An outcome's run, attempt and outputs are those that the report names.
    BelievesReports,
    /// A ticket names no hash of its request.
    NoHash,
    /// The runner never sees that an attempt was given up: it and the stop wait for each other.
    NobodyGivesUp,
    /// A record that cannot be read is a call that is refused.
    UnreadableIsRefused,
    /// A call that is refused is a record that cannot be read.
    RefusedIsUnreadable,
    /// What was seen of a person is forgotten as soon as nobody is seen.
    ForgetsPeople,
    /// A stray object in an inbox is a ticket, whoever it names.
    StrayTickets,
    /// A runner makes one call after another: beats wait for whatever else it does.
    OneAfterAnother,
    /// A runner does not know when its boot was bound first.
    BoundJustNow,
    /// A lease that could not be opened after a run stays as it is.
    StaysBusy,
    /// No lease ever says that its boot has ended.
    NobodyEnds,
    /// Every sweep begins at the beginning.
    ForgetsItsPlace,
    /// What a notebook has left so far is uploaded to the place of its final outputs.
    LiveInPlace,
    /// The sweeper never sees that a run which ended is not in the history.
    NothingIsMissing,
}

impl Lie {
    /// What a write is turned into.
    #[must_use]
    pub fn about_put(self, key: &str, condition: PutCondition) -> PutCondition {
        let overwritten = match self {
            Self::NoFence => key.ends_with("/claim.json"),
            Self::NoDedupe => key.starts_with("triggers/"),
            Self::NoCompareAndSwap => key.starts_with("leases/"),
            Self::NoVerdict => key.ends_with("/report.json"),
            Self::NoOwnership
            | Self::NobodyWorks
            | Self::ForgetsItself
            | Self::NoIntent
            | Self::WritesForFunctions
            | Self::ReachesOthers
            | Self::BelievesTheFuture
            | Self::BelievesReports
            | Self::NoHash
            | Self::NobodyGivesUp
            | Self::UnreadableIsRefused
            | Self::RefusedIsUnreadable
            | Self::ForgetsPeople
            | Self::StrayTickets
            | Self::OneAfterAnother
            | Self::BoundJustNow
            | Self::StaysBusy
            | Self::NobodyEnds
            | Self::ForgetsItsPlace
            | Self::LiveInPlace
            | Self::NothingIsMissing => false,
        };
        if overwritten { PutCondition::Always } else { condition }
    }

    /// Whether a write is only said to have happened.
    #[must_use]
    pub fn swallows(self, key: &str, body: &[u8]) -> bool {
        let lease = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        let left_out = || {
            self == Self::NoIntent && lease()["state"] == "starting"
                || self == Self::NobodyEnds && lease()["ended"] == true
        };
        key.starts_with("leases/") && left_out()
    }

    /// What the body of a write is turned into; `report` gives the one beside it.
    #[must_use]
    pub fn about_body(self, key: &str, body: Vec<u8>, report: impl Fn(&str) -> Option<Value>) -> Vec<u8> {
        let Some(folder) = key.strip_suffix("outcome.json").filter(|_| self == Self::BelievesReports) else {
            return body;
        };
        let (Some(report), Ok(mut outcome)) =
            (report(&format!("{folder}report.json")), serde_json::from_slice::<Value>(&body))
        else {
            return body;
        };
        for field in ["run", "attempt", "outputs"] {
            if let Some(told) = report.get(field) {
                outcome[field] = told.clone();
            }
        }
        outcome.to_string().into_bytes()
    }

    /// The key under which a stray object is listed, and from which it is read again where nothing else stands there.
    #[must_use]
    pub fn about_key(self, key: &str) -> &str {
        if self == Self::StrayTickets { key.strip_suffix(STRAY).unwrap_or(key) } else { key }
    }

    /// What a read is turned into; `boot`: the one that a runner reads on.
    #[must_use]
    pub fn about_get(
        self,
        boot: Option<&str>,
        key: &str,
        stands: Option<Object>,
        now: DateTime<Utc>,
    ) -> Option<Object> {
        let object = stands.filter(|_| self != Self::ForgetsItsPlace || key != "sweeper.json")?;
        if self == Self::NobodyGivesUp && boot.is_some() && key.ends_with("/claim.json") {
            let claim = serde_json::from_slice::<Value>(&object.body).unwrap_or_default();
            return (claim["by"] != "release").then_some(object);
        }
        if self == Self::BelievesTheFuture && key.starts_with("leases/") {
            let now = now.to_rfc3339();
            let body = String::from_utf8_lossy(&object.body).replace("2099-01-01T00:00:00Z", &now);
            return Some(Object { body: body.into_bytes(), ..object });
        }
        let (field, told) = match (self, boot) {
            (Self::NoOwnership, Some(boot)) if key.starts_with("leases/") => ("bootId", json!(boot)),
            (Self::ForgetsItself, None) if key.starts_with("triggers/") => ("startTime", json!("2000-01-01T00:00:00Z")),
            (Self::BoundJustNow, Some(_)) if key.starts_with("leases/") => ("boundAt", Value::Null),
            (Self::NoHash, Some(_)) if key.starts_with("inbox/") => ("requestSha256", Value::Null),
            _ => return Some(object),
        };
        let Ok(mut record) = serde_json::from_slice::<Value>(&object.body) else { return Some(object) };
        record[field] = told;
        Some(Object { body: record.to_string().into_bytes(), ..object })
    }
}
