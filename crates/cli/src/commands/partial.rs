//! What was uploaded of a run before its notebook's end: all there is while it goes on, and of a run that was lost.

use chrono::{DateTime, Utc};
use reveille_domain::layout::AttemptRef;

use super::stage::is_there;
use crate::{
    clients::{Account, Ending, Run, Uploaded},
    error::CliError,
    ui::times,
};

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Partial {
    /// The newest piece of the log.
    pub(super) log: Option<Uploaded>,
    pub(super) notebook: Option<Uploaded>,
}

/// What there is of a run that has no outputs; nothing of one that has.
pub(super) async fn of(account: &Account, run: &Run) -> Result<Partial, CliError> {
    let has_outputs = run.outcome.as_ref().is_some_and(|outcome| !outcome.outputs.is_empty());
    let may_have = matches!(run.ending, Ending::Running | Ending::Failed | Ending::Aborted | Ending::TimedOut);
    let Some(at) = live(account, run).await?.filter(|_| may_have && !has_outputs) else {
        return Ok(Partial::default());
    };
    Ok(Partial { log: account.newest_piece(at).await?, notebook: account.partial_notebook(at).await? })
}

/// The attempt of which what was uploaded before its end is all there is.
pub(super) async fn live<'a>(account: &Account, run: &'a Run) -> Result<Option<&'a AttemptRef>, CliError> {
    let Some(at) = run.at.as_ref() else { return Ok(None) };
    // It ended before a redrive or a repetition; the next attempt has no record yet.
    let over = run.ending == Ending::Running && is_there(account.outcome(at).await)?;
    Ok(Some(at).filter(|_| !over))
}

impl Partial {
    /// What `show` says of it, if there is anything.
    pub(super) fn told(&self) -> Option<String> {
        let parts = [("log", &self.log), ("notebook", &self.notebook)];
        let there: Vec<(&str, DateTime<Utc>)> =
            parts.into_iter().filter_map(|(name, part)| Some((name, part.as_ref()?.at))).collect();
        let newest = there.iter().map(|(_, at)| *at).max()?;
        let names: Vec<&str> = there.iter().map(|(name, _)| *name).collect();
        Some(format!(
            "{}: uploaded by {}, before the run ended without its outputs",
            names.join(", "),
            times::clock(newest)
        ))
    }
}

/// That a notebook is not whole, and why.
pub(super) fn note(run: &Run, at: DateTime<Utc>) -> String {
    let when = times::clock(at);
    if run.ending == Ending::Running {
        format!("this notebook is partial: it is still running, and this is its state at {when}")
    } else {
        format!("this notebook is partial: it was uploaded at {when}, before the run ended without its outputs")
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};

    use super::{Partial, note};
    use crate::{
        clients::{Ending, Run, Uploaded},
        ui::times,
    };

    #[test]
    fn what_is_left_is_told_with_its_time() {
        let (now, before) = (Utc::now(), Utc::now() - TimeDelta::hours(1));
        let part = |at| Some(Uploaded { key: "k".to_owned(), at });
        assert_eq!(Partial::default().told(), None);
        let both = Partial { log: part(now), notebook: part(before) }.told().unwrap();
        assert!(both.starts_with("log, notebook: uploaded by ") && both.contains(&times::clock(now)), "{both}");
        let log = Partial { log: part(before), notebook: None }.told().unwrap();
        assert!(log.starts_with("log: ") && log.contains(&times::clock(before)), "{log}");
    }

    #[test]
    fn a_notebook_that_is_not_whole_says_why() {
        let run = |ending| Run { ending, ..Run::of_test("daily.ipynb") };
        assert!(note(&run(Ending::Running), Utc::now()).contains("still running"));
        assert!(note(&run(Ending::Failed), Utc::now()).contains("ended without its outputs"));
    }
}
