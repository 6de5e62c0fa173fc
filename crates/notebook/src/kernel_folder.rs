//! The folder of a run's kernel: its connection file, which holds the key to it, and its sockets. The engine names it, so that it is
//! removed also when the driver could not.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::pins::hex;
use crate::regular;

/// A socket's path holds 107 characters, so the folder is not among the run's own, nor where `TMPDIR` says.
const PLACE: &str = "/tmp";
/// As much of the hash as no two runs of one machine have in common.
const HASH_CHARS: usize = 24;

/// The folder of the run with this marker: the same one for whoever finds what a dead supervisor left.
pub(crate) fn of(marker: &str) -> PathBuf {
    let hash = hex(&Sha256::digest(marker));
    Path::new(PLACE).join(format!("reveille-{}", &hash[..HASH_CHARS]))
}

/// Removes it. Nothing of the run may be alive.
pub(crate) fn remove(marker: &str) {
    regular::remove(&of(marker));
}
