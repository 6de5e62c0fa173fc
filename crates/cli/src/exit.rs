//! What a command's exit code says, as a type. `reveille --help` and docs/cli.md list them.

use std::process::ExitCode;

use reveille_domain::{Code, records::Rest};

use crate::clients::{Ending, Run};

/// How a command ended that could do its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went as it should.
    Done,
    /// A check of `doctor` failed.
    Unsound,
    /// There are no credentials that AWS takes.
    NoCredentials,
    /// What was named is not there.
    NotThere,
    /// The command gave up waiting; the run goes on.
    Waiting,
    /// The run failed, for the notebook's or its author's reasons.
    Notebook,
    /// The run failed, for the platform's reasons.
    Platform,
    /// The instance was not seen stopped: it may cost money. Wins over the two before.
    NotStopped,
    /// The run was stopped by a person.
    Cancelled,
    /// No notebook ran: the instance was busy, or another run answers the event.
    Skipped,
}

impl Exit {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Unsound => 3,
            Self::NoCredentials => 4,
            Self::NotThere => 5,
            Self::Waiting => 6,
            Self::Notebook => 10,
            Self::Platform => 11,
            Self::NotStopped => 12,
            Self::Cancelled => 13,
            Self::Skipped => 14,
        }
    }

    /// What the end of a run means to whoever waited for it.
    pub(crate) fn of(run: &Run) -> Self {
        let after = run.outcome.as_ref().map(|outcome| outcome.instance_after);
        // The sweeper writes the outcome of an aborted run before it stops the instance, so that one always says "not confirmed".
        if run.ending == Ending::Aborted {
            return Self::Cancelled;
        }
        // Where the outcome cannot be read, nobody knows that the instance was seen stopped.
        let is_unknown = run.outcome.is_none() && run.is_concluded();
        if is_unknown || after == Some(Rest::NotConfirmed) || run.code() == Some(Code::StopNotConfirmed) {
            return Self::NotStopped;
        }
        match run.ending {
            Ending::Running => Self::Waiting,
            Ending::Succeeded => Self::Done,
            Ending::Skipped | Ending::Duplicate | Ending::NotSelected => Self::Skipped,
            Ending::Aborted => Self::Cancelled,
            Ending::Failed | Ending::TimedOut => run.code().map_or(Self::Platform, fault),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// Whose fault a code is. Exhaustive on purpose: a new code must decide.
const fn fault(code: Code) -> Exit {
    match code {
        Code::InvalidRequest
        | Code::NotebookNotFound
        | Code::KernelNotFound
        | Code::NotebookFailed
        | Code::KernelDied
        | Code::RunTimedOut => Exit::Notebook,
        Code::Cancelled => Exit::Cancelled,
        Code::StopNotConfirmed => Exit::NotStopped,
        // As where a command is given the name itself.
        Code::InstanceNotFound => Exit::NotThere,
        Code::InstanceUnavailable
        | Code::LifecycleConfigMissing
        | Code::QuotaExceeded
        | Code::CapacityUnavailable
        | Code::LifecycleFailed
        | Code::StartNotConfirmed
        | Code::Busy
        | Code::QueueTimedOut
        | Code::RunnerSilent
        | Code::RunnerLost
        | Code::OutputNotSaved
        | Code::AccessDenied
        | Code::Throttled
        | Code::ServiceUnavailable
        | Code::OutcomeNotRecorded
        | Code::Internal => Exit::Platform,
    }
}

#[cfg(test)]
mod tests {
    use reveille_domain::Code;

    use super::{Exit, fault};
    use crate::clients::{Damaged, Ending, Run};

    /// It may be on, and cost money.
    #[test]
    fn an_outcome_that_cannot_be_read_proves_no_stop() {
        let damaged = |key: &str, ending| {
            let damaged = vec![Damaged { key: format!("runs/nightly/daily-1/1/{key}"), problem: "p".to_owned() }];
            let error = Some(Code::NotebookFailed.as_str().to_owned());
            Exit::of(&Run { ending, damaged, error, ..Run::of_test("daily.ipynb") })
        };
        assert_eq!(damaged("outcome.json", Ending::Failed), Exit::NotStopped);
        assert_eq!(damaged("outcome.json", Ending::Aborted), Exit::Cancelled);
        assert_eq!(damaged("report.json", Ending::Failed), Exit::Notebook);
    }

    #[test]
    fn a_code_says_whose_fault_it_was() {
        assert_eq!(fault(Code::NotebookFailed), Exit::Notebook);
        assert_eq!(fault(Code::RunnerLost), Exit::Platform);
        assert_eq!(fault(Code::StopNotConfirmed), Exit::NotStopped);
        assert_eq!(fault(Code::InstanceNotFound).number(), 5);
        assert!(Code::ALL.into_iter().all(|code| fault(code) != Exit::Done));
    }
}
