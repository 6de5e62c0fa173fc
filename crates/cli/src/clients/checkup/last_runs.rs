//! What the newest runs show of an instance: which runner it has, and what a run lacked there that nobody can see from outside.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt, TryStreamExt, stream};
use reveille_domain::{Code, records::RunStatus};

use crate::{
    clients::{AT_ONCE, Account, Execution, Run, unless_forgotten},
    error::CliError,
};

/// Executions that are looked at: a DescribeExecution each.
const LAST: usize = 50;

/// What the newest runs show, by instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastRuns(BTreeMap<String, LastOnInstance>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastOnInstance {
    /// The last run that ended well: when, and its runner's version.
    pub(crate) well: Option<(DateTime<Utc>, Option<String>)>,
    /// The newest run of each notebook that lacked its kernel.
    pub(crate) kernels: Vec<Lack>,
    /// The newest run, if papermill did not work there.
    pub(crate) engine: Option<Lack>,
    /// The newest run, if no runner took it.
    pub(crate) silent: Option<Lack>,
    /// Whether a runner took one of its runs.
    pub(crate) reached: bool,
    /// Notebooks of which a newer run is known.
    pub(crate) known: BTreeSet<String>,
}

/// A run that lacked something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lack {
    pub(crate) run: String,
    pub(crate) at: Option<DateTime<Utc>>,
    /// The run's own words.
    pub(crate) message: String,
}

/// What is looked at of a run that has ended.
#[derive(Clone, Debug, Default)]
struct Ended {
    run: String,
    instance: String,
    notebook: String,
    /// None: it succeeded.
    code: Option<String>,
    message: String,
    at: Option<DateTime<Utc>>,
    version: Option<String>,
}

impl LastRuns {
    pub(crate) fn on(&self, instance: &str) -> Option<&LastOnInstance> {
        self.0.get(instance)
    }

    /// `runs`: the newest first.
    fn of(runs: impl IntoIterator<Item = Ended>) -> Self {
        let mut last = Self::default();
        for run in runs {
            last.0.entry(run.instance.clone()).or_default().add(run);
        }
        last
    }
}

impl LastOnInstance {
    /// Adds a run that is older than those before.
    fn add(&mut self, run: Ended) {
        let code = run.code.as_deref().map(Code::parse);
        // One that never came to the instance shows nothing of it, as one that was skipped or cancelled.
        let (kernel, engine, silent, well) = match code {
            None => (false, false, false, true),
            Some(Some(Code::KernelNotFound)) => (true, false, false, false),
            Some(Some(Code::Internal)) if run.message.contains("papermill") => (false, true, false, false),
            Some(Some(Code::RunnerSilent)) => (false, false, true, false),
            Some(Some(Code::NotebookFailed | Code::KernelDied | Code::RunTimedOut | Code::OutputNotSaved)) => {
                (false, false, false, false)
            }
            Some(_) => return,
        };
        let lack = || Lack { run: run.run.clone(), at: run.at, message: run.message.clone() };
        if silent {
            if !self.reached && self.silent.is_none() {
                self.silent = Some(lack());
            }
            return;
        }
        if engine && !self.reached {
            self.engine = Some(lack());
        }
        self.reached = true;
        if !engine && self.known.insert(run.notebook.clone()) && kernel {
            self.kernels.push(lack());
        }
        if let (true, None, Some(at)) = (well, &self.well, run.at) {
            self.well = Some((at, run.version));
        }
    }
}

impl Account {
    /// What the newest runs show.
    pub(crate) async fn last_runs(&self) -> Result<LastRuns, CliError> {
        let newest = self.newest(None, LAST).await?;
        let outline = async |execution: Execution| unless_forgotten(self.outline(&execution.arn).await);
        let ended = newest.into_iter().filter(|execution| !execution.is_running());
        let looks = stream::iter(ended).map(outline).buffered(AT_ONCE);
        let runs: Vec<Run> = looks.try_filter_map(async |run| Ok(run)).try_collect().await?;
        Ok(LastRuns::of(runs.into_iter().filter_map(ended_as)))
    }
}

fn ended_as(run: Run) -> Option<Ended> {
    let (run_id, message) = (run.id.to_string(), run.message().unwrap_or_default());
    let (at, version, code) = match run.outcome {
        // Skipped, or a duplicate: nothing ran.
        Some(outcome) if outcome.status != RunStatus::Succeeded => return None,
        Some(outcome) => (Some(outcome.concluded_at), outcome.runner_version, None),
        None => (run.execution.stopped, None, Some(run.error?)),
    };
    Some(Ended { run: run_id, instance: run.instance?, notebook: run.notebook?, code, message, at, version })
}

#[cfg(test)]
mod tests {
    use super::{Ended, LastOnInstance, LastRuns};

    /// What runs on one instance show, the newest first: a notebook, a code and a message each.
    fn shown(runs: &[(&str, Option<&str>, &str)]) -> LastOnInstance {
        let runs = runs.iter().enumerate().map(|(index, (notebook, code, message))| Ended {
            run: format!("run-{index}"),
            instance: "nightly".to_owned(),
            notebook: (*notebook).to_owned(),
            code: code.map(str::to_owned),
            message: (*message).to_owned(),
            at: Some(chrono::Utc::now()),
            version: None,
        });
        let last = LastRuns::of(runs);
        assert_eq!(last.on("other"), None);
        last.on("nightly").cloned().unwrap_or_default()
    }

    fn runs(lacks: &[super::Lack]) -> Vec<&str> {
        lacks.iter().map(|lack| lack.run.as_str()).collect()
    }

    #[test]
    fn a_kernel_is_missing_until_a_newer_run_of_the_notebook_had_it() {
        let missing = ("a.ipynb", Some("KernelNotFound"), "it has python3");
        assert_eq!(runs(&shown(&[missing]).kernels), ["run-0"]);
        assert_eq!(runs(&shown(&[missing, missing]).kernels), ["run-0"], "the newest is told");
        assert_eq!(runs(&shown(&[("b.ipynb", None, ""), missing]).kernels), ["run-1"], "another notebook's kernel");
        for newer in [None, Some("NotebookFailed"), Some("KernelDied")] {
            assert_eq!(runs(&shown(&[("a.ipynb", newer, ""), missing]).kernels), [""; 0], "{newer:?}");
        }
        for nothing in ["Busy", "Cancelled", "AccessDenied", "SomethingElse"] {
            assert_eq!(runs(&shown(&[("a.ipynb", Some(nothing), ""), missing]).kernels), ["run-1"], "{nothing}");
        }
    }

    /// The engine has no code of its own: its message is what tells. This is the one that a run ends with where it finds none.
    #[test]
    fn the_engines_own_message_names_papermill() {
        let engine = include_str!("../../../../notebook/src/error.rs");
        assert!(
            engine.contains("\"no Python with a supported version of papermill was found, and none could be set up")
        );
    }

    #[test]
    fn papermill_and_the_runner_are_judged_by_the_newest_run_that_shows_them() {
        let broken = ("a.ipynb", Some("Internal"), "papermill does not work on notebook instance nightly");
        assert_eq!(shown(&[broken, ("a.ipynb", None, "")]).engine.unwrap().run, "run-0");
        assert_eq!(shown(&[("b.ipynb", None, ""), broken]).engine, None);
        assert_eq!(shown(&[("a.ipynb", Some("Internal"), "a record is damaged")]).engine, None);
        let silent = ("a.ipynb", Some("RunnerSilent"), "no runner");
        let shown_silent = shown(&[("b.ipynb", Some("Busy"), ""), silent, ("a.ipynb", None, "")]);
        assert_eq!(shown_silent.silent.unwrap().run, "run-1");
        assert!(shown_silent.well.is_some());
        assert_eq!(shown(&[("b.ipynb", Some("NotebookFailed"), ""), silent]).silent, None);
        assert!(!shown(&[silent]).reached && shown(&[broken]).reached);
    }
}
