//! Every kind of trouble that the simulation can make, with a counter each: a full run in which one never fired proves
//! less than it says.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;

use crate::hostility::Hostility;

/// One kind of trouble. The names are the rows of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each has its sentence in `name`, which the table shows")]
pub enum Fault {
    S3Throttled,
    S3NotReached,
    S3AnswerLost,
    S3AnswerLostThenRetried,
    UploadFails,
    DescribeThrottled,
    DescribeFails,
    DescribeLags,
    StartThrottled,
    StartNotReached,
    StartAnswerLost,
    StartLandsLate,
    StartDropped,
    StopThrottled,
    StopNotReached,
    StopAnswerLost,
    StopLandsLate,
    BeatLost,
    CallbackThrottled,
    CallbackNotReached,
    CallbackAnswerLost,
    TokenExpired,
    DescribeExecutionFails,
    PublishFails,
    LambdaThrottled,
    LambdaServiceError,
    LambdaAnswerLost,
    FunctionDiedBeforeEffect,
    FunctionDiedAfterEffect,
    FunctionTimedOut,
    StepRanTwice,
    CapacityMissing,
    QuotaUsedUp,
    LifecycleScriptFailed,
    PendingStuck,
    StopHangs,
    Maintenance,
    SlowStart,
    RunnerKilled,
    RunnerKilledForGood,
    StoppedUnderNotebook,
    PowerCut,
    RunnerAbsent,
    RunnerLateToBind,
    RunnerPartitioned,
    NotebookFails,
    KernelDies,
    NotebookTooLong,
    JupyterSilent,
    ClocksDiffer,
    DeliveredTwice,
    DeliveredLate,
    DeliveredOutOfOrder,
    TwoRules,
    InvalidInput,
    PersonStarts,
    PersonStops,
    PersonWorks,
    PersonReplaysOldEvent,
    PersonRepeatsSoon,
    PersonAsksForRerun,
    PersonRunsByHand,
    PersonRedrives,
    PersonDeletes,
    PersonAborts,
    StartLeftUnresolved,
    EndingEventLost,
    CallRefused,
    CallDenied,
    JupyterRestarts,
    StopDenied,
    PersonStartsAfterFailure,
    UncommonParameters,
    StrayTicket,
    LeaseStaysBusy,
    Burst,
    SweepCutOff,
    ExecutionsListedLate,
    ExecutionShownLate,
    PageForgotten,
    RedriveForgets,
    UpdatedUnderRun,
    /// The stack went back to the version before: its functions meet what newer ones wrote, and are called by a newer definition.
    WentBackUnderRun,
    ThirdInstance,
    LiveUploadRefused,
    LiveUploadSlow,
    LiveUploadLate,
    HistoryNotWritten,
    HistoryAnswerLost,
    HistoryCutOff,
    HistoryUnanswered,
    RecordToldTwice,
    RecordNotTold,
    Notebook(Hostility),
}

impl Fault {
    /// Every kind, those of hostile notebooks too.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().chain(Hostility::ALL.iter().copied().map(Self::Notebook))
    }

    /// Every kind that no notebook makes.
    pub const ALL: [Self; 93] = [
        Self::S3Throttled,
        Self::S3NotReached,
        Self::S3AnswerLost,
        Self::S3AnswerLostThenRetried,
        Self::UploadFails,
        Self::DescribeThrottled,
        Self::DescribeFails,
        Self::DescribeLags,
        Self::StartThrottled,
        Self::StartNotReached,
        Self::StartAnswerLost,
        Self::StartLandsLate,
        Self::StartDropped,
        Self::StopThrottled,
        Self::StopNotReached,
        Self::StopAnswerLost,
        Self::StopLandsLate,
        Self::BeatLost,
        Self::CallbackThrottled,
        Self::CallbackNotReached,
        Self::CallbackAnswerLost,
        Self::TokenExpired,
        Self::DescribeExecutionFails,
        Self::PublishFails,
        Self::LambdaThrottled,
        Self::LambdaServiceError,
        Self::LambdaAnswerLost,
        Self::FunctionDiedBeforeEffect,
        Self::FunctionDiedAfterEffect,
        Self::FunctionTimedOut,
        Self::StepRanTwice,
        Self::CapacityMissing,
        Self::QuotaUsedUp,
        Self::LifecycleScriptFailed,
        Self::PendingStuck,
        Self::StopHangs,
        Self::Maintenance,
        Self::SlowStart,
        Self::RunnerKilled,
        Self::RunnerKilledForGood,
        Self::StoppedUnderNotebook,
        Self::PowerCut,
        Self::RunnerAbsent,
        Self::RunnerLateToBind,
        Self::RunnerPartitioned,
        Self::NotebookFails,
        Self::KernelDies,
        Self::NotebookTooLong,
        Self::JupyterSilent,
        Self::ClocksDiffer,
        Self::DeliveredTwice,
        Self::DeliveredLate,
        Self::DeliveredOutOfOrder,
        Self::TwoRules,
        Self::InvalidInput,
        Self::PersonStarts,
        Self::PersonStops,
        Self::PersonWorks,
        Self::PersonReplaysOldEvent,
        Self::PersonRepeatsSoon,
        Self::PersonAsksForRerun,
        Self::PersonRunsByHand,
        Self::PersonRedrives,
        Self::PersonDeletes,
        Self::PersonAborts,
        Self::StartLeftUnresolved,
        Self::EndingEventLost,
        Self::CallRefused,
        Self::CallDenied,
        Self::JupyterRestarts,
        Self::StopDenied,
        Self::PersonStartsAfterFailure,
        Self::UncommonParameters,
        Self::StrayTicket,
        Self::LeaseStaysBusy,
        Self::Burst,
        Self::SweepCutOff,
        Self::ExecutionsListedLate,
        Self::ExecutionShownLate,
        Self::PageForgotten,
        Self::RedriveForgets,
        Self::UpdatedUnderRun,
        Self::WentBackUnderRun,
        Self::ThirdInstance,
        Self::LiveUploadRefused,
        Self::LiveUploadSlow,
        Self::LiveUploadLate,
        Self::HistoryNotWritten,
        Self::HistoryAnswerLost,
        Self::HistoryCutOff,
        Self::HistoryUnanswered,
        Self::RecordToldTwice,
        Self::RecordNotTold,
    ];

    /// Whether the fault leaves something that only the sweeper mends.
    #[must_use]
    pub const fn needs_sweeper(self) -> bool {
        matches!(
            self,
            Self::PersonAborts
                | Self::StartLeftUnresolved
                | Self::EndingEventLost
                | Self::SweepCutOff
                | Self::ExecutionsListedLate
                | Self::PageForgotten
                | Self::HistoryNotWritten
        )
    }

    /// Whether it matters even when nothing runs: it is about starting something.
    #[must_use]
    pub const fn begins_something(self) -> bool {
        matches!(
            self,
            Self::DeliveredTwice
                | Self::DeliveredLate
                | Self::TwoRules
                | Self::PersonReplaysOldEvent
                | Self::PersonRepeatsSoon
                | Self::PersonAsksForRerun
                | Self::PersonRunsByHand
                | Self::PersonRedrives
                | Self::EndingEventLost
                | Self::SweepCutOff
                | Self::RedriveForgets
                | Self::ThirdInstance
        )
    }

    /// The words of the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::S3Throttled => "S3 throttles",
            Self::S3NotReached => "S3 is not reached",
            Self::S3AnswerLost => "S3's answer is lost",
            Self::S3AnswerLostThenRetried => "S3's answer is lost, the client tries again",
            Self::UploadFails => "an upload fails",
            Self::DescribeThrottled => "Describe is throttled",
            Self::DescribeFails => "Describe does not answer",
            Self::DescribeLags => "Describe lags",
            Self::StartThrottled => "Start is throttled",
            Self::StartNotReached => "Start never arrives",
            Self::StartAnswerLost => "Start's answer is lost",
            Self::StartLandsLate => "Start lands after its sender gave up or died",
            Self::StartDropped => "Start is accepted and not carried out",
            Self::StopThrottled => "Stop is throttled",
            Self::StopNotReached => "Stop never arrives",
            Self::StopAnswerLost => "Stop's answer is lost",
            Self::StopLandsLate => "Stop lands after its sender gave up or died",
            Self::BeatLost => "a beat is lost",
            Self::CallbackThrottled => "a callback is throttled",
            Self::CallbackNotReached => "a callback never arrives",
            Self::CallbackAnswerLost => "a callback's answer is lost",
            Self::TokenExpired => "a token expired",
            Self::DescribeExecutionFails => "DescribeExecution fails",
            Self::PublishFails => "PutEvents fails",
            Self::LambdaThrottled => "Lambda throttles",
            Self::LambdaServiceError => "Lambda fails before the function runs",
            Self::LambdaAnswerLost => "a function's answer is lost",
            Self::FunctionDiedBeforeEffect => "a function dies before an effect",
            Self::FunctionDiedAfterEffect => "a function dies after an effect",
            Self::FunctionTimedOut => "a function hangs until its timeout",
            Self::StepRanTwice => "a step runs twice in a row",
            Self::CapacityMissing => "capacity is missing",
            Self::QuotaUsedUp => "a quota is used up",
            Self::LifecycleScriptFailed => "the lifecycle script fails",
            Self::PendingStuck => "Pending for too long",
            Self::StopHangs => "Stopping for too long",
            Self::Maintenance => "maintenance",
            Self::SlowStart => "a slow start",
            Self::RunnerKilled => "the runner is killed and restarted",
            Self::RunnerKilledForGood => "the runner is killed for good",
            Self::StoppedUnderNotebook => "an instance is stopped under a notebook, and asks its runner to end",
            Self::PowerCut => "an instance is stopped under a notebook, and asks nobody",
            Self::RunnerAbsent => "the runner never starts",
            Self::RunnerLateToBind => "the runner binds after InService",
            Self::RunnerPartitioned => "the runner is cut off from AWS",
            Self::NotebookFails => "a notebook fails",
            Self::KernelDies => "a kernel dies",
            Self::NotebookTooLong => "a notebook runs over its limit",
            Self::JupyterSilent => "Jupyter does not answer",
            Self::ClocksDiffer => "clocks differ",
            Self::DeliveredTwice => "an event is delivered twice",
            Self::DeliveredLate => "an event is delivered late",
            Self::DeliveredOutOfOrder => "events are delivered out of order",
            Self::TwoRules => "one object, two rules",
            Self::InvalidInput => "an invalid input",
            Self::PersonStarts => "a person starts the instance",
            Self::PersonStops => "a person stops the instance",
            Self::PersonWorks => "a person works on the instance",
            Self::PersonReplaysOldEvent => "a person replays an old event",
            Self::PersonRepeatsSoon => "a person repeats a fresh event",
            Self::PersonAsksForRerun => "a person asks with rerun: true",
            Self::PersonRunsByHand => "a person starts a run by hand",
            Self::PersonRedrives => "a person redrives",
            Self::PersonDeletes => "a person deletes the instance",
            Self::PersonAborts => "a person aborts an execution",
            Self::StartLeftUnresolved => "the starter dies at every try",
            Self::EndingEventLost => "the event of an execution's end is lost",
            Self::CallRefused => "a call is refused (400, 409, expired credentials)",
            Self::CallDenied => "a call is denied (403)",
            Self::JupyterRestarts => "Jupyter restarts, kernels end",
            Self::StopDenied => "the instance may not stop itself",
            Self::PersonStartsAfterFailure => "a person starts a failed instance at once",
            Self::UncommonParameters => "heartbeats of 3 to 3,600 s, polls of 1 to 300 s",
            Self::StrayTicket => "a copy of a ticket in an inbox",
            Self::LeaseStaysBusy => "a lease that cannot be opened after a run",
            Self::Burst => "hundreds of runs that expire at once",
            Self::SweepCutOff => "a sweep is cut off, as every other",
            Self::ExecutionsListedLate => "ListExecutions shows what was",
            Self::ExecutionShownLate => "DescribeExecution shows what was",
            Self::PageForgotten => "the token of a list's page is no longer known",
            Self::RedriveForgets => "a redrive finds no variables",
            Self::UpdatedUnderRun => "a step of an execution that began before an update",
            Self::WentBackUnderRun => "a step of an earlier version, for an execution of a later one",
            Self::ThirdInstance => "a run on a third instance",
            Self::LiveUploadRefused => "what a notebook has left so far is refused",
            Self::LiveUploadSlow => "what a notebook has left so far is slow to upload",
            Self::LiveUploadLate => "what a notebook had left lands after its upload was given up",
            Self::HistoryNotWritten => "a run's entry in the history is not written",
            Self::HistoryAnswerLost => "a run's entry in the history is written, and its answer is lost",
            Self::HistoryCutOff => "a sweep is cut off at the history",
            Self::HistoryUnanswered => "a sweep's call about the history is never answered",
            Self::RecordToldTwice => "the event of a ticket or a claim is delivered twice",
            Self::RecordNotTold => "a ticket or a claim that nobody is told of",
            Self::Notebook(kind) => kind.name(),
        }
    }
}

/// How often a kind fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Altogether.
    pub fired: u64,
    /// While it could matter: an execution ran, or a boot of ours was on.
    pub mattered: u64,
}

/// How often each kind fired.
#[derive(Debug, Default)]
pub struct Counters(RefCell<BTreeMap<Fault, Count>>);

impl Counters {
    /// One more, while it could matter.
    pub fn fired(&self, fault: Fault) {
        self.fired_while(fault, true);
    }

    /// One more.
    pub fn fired_while(&self, fault: Fault, it_matters: bool) {
        let mut counts = self.0.borrow_mut();
        let count = counts.entry(fault).or_default();
        count.fired += 1;
        count.mattered += u64::from(it_matters);
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Fault, Count> {
        self.0.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_its_own_name() {
        let names: BTreeSet<_> = Fault::every().map(Fault::name).collect();
        assert_eq!(names.len(), Fault::every().count());
        let kinds: BTreeSet<_> = Fault::every().collect();
        assert_eq!(kinds.len(), Fault::every().count());
    }
}
