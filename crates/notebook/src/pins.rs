//! Which versions of papermill, nbconvert and ipykernel are installed, and which are supported: read from the two files
//! that `make lock` keeps, so that no version stands in the program a second time.

use std::cmp::Ordering;
use std::collections::HashSet;

use sha2::{Digest, Sha256};

/// What is installed: every package with its version, its checksums, and the Pythons that it is for.
pub(crate) const LOCK: &str = include_str!("../requirements.txt");
/// What is supported: a range for each package that the driver imports.
const SUPPORTED: &str = include_str!("../requirements.in");
/// The oldest Python that the lock was resolved for.
pub(crate) const OLDEST_PYTHON: (u32, u32) = (3, 10);
/// The newest Python that the pins are tried with. A newer one is used where there is no other.
pub(crate) const NEWEST_TESTED_PYTHON: (u32, u32) = (3, 13);

/// A package and the versions of it that are supported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Supported {
    pub(crate) name: &'static str,
    from: Vec<u64>,
    below: Vec<u64>,
    /// As pip reads it: `papermill>=2.6,<2.8`.
    pub(crate) specification: &'static str,
}

/// The packages that a Python needs to be an engine.
pub(crate) fn supported() -> Vec<Supported> {
    lines(SUPPORTED).filter_map(parse).collect()
}

/// The same in pip's words, each quoted for a shell.
pub(crate) fn quoted() -> String {
    supported().iter().map(|package| format!("'{}'", package.specification)).collect::<Vec<_>>().join(" ")
}

/// What tells this lock from every other: the SHA-256 of its text, in hexadecimal digits.
pub(crate) fn fingerprint() -> String {
    hex(&Sha256::digest(LOCK))
}

/// The SHA-256 of every file that may be installed.
pub(crate) fn checksums() -> HashSet<&'static str> {
    LOCK.split("--hash=sha256:").skip(1).filter_map(|rest| rest.split_ascii_whitespace().next()).collect()
}

/// Bytes in lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    bytes.iter().flat_map(digits).collect()
}

fn lines(text: &'static str) -> impl Iterator<Item = &'static str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// `name>=1.2,<3`: the only form that requirements.in has.
fn parse(specification: &'static str) -> Option<Supported> {
    let (name, range) = specification.split_once(">=")?;
    let (from, below) = range.split_once(",<")?;
    Some(Supported { name, from: release(from)?, below: release(below)?, specification })
}

impl Supported {
    /// Whether a version, as the package's metadata says it, is one that we support. A preview of a release is not.
    pub(crate) fn covers(&self, version: &str) -> bool {
        release(version)
            .is_some_and(|version| compare(&version, &self.from).is_ge() && compare(&version, &self.below).is_lt())
    }
}

/// The numbers of a version; none where it is a preview (`3.0rc1`) or no version. `+local` and `.postN` change nothing.
fn release(version: &str) -> Option<Vec<u64>> {
    let public = version.split('+').next()?;
    let public = public.split(".post").next()?;
    public.split('.').map(|part| part.parse().ok()).collect()
}

/// Missing numbers are zero: 2.8 is 2.8.0.
fn compare(one: &[u64], other: &[u64]) -> Ordering {
    let number = |version: &[u64], at: usize| version.get(at).copied().unwrap_or(0);
    (0..one.len().max(other.len()))
        .map(|at| number(one, at).cmp(&number(other, at)))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_supported() {
        let supported = supported();
        assert_eq!(supported.len(), lines(SUPPORTED).count(), "every line of requirements.in is understood");
        let names: Vec<_> = supported.iter().map(|package| package.name).collect();
        assert_eq!(names, ["papermill", "nbconvert", "ipykernel"]);
        for package in supported {
            let pins: Vec<_> = LOCK
                .lines()
                .filter_map(|line| line.strip_prefix(package.name)?.strip_prefix("=="))
                .filter_map(|rest| rest.split_ascii_whitespace().next())
                .collect();
            assert!(!pins.is_empty(), "{} is pinned", package.name);
            for pin in pins {
                assert!(package.covers(pin), "{} {pin}", package.name);
            }
        }
    }

    #[test]
    fn the_lock_is_for_the_oldest_python_and_for_engines_only() {
        let (major, minor) = OLDEST_PYTHON;
        assert!(LOCK.contains(&format!("--python-version {major}.{minor} ")), "`make lock` resolves for it");
        assert!(NEWEST_TESTED_PYTHON > OLDEST_PYTHON);
        // Their mere presence makes `import papermill` take a second longer, through jsonschema's format checks.
        for package in ["rfc3987-syntax", "jupyter-server", "jupyter-events", "notebook", "jupyterlab"] {
            assert!(!LOCK.contains(&format!("\n{package}==")), "{package}");
        }
        assert!(checksums().len() > 100 && checksums().iter().all(|sum| sum.len() == 64));
        assert_eq!(fingerprint().len(), 64);
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let package = parse("papermill>=2.6,<2.8").unwrap();
        for good in ["2.6", "2.6.0", "2.7.0", "2.7.10", "2.7.0+local.1", "2.7.0.post1"] {
            assert!(package.covers(good), "{good}");
        }
        for bad in ["2.5.9", "2.10", "2.8", "2.8.0", "3.0", "2.7.0rc1", "2.7.dev0", "1!2.7", "", "unknown"] {
            assert!(!package.covers(bad), "{bad}");
        }
        assert!(parse("papermill==2.7.0").is_none() && parse("papermill").is_none());
    }
}
