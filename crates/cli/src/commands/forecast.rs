//! What is guessed of a run that is followed: its place in the queue, and the time that is left, from earlier runs of its notebook.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::{InstanceName, layout::AttemptRef};

use super::{queue, stage::Stage};
use crate::{
    clients::{Account, Learnt, Run},
    error::CliError,
    ui::times,
};

/// Between two looks at the queue, at least: each reads every ticket. And so many times what the last one took.
const LOOK_APART: Duration = Duration::from_secs(10);
const SHARE: u32 = 20;

/// What was asked for already.
#[derive(Default)]
pub(super) struct Forecast {
    /// What notebooks take on its instance, and which runs wait there.
    learnt: Learnt,
    /// When the attempt that runs was claimed.
    claimed: Option<(AttemptRef, DateTime<Utc>)>,
    /// What was said of the queue, and until when that holds.
    queue: Option<(String, Instant)>,
}

impl Forecast {
    /// What is to be said behind a stage; nothing, where nothing is known. A guess is no reason to fail.
    pub(super) async fn more(&mut self, account: &Account, run: &Run, stage: &Stage) -> String {
        match stage {
            Stage::Words(_) => String::new(),
            Stage::Waits(_) => self.waits(account, run).await,
            Stage::Runs(at, _) => {
                let left = self.left(account, run, at).await.ok().flatten();
                left.map_or_else(String::new, |left| format!(", {left}"))
            }
        }
    }

    async fn waits(&mut self, account: &Account, run: &Run) -> String {
        if let Some((said, _)) = self.queue.as_ref().filter(|(_, until)| Instant::now() < *until) {
            return said.clone();
        }
        let began = Instant::now();
        let said = match instance(run) {
            Some(name) => {
                let standing = queue::standing(account, &name, run, &mut self.learnt).await;
                standing.ok().flatten().unwrap_or_default()
            }
            None => String::new(),
        };
        self.queue = Some((said.clone(), Instant::now() + LOOK_APART.max(began.elapsed() * SHARE)));
        said
    }

    async fn left(&mut self, account: &Account, run: &Run, at: &AttemptRef) -> Result<Option<String>, CliError> {
        let (Some(name), Some(notebook)) = (instance(run), run.notebook.as_deref()) else { return Ok(None) };
        let typical = queue::typical_time(account, &name, notebook, &mut self.learnt).await?;
        let Some(typical) = typical else { return Ok(None) };
        let claimed = match &self.claimed {
            Some((of, claimed)) if of == at => *claimed,
            _ => {
                let Some(claim) = account.claim(at).await? else { return Ok(None) };
                self.claimed.insert((at.clone(), claim.at)).1
            }
        };
        Ok(Some(left(typical, Utc::now() - claimed)))
    }
}

fn instance(run: &Run) -> Option<InstanceName> {
    InstanceName::parse(run.instance.as_deref()?).ok()
}

/// The time that is left, of what a notebook usually takes.
fn left(typical: TimeDelta, passed: TimeDelta) -> String {
    let left = typical - passed;
    if left > TimeDelta::zero() {
        format!("~{} left", times::duration(left))
    } else {
        format!("usually {} in all", times::duration(typical))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::left;

    #[test]
    fn what_is_left_is_a_guess_and_what_takes_longer_says_so() {
        let minutes = TimeDelta::minutes;
        assert_eq!(left(minutes(12), minutes(2)), "~10m 00s left");
        assert_eq!(left(minutes(12), minutes(12)), "usually 12m 00s in all");
        assert_eq!(left(minutes(12), minutes(90)), "usually 12m 00s in all");
    }
}
