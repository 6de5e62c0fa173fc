//! Names of things: instances and runs. A value of these types is safe inside an S3 key.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Code, Failure};

/// A notebook instance's name: `[a-zA-Z0-9](-*[a-zA-Z0-9])*`, at most 63 characters
/// (SageMaker API, CreateNotebookInstance, `NotebookInstanceName`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct InstanceName(String);

/// AWS's limit on a notebook instance's name.
pub const MAX_INSTANCE_NAME: usize = 63;

impl InstanceName {
    /// What to say where the instance may still be up and nobody may be left who stops it.
    #[must_use]
    pub fn may_still_run(&self) -> String {
        format!(
            "Notebook instance {self} may still be running, and costs money as long as it does. Stop it, unless you are using it: aws sagemaker stop-notebook-instance --notebook-instance-name {self}"
        )
    }

    /// There is no instance of that name.
    #[must_use]
    pub fn not_found(&self) -> Failure {
        Failure::new(
            Code::InstanceNotFound,
            format!(
                "There is no notebook instance {self} in this account and region. Check the name in the input, or create the instance."
            ),
        )
    }

    /// Checks a name against AWS's pattern; the answer says what is wrong with it.
    ///
    /// # Errors
    /// A sentence that says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, String> {
        let fits = !name.is_empty()
            && name.len() <= MAX_INSTANCE_NAME
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !name.starts_with('-')
            && !name.ends_with('-');
        if fits {
            Ok(Self(name.to_owned()))
        } else {
            Err(format!(
                "{} is not a notebook instance name: use 1 to {MAX_INSTANCE_NAME} letters, digits and hyphens, with no hyphen first or last",
                crate::shown::quoted(name)
            ))
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for InstanceName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One execution's request: the execution's name, and a short hash of its ARN and start time, because an execution
/// name is free again after 90 days.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct RunId(String);

/// Hex digits of the hash in a run id. 40 bits tell apart the executions of one name, of which there are a handful.
const RUN_HASH_HEX: usize = 10;

/// The limit on an execution's name (Step Functions API, StartExecution, `name`).
const MAX_EXECUTION_NAME: usize = 80;

/// Characters of the longest run id.
const MAX_RUN_ID: usize = MAX_EXECUTION_NAME + 1 + RUN_HASH_HEX;

/// Step Functions allows more in a name than is comfortable in a key, a path or a terminal.
const fn is_in_run_id(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

impl RunId {
    /// The id of an execution's run.
    #[must_use]
    pub fn of(execution_name: &str, execution_arn: &str, started: DateTime<Utc>) -> Self {
        let hash = hex_hash(&[execution_arn, &started.timestamp_millis().to_string()]);
        let safe: String =
            execution_name.chars().take(MAX_EXECUTION_NAME).map(|c| if is_in_run_id(c) { c } else { '_' }).collect();
        Self(format!("{safe}-{}", &hash[..RUN_HASH_HEX]))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id without its hash: what all runs of one execution name begin with.
    #[must_use]
    pub fn without_hash(&self) -> &str {
        self.0.rfind('-').map_or(&self.0, |hash| &self.0[..=hash])
    }

    /// An id out of a record or a key, which somebody else may have written; `None` if none of ours looks like that: it would be
    /// part of keys and paths, where `a/b` and `..` are others' places.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=MAX_RUN_ID).contains(&text.len()) && text.chars().all(is_in_run_id);
        (fits && !matches!(text, "." | "..")).then(|| Self(text.to_owned()))
    }

    /// An id whose text is known to be one. What somebody else may have written is for [`Self::parse`].
    #[must_use]
    pub fn from_key(segment: &str) -> Self {
        Self(segment.to_owned())
    }
}

impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Says nothing of what is there.
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("it is not the id of a run"))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// SHA-256 of the parts, each preceded by its length so that no two lists of parts collide, as lower-case hex.
#[must_use]
pub fn hex_hash(parts: &[&str]) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex(&hasher.finalize())
}

/// SHA-256 of bytes, as lower-case hex.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Whether a text is a SHA-256 as [`sha256_hex`] writes it.
#[must_use]
pub fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Bytes as lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from(b"0123456789abcdef"[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(ms).unwrap()
    }

    #[test]
    fn instance_names_follow_the_pattern_of_aws() {
        for good in crate::input::cases::good_instances() {
            assert!(InstanceName::parse(&good).is_ok(), "{good}");
        }
        for bad in crate::input::cases::bad_instances() {
            assert!(InstanceName::parse(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_used_again_is_another_run() {
        let one = RunId::of("nightly", "arn:x:nightly", at(1));
        assert_eq!(one, RunId::of("nightly", "arn:x:nightly", at(1)));
        assert_ne!(one, RunId::of("nightly", "arn:x:nightly", at(2)));
        assert!(one.as_str().starts_with("nightly-"));
    }

    #[test]
    fn a_run_id_is_safe_in_a_key() {
        let id = RunId::of("a/../b ü", "arn", at(1));
        assert!(id.as_str().starts_with("a_.._b__-"), "{id}");
        for name in ["a/../b ü", "..", "", ".hidden", &"x".repeat(80), &"é".repeat(300)] {
            let id = RunId::of(name, "arn", at(1));
            assert_eq!(RunId::parse(id.as_str()), Some(id.clone()), "whatever is made is read");
            assert_eq!(serde_json::from_str::<RunId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }
    }

    #[test]
    fn what_cannot_be_a_run_id_is_not_read_as_one() {
        for odd in
            ["", ".", "..", "nightly/r-1", "../payroll/r-1", "r 1", "r\u{1b}c", "r\u{202e}1", "r\n", &"x".repeat(92)]
        {
            assert_eq!(RunId::parse(odd), None, "{odd:?}");
            let error = serde_json::from_value::<RunId>(serde_json::json!(odd)).unwrap_err().to_string();
            assert_eq!(error, "it is not the id of a run", "{odd:?}");
        }
    }

    #[test]
    fn the_runs_of_one_execution_name_begin_alike() {
        assert_eq!(RunId::of("a-b", "arn", at(1)).without_hash(), "a-b-");
        assert_eq!(RunId::of("a-b", "arn", at(1)).without_hash(), RunId::of("a-b", "arn", at(2)).without_hash());
        assert_eq!(RunId::from_key("odd").without_hash(), "odd");
    }

    /// The longest name that Step Functions allows is kept whole, behind it ten hex digits of the hash.
    #[test]
    fn the_longest_name_makes_the_longest_id() {
        let id = RunId::of(&"x".repeat(80), "arn", at(1));
        assert_eq!((id.as_str().len(), id.without_hash()), (91, format!("{}-", "x".repeat(80)).as_str()));
        assert_eq!(RunId::of(&"x".repeat(81), "arn", at(1)), id);
        assert!(RunId::parse(&"x".repeat(91)).is_some() && RunId::parse(&"x".repeat(92)).is_none());
    }

    #[test]
    fn a_hash_is_64_hex_digits_in_lower_case() {
        assert_eq!(sha256_hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert!(is_sha256(&sha256_hex(b"text")));
        let hash = sha256_hex(b"");
        for other in ["", &hash[1..], &format!("{hash}0"), &hash.to_uppercase(), &format!("{}g", &hash[1..])] {
            assert!(!is_sha256(other), "{other}");
        }
    }

    #[test]
    fn hashes_do_not_run_together() {
        assert_ne!(hex_hash(&["ab", "c"]), hex_hash(&["a", "bc"]));
    }
}
