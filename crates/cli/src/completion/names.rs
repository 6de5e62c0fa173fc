//! The names that exist on AWS now, for a shell that completes. Bounded in time and number, and empty where something is refused.

use std::time::Duration;

use chrono::Utc;
use clap_complete::engine::CompletionCandidate;

use super::Kind;
use crate::{
    clients::{Account, stack_names},
    commands::{on_run, on_upload},
    error::CliError,
    stack::StackArguments,
    ui::times,
};

/// A person waits no longer for a Tab.
const LIMIT: Duration = Duration::from_secs(3);
/// The newest runs: more are not read in a list that the shell prints.
const RUNS: usize = 20;

/// The names of a kind, each with what a shell shows beside it.
pub(super) fn of(kind: Kind, stack: &StackArguments) -> Vec<CompletionCandidate> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let asked = runtime.block_on(async { tokio::time::timeout(LIMIT, ask(kind, stack)).await });
    let found = asked.ok().and_then(Result::ok).unwrap_or_default();
    let candidates = found.into_iter().enumerate().map(|(order, (name, about))| {
        CompletionCandidate::new(name).help(Some(about.into())).display_order(Some(order))
    });
    candidates.collect()
}

/// Each with what it is.
type Names = Vec<(String, String)>;

async fn ask(kind: Kind, stack: &StackArguments) -> Result<Names, CliError> {
    if kind == Kind::Stack {
        return stack_names(stack).await;
    }
    let account = Account::of(stack).await?;
    match kind {
        Kind::Run => runs(&account).await,
        Kind::Instance => account.instance_names().await,
        Kind::Schedule => {
            let schedules = account.schedules(None).await?;
            Ok(schedules.into_iter().map(|schedule| (schedule.name, schedule.expression)).collect())
        }
        Kind::UploadRule => on_upload::names(&account).await,
        Kind::RunRule => on_run::names(&account).await,
        Kind::Stack | Kind::RunOrCode => Ok(Vec::new()),
    }
}

/// The newest first, behind the two names that need no list.
async fn runs(account: &Account) -> Result<Names, CliError> {
    let newest = account.newest(None, RUNS).await?;
    let now = Utc::now();
    let shown = newest.into_iter().map(|execution| {
        let about = format!("{}, {} ago", execution.status.as_str(), times::age(execution.started, now));
        (execution.run().to_string(), about)
    });
    let relative = ["@last", "@last-failed"].map(|name| (name.to_owned(), String::new()));
    Ok(relative.into_iter().chain(shown).collect())
}
