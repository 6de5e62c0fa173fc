//! Which attempt an execution is at, as far as its end and the outcomes tell. The functions and the command follow this one rule.

use reveille_domain::Code;
use reveille_domain::input;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::{MAX_ATTEMPTS, MAX_RERUNS};
use reveille_domain::ports::{ExecutionSeen, ExecutionStatus};
use reveille_domain::records::{Outcome, RunStatus};

/// Whether ConcludeRun ended the execution: no other state fails it with a code of ours.
#[must_use]
pub fn is_concluded(seen: &ExecutionSeen) -> bool {
    let code = seen.error.as_deref().and_then(Code::parse);
    seen.status == ExecutionStatus::Failed && code.is_some_and(|code| code != Code::OutcomeNotRecorded)
}

/// Whether an attempt with this outcome may be followed by another: a person redrove the execution, or its runner was lost and
/// it repeats itself.
#[must_use]
pub fn may_be_followed(at: &AttemptRef, outcome: &Outcome, seen: &ExecutionSeen) -> bool {
    ExecutionFacts::of(seen).may_follow(at.attempt, outcome)
}

/// What an execution says of itself that tells to which attempt it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionFacts {
    /// How often it was redriven.
    pub redrives: u32,
    /// Whether ConcludeRun ended it, so that no attempt came after its last outcome.
    pub is_concluded: bool,
    /// Whether it repeats itself when its runner is lost.
    pub repeats: bool,
}

impl ExecutionFacts {
    /// Those of an execution.
    #[must_use]
    pub fn of(seen: &ExecutionSeen) -> Self {
        Self {
            redrives: seen.execution.redrive_count,
            is_concluded: is_concluded(seen),
            repeats: input::repeats(&seen.input),
        }
    }

    fn may_follow(self, attempt: u32, outcome: &Outcome) -> bool {
        if outcome.redrive_count < self.redrives {
            // Of a notebook that succeeded, a redrive only verifies the stop.
            return outcome.status != RunStatus::Succeeded
                && outcome.code.is_some_and(|code| code != Code::StopNotConfirmed);
        }
        outcome.code == Some(Code::RunnerLost) && attempt <= MAX_RERUNS && self.repeats
    }
}

/// The search for the attempt: up from the first, as long as there are outcomes. It ends, whatever is in the run's folder.
#[derive(Clone, Copy, Debug)]
pub struct AttemptSearch {
    facts: ExecutionFacts,
    /// The last attempt that has an outcome, and whether another may have followed it.
    last: Option<(u32, bool)>,
}

impl AttemptSearch {
    /// Begins one.
    #[must_use]
    pub const fn new(facts: ExecutionFacts) -> Self {
        Self { facts, last: None }
    }

    /// The attempt whose outcome is to be looked at next; `None`: a run has no more attempts.
    #[must_use]
    pub fn next_attempt(&self) -> Option<u32> {
        let next = self.last.map_or(1, |(last, _)| last + 1);
        (next <= MAX_ATTEMPTS).then_some(next)
    }

    /// Notes an attempt's outcome. `None`: something else is in its place, and of what came after it nothing is known.
    pub fn add(&mut self, attempt: u32, outcome: Option<&Outcome>) {
        self.last = Some((attempt, outcome.is_none_or(|outcome| self.facts.may_follow(attempt, outcome))));
    }

    /// The last attempt that has an outcome, and whether the one after it counts if it left anything; `None`: none has one.
    #[must_use]
    pub fn end(&self) -> Option<(u32, bool)> {
        self.last.map(|(last, followed)| (last, followed && !self.facts.is_concluded))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn seen(status: ExecutionStatus, error: Option<&str>) -> ExecutionSeen {
        let execution = json!({"arn": "arn", "name": "x", "startTime": "2026-11-23T10:00:00Z", "redriveCount": 2});
        let input = json!({"instance": "nightly", "notebook": "a.ipynb", "onRunnerLost": "rerun"});
        ExecutionSeen {
            status,
            execution: serde_json::from_value(execution).unwrap(),
            input: (&input).into(),
            error: error.map(str::to_owned),
            cause: None,
        }
    }

    #[test]
    fn an_execution_that_failed_with_a_code_of_ours_was_concluded() {
        for (status, error, expected) in [
            (ExecutionStatus::Failed, Some("NotebookFailed"), true),
            (ExecutionStatus::Failed, Some("OutcomeNotRecorded"), false),
            (ExecutionStatus::Failed, Some("States.Runtime"), false),
            (ExecutionStatus::Failed, None, false),
            // A person may give any word with an abort.
            (ExecutionStatus::Aborted, Some("NotebookFailed"), false),
            (ExecutionStatus::TimedOut, Some("NotebookFailed"), false),
        ] {
            let facts = ExecutionFacts::of(&seen(status, error));
            assert_eq!(
                facts,
                ExecutionFacts { redrives: 2, is_concluded: expected, repeats: true },
                "{status:?} {error:?}"
            );
        }
    }

    #[test]
    fn an_attempt_is_followed_after_a_redrive_or_a_lost_runner() {
        let facts = |redrives, repeats| ExecutionFacts { redrives, is_concluded: false, repeats };
        let lost = Some("RunnerLost");
        for (facts, attempt, redrive_count, status, code, expected) in [
            // Redriven since this outcome: whatever failed is run again.
            (facts(1, false), 1, 0, "FAILED", Some("NotebookFailed"), true),
            (facts(1, false), 1, 0, "ABORTED", Some("Cancelled"), true),
            (facts(1, false), 9, 0, "FAILED", lost, true),
            (facts(1, false), 1, 0, "SUCCEEDED", None, false),
            // Only the stop is verified again.
            (facts(1, false), 1, 0, "SUCCEEDED", Some("StopNotConfirmed"), false),
            (facts(1, false), 1, 0, "SKIPPED", Some("StopNotConfirmed"), false),
            (facts(1, false), 1, 0, "SKIPPED", None, false),
            // Not redriven since.
            (facts(1, false), 1, 1, "FAILED", Some("NotebookFailed"), false),
            (facts(0, true), 1, 0, "FAILED", Some("NotebookFailed"), false),
            (facts(0, true), 1, 0, "FAILED", lost, true),
            (facts(0, true), 2, 0, "FAILED", lost, true),
            (facts(0, true), 3, 0, "FAILED", lost, false),
            (facts(0, false), 1, 0, "FAILED", lost, false),
        ] {
            let outcome = json!({"run": "x-1", "attempt": attempt, "status": status, "code": code, "outputs": {}, "phases": {},
                "instanceAfter": "atRest", "executionArn": "arn", "redriveCount": redrive_count,
                "concludedAt": "2026-11-23T10:00:00Z"});
            let outcome: Outcome = serde_json::from_value(outcome).unwrap();
            assert_eq!(facts.may_follow(attempt, &outcome), expected, "{facts:?} {outcome:?}");
        }
    }

    #[test]
    fn a_search_ends_whatever_is_in_the_folder() {
        let mut search = AttemptSearch::new(ExecutionFacts::default());
        assert_eq!(search.end(), None);
        while let Some(attempt) = search.next_attempt() {
            search.add(attempt, None);
        }
        assert_eq!(search.end(), Some((MAX_ATTEMPTS, true)));
        let mut concluded = AttemptSearch::new(ExecutionFacts { is_concluded: true, ..ExecutionFacts::default() });
        concluded.add(1, None);
        assert_eq!((concluded.next_attempt(), concluded.end()), (Some(2), Some((1, false))));
    }
}
