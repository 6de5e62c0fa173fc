//! Reports and outcomes are bound to the call that reads them: run, attempt, instance and execution come from the state
//! machine, and outputs lie in the attempt's own folder. A record that says otherwise is another's, whatever its key.

use std::collections::BTreeMap;

use crate::layout::{AttemptRef, INVALID_INSTANCE};
use crate::records::Outcome;

/// The first output that does not lie in the folder (an S3 URI that ends with `/`), if there is one.
#[must_use]
pub fn foreign_output(outputs: &BTreeMap<String, String>, folder: &str) -> Option<String> {
    let is_own = |uri: &str| uri.strip_prefix(folder).is_some_and(|name| !name.is_empty() && !name.contains('/'));
    outputs.values().find(|uri| !is_own(uri)).cloned()
}

/// What in an outcome belongs to another attempt, instance or execution than this one; `None` if nothing does.
#[must_use]
pub fn foreign_outcome(outcome: &Outcome, at: &AttemptRef, execution_arn: &str, folder: &str) -> Option<String> {
    let instance = outcome.instance.as_ref().map_or(INVALID_INSTANCE, |instance| instance.as_str());
    if (instance, &outcome.run, outcome.attempt) != (at.instance.as_str(), &at.run, at.attempt) {
        return Some(format!("instance {instance}, run {}, attempt {}", outcome.run, outcome.attempt));
    }
    if outcome.execution_arn != execution_arn {
        return Some(format!("the execution {}", outcome.execution_arn));
    }
    foreign_output(&outcome.outputs, folder)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ids::RunId;

    const FOLDER: &str = "s3://b/runs/nightly/r-1/1/";

    #[test]
    fn outputs_lie_in_the_attempts_own_folder_and_bucket() {
        let foreign = |uri: &str| foreign_output(&BTreeMap::from([("html".to_owned(), uri.to_owned())]), FOLDER);
        assert_eq!(foreign("s3://b/runs/nightly/r-1/1/output.html"), None);
        for other in [
            "s3://evil/runs/nightly/r-1/1/output.html",
            "s3://b/x/runs/nightly/r-1/1/output.html",
            "s3://b/runs/nightly/r-1/2/output.html",
            "s3://b/runs/nightly/r-1/1/../2/output.html",
            "s3://b/runs/nightly/r-1/1/",
            "https://example.com/s3://b/runs/nightly/r-1/1/output.html",
            "",
        ] {
            assert_eq!(foreign(other).as_deref(), Some(other));
        }
    }

    #[test]
    fn an_outcome_that_names_anything_else_is_foreign() {
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r-1"), attempt: 1 };
        let own = json!({"run": "r-1", "attempt": 1, "status": "SUCCEEDED", "instance": "nightly",
            "outputs": {"html": "s3://b/runs/nightly/r-1/1/output.html"}, "phases": {}, "instanceAfter": "atRest",
            "executionArn": "arn:r", "redriveCount": 0, "concludedAt": "2026-11-23T10:00:00Z"});
        let foreign = |field: &str, value: serde_json::Value| {
            let mut outcome = own.clone();
            outcome[field] = value;
            foreign_outcome(&serde_json::from_value(outcome).unwrap(), &at, "arn:r", FOLDER)
        };
        assert_eq!(foreign("status", json!("FAILED")), None);
        for (field, value) in [
            ("run", json!("r-2")),
            ("attempt", json!(2)),
            ("instance", json!("payroll")),
            ("instance", json!(null)),
            ("executionArn", json!("arn:other")),
            ("outputs", json!({"html": "s3://evil/output.html"})),
        ] {
            assert!(foreign(field, value.clone()).is_some(), "{field}: {value}");
        }
    }
}
