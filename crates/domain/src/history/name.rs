//! A notebook's name as a part of a key, and what can be told from it.

use super::words::{begin, decoded, encoded, end};
use crate::ids::sha256_hex;
use crate::layout::Layout;

/// Bytes of a name in a key, encoded. A key has 1,024 and may hold the name twice; the stack's prefix (`MAX_RUNS_PREFIX`) and the other facts
/// have the rest.
const MAX_NAME: usize = 250;
/// Bytes of the beginning and of the end that are left of a longer one. People know a notebook by its file's name, which is the end.
const BEGIN: usize = 80;
const END: usize = MAX_NAME - BEGIN - HASH_CHARS - 2 * SIGN.len();
/// Stands on both sides of the hash in a name that was cut. No encoded name holds it.
const SIGN: &str = "!-";
const HASH_CHARS: usize = 16;

/// The folder that has a folder for each notebook, ending with `/`.
#[must_use]
pub fn notebooks(layout: &Layout) -> String {
    format!("{}notebook/", layout.history())
}

/// A notebook's name in a key: encoded, and where it is too long, its beginning, a hash of the whole, and its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotebookName(String);

impl NotebookName {
    /// The name of a notebook.
    #[must_use]
    pub fn of(notebook: &str) -> Self {
        let whole = encoded(notebook);
        if whole.len() <= MAX_NAME {
            return Self(whole);
        }
        let hash = &sha256_hex(notebook.as_bytes())[..HASH_CHARS];
        Self(format!("{}{SIGN}{hash}{SIGN}{}", begin(&whole, BEGIN), end(&whole, END)))
    }

    /// The name that a part of a key is.
    pub(super) fn of_part(part: &str) -> Self {
        Self(part.to_owned())
    }

    /// The name as a part of a key.
    pub(super) fn part(&self) -> &str {
        &self.0
    }

    /// The name that a folder below [`notebooks`] has.
    #[must_use]
    pub fn of_folder(layout: &Layout, folder: &str) -> Option<Self> {
        let name = folder.strip_prefix(&notebooks(layout))?.strip_suffix('/')?;
        (!name.is_empty() && !name.contains('/')).then(|| Self(name.to_owned()))
    }

    /// The notebook as far as it is known: of one that was cut, `…` stands for what is missing.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.0.split_once(SIGN) {
            Some((begin, rest)) => {
                let end = rest.split_once(SIGN).map_or("", |(_, end)| end);
                format!("{}…{}", decoded(begin), decoded(end))
            }
            None => decoded(&self.0),
        }
    }

    /// Whether the notebook's name may hold a text: of one that was cut, this cannot be denied.
    #[must_use]
    pub fn may_hold(&self, text: &str) -> bool {
        self.0.contains(SIGN) || decoded(&self.0).contains(text)
    }
}
