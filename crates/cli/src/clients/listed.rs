//! Lists of runs: recent ones, filtered. What a list costs does not grow with the number of runs that there were (decision 0056).
//!
//! ListExecutions lists every execution of 90 days, but knows neither instance nor notebook. The history knows both, but no run
//! that goes on. So each is asked for what it has in order. What is told of a run comes from its execution and its records, wherever it was found.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{RunId, history::Entry, records::RunStatus};

use super::{AT_ONCE, Account, Execution, Run, entries::Sought};
use crate::error::CliError;

/// Executions that are looked at where a filter can be answered only by looking at each.
const MOST_LOOKED_AT: usize = 1_000;
/// The newest executions, which may have ended so shortly ago that the history does not have them, or have no entry there at all.
const YOUNG: usize = 50;
/// Step Functions forgets an execution this long after its end.
const REMEMBERED: TimeDelta = TimeDelta::days(90);

/// Which runs are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct WantedRuns {
    pub(crate) status: Option<ExecutionStatus>,
    pub(crate) instance: Option<String>,
    /// A part of the notebook's name.
    pub(crate) notebook: Option<String>,
    pub(crate) since: Option<DateTime<Utc>>,
    pub(crate) most: usize,
}

/// The runs that were found, the newest first.
#[derive(Debug)]
pub(crate) struct ListedRuns {
    pub(crate) runs: Vec<Run>,
    /// What may be missing, if anything may.
    pub(crate) bound: Option<String>,
}

impl WantedRuns {
    fn fits(&self, run: &Run) -> bool {
        let status = self.status.as_ref().is_none_or(|status| run.execution.status == *status);
        let instance = self.instance.as_ref().is_none_or(|name| run.instance.as_ref() == Some(name));
        let named = |text: &String| run.notebook.as_deref().is_some_and(|name| name.contains(text));
        status && instance && self.notebook.as_ref().is_none_or(named)
    }

    /// The statuses of outcomes that executions of the status have.
    fn statuses(&self) -> Option<Vec<RunStatus>> {
        Some(match self.status.as_ref()? {
            ExecutionStatus::Succeeded => vec![RunStatus::Succeeded, RunStatus::Skipped],
            ExecutionStatus::Failed => vec![RunStatus::Failed],
            ExecutionStatus::Aborted => vec![RunStatus::Aborted],
            _ => Vec::new(),
        })
    }

    /// Whether Step Functions may have forgotten some of them.
    fn may_be_forgotten(&self, now: DateTime<Utc>) -> bool {
        self.status != Some(ExecutionStatus::Running) && self.since.is_none_or(|since| now - since > REMEMBERED)
    }

    fn sought(&self) -> Sought {
        Sought {
            statuses: self.statuses(),
            instance: self.instance.clone(),
            notebook: self.notebook.clone(),
            since: self.since,
            until: None,
            most: self.most,
        }
    }
}

impl Account {
    /// The runs that are wanted.
    pub(crate) async fn runs(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        if wanted.instance.is_none() && wanted.notebook.is_none() {
            return self.runs_by_execution(wanted).await;
        }
        // What goes on is in no history.
        if wanted.status == Some(ExecutionStatus::Running) || !self.has_whole_history().await {
            return self.runs_looked_at(wanted).await;
        }
        Box::pin(self.runs_by_history(wanted)).await
    }

    /// ListExecutions has them in order, and behind what it knows the history goes on.
    async fn runs_by_execution(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let (executions, _) = self.executions_of(wanted, wanted.most).await?;
        let looks = stream::iter(&executions).map(|execution| self.run(execution)).buffered(AT_ONCE);
        let mut runs: Vec<Run> = looks.try_collect().await?;
        let mut bound = None;
        if runs.len() < wanted.most && wanted.may_be_forgotten(Utc::now()) {
            match self.forgotten(wanted, &executions).await {
                Ok(older) => runs.extend(older),
                // What Step Functions knows is told all the same.
                Err(error) => bound = Some(format!("runs that Step Functions has forgotten are not listed: {error}")),
            }
        }
        Ok(ListedRuns { runs, bound })
    }

    /// What the history has behind all that Step Functions knows of the wanted ones.
    async fn forgotten(&self, wanted: &WantedRuns, known: &[Execution]) -> Result<Vec<Run>, CliError> {
        let until = known.last().map(|oldest| oldest.started);
        let ids: BTreeSet<RunId> = known.iter().map(Execution::run).collect();
        // Those that started with the oldest are among them.
        let found = self.entries(&Sought { until, ..wanted.sought() }).await?;
        let older = found.entries.into_iter().filter(|entry| !ids.contains(&entry.at.run));
        self.told(wanted, older.take(wanted.most - known.len()).collect()).await
    }

    /// The history has them in order; what goes on, and what is too young for it, is looked at.
    async fn runs_by_history(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let sought = wanted.sought();
        let (found, unlisted) = tokio::try_join!(self.entries(&sought), self.unlisted(wanted))?;
        let looks = stream::iter(&unlisted).map(|execution| self.outline(&execution.arn)).buffered(AT_ONCE);
        let fitting = looks.try_filter(|run| std::future::ready(wanted.fits(run)));
        let mut runs: Vec<Run> =
            fitting.map_ok(|run| self.with_records(run)).try_buffered(AT_ONCE).try_collect().await?;
        let ids: BTreeSet<RunId> = unlisted.iter().map(Execution::run).collect();
        let listed = found.entries.into_iter().filter(|entry| !ids.contains(&entry.at.run)).collect();
        runs.extend(self.told(wanted, listed).await?);
        runs.sort_by_key(|run| std::cmp::Reverse(run.execution.started));
        runs.truncate(wanted.most);
        let bound = (found.is_cut && runs.len() < wanted.most).then(|| {
            "there may be older runs that fit; to find them, say more: --status, --instance, or more of the notebook's name".to_owned()
        });
        Ok(ListedRuns { runs, bound })
    }

    /// Executions that the history does not list, or not as they are: those that go on, and the newest, if they are not in it.
    async fn unlisted(&self, wanted: &WantedRuns) -> Result<Vec<Execution>, CliError> {
        let of = |status| WantedRuns { status, since: wanted.since, ..WantedRuns::default() };
        let (going_on, newest) = (of(Some(ExecutionStatus::Running)), of(wanted.status.clone()));
        let going_on = async {
            match wanted.status {
                None => Ok(self.executions_of(&going_on, MOST_LOOKED_AT).await?.0),
                // Theirs is another one.
                Some(_) => Ok(Vec::new()),
            }
        };
        let (mut unlisted, (young, _)) = tokio::try_join!(going_on, self.executions_of(&newest, YOUNG))?;
        let ended: Vec<Execution> = young.into_iter().filter(|execution| !execution.is_running()).collect();
        let (Some(newest), Some(oldest)) = (ended.first(), ended.last()) else { return Ok(unlisted) };
        let (since, until) = (Some(oldest.started), Some(newest.started));
        let entered = Sought { statuses: wanted.statuses(), since, until, most: YOUNG, ..Sought::default() };
        let entered = self.entries(&entered);
        let entered: BTreeSet<RunId> = entered.await?.entries.into_iter().map(|entry| entry.at.run).collect();
        unlisted.extend(ended.into_iter().filter(|execution| !entered.contains(&execution.run())));
        Ok(unlisted)
    }

    /// Each execution is looked at: there is no history, or it is not whole yet, or it has no such runs.
    async fn runs_looked_at(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let most = MOST_LOOKED_AT.max(wanted.most);
        let (executions, is_cut) = self.executions_of(wanted, most).await?;
        let outlines = stream::iter(&executions).map(|execution| self.outline(&execution.arn)).buffered(AT_ONCE);
        let fitting = outlines.try_filter(|run| std::future::ready(wanted.fits(run))).take(wanted.most);
        let runs: Vec<Run> = fitting.map_ok(|run| self.with_records(run)).try_buffered(AT_ONCE).try_collect().await?;
        let bound = (is_cut && runs.len() < wanted.most)
            .then(|| format!("the newest {most} executions were looked at; older ones may fit, too"));
        Ok(ListedRuns { runs, bound })
    }

    /// The newest executions of the status, and whether there may be more that are wanted.
    async fn executions_of(&self, wanted: &WantedRuns, most: usize) -> Result<(Vec<Execution>, bool), CliError> {
        let (mut executions, mut is_cut) = (Vec::new(), false);
        let take = |execution: Execution| {
            let is_old = wanted.since.is_some_and(|since| execution.started < since);
            is_cut = !is_old && executions.len() >= most;
            if !is_old && !is_cut {
                executions.push(execution);
            }
            is_old || is_cut
        };
        self.executions_in_pages(wanted.status.clone(), most, take).await?;
        Ok((executions, is_cut))
    }

    /// What is known of runs that the history has. One that runs again, or ended otherwise since, is what it is now.
    async fn told(&self, wanted: &WantedRuns, entries: Vec<Entry>) -> Result<Vec<Run>, CliError> {
        let runs = stream::iter(&entries).map(|entry| self.run_of_entry(entry)).buffered(AT_ONCE);
        runs.try_filter(|run| std::future::ready(wanted.fits(run))).try_collect().await
    }
}
