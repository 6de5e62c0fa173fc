//! Makes a release: what is deployed without a compiler. Owns the contents of `dist/`, and the checks of the programs in it.
//! Compiles nothing and downloads nothing: `make release` does, and hands the results over.
//!
//! The same parts make the same release, byte for byte: no times, no names of this machine, everything in order.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod assemble;
mod elf;
mod error;
mod sbom;
mod templates;

pub use assemble::{Parts, Programs, assemble};
pub use elf::{GLIBC, Needs};
pub use error::ReleaseError;
pub use templates::Architecture;

/// SHA-256 in lower-case hexadecimal digits.
fn sha256(content: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    Sha256::digest(content).iter().copied().flat_map(digits).collect()
}
