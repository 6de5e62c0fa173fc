//! Reads an on-start script that somebody attached: whether it is ours, whether it is this version's, and its settings.

use crate::{MAX_BASE64, ON_START, PLACE};

/// A line that every version of the script has.
const OURS: &str = "\n# Reveille: on-start script of a SageMaker notebook instance.";

/// An on-start script of Reveille's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachedScript {
    /// The bucket of its stack; empty where the line is missing.
    pub bucket: String,
    /// What its records begin with.
    pub prefix: String,
    /// The key of the runner that it fetches; empty: the one that the stack names.
    pub runner_key: String,
    /// The checksum that this runner must have.
    pub runner_sha256: String,
    /// Whether all but its settings, and the commands of its user, is this version's.
    pub is_current: bool,
}

impl AttachedScript {
    /// Reads a script as it was decoded; `None`: it is somebody else's. Line ends do not matter here: see [`has_cr`].
    #[must_use]
    pub fn read(script: &str) -> Option<Self> {
        let script = script.replace("\r\n", "\n");
        if !script.contains(OURS) {
            return None;
        }
        let (head, tail) = ON_START.split_once(PLACE)?;
        let is_current = script.starts_with(head) && script.trim_end().ends_with(tail.trim_end());
        let setting = |name: &str| {
            let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix("='")?.strip_suffix('\'')?.to_owned());
            script.lines().find_map(value).unwrap_or_default()
        };
        Some(Self {
            bucket: setting("REVEILLE_BUCKET"),
            prefix: setting("REVEILLE_PREFIX"),
            runner_key: setting("REVEILLE_RUNNER_KEY"),
            runner_sha256: setting("REVEILLE_RUNNER_SHA256"),
            is_current,
        })
    }
}

/// The runner that a stack's record names, as the script reads it: its key and its SHA-256.
#[must_use]
pub fn named_runner(record: &str) -> Option<(String, String)> {
    let (sha256, name) = record.trim_end_matches('\n').split_once("  ")?;
    let fits = name.starts_with("reveille-runner")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && crate::is_sha256(sha256);
    fits.then(|| (format!("artifacts/{name}"), sha256.to_owned()))
}

/// Whether a script has the line ends of Windows: bash then fails at its first line.
#[must_use]
pub fn has_cr(script: &str) -> bool {
    script.contains('\r')
}

/// How many more base64 characters `SageMaker` takes; `None`: it is too long already.
#[must_use]
pub const fn room(base64: &str) -> Option<usize> {
    MAX_BASE64.checked_sub(base64.len())
}

#[cfg(test)]
mod tests {
    use super::{AttachedScript, has_cr, named_runner, room};
    use crate::{ON_START, Preamble, render};

    fn preamble() -> Preamble {
        Preamble {
            bucket: "runs".to_owned(),
            prefix: "team/".to_owned(),
            runner_key: "artifacts/reveille-runner-1".to_owned(),
            runner_sha256: "0123456789abcdef".repeat(4),
        }
    }

    #[test]
    fn what_was_rendered_is_read_back() {
        let script = render(ON_START, &preamble()).unwrap();
        let Preamble { bucket, prefix, runner_key, runner_sha256 } = preamble();
        let expected = AttachedScript { bucket, prefix, runner_key, runner_sha256, is_current: true };
        assert_eq!(AttachedScript::read(&script), Some(expected.clone()));
        // A user's own commands come after the settings, and may name the same variables.
        let sha = format!("REVEILLE_RUNNER_SHA256='{}'\n", expected.runner_sha256);
        let with_commands = script.replace(&sha, &format!("{sha}REVEILLE_BUCKET='other'\nexport PIP_NO_INPUT=1\n"));
        assert_eq!(AttachedScript::read(&with_commands), Some(expected.clone()));
        let of_windows = script.replace('\n', "\r\n");
        assert!(has_cr(&of_windows) && !has_cr(&script));
        assert_eq!(AttachedScript::read(&of_windows), Some(expected));
    }

    #[test]
    fn another_versions_script_is_ours_and_not_current_and_another_script_is_neither() {
        let script = render(ON_START, &preamble()).unwrap();
        let older = AttachedScript::read(&script.replace("READY_SECONDS=30", "READY_SECONDS=20")).unwrap();
        assert!(!older.is_current && older.bucket == "runs");
        let damaged = AttachedScript::read(&script.replace("REVEILLE_BUCKET='runs'\n", "")).unwrap();
        assert!(damaged.is_current && damaged.bucket.is_empty(), "its settings are judged apart");
        for foreign in ["", "#!/bin/bash\nset -e\nnohup jupyter nbconvert --execute a.ipynb &\n"] {
            assert_eq!(AttachedScript::read(foreign), None);
        }
    }

    #[test]
    fn a_stacks_record_names_a_runner_or_none() {
        let sha = "0123456789abcdef".repeat(4);
        let named = ("artifacts/reveille-runner-1.0_x".to_owned(), sha.clone());
        assert_eq!(named_runner(&format!("{sha}  reveille-runner-1.0_x\n")), Some(named));
        for record in
            ["", "x", &sha, &format!("{sha}  bootstrap"), &format!("{sha}  reveille-runner/x"), "0  reveille-runner"]
        {
            assert_eq!(named_runner(record), None, "{record}");
        }
    }

    #[test]
    fn a_script_has_so_many_characters() {
        assert_eq!(room(&"a".repeat(16_384)), Some(0));
        assert_eq!(room(&"a".repeat(16_385)), None);
    }
}
