//! Releases made of a program of this system.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use reveille_release::{Architecture, Parts, Programs, assemble};
use serde_json::Value;
use tempfile::TempDir;

const ENGINE: &str = "reveille-engine-0123456789abcdef-cp310-x86_64.zip";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder with the parts of a release.
fn parts(folder: &Path) -> Parts {
    fs::create_dir_all(folder).unwrap();
    let programs = folder.join("programs");
    fs::create_dir(&programs).unwrap();
    for name in ["bootstrap", "reveille", "reveille-runner"] {
        // Small: these are many releases, and a checksum of much takes long in a build for tests.
        fs::copy("/bin/true", programs.join(name)).unwrap();
    }
    let engine = folder.join(ENGINE);
    let mut zip = zip::ZipWriter::new(fs::File::create(&engine).unwrap());
    zip.start_file("papermill-2.7.0-py3-none-any.whl", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(b"a wheel").unwrap();
    zip.finish().unwrap();
    let programs = vec![Programs { architecture: Architecture::X86, folder: programs }];
    Parts {
        root: root(),
        version: "9.8.7".into(),
        revision: "abc".into(),
        built_with: "rustc 1".into(),
        programs,
        engine,
        source: None,
    }
}

/// Everything in a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

fn json(file: &[u8]) -> Value {
    serde_json::from_slice(file).unwrap()
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    said
}

/// Where a release is made anew over one that is there, whatever `spoil` did to the parts: the error, and that nothing changed.
fn refused(spoil: impl FnOnce(&mut Parts)) -> String {
    let folder = TempDir::new().unwrap();
    let mut parts = parts(folder.path());
    let output = folder.path().join("out/dist");
    assemble(&parts, &output).unwrap();
    let before = contents(&output);
    spoil(&mut parts);
    let error = assemble(&parts, &output).unwrap_err().to_string();
    assert!(contents(&output) == before, "the release that was there changed");
    assert_eq!(fs::read_dir(output.parent().unwrap()).unwrap().count(), 1, "something is left beside it");
    error
}

#[test]
fn the_same_parts_make_the_same_release() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (first, second) = (here.path().join("dist"), there.path().join("elsewhere/released"));
    let again = parts(here.path());
    assemble(&again, &first).unwrap();
    assemble(&parts(there.path()), &second).unwrap();
    assert!(contents(&first) == contents(&second), "the two differ");
    // And so does the second over the first.
    assemble(&again, &first).unwrap();
    assert!(contents(&first) == contents(&second), "it differs when it replaces one");
}

#[test]
fn every_file_is_in_the_checksums_and_in_the_manifest() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("dist");
    assemble(&parts(folder.path()), &output).unwrap();
    let files = contents(&output);
    run(Command::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]).current_dir(&output));
    let sums = String::from_utf8(files["SHA256SUMS"].clone()).unwrap();
    let summed: BTreeSet<&str> = sums.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    let all: BTreeSet<&str> = files.keys().map(String::as_str).filter(|name| *name != "SHA256SUMS").collect();
    assert_eq!(summed, all);
    let manifest = json(&files["manifest.json"]);
    let listed: BTreeSet<&str> =
        manifest["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!(listed, all.iter().copied().filter(|name| *name != "manifest.json").collect());
    assert_eq!((&manifest["version"], &manifest["revision"]), (&"9.8.7".into(), &"abc".into()));

    let wrong = output.join("template.yaml");
    fs::write(&wrong, "changed on the way").unwrap();
    let check =
        Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&output).output().unwrap();
    assert!(!check.status.success() && String::from_utf8_lossy(&check.stdout).contains("template.yaml: FAILED"));
}

#[test]
fn the_bill_of_materials_names_what_is_linked_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("dist");
    assemble(&parts(folder.path()), &output).unwrap();
    let bill = json(&contents(&output)["sbom.cdx.json"]);
    let components = bill["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    let sdk = named("aws-sdk-s3").expect("it is linked");
    assert!(
        sdk["hashes"][0]["content"].as_str().unwrap().len() == 64 && sdk["licenses"][0]["expression"] == "Apache-2.0"
    );
    assert!(named("reveille-runner").is_some());
    for (tests_only, why) in
        [("libtest-mimic", "a test's"), ("reveille-simulation", "deployed nowhere"), ("rcgen", "a test's")]
    {
        assert!(named(tests_only).is_none(), "{tests_only}: {why}");
    }
    assert_eq!(named("papermill").unwrap()["purl"], "pkg:pypi/papermill@2.7.0");
    let known: BTreeSet<&str> = components.iter().filter_map(|component| component["bom-ref"].as_str()).collect();
    assert_eq!(known.len(), components.len(), "each is there once");
    for dependency in bill["dependencies"].as_array().unwrap() {
        let needed = dependency["dependsOn"].as_array().unwrap().iter().chain([&dependency["ref"]]);
        assert!(needed.into_iter().all(|name| known.contains(name.as_str().unwrap())), "{dependency}");
    }
}

/// What AWS's own linter says of the templates that were changed.
#[test]
fn the_released_templates_are_templates() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("dist");
    assemble(&parts(folder.path()), &output).unwrap();
    let linter = root().join(".venv/bin/cfn-lint");
    run(Command::new(linter).args(["template.yaml", "serverlessrepo.yaml", "instance.yaml"]).current_dir(&output));
    let stack = fs::read_to_string(output.join("template.yaml")).unwrap();
    assert!(!stack.contains("../") && !stack.contains("BuildMethod"), "nothing is left to be compiled");
    assert!(
        stack.contains("    Default: x86_64\n    AllowedValues: [x86_64]\n"),
        "the architecture is one that was built"
    );
    // An update keeps the old value of a parameter: what a release changes is text.
    assert!(stack.contains("Name: functions-9.8.7-x86_64-") && !stack.contains("Default: reveille/9.8.7"));
    let manifest = json(&contents(&output)["manifest.json"]);
    for (what, begins) in [("Runner", "reveille-runner-9.8.7-"), ("Engine", "reveille-engine-")] {
        let files = manifest["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["name"].as_str().unwrap().starts_with(begins)).unwrap();
        let line = format!("    {what}: {{ File: {}, Sha256: {} }}\n", file["name"].as_str().unwrap(), file["sha256"]);
        assert!(stack.contains(&line), "{line}");
    }
    let published = fs::read_to_string(output.join("serverlessrepo.yaml")).unwrap();
    assert!(
        published.contains("CodeUri: functions-9.8.7-x86_64-")
            && published.contains("DefinitionUri: notebook_run-9.8.7-")
    );
    for template in [&stack, &published] {
        for property in ["LicenseUrl", "ReadmeUrl", "CodeUri", "DefinitionUri"] {
            let named = template.lines().filter_map(|line| line.trim().strip_prefix(property)?.strip_prefix(": "));
            for file in named {
                assert!(output.join(file).is_file(), "{property}: {file}");
            }
        }
    }
    let instance = root().join("infra/instance.yaml");
    assert!(
        fs::read(instance).unwrap() == contents(&output)["instance.yaml"],
        "an instance starts with what its stack installed"
    );
}

/// The programs of this machine as if they were built for another processor: their header says so.
fn as_if_for_arm(folder: &Path) -> Programs {
    let programs = folder.join("for-arm");
    fs::create_dir(&programs).unwrap();
    for name in ["bootstrap", "reveille"] {
        let mut program = fs::read("/bin/true").unwrap();
        // e_machine: EM_AARCH64.
        program[18..20].copy_from_slice(&183_u16.to_le_bytes());
        fs::write(programs.join(name), program).unwrap();
    }
    Programs { architecture: Architecture::Arm, folder: programs }
}

#[test]
fn the_architectures_to_choose_from_are_those_that_were_built() {
    for both in [false, true] {
        let folder = TempDir::new().unwrap();
        let output = folder.path().join("dist");
        let mut parts = parts(folder.path());
        if both {
            parts.programs.push(as_if_for_arm(folder.path()));
        }
        assemble(&parts, &output).unwrap();
        let files = contents(&output);
        let built = json(&files["manifest.json"])["architectures"].clone();
        let names: Vec<&str> = built.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let text = String::from_utf8(files["template.yaml"].clone()).unwrap();
        let choice = format!("    Default: {}\n    AllowedValues: [{}]\n", names[0], names.join(", "));
        assert_eq!(text.matches(&choice).count(), 1, "{choice}");
        assert_eq!(names.len(), 1 + usize::from(both));
        for name in names {
            let begins = format!("functions-9.8.7-{name}-");
            let archive = files.keys().find(|file| file.starts_with(&begins)).expect("an archive of each");
            assert!(text.contains(archive.as_str()), "the template names {archive}");
        }
    }
}

#[test]
fn a_program_that_runs_elsewhere_is_refused() {
    let error = refused(|parts| parts.programs[0].architecture = Architecture::Arm);
    assert!(error.contains("programs/bootstrap is built for another processor than arm64"), "{error}");
    for name in ["bootstrap", "reveille", "reveille-runner"] {
        let error = refused(|parts| fs::write(parts.programs[0].folder.join(name), "#!/bin/sh").unwrap());
        assert!(
            error.contains(&format!("programs/{name} is not a 64-bit ELF program. Nothing was released")),
            "{error}"
        );
        let error = refused(|parts| fs::remove_file(parts.programs[0].folder.join(name)).unwrap());
        assert!(error.contains("cannot read") && error.contains(name), "{error}");
    }
}

#[test]
fn an_engine_that_is_none_is_refused() {
    let error = refused(|parts| fs::write(&parts.engine, "half of it").unwrap());
    assert!(
        error.contains(ENGINE) && error.contains("is not a complete archive") && error.contains("make wheelhouse"),
        "{error}"
    );
    let error = refused(|parts| parts.engine = parts.programs[0].folder.join("bootstrap"));
    assert!(error.contains("is not an archive of the engine"), "{error}");
}

#[test]
fn a_folder_that_is_no_release_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let output = folder.path().join("dist");
    fs::create_dir(&output).unwrap();
    fs::write(output.join("thesis.tex"), "years of work").unwrap();
    let error = assemble(&parts(folder.path()), &output).unwrap_err().to_string();
    assert!(error.contains("is not a release") && output.join("thesis.tex").is_file(), "{error}");
}

/// The limit of a file's size is what a full disk is to the one who writes: the write fails in the middle.
#[test]
fn a_full_disk_leaves_the_release_that_was_there() {
    let folder = TempDir::new().unwrap();
    let parts = parts(folder.path());
    let output = folder.path().join("out/dist");
    assemble(&parts, &output).unwrap();
    let before = contents(&output);
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let mut program = Command::new("bash");
    program.args([
        "-c",
        script,
        "bash",
        env!("CARGO_BIN_EXE_reveille-release"),
        "--revision",
        "other",
        "--built-with",
        "x",
    ]);
    program.arg("--programs").arg(format!("x86_64={}", parts.programs[0].folder.display()));
    program.arg("--engine").arg(&parts.engine).arg("--output").arg(&output).current_dir(root());
    let ended = program.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("cannot write") && said.contains("functions-"), "{said}");
    assert!(contents(&output) == before, "the release that was there changed");
    assert_eq!(fs::read_dir(output.parent().unwrap()).unwrap().count(), 1, "something is left beside it");
}
