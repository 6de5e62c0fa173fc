//! Lists of runs: recent ones, filtered. What a list costs does not grow with the number of runs that there were (decision 0056).
//!
//! ListExecutions lists every execution of 90 days, but knows neither instance nor notebook. The history knows both, but no run
//! that goes on. So each is asked for what it has in order. What is told of a run comes from its execution and its records, wherever it was found.

use std::{collections::BTreeSet, future::ready};

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{RunId, history::Entry};

use super::{
    AT_ONCE, Account, Execution, Run,
    entries::{Look, Sought},
    executions::surely_remembered,
    may_be_forgotten, unless_forgotten,
};
use crate::error::CliError;

/// Executions that are looked at where a filter can be answered only by looking at each.
const MOST_LOOKED_AT: usize = 1_000;
/// Executions that go on and are looked at: nothing else says whose they are.
const MOST_UNDER_WAY: usize = 200;
/// The newest executions, which may have ended so shortly ago that the history does not have them, or have no entry there at all.
const YOUNG: usize = 50;

/// What is said where a look ended before the history did.
const OLDER: &str =
    "there may be older runs that fit; to find them, say more: --status, --instance, or more of the notebook's name";

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

    /// Whether Step Functions may have forgotten some of them.
    fn may_be_forgotten(&self, now: DateTime<Utc>) -> bool {
        self.status != Some(ExecutionStatus::Running) && self.since.is_none_or(|since| may_be_forgotten(since, now))
    }

    fn sought(&self) -> Sought {
        Sought {
            status: self.status.clone(),
            instance: self.instance.clone(),
            notebook: self.notebook.clone(),
            since: self.since,
            until: None,
        }
    }
}

impl Account {
    /// The newest run; after 90 quiet days only the history knows it.
    pub(super) async fn last(&self, status: Option<ExecutionStatus>, none: &str) -> Result<Execution, CliError> {
        if let Some(newest) = self.newest(status.clone(), 1).await?.pop() {
            return Ok(newest);
        }
        let wanted = WantedRuns { status, most: 1, ..WantedRuns::default() };
        let found = Box::pin(self.runs(&wanted)).await?.runs.pop();
        found.map(|run| run.execution).ok_or_else(|| CliError::NoRun { what: none.to_owned() })
    }

    /// The runs that are wanted.
    pub(crate) async fn runs(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        if wanted.instance.is_none() && wanted.notebook.is_none() {
            return self.runs_by_execution(wanted).await;
        }
        // What goes on is in no history.
        if wanted.status == Some(ExecutionStatus::Running) {
            return self.runs_looked_at(wanted).await;
        }
        let Some(place) = self.whole_history().await else { return self.runs_looked_at(wanted).await };
        match Box::pin(self.runs_by_history(wanted, place.lacking)).await {
            // Whoever may not list the bucket is told what executions tell.
            Err(error @ CliError::Refused { .. }) => {
                let mut listed = self.runs_looked_at(wanted).await?;
                let bound = listed.bound.map(|bound| format!("{bound}; ")).unwrap_or_default();
                listed.bound = Some(format!("{bound}runs that Step Functions has forgotten are not listed: {error}"));
                Ok(listed)
            }
            listed => listed,
        }
    }

    /// ListExecutions has them in order. What it does not know any more, the history has.
    async fn runs_by_execution(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let (executions, _) = self.executions_of(wanted, wanted.most).await?;
        let look = |execution| async move { unless_forgotten(self.run(execution).await) };
        let looks = stream::iter(&executions).map(look).buffered(AT_ONCE);
        // What has another status by now is none of them.
        let fitting = looks.try_filter_map(|run| ready(Ok(run.filter(|run| wanted.fits(run)))));
        let mut runs: Vec<Run> = fitting.try_collect().await?;
        let (now, mut bounds) = (Utc::now(), Vec::new());
        // What started since cannot have ended so long ago.
        let until = surely_remembered(now);
        let young = executions.iter().filter(|execution| execution.started > until).count();
        if young < wanted.most && wanted.may_be_forgotten(now) {
            match self.forgotten(wanted, &executions, until, wanted.most - young).await {
                Ok((forgotten, is_cut)) => {
                    runs.extend(forgotten);
                    newest(&mut runs, wanted.most);
                    if runs.len() < wanted.most {
                        bounds.extend(is_cut.then(|| OLDER.to_owned()));
                        bounds.extend(self.gap(now).await);
                    }
                }
                // What Step Functions knows is told all the same.
                Err(error) => {
                    bounds.push(format!("runs that Step Functions has forgotten are not listed: {error}"));
                }
            }
        }
        Ok(ListedRuns { runs, bound: (!bounds.is_empty()).then(|| bounds.join("; ")) })
    }

    /// What the history may lack of the runs that Step Functions has forgotten, if it may lack any.
    async fn gap(&self, now: DateTime<Utc>) -> Option<String> {
        match self.whole_history().await {
            Some(place) if place.lacking > 0 => Some(format!(
                "the history lacks {} runs whose records could not be read; those of them that Step Functions has forgotten are not listed",
                place.lacking
            )),
            Some(_) => None,
            // A young stack has had no run so long ago.
            None => self.stack_made().is_none_or(|made| may_be_forgotten(made, now)).then(|| {
                "the stack's history is not whole, or cannot be read, so runs that Step Functions has forgotten (after 90 days) may be missing".to_owned()
            }),
        }
    }

    /// Runs of the history that Step Functions does not list, though they may stand between those that it does: it goes by when they ended.
    async fn forgotten(
        &self,
        wanted: &WantedRuns,
        known: &[Execution],
        until: DateTime<Utc>,
        most: usize,
    ) -> Result<(Vec<Run>, bool), CliError> {
        let ids: BTreeSet<RunId> = known.iter().map(Execution::run).collect();
        let mut look = self.look(Sought { until: Some(until), ..wanted.sought() }, most).await?;
        self.found(wanted, &mut look, &ids, most).await
    }

    /// The history has them in order; what goes on, and what is too young for it, is looked at.
    async fn runs_by_history(&self, wanted: &WantedRuns, lacking: u64) -> Result<ListedRuns, CliError> {
        let (mut look, (unlisted, is_busy)) =
            tokio::try_join!(self.look(wanted.sought(), wanted.most), self.unlisted(wanted))?;
        let outline = |execution: Execution| async move { unless_forgotten(self.outline(&execution.arn).await) };
        let looks = stream::iter(unlisted.clone()).map(outline).buffered(AT_ONCE);
        let fitting = looks.try_filter_map(|run| ready(Ok(run.filter(|run| wanted.fits(run))))).take(wanted.most);
        let mut runs: Vec<Run> =
            fitting.map_ok(|run| self.with_records(run)).try_buffered(AT_ONCE).try_collect().await?;
        let ids: BTreeSet<RunId> = unlisted.iter().map(Execution::run).collect();
        let (found, is_cut) = self.found(wanted, &mut look, &ids, wanted.most).await?;
        runs.extend(found);
        newest(&mut runs, wanted.most);
        let is_short = runs.len() < wanted.most;
        let mut bounds = Vec::new();
        if is_busy {
            bounds.push(busy());
        }
        if is_short && is_cut {
            bounds.push(OLDER.to_owned());
        }
        if is_short && lacking > 0 {
            bounds.push(format!("the history lacks {lacking} runs whose records could not be read; `reveille runs` without --instance and --notebook lists those that Step Functions knows"));
        }
        let bound = (!bounds.is_empty()).then(|| bounds.join("; "));
        Ok(ListedRuns { runs, bound })
    }

    /// The runs that a look finds, but for those that are known; and whether there may be more. A run that is something else by now
    /// is left out, so the look goes on until there are enough.
    async fn found(
        &self,
        wanted: &WantedRuns,
        look: &mut Look<'_>,
        known: &BTreeSet<RunId>,
        most: usize,
    ) -> Result<(Vec<Run>, bool), CliError> {
        let (mut runs, mut looked_at, mut size) = (Vec::new(), 0, most);
        while runs.len() < most && looked_at < MOST_LOOKED_AT.max(most) {
            let entries = look.next(size).await?;
            if entries.is_empty() {
                return Ok((runs, look.is_cut()));
            }
            let unknown: Vec<Entry> = entries.into_iter().filter(|entry| !known.contains(&entry.at.run)).collect();
            looked_at += unknown.len();
            runs.extend(self.told(wanted, unknown).await?);
            size = most.saturating_sub(runs.len()).max(AT_ONCE);
        }
        Ok((runs, !look.is_over()))
    }

    /// Executions that the history does not list, or not as they are: those that go on, and the newest, if they are not in it. The
    /// newest first; and whether more go on than are looked at.
    async fn unlisted(&self, wanted: &WantedRuns) -> Result<(Vec<Execution>, bool), CliError> {
        let of = |status| WantedRuns { status, since: wanted.since, ..WantedRuns::default() };
        let (going_on, newest) = (of(Some(ExecutionStatus::Running)), of(wanted.status.clone()));
        let going_on = async {
            match wanted.status {
                None => self.executions_of(&going_on, MOST_UNDER_WAY).await,
                // Theirs is another one.
                Some(_) => Ok((Vec::new(), false)),
            }
        };
        let ((mut unlisted, is_busy), (young, _)) = tokio::try_join!(going_on, self.executions_of(&newest, YOUNG))?;
        let ended: Vec<Execution> = young.into_iter().filter(|execution| !execution.is_running()).collect();
        if let (Some(newest), Some(oldest)) = (ended.first(), ended.last()) {
            let (since, until) = (Some(oldest.started), Some(newest.started));
            let entered = Sought { status: wanted.status.clone(), since, until, ..Sought::default() };
            let entered = self.look(entered, YOUNG).await?.next(YOUNG).await?;
            let entered: BTreeSet<RunId> = entered.into_iter().map(|entry| entry.at.run).collect();
            unlisted.extend(ended.into_iter().filter(|execution| !entered.contains(&execution.run())));
        }
        unlisted.sort_by_key(|execution| std::cmp::Reverse(execution.started));
        Ok((unlisted, is_busy))
    }

    /// Each execution is looked at: there is no history, or it is not whole yet, or it has no such runs.
    async fn runs_looked_at(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let is_under_way = wanted.status == Some(ExecutionStatus::Running);
        let most = if is_under_way { MOST_UNDER_WAY } else { MOST_LOOKED_AT.max(wanted.most) };
        let (executions, is_cut) = self.executions_of(wanted, most).await?;
        let look = |execution: Execution| async move { unless_forgotten(self.outline(&execution.arn).await) };
        let outlines = stream::iter(executions).map(look).buffered(AT_ONCE);
        let fitting = outlines.try_filter_map(|run| ready(Ok(run.filter(|run| wanted.fits(run))))).take(wanted.most);
        let runs: Vec<Run> = fitting.map_ok(|run| self.with_records(run)).try_buffered(AT_ONCE).try_collect().await?;
        let bound = (is_cut && runs.len() < wanted.most).then(|| {
            if is_under_way {
                return busy();
            }
            format!("the newest {most} executions were looked at; older ones may fit, too")
        });
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
        runs.try_filter(|run| ready(wanted.fits(run))).try_collect().await
    }
}

/// What is said where more go on than are looked at.
fn busy() -> String {
    format!("of the runs under way, the newest {MOST_UNDER_WAY} were looked at")
}

/// The newest of them, in order.
fn newest(runs: &mut Vec<Run>, most: usize) {
    runs.sort_by_key(|run| std::cmp::Reverse(run.execution.started));
    runs.truncate(most);
}
