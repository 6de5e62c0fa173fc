//! One sweep's work: a thing for each of many, some at a time, until the time is over. In order, so that the next sweep can
//! go on behind it.

use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use futures_util::stream::iter;
use reveille_domain::limits::SWEEPS_AT_ONCE;
use reveille_domain::ports::Clock;
use reveille_domain::{Failure, InstanceName};
use serde::Serialize;

use crate::bring_to_rest::{RestPorts, bring_to_rest};
use crate::stack::Stack;

/// Begins with the first, begins nothing after `end`, and waits for what it began. What is answered are the answers of the
/// first so many, in any order. If the time is not over yet, `SWEEPS_AT_ONCE` of them are begun at least.
pub async fn each<'a, T, R, F: Future<Output = R>>(
    ports: &impl Clock,
    things: &'a [T],
    end: DateTime<Utc>,
    look: impl Fn(&'a T) -> F,
) -> Vec<R> {
    if things.is_empty() {
        return Vec::new();
    }
    let in_time = |_: &&T| std::future::ready(ports.now() < end);
    iter(things).take_while(in_time).map(look).buffer_unordered(SWEEPS_AT_ONCE).collect().await
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SweepOutput {
    /// Outcomes that were missing and are recorded now.
    pub concluded: usize,
    /// Instances that were checked.
    pub checked: usize,
    /// Things that could not be done now; the next sweep tries them again.
    pub failed: usize,
    /// For how many seconds the one that has been on longest has been `InService`, of the instances with a lease that this sweep
    /// looked at; zero if none was on, absent if it looked at none of those there are. An alarm looks at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub longest_on_seconds: Option<u64>,
    /// Things about the history that could not be done now. No sweep fails for them.
    #[serde(skip_serializing_if = "is_zero")]
    pub history_failed: usize,
    /// The first of them, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history_failure: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// What one sweep did, and the first thing that went wrong.
#[derive(Debug, Default)]
pub struct Swept {
    /// What was done.
    pub answer: SweepOutput,
    /// The first thing that went wrong.
    pub first_failure: Option<Failure>,
}

impl Swept {
    /// Something could not be done.
    pub fn failed(&mut self, failure: impl Into<Failure>) {
        self.answer.failed += 1;
        self.first_failure.get_or_insert(failure.into());
    }

    /// Something about the history could not be done. Nothing depends on it, so this is told and no more.
    pub fn history_failed(&mut self, failure: &Failure) {
        self.answer.history_failed += 1;
        self.answer.history_failure.get_or_insert_with(|| failure.to_string());
    }

    /// An instance with a lease has been on for so long; zero if it is not on.
    pub fn seen_on(&mut self, seconds: u64) {
        self.answer.longest_on_seconds = self.answer.longest_on_seconds.max(Some(seconds));
    }

    /// Counts an instance that was looked at.
    pub fn checked<T>(&mut self, looked: Result<T, Failure>) {
        match looked {
            Ok(_) => self.answer.checked += 1,
            Err(failure) => self.failed(failure),
        }
    }

    /// Counts an execution that was looked at. Answers its instance, and whether an outcome was missing.
    pub fn concluded(&mut self, looked: Result<(Option<InstanceName>, bool), Failure>) -> Option<(InstanceName, bool)> {
        match looked {
            Ok((instance, concluded)) => {
                self.answer.concluded += usize::from(concluded);
                instance.map(|instance| (instance, concluded))
            }
            Err(failure) => {
                self.failed(failure);
                None
            }
        }
    }
}

/// Reconciles the instances, until the time is over.
pub async fn rest<P: RestPorts>(
    stack: &Stack,
    ports: &P,
    instances: &[InstanceName],
    end: DateTime<Utc>,
    swept: &mut Swept,
) {
    for looked in each(ports, instances, end, |instance| bring_to_rest(stack, ports, instance, None, None)).await {
        swept.checked(looked);
    }
}

#[cfg(test)]
mod tests {
    use reveille_domain::Code;
    use serde_json::json;

    use super::*;

    fn failure(message: &str) -> Failure {
        Failure::new(Code::Throttled, message)
    }

    #[test]
    fn what_went_wrong_is_counted_and_the_first_of_it_told() {
        let mut swept = Swept::default();
        swept.checked(Ok(()));
        swept.checked::<()>(Err(failure("first")));
        swept.checked::<()>(Err(failure("second")));
        for message in ["history first", "history second", "history third"] {
            swept.history_failed(&failure(message));
        }
        let instance = InstanceName::parse("nightly").unwrap();
        assert_eq!(swept.concluded(Ok((Some(instance.clone()), true))), Some((instance.clone(), true)));
        assert_eq!(swept.concluded(Ok((Some(instance.clone()), false))), Some((instance, false)));
        assert_eq!(swept.concluded(Ok((None, true))), None);
        assert_eq!(swept.concluded(Err(failure("third"))), None);
        for seconds in [5, 9, 7] {
            swept.seen_on(seconds);
        }
        assert_eq!(swept.first_failure, Some(failure("first")));
        let told = json!({"concluded": 2, "checked": 1, "failed": 3, "longestOnSeconds": 9, "historyFailed": 3,
            "historyFailure": "Throttled: history first"});
        assert_eq!(json!(swept.answer), told);
    }

    #[test]
    fn what_there_is_none_of_is_not_told() {
        assert_eq!(json!(SweepOutput::default()), json!({"concluded": 0, "checked": 0, "failed": 0}));
    }
}
