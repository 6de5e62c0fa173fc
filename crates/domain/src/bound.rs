//! Reports and outcomes are bound to the call that reads them: run, attempt, instance and execution come from the state
//! machine, and outputs lie in the attempt's own folder. A record that says otherwise is another's, whatever its key.

use std::collections::BTreeMap;

use crate::records::Outcome;

/// The first output that does not lie in the folder (an S3 URI that ends with `/`), if there is one.
#[must_use]
pub fn foreign_output(outputs: &BTreeMap<String, String>, folder: &str) -> Option<String> {
    let is_own = |uri: &str| uri.strip_prefix(folder).is_some_and(|name| !name.is_empty() && !name.contains('/'));
    outputs.values().find(|uri| !is_own(uri)).cloned()
}

/// What in an outcome belongs to another execution than this one; `None` if nothing does. Its run, attempt and instance were held
/// against its key when it was read ([`crate::Record::foreign_to`]).
#[must_use]
pub fn foreign_outcome(outcome: &Outcome, execution_arn: &str, folder: &str) -> Option<String> {
    if outcome.execution_arn != execution_arn {
        return Some(format!("the execution {}", outcome.execution_arn));
    }
    foreign_output(&outcome.outputs, folder)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn an_outcome_of_another_execution_is_foreign() {
        let own = json!({"run": "r-1", "attempt": 1, "status": "SUCCEEDED", "instance": "nightly",
            "outputs": {"html": "s3://b/runs/nightly/r-1/1/output.html"}, "phases": {}, "instanceAfter": "atRest",
            "executionArn": "arn:r", "redriveCount": 0, "concludedAt": "2026-11-23T10:00:00Z"});
        let foreign = |field: &str, value: serde_json::Value| {
            let mut outcome = own.clone();
            outcome[field] = value;
            foreign_outcome(&serde_json::from_value(outcome).unwrap(), "arn:r", FOLDER)
        };
        assert_eq!(foreign("status", json!("FAILED")), None);
        for (field, value) in
            [("executionArn", json!("arn:other")), ("outputs", json!({"html": "s3://evil/output.html"}))]
        {
            assert!(foreign(field, value.clone()).is_some(), "{field}: {value}");
        }
    }
}
