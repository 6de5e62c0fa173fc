//! What a program asks of the machine that it runs on, read from its ELF file: the processor, the libraries, the C library's version.

use std::{fmt, path::Path};

use object::{
    Endianness,
    elf::{self, FileHeader64},
    read::elf::{Dyn, FileHeader, SectionTable},
};

use crate::{Architecture, ReleaseError};

/// The C library of Amazon Linux 2023: of Lambda's `provided.al2023`, and of the platform `notebook-al2023-v1`.
pub const GLIBC: Version = Version(2, 34);
/// Libraries that are on Amazon Linux 2023, in its smallest image too: those of the C library, and of the compiler's runtime.
const LIBRARIES: [&str; 8] = [
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libgcc_s.so.1",
    // One for each processor.
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

type Header = FileHeader64<Endianness>;

/// A version of the C library.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u32, u32);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Version {
    /// That of a symbol: `GLIBC_2.34`, and `GLIBC_2.2.5` (of which the third part does not matter here).
    fn of_symbol(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("GLIBC_")?.split('.').map(str::parse);
        let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else { return None };
        parts.all(|part| part.is_ok()).then_some(Self(major, minor))
    }
}

/// What a program needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// The newest version of the C library that it asks for; `None`: it brings its own.
    pub glibc: Option<Version>,
}

/// Reads what a program needs, and refuses one that does not run on Amazon Linux 2023 with this processor.
pub(crate) fn check(path: &Path, content: &[u8], architecture: Architecture) -> Result<Needs, ReleaseError> {
    let refused = |problem: String| ReleaseError::program(path, problem);
    let broken = |error: object::Error| refused(format!("is not a complete program: {error}"));
    let header = Header::parse(content).map_err(|_| refused("is not a 64-bit ELF program".to_owned()))?;
    let endian = header.endian().map_err(broken)?;
    if header.e_machine.get(endian) != architecture.machine() || endian != Endianness::Little {
        return Err(refused(format!("is built for another processor than {architecture}")));
    }
    if ![elf::ET_EXEC, elf::ET_DYN].contains(&header.e_type.get(endian)) {
        return Err(refused("is an object file, not a program".to_owned()));
    }
    let sections = header.sections(endian, content).map_err(broken)?;
    let library = foreign_library(&sections, endian, content).map_err(broken)?;
    if let Some(library) = library {
        return Err(refused(format!("needs the library {library}, which Amazon Linux 2023 may not have")));
    }
    let mut newest = None;
    for name in versions(&sections, endian, content).map_err(broken)? {
        let version = Version::of_symbol(&name);
        if version.is_none_or(|version| version > GLIBC) {
            return Err(refused(format!(
                "needs {name} of the C library, and Amazon Linux 2023 has {GLIBC}: build it with `make release`, which links for {GLIBC}"
            )));
        }
        newest = newest.max(version);
    }
    Ok(Needs { glibc: newest })
}

/// The first library that the program loads and that need not be there.
fn foreign_library(
    sections: &SectionTable<'_, Header>,
    endian: Endianness,
    content: &[u8],
) -> object::Result<Option<String>> {
    let Some((entries, strings)) = sections.dynamic(endian, content)? else { return Ok(None) };
    let strings = sections.strings(endian, content, strings)?;
    for entry in entries.iter().take_while(|entry| entry.d_tag(endian) != elf::DT_NULL) {
        if entry.d_tag(endian) == elf::DT_NEEDED {
            let name = String::from_utf8_lossy(entry.string(endian, strings)?);
            if !LIBRARIES.contains(&&*name) {
                return Ok(Some(name.into_owned()));
            }
        }
    }
    Ok(None)
}

/// The versions of the C library's symbols that the program asks for.
fn versions(sections: &SectionTable<'_, Header>, endian: Endianness, content: &[u8]) -> object::Result<Vec<String>> {
    let mut found = Vec::new();
    let Some((mut libraries, strings)) = sections.gnu_verneed(endian, content)? else { return Ok(found) };
    let strings = sections.strings(endian, content, strings)?;
    while let Some((_, mut names)) = libraries.next()? {
        while let Some(version) = names.next()? {
            // A weak one may be missing: only weak symbols have it, for which the program looks before it calls them.
            if version.vna_flags.get(endian) & elf::VER_FLG_WEAK != 0 {
                continue;
            }
            let name = String::from_utf8_lossy(version.name(endian, strings)?);
            // The others are those of the compiler's runtime (GCC_3.0), which is older than any system that is meant.
            if name.starts_with("GLIBC_") {
                found.push(name.into_owned());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
