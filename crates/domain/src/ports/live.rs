//! What a notebook leaves while it executes, before there is anything final.

use std::path::PathBuf;

use super::Call;

/// A part of what was printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Printed {
    /// The place of its first byte in all that was printed. More than what was taken before: something is left out between.
    pub from: u64,
    /// The text, in whole lines where there are any.
    pub bytes: Vec<u8>,
}

/// The notebook as it was saved last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedNotebook {
    /// Where it lies on the instance.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Another one for each save.
    pub version: u128,
}

/// Looking at a notebook that executes. Neither waits, nor disturbs it.
pub trait LiveOutput {
    /// Takes what was printed since the last time: the newest of it, where it is more than there is room for at its place. A line
    /// that is still being written is left, unless it is very long.
    fn take_printed(&self, room: fn(u64) -> usize) -> Printed;
    /// The notebook, if it was saved.
    fn saved(&self) -> Option<SavedNotebook>;
}

/// Nothing is seen of it.
impl LiveOutput for () {
    fn take_printed(&self, _: fn(u64) -> usize) -> Printed {
        Printed::default()
    }

    fn saved(&self) -> Option<SavedNotebook> {
        None
    }
}

/// What is uploaded of a notebook that executes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveBody<'a> {
    /// What it printed.
    Printed(&'a [u8]),
    /// The notebook, if it is no larger than when it was looked at.
    Notebook(&'a SavedNotebook),
}

/// Showing what a notebook has left so far (`s3:PutObject` below the instance's `live/`). Nothing depends on it.
pub trait UploadLive {
    /// Uploads it, overwriting. May be given up at any moment.
    async fn upload_live(&self, key: &str, body: LiveBody<'_>) -> Call<()>;
}
