//! What a hostile notebook does: each kind with the row of the table in which its strikes are counted. As data: how it is
//! carried out is the world's matter (`world/hostile.rs`), and whether it may is the policy's ([`crate::policy`]).

use serde::{Deserialize, Serialize};

/// What a replaced request asks for: a notebook that no schedule has.
pub const REPLACED_NOTEBOOK: &str = "replaced.ipynb";

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $row:literal,)*) => {
        /// One kind of effect that a hostile notebook tries.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub enum Hostility {
            $($(#[doc = $doc])* $name,)*
        }

        impl Hostility {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Every kind that a notebook does: all but what needs another's role.
            #[must_use]
            pub fn by_notebooks() -> Vec<Self> {
                Self::ALL.iter().copied().filter(|kind| *kind != Self::RequestReplaced).collect()
            }

            /// The words of the table.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $row,)* }
            }
        }
    };
}

kinds! {
    /// Its lease, dated 2099.
    LeaseOfTheFuture = "a notebook dates its lease 2099",
    /// Its lease names another boot.
    LeaseOfAnotherBoot = "a notebook gives its lease to another boot",
    /// Its lease says that no runner bound the boot.
    LeaseUnbound = "a notebook unbinds its lease",
    /// Its lease says that the boot ended.
    LeaseEnded = "a notebook says its boot has ended",
    /// Its lease says that it is not certain whose boot it is.
    LeaseUncertain = "a notebook makes its lease uncertain",
    /// Its lease says that a function or the runner is closing the boot.
    LeaseClosing = "a notebook says its boot is closing",
    /// Its lease is busy with a run that does not exist.
    LeaseBusyWithNobody = "a notebook's lease is busy with nobody",
    /// Its lease is busy with a run of its instance.
    LeaseBusyWithARun = "a notebook's lease is busy with a run",
    /// Its lease is kept young, as by a living runner.
    LeaseKeptYoung = "a notebook keeps its lease young",
    /// Its lease tells of a person at work.
    LeaseOfAPerson = "a notebook pretends to be a person",
    /// Its lease is removed.
    LeaseGone = "a notebook deletes its lease",
    /// Its lease is not JSON.
    LeaseUnreadable = "a notebook makes its lease unreadable",
    /// Its lease is larger than a record may be.
    LeaseOversized = "a notebook makes its lease oversized",
    /// Its lease names another instance.
    LeaseForeign = "a notebook's lease names another instance",
    /// A claim by another boot.
    ClaimOfAnotherBoot = "a notebook claims a run for another boot",
    /// A claim by whoever gives an attempt up.
    ClaimReleased = "a notebook gives a run up",
    /// A claim dated 2099.
    ClaimOfTheFuture = "a notebook dates a claim 2099",
    /// A claim that is not JSON.
    ClaimUnreadable = "a notebook makes a claim unreadable",
    /// A report of a success.
    ReportOfSuccess = "a notebook reports a success",
    /// A report of a failure, with any code.
    ReportOfFailure = "a notebook reports a failure",
    /// A report of another run.
    ReportForeign = "a notebook's report names another run",
    /// A report whose outputs lie elsewhere.
    ReportElsewhere = "a notebook's report names others' outputs",
    /// A report that is not JSON.
    ReportUnreadable = "a notebook makes a report unreadable",
    /// A report that is larger than a record may be.
    ReportOversized = "a notebook makes a report oversized",
    /// Progress of a run that makes none.
    ProgressForged = "a notebook forges progress",
    /// An output in the place of a run's own.
    OutputReplaced = "a notebook replaces a run's output",
    /// A ticket of its instance is removed.
    TicketGone = "a notebook deletes a ticket",
    /// The token of a waiting run is answered with a success that names another run.
    TokenAnsweredWithSuccess = "a notebook answers a run's token",
    /// The token of a waiting run is answered with a failure, of any code.
    TokenAnsweredWithFailure = "a notebook fails a run's token",
    /// The token of a waiting run is beaten, whoever serves it.
    TokenBeaten = "a notebook beats a run's token",
    /// A token that nobody gave out.
    TokenGuessed = "a notebook guesses a token",
    /// Its own instance is stopped.
    StopsItself = "a notebook stops its instance",
    /// The runner is killed, and systemd starts another.
    KillsRunner = "a notebook kills the runner",
    /// The runner is ended so that nothing starts another.
    EndsRunner = "a notebook ends the runner for good",
    /// Objects beside the records, of attempts that do not exist.
    PlantsRecords = "a notebook plants objects beside records",
    /// The request of a run that waits is replaced, by somebody with a role that may write below `runs/<instance>/`.
    RequestReplaced = "somebody replaces a run's request",
    /// Denied: what only functions write of its own instance.
    WritesForFunctions = "denied: a request, an outcome, a ticket",
    /// Denied: another instance's records.
    ReachesAnotherInstance = "denied: another instance's records",
    /// Denied: the stack's own records.
    ReachesTheStack = "denied: triggers, the sweeper, artifacts",
    /// Denied: to remove what is put once.
    RemovesPutOnce = "denied: to remove claims and reports",
    /// Denied: to stop another instance, to start one, to start executions, to publish events.
    CallsOthers = "denied: starts, others' stops, events",
}

impl Hostility {
    /// Whether it takes the lease away or makes another boot's of it: then only an execution that remembers the boot stops it, or
    /// says that it does not.
    #[must_use]
    pub const fn loses_the_lease(self) -> bool {
        matches!(
            self,
            Self::LeaseOfAnotherBoot
                | Self::LeaseUnbound
                | Self::LeaseEnded
                | Self::LeaseUncertain
                | Self::LeaseClosing
                | Self::LeaseGone
                | Self::LeaseUnreadable
                | Self::LeaseOversized
                | Self::LeaseForeign
        )
    }

    /// Whether it leaves no lease that can be read.
    #[must_use]
    pub const fn destroys_the_lease(self) -> bool {
        matches!(self, Self::LeaseGone | Self::LeaseUnreadable | Self::LeaseOversized | Self::LeaseForeign)
    }

    /// Whether it leaves a lease that says something else than the one before it.
    #[must_use]
    pub const fn rewrites_the_lease(self) -> bool {
        (self.loses_the_lease() && !self.destroys_the_lease())
            || self.pretends_work()
            || matches!(self, Self::LeaseOfTheFuture)
    }

    /// Whether it pretends that a runner or a person is at work on the boot, for as long as it goes on.
    #[must_use]
    pub const fn pretends_work(self) -> bool {
        matches!(
            self,
            Self::LeaseKeptYoung | Self::LeaseOfAPerson | Self::LeaseBusyWithARun | Self::LeaseBusyWithNobody
        )
    }

    /// Whether the policy denies all of it.
    #[must_use]
    pub const fn is_denied(self) -> bool {
        matches!(
            self,
            Self::WritesForFunctions
                | Self::ReachesAnotherInstance
                | Self::ReachesTheStack
                | Self::RemovesPutOnce
                | Self::CallsOthers
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_its_own_row() {
        let names: BTreeSet<_> = Hostility::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Hostility::ALL.len());
    }
}
