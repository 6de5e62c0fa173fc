//! Answers for programs. Names of fields are those of outcome.json; times are ISO 8601 in UTC.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::clients::Run;

/// A list of runs.
pub(crate) fn runs(runs: &[Run]) -> Value {
    runs.iter().map(run).collect()
}

/// One run. What is not known is null.
pub(crate) fn run(run: &Run) -> Value {
    let outcome = run.outcome.as_ref();
    json!({
        "run": run.id,
        "status": run.ending.word().replace(' ', "_"),
        "code": run.code(),
        "notebook": run.notebook,
        "instance": run.instance,
        "trigger": run.trigger,
        "startedAt": time(run.execution.started),
        "endedAt": run.execution.stopped.map(time),
        "executionArn": run.execution.arn,
        "instanceAfter": outcome.map(|outcome| outcome.instance_after),
        "unreadableRecords": run.damaged.iter().map(|damaged| damaged.key.as_str()).collect::<Vec<_>>(),
        "outcome": outcome,
    })
}

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
