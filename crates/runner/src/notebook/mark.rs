//! Whose outputs lie in the work folder. A runner that is begun after another was killed looks for it; notebooks can write to that
//! folder, so that it is believed as far as they may write the records themselves.

use std::io;
use std::path::Path;

use reveille_domain::ids::is_sha256;
use reveille_domain::layout::AttemptRef;
use reveille_notebook::regular;
use serde_json::{Value, json};

const NAME: &str = "attempt.json";
/// Four short fields.
const LIMIT: u64 = 4 << 10;
const SHA256: &str = "sourceSha256";

/// What it says.
#[derive(Debug, PartialEq)]
pub(super) struct Mark {
    /// Whose they are.
    pub(super) at: AttemptRef,
    /// Of the notebook, once it is known: no later runner has to read the whole of it on its way to its first beat.
    pub(super) source_sha256: Option<String>,
}

impl Mark {
    /// Writes it into the work folder.
    pub(super) fn write(&self, work: &Path) -> io::Result<()> {
        let mut mark = json!(self.at);
        if let Some(sha256) = &self.source_sha256 {
            mark[SHA256] = json!(sha256);
        }
        std::fs::write(work.join(NAME), mark.to_string())
    }

    /// Reads it, if one is there.
    pub(super) fn read(work: &Path) -> Option<Self> {
        let mark: Value = serde_json::from_slice(&regular::read(&work.join(NAME), LIMIT).ok()?).ok()?;
        let source_sha256 = mark[SHA256].as_str().filter(|text| is_sha256(text)).map(str::to_owned);
        Some(Self { at: serde_json::from_value(mark).ok()?, source_sha256 })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "this is a test")]
mod tests {
    use super::*;
    use reveille_domain::RunId;

    #[test]
    fn what_is_written_is_read_and_what_is_no_hash_is_none() {
        let work = std::env::temp_dir().join(format!("reveille-mark-{}", std::process::id()));
        std::fs::create_dir_all(&work).unwrap();
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r-1"), attempt: 2 };
        for (hash, read) in [(None, None), (Some("a".repeat(64)), Some("a".repeat(64))), (Some("../x".into()), None)] {
            Mark { at: at.clone(), source_sha256: hash }.write(&work).unwrap();
            assert_eq!(Mark::read(&work), Some(Mark { at: at.clone(), source_sha256: read }));
        }
        std::fs::write(work.join(NAME), "[]").unwrap();
        assert_eq!(Mark::read(&work), None);
        std::fs::remove_dir_all(&work).unwrap();
    }
}
