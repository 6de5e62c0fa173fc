//! What names the records of a run.

use reveille_domain::RunId;

/// The records of a run, by what names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The folder of its instance.
    pub(crate) instance: String,
    pub(crate) run: RunId,
}
