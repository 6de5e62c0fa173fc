//! The archive of wheels from which an environment is installed where there is no way to PyPI: its name, and how it is
//! unpacked.
//!
//! Nothing in it is trusted: a file is taken only if the lock has its checksum.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::interpreters::Interpreter;
use crate::pins;

/// One for Python 3.10 has 17 MB; ones with other versions of the same packages are not ten times as large.
pub(crate) const MAX_BYTES: u64 = 256 << 20;
/// The lock names 80 packages, not all of them for one Python.
const MAX_WHEELS: usize = 200;
/// File systems take 255 bytes.
const MAX_NAME: usize = 255;
/// Read at a time.
const CHUNK: usize = 64 * 1024;
/// Digits of the lock's fingerprint in the archive's name.
const FINGERPRINT_DIGITS: usize = 16;

/// What an environment needs of the world around the engine: a place for archives of wheels, and somebody who listens.
#[allow(async_fn_in_trait, reason = "the runner, which alone implements it, has one thread")]
pub trait Supplies {
    /// Where an archive of this name would be, in words that people can use.
    fn place(&self, name: &str) -> String;

    /// Writes the archive of this name to a file; false if there is none.
    ///
    /// # Errors
    /// A sentence that says why nobody knows, or why it could not be written. An archive of more than `max_bytes` is one.
    async fn fetch(&self, name: &str, to: &Path, max_bytes: u64) -> Result<bool, String>;

    /// Told what is done, as it takes its time: one line.
    fn log(&self, line: &str);
}

/// The name of the archive for this lock and this Python, as `make wheelhouse` gives it.
pub(crate) fn name(interpreter: &Interpreter) -> String {
    format!(
        "reveille-engine-{}-cp{}-{}.zip",
        &pins::fingerprint()[..FINGERPRINT_DIGITS],
        interpreter.minor_version().replace('.', ""),
        interpreter.machine()
    )
}

/// Unpacks an archive into a new folder. `known` are the checksums of all that may be in it.
///
/// # Errors
/// It is no such archive, or holds anything that the lock does not name. What was unpacked by then must not be used.
pub(crate) fn unpack(archive: &Path, folder: &Path, known: &HashSet<&str>) -> Result<(), String> {
    let broken = |problem: String| format!("the archive cannot be used: {problem}");
    fs::create_dir(folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
    let file = File::open(archive).map_err(|error| broken(error.to_string()))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| broken(error.to_string()))?;
    if zip.len() > MAX_WHEELS {
        return Err(broken(format!("it has {} files, and {MAX_WHEELS} are allowed", zip.len())));
    }
    let mut room = MAX_BYTES;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| broken(error.to_string()))?;
        let name = entry.name().to_owned();
        if !is_wheel_name(&name) {
            return Err(broken(format!("{name:?} is not the name of a wheel")));
        }
        let (size, checksum) =
            copy(&mut entry, &folder.join(&name), room).map_err(|error| broken(format!("{name}: {error}")))?;
        room -= size;
        if !known.contains(checksum.as_str()) {
            return Err(broken(format!(
                "{name} has the SHA-256 {checksum}, which this version of Reveille does not know"
            )));
        }
    }
    Ok(())
}

/// A plain file name, so that nothing is written outside of the folder.
fn is_wheel_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.+!-".contains(&byte);
    let stem = name.strip_suffix(".whl");
    name.len() <= MAX_NAME
        && stem.is_some_and(|stem| !stem.is_empty())
        && !name.starts_with(['.', '-'])
        && name.bytes().all(plain)
}

/// Copies at most `room` bytes into a new file; gives their number and their SHA-256.
fn copy(from: &mut impl Read, to: &Path, room: u64) -> io::Result<(u64, String)> {
    let mut file = File::create_new(to)?;
    let mut chunk = vec![0; CHUNK];
    let (mut size, mut hasher) = (0_u64, Sha256::new());
    loop {
        let read = from.read(&mut chunk)?;
        if read == 0 {
            return Ok((size, pins::hex(&hasher.finalize())));
        }
        size += read as u64;
        if size > room {
            return Err(io::Error::other(format!("the wheels are larger than {MAX_BYTES} bytes")));
        }
        hasher.update(&chunk[..read]);
        file.write_all(&chunk[..read])?;
    }
}

#[cfg(test)]
mod tests;
