//! What a run does now, for `reveille show` and `reveille watch`.

use reveille_domain::records::Progress;

use crate::{
    clients::{Account, Run},
    error::CliError,
    ui::bar::bar,
};

/// What a run does now, in a few words.
pub(super) async fn stage(account: &Account, run: &Run) -> Result<String, CliError> {
    let entered = account.state(&run.execution.arn).await?;
    let instance = run.instance.as_deref().unwrap_or("the instance");
    Ok(match entered.as_deref() {
        Some("CheckInstance" | "IsReady" | "StartInstance" | "WaitForInstance") => format!("starting {instance}"),
        Some("AwaitRun") => in_the_queue_or_running(account, run, instance).await?,
        Some("VerifyStopped" | "IsStopped" | "WaitForStop") => format!("stopping {instance}"),
        Some("ConcludeRun" | "IsConcluded") => "recording the outcome".to_owned(),
        _ => "checking the input".to_owned(),
    })
}

async fn in_the_queue_or_running(account: &Account, run: &Run, instance: &str) -> Result<String, CliError> {
    let waiting = || format!("waiting for its turn on {instance}");
    let Some(at) = &run.at else { return Ok(waiting()) };
    // It ended before a redrive or a repetition; the next attempt has no record yet.
    if is_there(account.outcome(at).await)? {
        return Ok(waiting());
    }
    // A runner writes progress of what it has claimed only.
    match account.progress(at).await {
        Ok(Some(progress)) if progress.cells > 0 => return Ok(cells(&progress)),
        Err(CliError::Record { key, .. }) => return Ok(format!("running; {key}, how far it is, cannot be read")),
        progress => progress?,
    };
    Ok(if is_there(account.claim(at).await)? { "starting the kernel".to_owned() } else { waiting() })
}

/// Whether a record is there, even if it cannot be read.
fn is_there<T>(read: Result<Option<T>, CliError>) -> Result<bool, CliError> {
    match read {
        Err(CliError::Record { .. }) => Ok(true),
        read => Ok(read?.is_some()),
    }
}

fn cells(progress: &Progress) -> String {
    let (cell, cells) = (progress.cell, progress.cells.max(1));
    format!("{}  cell {cell} of {cells}", bar(cell, cells))
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use reveille_domain::records::Progress;

    use super::cells;

    #[test]
    fn a_bar_is_as_long_as_it_is() {
        for (cell, cells_of_it, full) in [(0, 4, 0), (2, 4, 12), (4, 4, 24), (9, 4, 24), (1, 0, 24)] {
            let text = cells(&Progress { cell, cells: cells_of_it, at: Utc::now() });
            assert_eq!(text.chars().filter(|sign| *sign == '█').count(), full, "{text}");
            assert_eq!(text.chars().filter(|sign| "█░".contains(*sign)).count(), 24);
        }
    }
}
