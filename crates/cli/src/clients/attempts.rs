//! Which attempt a run is at, by the functions' own rule: its outcomes tell, because only functions write them. What else is in a
//! run's folder a notebook on its instance may have put there, also for an attempt that never was.

use reveille_domain::{RunId, layout::AttemptRef, limits::MAX_ATTEMPTS, records::Outcome};
use reveille_protocol::last_attempt::decide::{AttemptSearch, ExecutionFacts};

use super::{Account, Run};
use crate::error::CliError;

/// An attempt of a run.
pub(super) struct Latest {
    /// `None`: the run has left nothing.
    pub(super) at: Option<AttemptRef>,
    /// Its outcome, which may be damaged.
    pub(super) outcome: Result<Option<Outcome>, CliError>,
}

/// The last attempt that has an outcome, if any has, whether it may have been followed, and that outcome.
type Found = (Option<(u32, bool)>, Result<Option<Outcome>, CliError>);

impl Account {
    /// The attempt that a run is at, or ended at. `folder` is that of its instance.
    pub(super) async fn latest_attempt(&self, folder: &str, run: &Run) -> Result<Latest, CliError> {
        let of = |attempt| AttemptRef { instance: folder.to_owned(), run: run.id.clone(), attempt };
        // One that names another execution is somebody else's writing.
        let is_own = |outcome: &Outcome| outcome.execution_arn == run.execution.arn;
        let (last, outcome) = self.outcomes(&of, run.facts, is_own).await?;
        let (last, next) = match last {
            Some((last, may_be_followed)) => (Some(of(last)), may_be_followed.then(|| of(last + 1))),
            None => (None, Some(of(1))),
        };
        if let Some(next) = next
            && self.holds_any(&next).await?
        {
            return Ok(Latest { at: Some(next), outcome: Ok(None) });
        }
        Ok(Latest { at: last, outcome })
    }

    /// The attempt at which a run ended that Step Functions has forgotten. Of one that was repeated the first attempts may have expired.
    pub(super) async fn last_outcome(&self, folder: &str, run: &RunId) -> Result<Latest, CliError> {
        let of = |attempt| AttemptRef { instance: folder.to_owned(), run: run.clone(), attempt };
        let forgotten = ExecutionFacts { is_concluded: true, ..ExecutionFacts::default() };
        let (last, outcome) = self.outcomes(&of, forgotten, |outcome| outcome.run == *run).await?;
        if let Some((last, _)) = last {
            return Ok(Latest { at: Some(of(last)), outcome });
        }
        // The folders only say where to look: an attempt counts if it has an outcome.
        for attempt in numbers(&self.folders(&self.layout.run(folder, run)).await?) {
            let at = of(attempt);
            match self.outcome(&at).await {
                Ok(None) => {}
                outcome @ (Ok(Some(_)) | Err(CliError::Record { .. })) => return Ok(Latest { at: Some(at), outcome }),
                Err(error) => return Err(error),
            }
        }
        Ok(Latest { at: None, outcome: Ok(None) })
    }

    async fn outcomes(
        &self,
        of: &impl Fn(u32) -> AttemptRef,
        facts: ExecutionFacts,
        is_own: impl Fn(&Outcome) -> bool,
    ) -> Result<Found, CliError> {
        let (mut search, mut last) = (AttemptSearch::new(facts), Ok(None));
        while let Some(attempt) = search.next_attempt() {
            let outcome = match self.outcome(&of(attempt)).await {
                Ok(None) => break,
                Ok(Some(outcome)) => Ok(Some(outcome).filter(&is_own)),
                Err(error @ CliError::Record { .. }) => Err(error),
                Err(error) => return Err(error),
            };
            search.add(attempt, outcome.as_ref().ok().and_then(Option::as_ref));
            last = outcome;
        }
        Ok((search.end(), last))
    }

    /// Whether an attempt has left anything.
    async fn holds_any(&self, at: &AttemptRef) -> Result<bool, CliError> {
        let folder = self.layout.attempt(at);
        let call = self.s3.list_objects_v2().bucket(&self.layout.bucket).prefix(&folder).max_keys(1);
        let listed = call.send().await;
        let listed = listed.map_err(|error| CliError::asked(format!("list {}", self.place(&folder)), &error))?;
        Ok(!listed.contents().is_empty())
    }
}

/// The attempts whose folders these are, the last one first. No run has as many as a notebook can make folders.
fn numbers(folders: &[String]) -> Vec<u32> {
    let number = |name: &String| name.parse::<u32>().ok().filter(|number| number.to_string() == *name);
    let mut numbers: Vec<u32> =
        folders.iter().filter_map(number).filter(|number| (1..=MAX_ATTEMPTS).contains(number)).collect();
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    numbers
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn only_what_can_be_an_attempt_is_one() {
        let folders = ["1", "00002", "3", "abc", "100", "101", "4294967295", "99999999999", "-1", "+2", "0", ""];
        assert_eq!(numbers(&folders.map(str::to_owned)), [100, 3, 1]);
    }
}
