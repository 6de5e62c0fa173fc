//! The verdict on an attempt.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::error::Failure;
use crate::ids::RunId;
use crate::layout::AttemptRef;

/// Who put a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reporter {
    /// The runner: nothing of the attempt runs any more.
    Runner,
    /// A function, of a runner that fell silent, or of an execution that was stopped.
    Function,
}

/// `report.json`, put once: the only verdict on an attempt. Outputs of a notebook that was ended for a verdict from elsewhere
/// are added afterwards, by its runner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// Who put it.
    pub by: Reporter,
    /// The runner's version; absent where no runner reported, and in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<String>,
    /// The failure; none is a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// SHA-256 of the notebook that ran, lower-case hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_sha256: Option<String>,
    /// Name (`notebook`, `html`, `log`) to S3 URI of each output that was kept.
    pub outputs: BTreeMap<String, String>,
    /// Why there is no page (`html`), where there is an output notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html_error: Option<String>,
    /// When the run was queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_at: Option<DateTime<Utc>>,
    /// When the notebook started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<DateTime<Utc>>,
    /// When the verdict was reached.
    pub ended_at: DateTime<Utc>,
}

impl Report {
    /// The report of an attempt of which no output was kept, by now.
    #[must_use]
    pub fn without_outputs(
        at: &AttemptRef,
        by: Reporter,
        failure: Option<Failure>,
        started_at: Option<DateTime<Utc>>,
        ended_at: DateTime<Utc>,
    ) -> Self {
        Self {
            run: at.run.clone(),
            attempt: at.attempt,
            by,
            runner_version: (by == Reporter::Runner).then(|| crate::VERSION.to_owned()),
            failure,
            source_sha256: None,
            outputs: BTreeMap::new(),
            html_error: None,
            queued_at: None,
            started_at,
            ended_at,
        }
    }

    /// Whether it is a function's verdict that names no outputs: there may be some, which come later.
    #[must_use]
    pub fn lacks_outputs(&self) -> bool {
        self.by == Reporter::Function && self.outputs.is_empty()
    }

    /// A function's verdict with the outputs of the notebook that its runner ended for it. The verdict stays as it is. `None`:
    /// there is nothing to add.
    #[must_use]
    pub fn with_outputs_of(&self, left: &Self) -> Option<Self> {
        let adds = self.lacks_outputs() && !left.outputs.is_empty();
        adds.then(|| Self {
            outputs: left.outputs.clone(),
            html_error: left.html_error.clone(),
            source_sha256: self.source_sha256.clone().or_else(|| left.source_sha256.clone()),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    fn report(by: Reporter, outputs: &[&str]) -> Report {
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r"), attempt: 2 };
        let failure = Some(Failure::new(Code::RunnerLost, "lost"));
        let mut report = Report::without_outputs(&at, by, failure, None, DateTime::UNIX_EPOCH);
        report.outputs = outputs.iter().map(|name| ((*name).to_owned(), format!("s3://b/{name}"))).collect();
        report
    }

    #[test]
    fn a_report_without_outputs_is_its_attempts_and_only_a_runners_names_a_version() {
        let (own, other) = (report(Reporter::Runner, &[]), report(Reporter::Function, &[]));
        assert_eq!((own.attempt, own.outputs.len(), own.runner_version.as_deref()), (2, 0, Some(crate::VERSION)));
        assert_eq!(other.runner_version, None);
    }

    #[test]
    fn outputs_are_added_to_a_functions_verdict_that_has_none() {
        let left = Report {
            source_sha256: Some("of the notebook".into()),
            html_error: Some("no page".into()),
            ..report(Reporter::Runner, &["notebook"])
        };
        let verdict = report(Reporter::Function, &[]);
        let both = verdict.with_outputs_of(&left).unwrap();
        let sha256 = Some("of the notebook".to_owned());
        let html_error = Some("no page".to_owned());
        assert_eq!(
            both,
            Report { outputs: left.outputs.clone(), html_error, source_sha256: sha256, ..verdict.clone() }
        );
        for whole in [report(Reporter::Function, &["log"]), report(Reporter::Runner, &[])] {
            assert_eq!(whole.with_outputs_of(&left), None, "{whole:?}");
        }
        assert_eq!(verdict.with_outputs_of(&report(Reporter::Runner, &[])), None, "there is nothing to add");
    }
}
