//! Random UUIDs (version 4): boot ids and request ids.

use std::io;

/// A fresh UUID in its usual form, as the kernel writes a boot id.
pub(crate) fn fresh() -> io::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}
