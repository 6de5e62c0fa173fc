//! What a run does now, for `reveille show`, `reveille watch` and whoever follows a run.

use chrono::{DateTime, Utc};
use reveille_domain::{layout::AttemptRef, records::Progress};

use crate::{
    clients::{Account, Run, states},
    error::CliError,
    ui::{bar::bar, times},
};

/// What a run does now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// In a few words.
    Words(String),
    /// It waits for its turn on an instance.
    Waits(String),
    /// Its notebook runs.
    Runs(AttemptRef, Progress),
}

/// A bar with fewer signs says nothing.
const SHORTEST_BAR: usize = 8;
const LONGEST_BAR: usize = 24;

impl Stage {
    /// What it is, without what changes with every second.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Words(words) => words.clone(),
            Self::Waits(instance) => format!("waiting for its turn on {instance}"),
            // Before its first cell.
            Self::Runs(_, Progress { cell: 0, .. }) => "starting the kernel".to_owned(),
            Self::Runs(_, Progress { cell, cells, .. }) => format!("cell {cell} of {}", (*cells).max(1)),
        }
    }

    /// The same with the time that the cell has run so far.
    pub(super) fn so_far(&self, now: DateTime<Utc>) -> String {
        let words = self.words();
        match self {
            Self::Runs(_, Progress { since: Some(since), .. }) => {
                format!("{words} for {}", times::duration(now - *since))
            }
            Self::Words(_) | Self::Waits(_) | Self::Runs(..) => words,
        }
    }

    /// The same on a line of so many columns, `more` behind it and a bar of the cells before it where there is room.
    pub(super) fn line(&self, now: DateTime<Utc>, more: &str, columns: usize) -> String {
        let words = self.so_far(now) + more;
        let Self::Runs(_, progress) = self else { return words };
        let room = columns.saturating_sub(words.chars().count() + 2).min(LONGEST_BAR);
        if room < SHORTEST_BAR {
            return words;
        }
        format!("{}  {words}", bar(done(progress), progress.cells.max(1), room))
    }
}

/// Cells that are completed. A runner of an earlier version does not tell: those before the one that runs are.
fn done(progress: &Progress) -> u32 {
    progress.done.unwrap_or_else(|| progress.cell.saturating_sub(1))
}

/// What a run does now.
pub(super) async fn stage(account: &Account, run: &Run) -> Result<Stage, CliError> {
    let entered = account.state(&run.execution.arn).await?;
    let instance = run.instance.as_deref().unwrap_or("the instance");
    Ok(match entered.as_deref() {
        Some(states::CHECK_INSTANCE | states::IS_READY | states::START_INSTANCE | states::WAIT_FOR_INSTANCE) => {
            Stage::Words(format!("starting {instance}"))
        }
        Some(states::AWAIT_RUN) => in_the_queue_or_running(account, run, instance).await?,
        Some(states::VERIFY_STOPPED | states::IS_STOPPED | states::WAIT_FOR_STOP) => {
            Stage::Words(format!("stopping {instance}"))
        }
        Some(states::CONCLUDE_RUN | states::IS_CONCLUDED) => Stage::Words("recording the outcome".to_owned()),
        _ => Stage::Words("checking the input".to_owned()),
    })
}

async fn in_the_queue_or_running(account: &Account, run: &Run, instance: &str) -> Result<Stage, CliError> {
    let waits = || Stage::Waits(instance.to_owned());
    let Some(at) = &run.at else { return Ok(waits()) };
    // It ended before a redrive or a repetition; the next attempt has no record yet.
    if is_there(account.outcome(at).await)? {
        return Ok(waits());
    }
    // A runner writes progress of what it has claimed only.
    match account.progress(at).await {
        Ok(Some(progress)) if progress.cells > 0 => return Ok(Stage::Runs(at.clone(), progress)),
        Err(CliError::Record { key, .. }) => {
            return Ok(Stage::Words(format!("running; {key}, how far it is, cannot be read")));
        }
        progress => progress?,
    };
    let claimed = is_there(account.claim(at).await)?;
    Ok(if claimed { Stage::Words("starting the kernel".to_owned()) } else { waits() })
}

/// Whether a record is there, even if it cannot be read.
pub(super) fn is_there<T>(read: Result<Option<T>, CliError>) -> Result<bool, CliError> {
    match read {
        Err(CliError::Record { .. }) => Ok(true),
        read => Ok(read?.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use reveille_domain::{RunId, layout::AttemptRef, records::Progress};

    use super::Stage;

    fn runs(cell: u32, cells: u32, done: Option<u32>) -> Stage {
        let at = AttemptRef { instance: "nightly".to_owned(), run: RunId::from_key("daily-1"), attempt: 1 };
        let now = Utc::now();
        Stage::Runs(at, Progress { cell, cells, at: now, since: Some(now - TimeDelta::seconds(45)), done })
    }

    #[test]
    fn a_bar_is_as_long_as_the_cells_that_are_done() {
        for (stage, full) in [
            (runs(0, 4, Some(0)), 0),
            (runs(3, 4, Some(2)), 12),
            (runs(3, 4, None), 12),
            (runs(4, 4, Some(4)), 24),
            (runs(9, 4, Some(9)), 24),
            (runs(1, 0, None), 0),
        ] {
            let line = stage.line(Utc::now(), "", 120);
            assert_eq!(line.chars().filter(|sign| *sign == '█').count(), full, "{line}");
            assert_eq!(line.chars().filter(|sign| "█░".contains(*sign)).count(), 24);
        }
    }

    #[test]
    fn a_line_fits_and_the_words_come_first() {
        let stage = runs(3, 10, Some(2));
        let more = ", ~12m 30s left";
        for columns in [49, 69, 189] {
            let line = stage.line(Utc::now(), more, columns);
            assert!(line.chars().count() <= columns && line.ends_with("cell 3 of 10 for 45s, ~12m 30s left"), "{line}");
        }
        assert_eq!(stage.line(Utc::now(), more, 40), "cell 3 of 10 for 45s, ~12m 30s left", "no room for a bar");
        assert_eq!(
            Stage::Waits("nightly".to_owned()).line(Utc::now(), ", 2 runs before it", 80),
            "waiting for its turn on nightly, 2 runs before it"
        );
        assert_eq!(runs(3, 10, None).words(), "cell 3 of 10");
        assert_eq!(runs(0, 10, None).words(), "starting the kernel");
    }
}
