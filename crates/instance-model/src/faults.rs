//! Faults on demand: each for one instance or all, a number of times or until cleared.

use std::{fmt, time::Duration};

use crate::{Operation, error::ApiError};

/// Faults that may be armed at once: enough for any test, and a bound on every call's search.
const ARMED_LIMIT: usize = 1000;
/// Maintenances one fault may ask for: they follow each other without a pause, so that there has to
/// be an end.
const MAINTENANCE_LIMIT: u32 = 100;

/// Names an armed fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub u64);

/// Whether a failing call still takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It fails and nothing happened.
    BeforeEffect,
    /// It took effect, and then its answer was lost.
    AfterEffect,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A Start (or Create) is accepted, stays Pending, then Failed for want of capacity.
    MissingCapacity {
        /// How long it stays Pending.
        after: Duration,
    },
    /// A Start is accepted and not carried out: the instance is again what it was before (Stopped, or
    /// Failed with its old reason), and no boot begins. Starts only, since a Create has nothing to go back to.
    StartDropped {
        /// How long it shows Pending first; zero: it never does.
        pending: Duration,
    },
    /// Start (or Create) is refused with `ResourceLimitExceeded`.
    Quota,
    /// Calls are refused with `ThrottlingException`.
    Throttle {
        /// Only this operation; `None`: any.
        operation: Option<Operation>,
    },
    /// Calls are answered with a server error.
    ServerError {
        /// Only this operation; `None`: any.
        operation: Option<Operation>,
        /// Whether they take effect.
        moment: Moment,
    },
    /// Describe shows the instance as it was. (An instance that is gone, is gone.)
    StaleDescribe {
        /// How long ago.
        age: Duration,
    },
    /// A Start stays Pending until this fault is cleared.
    StuckPending,
    /// A Stop stays Stopping until this fault is cleared; its processes die nevertheless.
    StuckStopping,
    /// Maintenance, from the next (or present) `InService`, Stopped or Failed on, and back to it. The
    /// boot survives. Needs a number of times, at most 100.
    Maintenance {
        /// How long `PendingMaintenance` lasts.
        pending: Duration,
        /// How long `InMaintenance` lasts.
        lasting: Duration,
    },
    /// A lifecycle script counts as failed without being run.
    LifecycleFailure,
}

/// A fault to arm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceFault {
    /// Only this instance; `None`: any.
    pub instance: Option<String>,
    /// How often it fires; `None`: until cleared.
    pub times: Option<u32>,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl InstanceFault {
    /// A fault that fires once, on any instance.
    #[must_use]
    pub const fn once(kind: FaultKind) -> Self {
        Self { instance: None, times: Some(1), kind }
    }

    /// The same on this instance only.
    #[must_use]
    pub fn on(self, instance: impl Into<String>) -> Self {
        Self { instance: Some(instance.into()), ..self }
    }

    /// The same this many times.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// The same until cleared.
    #[must_use]
    pub fn until_cleared(self) -> Self {
        Self { times: None, ..self }
    }
}

/// A fault that was armed, and how often it fired. It stays listed when it is used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArmedFault {
    pub id: FaultId,
    pub fault: InstanceFault,
    /// How often it fired so far.
    pub fired: u32,
}

/// Why a fault was not armed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultError {
    /// Too many are armed already.
    TooMany,
    /// A maintenance without a sensible number of times.
    MaintenanceTimes,
}

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => {
                write!(f, "{ARMED_LIMIT} faults are armed, which is the most; clear some first")
            }
            Self::MaintenanceTimes => {
                write!(f, "a maintenance fault needs a number of times from 1 to {MAINTENANCE_LIMIT}; give one")
            }
        }
    }
}

impl std::error::Error for FaultError {}

#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    armed: Vec<ArmedFault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn arm(&mut self, fault: InstanceFault) -> Result<FaultId, FaultError> {
        if self.armed.len() == ARMED_LIMIT {
            return Err(FaultError::TooMany);
        }
        let bounded = fault.times.is_some_and(|times| (1..=MAINTENANCE_LIMIT).contains(&times));
        if matches!(fault.kind, FaultKind::Maintenance { .. }) && !bounded {
            return Err(FaultError::MaintenanceTimes);
        }
        self.last_id += 1;
        let id = FaultId(self.last_id);
        self.armed.push(ArmedFault { id, fault, fired: 0 });
        Ok(id)
    }

    pub(crate) fn list(&self) -> &[ArmedFault] {
        &self.armed
    }

    /// Removes one fault, or all of them; tells how many.
    pub(crate) fn clear(&mut self, id: Option<FaultId>) -> usize {
        let before = self.armed.len();
        self.armed.retain(|armed| id.is_some_and(|id| armed.id != id));
        before - self.armed.len()
    }

    pub(crate) fn is_armed(&self, id: FaultId) -> bool {
        self.armed.iter().any(|armed| armed.id == id)
    }

    /// Fires the oldest fault for which `wanted` has an answer.
    pub(crate) fn fire<T>(
        &mut self,
        instance: Option<&str>,
        wanted: impl Fn(&FaultKind) -> Option<T>,
    ) -> Option<(FaultId, T)> {
        for armed in &mut self.armed {
            let left = armed.fault.times.is_none_or(|times| armed.fired < times);
            let here = armed.fault.instance.is_none() || armed.fault.instance.as_deref() == instance;
            if left
                && here
                && let Some(found) = wanted(&armed.fault.kind)
            {
                armed.fired = armed.fired.saturating_add(1);
                return Some((armed.id, found));
            }
        }
        None
    }

    /// The error with which a call is refused before it takes effect.
    pub(crate) fn refusal(&mut self, operation: Operation, instance: Option<&str>) -> Option<ApiError> {
        let hit = |only: &Option<Operation>| only.is_none_or(|only| only == operation);
        let found = self.fire(instance, |kind| match kind {
            FaultKind::Throttle { operation } if hit(operation) => Some(ApiError::Throttled),
            FaultKind::ServerError { operation, moment: Moment::BeforeEffect } if hit(operation) => {
                Some(ApiError::InternalFailure)
            }
            _ => None,
        });
        found.map(|(_, error)| error)
    }

    /// Whether the answer of a call that took effect is lost.
    pub(crate) fn loses_answer(&mut self, operation: Operation, instance: Option<&str>) -> bool {
        self.fire(instance, |kind| match kind {
            FaultKind::ServerError { operation: only, moment: Moment::AfterEffect }
                if only.is_none_or(|only| only == operation) =>
            {
                Some(())
            }
            _ => None,
        })
        .is_some()
    }

    /// Whether an accepted Start is not carried out, and how long it shows Pending.
    pub(crate) fn drops_start(&mut self, instance: &str) -> Option<Duration> {
        let found = self.fire(Some(instance), |kind| match kind {
            FaultKind::StartDropped { pending } => Some(*pending),
            _ => None,
        });
        found.map(|(_, pending)| pending)
    }

    /// Whether a fault of exactly this kind fires.
    pub(crate) fn fires(&mut self, instance: &str, wanted: &FaultKind) -> Option<FaultId> {
        self.fire(Some(instance), |kind| (kind == wanted).then_some(())).map(|(id, ())| id)
    }
}
