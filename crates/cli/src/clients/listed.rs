//! Lists of runs: recent ones, filtered.

use aws_sdk_sfn::types::ExecutionStatus;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{AT_ONCE, Account, Execution, Run};
use crate::error::CliError;

/// Executions that are looked at where a filter can be answered only by looking at each.
const MOST_LOOKED_AT: usize = 1_000;

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
    /// How far the look went, if there may be more that fits.
    pub(crate) bound: Option<String>,
}

impl WantedRuns {
    fn fits(&self, run: &Run) -> bool {
        let instance = self.instance.as_ref().is_none_or(|name| run.instance.as_ref() == Some(name));
        let named = |text: &String| run.notebook.as_deref().is_some_and(|name| name.contains(text));
        instance && self.notebook.as_ref().is_none_or(named)
    }
}

impl Account {
    /// The runs that are wanted.
    pub(crate) async fn runs(&self, wanted: &WantedRuns) -> Result<ListedRuns, CliError> {
        let is_filtered = wanted.instance.is_some() || wanted.notebook.is_some();
        let most = if is_filtered { MOST_LOOKED_AT.max(wanted.most) } else { wanted.most };
        let (executions, is_cut) = self.executions_of(wanted, most).await?;
        let outlines = stream::iter(&executions).map(|execution| self.outline(&execution.arn)).buffered(AT_ONCE);
        let fitting = outlines.try_filter(|run| std::future::ready(wanted.fits(run))).take(wanted.most);
        let runs: Vec<Run> = fitting.map_ok(|run| self.with_records(run)).try_buffered(AT_ONCE).try_collect().await?;
        let bound = (is_filtered && is_cut && runs.len() < wanted.most)
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
}
