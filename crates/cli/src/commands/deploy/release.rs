//! A release: what is in it, that it is whole, and how it gets into the bucket from which CloudFormation reads it.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use chrono::Utc;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::{
    clients::{Artifacts, as_base64},
    commands::stop::Stop,
    error::CliError,
    ui::terminal::Terminal,
};

/// What a release says of itself.
const MANIFEST: &str = "manifest.json";
const SUMS: &str = "SHA256SUMS";
const TEMPLATE: &str = "template.yaml";
/// Enough of a checksum to tell templates apart.
const DIGITS: usize = 16;
/// As many of a file's own are in its name, if that says what is in it.
const DIGITS_IN_NAMES: usize = 12;

#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "manifest")]
    kind: u32,
    version: String,
    revision: String,
    files: Vec<File>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
struct File {
    name: String,
    bytes: u64,
    sha256: String,
}

/// A release that is whole.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) version: String,
    pub(super) revision: String,
    pub(super) template: String,
    template_sha256: String,
    files: Vec<File>,
    /// Where its files are; `None`: in the bucket already.
    folder: Option<PathBuf>,
    /// The name of a copy of the template in the bucket, which no other deployment has; `None`: the template is there already.
    copy: Option<String>,
}

impl Release {
    /// Reads a folder as `make release` makes it, and checks each file.
    ///
    /// # Errors
    /// It is none, or a file is missing or another than the manifest says.
    pub(super) fn in_folder(folder: &Path) -> Result<Self, CliError> {
        let manifest = read(folder, MANIFEST).map_err(|_| {
            CliError::Usage(format!(
                "{} is no release: it has no {MANIFEST}; `make release` makes one, in the folder dist",
                folder.display()
            ))
        })?;
        let manifest = manifest_of(&manifest, &folder.join(MANIFEST).display().to_string())?;
        let mut template = None;
        for file in &manifest.files {
            let bytes = read(folder, &file.name).map_err(|error| damaged(&file.name, &error.to_string()))?;
            file.check(&bytes)?;
            if file.name == TEMPLATE {
                template = Some(bytes);
            }
        }
        Self::new(manifest, template, Some(folder.to_owned()))
    }

    /// Reads one that was copied to a bucket before: its template whole, and of the other files that they are there, with their sizes. The stack
    /// checks the checksum of what it installs.
    ///
    /// # Errors
    /// There is none, or a file is missing or of another size.
    pub(super) async fn in_bucket(artifacts: &Artifacts) -> Result<Self, CliError> {
        let uri = artifacts.uri(MANIFEST);
        let manifest = artifacts.read(MANIFEST).await?.ok_or_else(|| {
            CliError::NotThere(format!(
                "there is no {uri}, so no release is there; to copy one: aws s3 cp dist/ {} --recursive",
                artifacts.uri("")
            ))
        })?;
        let manifest = manifest_of(&manifest, &uri)?;
        let mut template = None;
        for file in &manifest.files {
            if file.name == TEMPLATE {
                template = artifacts.read(TEMPLATE).await?;
                file.check(template.as_deref().unwrap_or_default())?;
            } else if let Some(problem) = file.differs(artifacts.stored(&file.name).await?.map(|stored| stored.bytes)) {
                return Err(damaged(&artifacts.uri(&file.name), &problem));
            }
        }
        Self::new(manifest, template, None)
    }

    fn new(manifest: Manifest, template: Option<Vec<u8>>, folder: Option<PathBuf>) -> Result<Self, CliError> {
        let template = template.and_then(|bytes| String::from_utf8(bytes).ok());
        let template = template.ok_or_else(|| damaged(TEMPLATE, "the manifest does not name it"))?;
        let template_sha256 = sha256(template.as_bytes());
        let copy = || {
            let (now, process) = (Utc::now().format("%Y%m%dT%H%M%S%6f"), std::process::id());
            format!("proposed-{}-{now}-{process}.yaml", &template_sha256[..DIGITS])
        };
        Ok(Self {
            copy: folder.is_some().then(copy),
            template_sha256,
            version: manifest.version,
            revision: manifest.revision,
            template,
            files: manifest.files,
            folder,
        })
    }

    /// What a person calls it.
    pub(super) fn name(&self) -> String {
        let revision: String = self.revision.chars().take(12).collect();
        format!("release {} ({revision})", self.version)
    }

    /// The file that CloudFormation reads before anybody agreed.
    pub(super) fn proposed(&self) -> &str {
        self.copy.as_deref().unwrap_or(TEMPLATE)
    }

    /// Puts that file into the bucket.
    ///
    /// # Errors
    /// AWS refuses.
    pub(super) async fn propose(&self, artifacts: &Artifacts) -> Result<(), CliError> {
        let Some(copy) = &self.copy else { return Ok(()) };
        artifacts.put(copy, self.template.clone().into_bytes(), as_base64(&self.template_sha256)).await
    }

    /// Takes it away again.
    ///
    /// # Errors
    /// AWS refuses.
    pub(super) async fn withdraw(&self, artifacts: &Artifacts) -> Result<(), CliError> {
        let Some(copy) = &self.copy else { return Ok(()) };
        artifacts.remove(copy).await
    }

    /// Copies the files that are not in the bucket yet, and notes the names of those that it copied.
    ///
    /// # Errors
    /// A file changed meanwhile, AWS refuses, or a person ends the command.
    pub(super) async fn upload(
        &self,
        terminal: &Terminal,
        artifacts: &Artifacts,
        stop: &Stop,
        copied: &mut Vec<String>,
    ) -> Result<(), CliError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for (index, file) in in_order(&self.files).into_iter().enumerate() {
            if stop.is_asked() {
                return Err(CliError::Interrupted);
            }
            let checksum = as_base64(&file.sha256);
            let stored = match artifacts.stored(&file.name).await {
                // Whoever may not list the bucket is refused what is not there, and may put it.
                Err(CliError::Refused { .. }) => None,
                stored => stored?,
            };
            if checksum.is_some() && stored.is_some_and(|stored| stored.sha256 == checksum) {
                continue;
            }
            let clause = format!("copying {} ({} of {})", file.name, index + 1, self.files.len());
            terminal.passing(crate::ui::terminal::Tone::Moving, &format!("  {clause}"));
            let bytes = read(folder, &file.name).map_err(|error| damaged(&file.name, &error.to_string()))?;
            file.check(&bytes)?;
            artifacts.put(&file.name, bytes, checksum).await?;
            copied.push(file.name.clone());
        }
        // By these, whoever looks at the bucket sees which release is there. They come last: what they name is there by then.
        for name in [SUMS, MANIFEST] {
            if stop.is_asked() {
                return Err(CliError::Interrupted);
            }
            let bytes = read(folder, name).map_err(|error| damaged(name, &error.to_string()))?;
            artifacts.put(name, bytes, None).await?;
            copied.push(name.to_owned());
        }
        terminal.clear();
        Ok(())
    }
}

/// First the files whose names say what is in them: they overwrite nothing of another release. What ends the copying then leaves the release that
/// was there before as it was, or nearly so.
fn in_order(files: &[File]) -> Vec<&File> {
    let (by_content, others): (Vec<&File>, Vec<&File>) = files.iter().partition(|file| file.is_named_by_content());
    [by_content, others].concat()
}

impl File {
    fn is_named_by_content(&self) -> bool {
        self.sha256.get(..DIGITS_IN_NAMES).is_some_and(|digits| self.name.contains(digits))
    }

    fn check(&self, bytes: &[u8]) -> Result<(), CliError> {
        let found = sha256(bytes);
        if found == self.sha256 {
            return Ok(());
        }
        Err(damaged(&self.name, &format!("its SHA-256 is {found}, and the manifest says {}", self.sha256)))
    }

    fn differs(&self, bytes: Option<u64>) -> Option<String> {
        match bytes {
            None => Some("it is not there".to_owned()),
            Some(bytes) if bytes != self.bytes => {
                Some(format!("it has {bytes} bytes, and the manifest says {}", self.bytes))
            }
            Some(_) => None,
        }
    }
}

fn damaged(name: &str, problem: &str) -> CliError {
    CliError::Missing(format!(
        "the release is not whole: {name}: {problem}; copy the release again, or make it anew with `make release`"
    ))
}

fn manifest_of(bytes: &[u8], at: &str) -> Result<Manifest, CliError> {
    let wrong = |problem: String| CliError::Missing(format!("{at} cannot be read: {problem}; use another release"));
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    if manifest.kind != 1 {
        return Err(wrong(format!("it is of the kind {}, and this command reads 1", manifest.kind)));
    }
    match manifest.files.iter().find(|file| !is_plain(&file.name)) {
        Some(file) => Err(wrong(format!("{} is no name of a file in it", file.name))),
        None => Ok(manifest),
    }
}

/// Whether a name leads out of its folder nowhere.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) && !name.contains('/')
}

fn read(folder: &Path, name: &str) -> std::io::Result<Vec<u8>> {
    fs::read(folder.join(name))
}

fn sha256(bytes: &[u8]) -> String {
    let digits = |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    Sha256::digest(bytes).iter().copied().flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use serde_json::json;

    use super::{File, Release, in_order, is_plain, sha256};

    fn release(folder: &Path, files: &[(&str, &str)]) {
        let files: Vec<_> = files
            .iter()
            .map(|(name, content)| {
                fs::write(folder.join(name), content).unwrap();
                json!({"name": name, "bytes": content.len(), "sha256": sha256(content.as_bytes()), "what": "a file"})
            })
            .collect();
        let manifest = json!({"manifest": 1, "version": "0.2.0", "revision": "0123456789abcdef", "files": files});
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }

    #[test]
    fn a_release_is_read_when_each_file_is_as_its_manifest_says() {
        let folder = tempfile::tempdir().unwrap();
        let said = |folder: &Path| Release::in_folder(folder).unwrap_err();
        assert_eq!(said(folder.path()).exit_code(), 2);
        release(folder.path(), &[("template.yaml", "Parameters: {}\n"), ("f.zip", "PK")]);
        let read = Release::in_folder(folder.path()).unwrap();
        assert_eq!(read.name(), "release 0.2.0 (0123456789ab)");
        assert_eq!(read.template, "Parameters: {}\n");
        fs::write(folder.path().join("f.zip"), "PX").unwrap();
        let error = said(folder.path());
        assert!(error.to_string().contains("f.zip: its SHA-256 is ") && error.exit_code() == 3, "{error}");
        fs::remove_file(folder.path().join("f.zip")).unwrap();
        assert!(said(folder.path()).to_string().contains("f.zip: No such file"));
        release(folder.path(), &[("f.zip", "PK")]);
        assert!(said(folder.path()).to_string().contains("template.yaml: the manifest does not name it"));
        fs::write(
            folder.path().join("manifest.json"),
            r#"{"manifest": 2, "version": "", "revision": "", "files": []}"#,
        )
        .unwrap();
        assert!(said(folder.path()).to_string().contains("of the kind 2"));
    }

    #[test]
    fn what_overwrites_another_release_is_copied_last() {
        let file = |name: &str, sha256: &str| File { name: name.to_owned(), bytes: 1, sha256: sha256.to_owned() };
        let (code, runner) = ("ab".repeat(32), "cd".repeat(32));
        let files = [
            file("README.md", &"01".repeat(32)),
            file("functions-0.2.0-x86_64-abababababab.zip", &code),
            file("template.yaml", &"02".repeat(32)),
            file("reveille-runner-0.2.0-x86_64-cdcdcdcdcdcd", &runner),
            // Of something else.
            file("other-abababababab.zip", &runner),
        ];
        let order: Vec<&str> = in_order(&files).into_iter().map(|file| &*file.name).collect();
        assert!(order[0].starts_with("functions-") && order[1].starts_with("reveille-runner-"), "{order:?}");
        assert_eq!(order[2..], ["README.md", "template.yaml", "other-abababababab.zip"]);
    }

    #[test]
    fn two_deployments_of_a_release_share_no_copy() {
        let folder = tempfile::tempdir().unwrap();
        release(folder.path(), &[("template.yaml", "Parameters: {}\n")]);
        let [one, other] = [(); 2].map(|()| Release::in_folder(folder.path()).unwrap());
        assert!(one.proposed().starts_with("proposed-") && one.proposed() != other.proposed(), "{one:?} {other:?}");
    }

    #[test]
    fn a_manifest_names_no_file_elsewhere() {
        for (name, is_one) in [
            ("f.zip", true),
            ("../f", false),
            ("/etc/passwd", false),
            ("a/b", false),
            ("..", false),
            ("", false),
            ("./f", false),
        ] {
            assert_eq!(is_plain(name), is_one, "{name}");
        }
    }

    #[test]
    fn a_copy_is_told_by_its_size() {
        let file = File { name: "f".to_owned(), bytes: 2, sha256: String::new() };
        assert_eq!(file.differs(Some(2)), None);
        assert!(file.differs(Some(3)).unwrap().contains("3 bytes"));
        assert!(file.differs(None).unwrap().contains("not there"));
    }
}
