//! Files that a person names. Owns how they are read, and that none is read which is too large; never knows what is in them.

use std::{fs, io, path::Path};

/// Why a file was not read. Whoever reads it says so in the words of what it should hold.
#[derive(Debug)]
pub(crate) enum Unread {
    /// The system says why.
    Failed(io::Error),
    /// It has so many bytes, and that is too many.
    TooLarge(u64),
}

/// The text of a file of at most so many bytes.
pub(crate) fn text(path: &Path, most: u64) -> Result<String, Unread> {
    let size = fs::metadata(path).map_err(Unread::Failed)?.len();
    if size > most {
        return Err(Unread::TooLarge(size));
    }
    fs::read_to_string(path).map_err(Unread::Failed)
}
