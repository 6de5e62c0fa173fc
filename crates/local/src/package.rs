//! Packages the template as `sam package` does: the places of code and definitions are replaced, and as `make release` does, the runner's name.

use std::{
    fs::{self, File},
    io::{self, Cursor},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sha2::{Digest, Sha256};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use crate::LocalError;

const CODE: &str = "CodeUri:";
const DEFINITION: &str = "DefinitionUri:";
const NO_RUNNER: &str = "Runner: { File: none, Sha256: none }";

/// A template whose artifacts have locations.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packaged {
    /// The template's text.
    pub(crate) template: String,
    /// The definitions: the file of each, and the key it must be uploaded to.
    pub(crate) definitions: Vec<(PathBuf, String)>,
}

/// A file that the stack copies to the runs bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Runner {
    /// Its name.
    pub(crate) file: String,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
}

/// Replaces each `CodeUri` by the functions' archive, each `DefinitionUri` by a key for its file, and names the runner.
///
/// # Errors
/// The template names no code, no definition or no place of the runner in a line of its own.
pub(crate) fn package(
    template: &Path,
    text: &str,
    bucket: &str,
    code_key: &str,
    runner: &Runner,
) -> Result<Packaged, LocalError> {
    let folder = template.parent().unwrap_or(Path::new("."));
    let mut definitions = Vec::new();
    let (mut functions, mut runners) = (0_usize, 0_usize);
    let mut packaged = String::with_capacity(text.len());
    for line in text.lines() {
        let entry = line.trim_start();
        let indent = &line[..line.len() - entry.len()];
        if entry.starts_with(CODE) {
            functions += 1;
            packaged.extend([indent, CODE, " s3://", bucket, "/", code_key]);
        } else if let Some(value) = entry.strip_prefix(DEFINITION) {
            let file = folder.join(value.trim().trim_matches(['"', '\'']));
            let key = format!("definitions/{}", file.file_name().unwrap_or_default().to_string_lossy());
            packaged.extend([indent, DEFINITION, " s3://", bucket, "/", &key]);
            definitions.push((file, key));
        } else if entry == NO_RUNNER {
            runners += 1;
            packaged.extend([indent, "Runner: { File: ", &runner.file, ", Sha256: \"", &runner.sha256, "\" }"]);
        } else {
            packaged.push_str(line);
        }
        packaged.push('\n');
    }
    let problem = |problem: &str| LocalError::Template { path: template.to_owned(), problem: problem.to_owned() };
    if functions == 0 {
        return Err(problem("it has no line `CodeUri: <path>`; give each function (or Globals) one"));
    }
    if definitions.is_empty() {
        return Err(problem("it has no line `DefinitionUri: <path>`; give each state machine one"));
    }
    if runners != 1 {
        return Err(problem("it has not one line `Runner: { File: none, Sha256: none }`; give its mapping that"));
    }
    Ok(Packaged { template: packaged, definitions })
}

/// Copies a binary without its debug information, which would be most of it. Where there is no `strip`, as it is.
///
/// # Errors
/// It cannot be copied.
pub(crate) fn strip(binary: &Path, to: &Path) -> Result<(), LocalError> {
    let stripped = Command::new("strip")
        .arg("-o")
        .arg(to)
        .arg(binary)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !stripped {
        // The place that is written: of the two, it is the one that can be full or closed.
        fs::copy(binary, to).map_err(LocalError::file("copy a program to", to))?;
    }
    Ok(())
}

/// Writes an archive with one executable file, uncompressed: it goes no further than this machine.
///
/// # Errors
/// The binary cannot be read, or the archive not written.
pub(crate) fn archive(binary: &Path, name: &str, to: &Path) -> Result<(), LocalError> {
    // Made in memory: a writer that fails on a full disk fails once more when it is dropped, and says so on the terminal.
    let make = || -> io::Result<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
        zip.start_file(name, options)?;
        io::copy(&mut File::open(binary)?, &mut zip)?;
        Ok(zip.finish()?.into_inner())
    };
    let content = make().map_err(LocalError::file("archive", binary))?;
    fs::write(to, content).map_err(LocalError::file("write", to))
}

/// SHA-256 of a file in lower-case hexadecimal digits.
///
/// # Errors
/// It cannot be read.
pub(crate) fn sha256(file: &Path) -> Result<String, LocalError> {
    fs::read(file).map(|content| sha256_of(&content)).map_err(LocalError::file("read", file))
}

/// The same of bytes.
pub(crate) fn sha256_of(content: &[u8]) -> String {
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    Sha256::digest(content).iter().copied().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{Runner, archive, package, sha256, strip};

    const TEMPLATE: &str = "Mappings:\n  Release:\n    Runner: { File: none, Sha256: none }\nResources:\n  F:\n    Properties:\n      CodeUri: ../functions # all in one\n      Handler: f\n  M:\n    Properties:\n      DefinitionUri: ../statemachines/m.asl.json\n";

    fn runner() -> Runner {
        Runner { file: "r".to_owned(), sha256: "0".to_owned() }
    }

    #[test]
    fn only_the_places_of_artifacts_change() {
        let packaged = package(Path::new("/p/infra/template.yaml"), TEMPLATE, "b", "code.zip", &runner()).unwrap();
        let changed: Vec<_> = TEMPLATE.lines().zip(packaged.template.lines()).filter(|(a, b)| a != b).collect();
        assert_eq!(
            changed,
            [
                ("    Runner: { File: none, Sha256: none }", "    Runner: { File: r, Sha256: \"0\" }"),
                ("      CodeUri: ../functions # all in one", "      CodeUri: s3://b/code.zip"),
                (
                    "      DefinitionUri: ../statemachines/m.asl.json",
                    "      DefinitionUri: s3://b/definitions/m.asl.json"
                ),
            ]
        );
        assert_eq!(
            packaged.definitions,
            [("/p/infra/../statemachines/m.asl.json".into(), "definitions/m.asl.json".to_owned())]
        );
    }

    #[test]
    fn a_template_without_artifacts_is_refused() {
        let path = Path::new("/p/infra/template.yaml");
        let refused = |text: &str| package(path, text, "b", "k", &runner()).unwrap_err().to_string();
        assert!(refused("Resources: {}\n").contains("CodeUri"));
        assert!(refused(&TEMPLATE.replace("DefinitionUri", "Definition")).contains("DefinitionUri"));
        assert!(refused(&TEMPLATE.replace("File: none", "File: x")).contains("Runner: { File: none"));
    }

    #[test]
    fn an_archive_holds_the_executable() {
        let folder = tempfile::tempdir().unwrap();
        let (binary, zip) = (folder.path().join("b"), folder.path().join("b.zip"));
        strip(Path::new("/bin/ls"), &binary).unwrap();
        archive(&binary, "bootstrap", &zip).unwrap();
        let mut written = zip::ZipArchive::new(fs::File::open(&zip).unwrap()).unwrap();
        let file = written.by_name("bootstrap").unwrap();
        assert_eq!(file.unix_mode(), Some(0o100_755));
        assert_eq!(file.size(), fs::metadata(&binary).unwrap().len());
        // What went wrong is told of the place that is written.
        let full = archive(&binary, "bootstrap", Path::new("/dev/full")).unwrap_err().to_string();
        assert!(full.contains(" /dev/full: No space left") && full.ends_with("the room on its disk"), "{full}");
        let nowhere = folder.path().join("none/b");
        let said = strip(&binary, &nowhere).unwrap_err().to_string();
        assert!(said.contains(&format!(" {}: ", nowhere.display())), "{said}");
        let odd = folder.path().join("-a\\ b");
        fs::write(&odd, "abc").unwrap();
        assert_eq!(sha256(&odd).unwrap(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(sha256(&folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
