//! What `make release` says before it compiles anything, where something that it needs is not there.
#![cfg(all(target_arch = "x86_64", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

/// A machine with these programs, whose Rust has its libraries for x86-64.
struct Machine(tempfile::TempDir);

impl Machine {
    fn with(programs: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sysroot = folder.path().join("sysroot");
        fs::create_dir_all(sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu")).unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        for program in programs {
            let path = folder.path().join("bin").join(program);
            fs::write(&path, format!("#!/bin/sh\necho '{}'\n", sysroot.display())).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self(folder)
    }

    /// What the check says, and its exit code.
    fn checked(&self, architectures: &[&str]) -> (String, Option<i32>) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("build.sh");
        let mut check = Command::new("/bin/bash");
        check.arg(script).arg("--check").args(architectures).env_clear().env("PATH", self.0.path().join("bin"));
        let output = check.output().unwrap();
        assert!(output.stdout.is_empty(), "it only complains");
        (String::from_utf8(output.stderr).unwrap(), output.status.code())
    }
}

#[test]
fn what_is_missing_is_named_with_what_installs_it() {
    let all = ["rustc", "cc", "rustup"];
    assert_eq!(Machine::with(&all).checked(&["x86_64"]), (String::new(), Some(0)));
    for (programs, architectures, says) in [
        (&[][..], &["x86_64"][..], "Rust is missing. Install it from https://rustup.rs"),
        (&["rustc"], &["x86_64"], "A C linker (cc) is missing. Install it: apt install gcc"),
        (&all, &["x86_64", "arm64"], "Install it: rustup target add aarch64-unknown-linux-gnu"),
        (
            &["rustc", "cc"],
            &["arm64"],
            "This Rust did not come from rustup: install that library as you installed Rust",
        ),
    ] {
        let (said, code) = Machine::with(programs).checked(architectures);
        assert!(said.contains(says) && said.lines().count() == 1, "{programs:?}: {said}");
        assert_eq!(code, Some(1), "{programs:?}");
    }
}

#[test]
fn a_word_that_is_no_processor_is_refused() {
    for architectures in [&["x86_64", "sparc"][..], &["aarch64"], &[]] {
        let (said, code) = Machine::with(&["rustc", "cc", "rustup"]).checked(architectures);
        assert!(said.contains("is no processor to build for. ARCHITECTURES takes x86_64 and arm64"), "{said}");
        assert_ne!(code, Some(0), "{architectures:?}");
    }
}
