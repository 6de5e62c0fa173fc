//! The release's folder: checked parts, under names that tell their content, with checksums, a bill of materials and a manifest.
//! Made beside the output, and put in its place when it is whole.

use std::{
    collections::BTreeMap,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    Architecture, Needs, ReleaseError, elf,
    sbom::{self, Wheel},
    sha256,
    templates::{self, Installed, Names, Places},
};

/// Digits of an artifact's SHA-256 in its name: enough to tell contents apart, few enough to read.
const DIGITS: usize = 12;
/// What tells that a folder is a release, which may be replaced.
const MANIFEST: &str = "manifest.json";
/// The program of Lambda's custom runtimes.
const BOOTSTRAP: &str = "bootstrap";

/// Programs for one processor.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The processor.
    pub architecture: Architecture,
    /// The folder with `bootstrap`, `reveille`, and on x86-64 `reveille-runner`: notebook instances have no other processor.
    pub folder: PathBuf,
}

/// What a release is made of.
#[derive(Clone, Debug)]
pub struct Parts {
    /// The checkout.
    pub root: PathBuf,
    /// The version, as in `Cargo.toml`.
    pub version: String,
    /// The commit that was built.
    pub revision: String,
    /// The compilers: other ones make other bytes.
    pub built_with: String,
    /// The programs; the functions of the first are the template's default.
    pub programs: Vec<Programs>,
    /// The engine's archive.
    pub engine: PathBuf,
    /// The address of the public repository, if there is one.
    pub source: Option<String>,
}

/// What a file holds.
struct Content {
    bytes: Vec<u8>,
    sha256: String,
}

/// The files so far, in a folder that is not the output yet.
struct Draft {
    folder: PathBuf,
    /// By their names.
    files: BTreeMap<String, Value>,
}

/// Makes the release in a folder, and replaces the one that is there.
///
/// # Errors
/// A part is missing or does not run where it is meant to, or something cannot be written. The output is then as it was.
pub fn assemble(parts: &Parts, output: &Path) -> Result<(), ReleaseError> {
    let replaced = replaceable(output)?;
    let parent = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(ReleaseError::file("make", parent))?;
    // On the output's own disk, so that it can be renamed; gone with whatever is in it unless all goes well.
    let scratch = tempfile::Builder::new()
        .prefix(".release-")
        .tempdir_in(parent)
        .map_err(ReleaseError::file("make a folder in", parent))?;
    let folder = scratch.path().join("new");
    fs::create_dir(&folder).map_err(ReleaseError::file("make", &folder))?;
    let mut draft = Draft { folder, files: BTreeMap::new() };
    fill(&mut draft, parts)?;
    if replaced {
        let old = scratch.path().join("old");
        fs::rename(output, &old).map_err(ReleaseError::file("move away", output))?;
        if let Err(error) = fs::rename(&draft.folder, output) {
            // The release that was there is still whole.
            fs::rename(&old, output).map_err(ReleaseError::file("put back", output))?;
            return Err(ReleaseError::file("put in place", output)(error));
        }
        return Ok(());
    }
    fs::rename(&draft.folder, output).map_err(ReleaseError::file("put in place", output))
}

/// Whether there is a release to be replaced. Anything else that stands there is somebody's.
fn replaceable(output: &Path) -> Result<bool, ReleaseError> {
    let refused = |problem| Err(ReleaseError::Output { path: output.to_owned(), problem });
    let mut entries = match fs::read_dir(output) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(ReleaseError::file("list", output)(error)),
        Ok(entries) => entries,
    };
    if output.join(MANIFEST).is_file() || entries.next().is_none() {
        return Ok(true);
    }
    refused("is not a release (it has no manifest.json), so it is not replaced: name another folder, or remove it")
}

fn fill(draft: &mut Draft, parts: &Parts) -> Result<(), ReleaseError> {
    let mut functions = Vec::new();
    let mut runner = None;
    for programs in &parts.programs {
        let (architecture, version) = (programs.architecture, &parts.version);
        let (bootstrap, needs) = program(programs, BOOTSTRAP)?;
        let archive = archived(&bootstrap).map_err(ReleaseError::file("archive", &programs.folder.join(BOOTSTRAP)))?;
        let archive = Content::of(archive);
        let name = format!("functions-{version}-{architecture}-{}.zip", archive.digits());
        draft.put(&name, &archive, "the functions", Some(needs))?;
        functions.push((architecture, name));
        let (command, needs) = program(programs, "reveille")?;
        let name = format!("reveille-{version}-{architecture}-linux");
        draft.put_program(&name, &Content::of(command), "the command", needs)?;
        if architecture == Architecture::X86 {
            let (content, needs) = program(programs, "reveille-runner")?;
            let content = Content::of(content);
            let name = format!("reveille-runner-{version}-{architecture}-{}", content.digits());
            draft.put_program(&name, &content, "the runner, which the stack copies to the runs bucket", needs)?;
            runner = Some((name, content.sha256));
        }
    }
    let Some((runner, runner_sha256)) = runner else {
        return Err(ReleaseError::Usage("no programs for x86_64: notebook instances have no other processor".into()));
    };
    let (engine, engine_sha256, wheels) = engine(draft, &parts.engine)?;
    let definition = Content::of(read(&parts.root.join("statemachines/notebook_run.asl.json"))?);
    let definition_name = format!("notebook_run-{}-{}.asl.json", parts.version, definition.digits());
    draft.put(&definition_name, &definition, "the state machine's definition", None)?;
    let names = Names {
        functions: &functions,
        definition: &definition_name,
        runner: Installed { file: &runner, sha256: &runner_sha256 },
        engine: Installed { file: &engine, sha256: &engine_sha256 },
        source: parts.source.as_deref(),
    };
    put_templates(draft, &parts.root, &names)?;
    let bill = sbom::bill(&parts.root, &parts.version, &wheels)?;
    draft.put("sbom.cdx.json", &Content::of(pretty(&bill)), "the bill of materials, as CycloneDX", None)?;
    draft.close(parts)
}

fn put_templates(draft: &mut Draft, root: &Path, names: &Names<'_>) -> Result<(), ReleaseError> {
    let infra = root.join("infra");
    let text = |file: &str| -> Result<String, ReleaseError> {
        let path = infra.join(file);
        fs::read_to_string(&path).map_err(ReleaseError::file("read", &path))
    };
    let checkout = text(templates::STACK)?;
    for (file, places, what) in [
        (templates::STACK, Places::Bucket, "the stack"),
        (templates::PUBLISHED, Places::Folder, "the stack, for `sam package` and `sam publish`"),
    ] {
        let stack = templates::stack(&checkout, names, places)?;
        draft.put(file, &Content::of(stack.into_bytes()), what, None)?;
    }
    for file in templates::UNCHANGED {
        let what = if file == "instance.yaml" { "an instance" } else { "a stack that is optional" };
        draft.put(file, &Content::of(text(file)?.into_bytes()), what, None)?;
    }
    for file in ["samconfig.toml", "parameters.json"] {
        let path = root.join("infra/examples").join(file);
        draft.put(file, &Content::of(read(&path)?), "an example of parameters", None)?;
    }
    let readme = Content::of(read(&infra.join("release/README.md"))?);
    draft.put("README.md", &readme, "how to deploy this release", None)?;
    let license = Content::of(read(&root.join("LICENSE"))?);
    draft.put("LICENSE", &license, "the licence", None)
}

/// Reads a program, and refuses one that does not run where it is meant to.
fn program(programs: &Programs, name: &str) -> Result<(Vec<u8>, Needs), ReleaseError> {
    let path = programs.folder.join(name);
    let content = read(&path)?;
    let needs = elf::check(&path, &content, programs.architecture)?;
    Ok((content, needs))
}

/// The engine's archive, under the name by which the runner asks for it: the name, its SHA-256, and the wheels in it.
fn engine(draft: &mut Draft, path: &Path) -> Result<(String, String, Vec<Wheel>), ReleaseError> {
    let refused = |problem: String| ReleaseError::Engine { path: path.to_owned(), problem };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.starts_with("reveille-engine-") || Path::new(name).extension().is_none_or(|extension| extension != "zip") {
        return Err(refused("is not an archive of the engine: its name must be reveille-engine-....zip".to_owned()));
    }
    let content = read(path)?;
    let mut archive = ZipArchive::new(io::Cursor::new(&content))
        .map_err(|error| refused(format!("is not a complete archive: {error}")))?;
    let mut wheels = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(|error| refused(error.to_string()))?;
        let mut wheel = Vec::new();
        io::copy(&mut file, &mut wheel).map_err(|error| refused(error.to_string()))?;
        wheels.push(Wheel { name: file.name().to_owned(), sha256: sha256(&wheel) });
    }
    let what = "papermill for instances that do not reach PyPI, which the stack copies to the runs bucket";
    let content = Content::of(content);
    draft.put(name, &content, what, None)?;
    Ok((name.to_owned(), content.sha256, wheels))
}

impl Content {
    fn of(bytes: Vec<u8>) -> Self {
        Self { sha256: sha256(&bytes), bytes }
    }

    /// For its name.
    fn digits(&self) -> &str {
        &self.sha256[..DIGITS]
    }
}

impl Draft {
    fn put(&mut self, name: &str, content: &Content, what: &str, needs: Option<Needs>) -> Result<(), ReleaseError> {
        let Content { bytes, sha256 } = content;
        self.write(name, bytes)?;
        let mut file = json!({"name": name, "what": what, "bytes": bytes.len(), "sha256": sha256});
        if let Some(glibc) = needs.and_then(|needs| needs.glibc) {
            file["glibc"] = glibc.to_string().into();
        }
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn put_program(&mut self, name: &str, content: &Content, what: &str, needs: Needs) -> Result<(), ReleaseError> {
        self.put(name, content, what, Some(needs))?;
        let path = self.folder.join(name);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(ReleaseError::file("set the mode of", &path))
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<(), ReleaseError> {
        let path = self.folder.join(name);
        let write = || -> io::Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(content)?;
            // A disk that is full may say so only now.
            file.sync_all()?;
            fs::set_permissions(&path, Permissions::from_mode(0o644))
        };
        write().map_err(ReleaseError::file("write", &path))
    }

    /// The manifest, and the checksums of everything, by which a download is checked.
    fn close(&mut self, parts: &Parts) -> Result<(), ReleaseError> {
        let architectures: Vec<&str> = parts.programs.iter().map(|programs| programs.architecture.name()).collect();
        let manifest = pretty(&json!({
            "manifest": 1,
            "version": parts.version,
            "revision": parts.revision,
            "builtWith": parts.built_with,
            "architectures": architectures,
            "files": self.files.values().collect::<Vec<_>>(),
        }));
        self.put(MANIFEST, &Content::of(manifest), "", None)?;
        let sum = |(name, file): (&String, &Value)| Some(format!("{}  {name}\n", file["sha256"].as_str()?));
        let sums: String = self.files.iter().filter_map(sum).collect();
        self.write("SHA256SUMS", sums.as_bytes())
    }
}

/// An archive with one executable file, uncompressed: nothing that compresses has to be the same program everywhere.
fn archived(program: &[u8]) -> io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
    // Its time is 1980-01-01 unless told.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).unix_permissions(0o755);
    zip.start_file(BOOTSTRAP, options)?;
    zip.write_all(program)?;
    Ok(zip.finish()?.into_inner())
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}

fn read(path: &Path) -> Result<Vec<u8>, ReleaseError> {
    fs::read(path).map_err(ReleaseError::file("read", path))
}
