//! Which parts of a report belong in an outcome, and which are added to an outcome that was recorded before.

use std::collections::BTreeMap;

use reveille_domain::error::printable_message;
use reveille_domain::records::{Outcome, Report};

/// An outcome with the outputs of its report, where it was recorded before they were known. `None`: there is nothing to add.
#[must_use]
pub fn with_outputs(existing: &Outcome, report: &Report) -> Option<Outcome> {
    let outputs = outputs(report);
    let adds = existing.outputs.is_empty() && !outputs.is_empty();
    adds.then(|| Outcome {
        outputs,
        html_error: html_error(report),
        source_sha256: existing.source_sha256.clone().or_else(|| source_sha256(report)),
        ..existing.clone()
    })
}

/// The hash that a report names, if it is one.
#[must_use]
pub fn source_sha256(report: &Report) -> Option<String> {
    report.source_sha256.clone().filter(|hash| hash.len() <= 64)
}

/// Characters of a version: that of a development build has a suffix.
const MAX_VERSION_CHARS: usize = 32;

/// The version that a report names, if it is one: whoever executes a notebook may write its report.
#[must_use]
pub fn runner_version(report: &Report) -> Option<String> {
    let usual = |letter: u8| letter.is_ascii_alphanumeric() || b".+-".contains(&letter);
    report.runner_version.clone().filter(|version| version.len() <= MAX_VERSION_CHARS && version.bytes().all(usual))
}

/// Why there is no page, as far as it can be printed.
#[must_use]
pub fn html_error(report: &Report) -> Option<String> {
    report.html_error.as_deref().map(printable_message)
}

/// Outputs of one run: there are three. More, or longer ones, are in no report that a runner wrote.
const MAX_OUTPUTS: usize = 8;
/// Bytes of an output's name and of its URI, which holds a key of at most 1,024 bytes.
const MAX_OUTPUT_BYTES: usize = 1_200;

/// The outputs that a report names, as many and as long as a runner writes.
#[must_use]
pub fn outputs(report: &Report) -> BTreeMap<String, String> {
    let fits = |(name, uri): &(&String, &String)| name.len() + uri.len() <= MAX_OUTPUT_BYTES;
    let outputs = report.outputs.iter().filter(fits).take(MAX_OUTPUTS);
    outputs.map(|(name, uri)| (name.clone(), uri.clone())).collect()
}
