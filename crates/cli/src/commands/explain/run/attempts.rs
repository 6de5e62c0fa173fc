//! A run's attempts: the records of each, and which states of the execution are whose.

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{
    layout::AttemptRef,
    limits::MAX_ATTEMPTS,
    records::{Claim, Progress, Report},
};

use super::readable;
use crate::{
    clients::{AT_ONCE, Account, Entered, states},
    commands::explain::chain::Fact,
    error::CliError,
};

/// The state in which an attempt begins.
const BEGINS: &str = states::ADMIT_RUN;

/// What an attempt left.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    pub(super) number: u32,
    pub(super) claim: Option<Claim>,
    pub(super) report: Option<Report>,
    pub(super) progress: Option<Progress>,
}

/// All attempts of a run, of which this is the latest with records.
pub(super) async fn of(account: &Account, latest: &AttemptRef) -> Result<Vec<Attempt>, CliError> {
    let read = async |number| {
        let at = AttemptRef { attempt: number, ..latest.clone() };
        let (claim, report, progress) = tokio::join!(account.claim(&at), account.report(&at), account.progress(&at));
        let (claim, report, progress) = (readable(claim)?, readable(report)?, readable(progress)?);
        Ok(Attempt { number, claim, report, progress })
    };
    stream::iter(1..=latest.attempt.min(MAX_ATTEMPTS)).map(read).buffered(AT_ONCE).try_collect().await
}

/// The states of each attempt, and its number: a further one is admitted anew. An execution that somebody had stopped goes on in the middle of an
/// attempt, and what came before its redrive is no part of what came then.
pub(super) fn parts(entered: &[Entered], redriven: Option<DateTime<Utc>>) -> Vec<(u32, &[Entered])> {
    let mut begins: Vec<usize> =
        entered.iter().enumerate().filter(|(_, it)| it.state == BEGINS).map(|(index, _)| index).skip(1).collect();
    if let Some(redriven) = redriven
        && begins.iter().all(|index| entered[*index].at < redriven)
    {
        begins.extend(entered.iter().position(|it| it.at >= redriven).filter(|index| *index > 0));
    }
    let ends = begins.iter().copied().chain([entered.len()]);
    let starts = std::iter::once(0).chain(begins.iter().copied());
    let parts = starts.zip(ends).map(|(from, to)| &entered[from..to]);
    let numbered = parts.scan(0, |number, part| {
        // Only what was admitted has a number of its own.
        if *number == 0 || part.first().is_some_and(|first| first.state == BEGINS) {
            *number += 1;
        }
        Some((*number, part))
    });
    numbered.collect()
}

/// Facts of an attempt, which say so where there are several.
pub(super) fn named(number: u32, is_one: bool, facts: Vec<Fact>) -> impl Iterator<Item = Fact> {
    let name = move |fact: Fact| Fact { what: format!("attempt {number}: {}", fact.what), ..fact };
    facts.into_iter().map(move |fact| if is_one { fact } else { name(fact) })
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{Entered, parts};

    #[test]
    fn the_states_of_an_execution_are_parted_where_an_attempt_begins() {
        let from = Utc::now();
        let entered = |states: &[&str]| -> Vec<Entered> {
            let of = |(state, second): (&&str, i64)| Entered {
                at: from + TimeDelta::seconds(second),
                state: (*state).to_owned(),
                decision: None,
            };
            states.iter().zip(0..).map(of).collect()
        };
        for (states, redriven, expected) in [
            (&["AdmitRun", "AwaitRun"][..], None, &[(1, 2)][..]),
            (&["AdmitRun", "AwaitRun", "AdmitRun", "AwaitRun", "AdmitRun"], None, &[(1, 2), (2, 2), (3, 1)]),
            (&["AdmitRun", "ConcludeRun", "ConcludeRun", "AdmitRun", "AwaitRun"], Some(2), &[(1, 3), (2, 2)]),
            // It was stopped while it waited: the same attempt goes on.
            (&["AdmitRun", "AwaitRun", "AwaitRun", "ConcludeRun"], Some(2), &[(1, 2), (1, 2)]),
            (&["AdmitRun"], Some(9), &[(1, 1)]),
            (&[], None, &[(1, 0)]),
        ] {
            let entered = entered(states);
            let parts = parts(&entered, redriven.map(|second| from + TimeDelta::seconds(second)));
            let found: Vec<(u32, usize)> = parts.iter().map(|(number, part)| (*number, part.len())).collect();
            assert_eq!(found, expected, "{states:?}");
        }
    }
}
