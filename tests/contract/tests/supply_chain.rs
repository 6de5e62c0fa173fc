//! What is built in and what is installed: exactly what the locks name, from where they say, under licences that the project may use.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::{collections::BTreeMap, path::Path, process::Command};

use reveille_contract_tests::{read, root};
use serde_json::Value;

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Licences that ask for no more than their text. Anything else is a decision: add it here with its reason.
const LICENCES: [&str; 9] =
    ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "Unicode-3.0", "Zlib"];
/// Exceptions only widen what a licence allows.
const EXCEPTIONS: [&str; 1] = ["LLVM-exception"];
/// One TLS library, which needs nothing of the system; no parser that is abandoned; nothing that runs a build of C
/// beyond what the TLS library needs.
const BANNED: [&str; 8] =
    ["openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys", "bindgen", "cmake", "serde_yaml", "yaml-rust"];
/// A second version of one of these makes every function larger and its cold start longer, or splits a type in two.
const ONCE: [&str; 12] = [
    "axum",
    "chrono",
    "http",
    "hyper",
    "hyper-util",
    "ring",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "tower",
    "webpki-roots",
];
/// What calls cargo, or tells people to.
const CARGO: [&str; 6] = ["build", "test", "run", "clippy", "bench", "metadata"];

/// The packages of `Cargo.lock`, for all platforms: their fields.
fn locked() -> Vec<BTreeMap<String, String>> {
    let lock = read("Cargo.lock");
    let packages = lock.split("[[package]]\n").skip(1).map(|package| {
        let fields = package.lines().filter_map(|line| line.split_once(" = "));
        fields.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect()
    });
    let packages: Vec<BTreeMap<String, String>> = packages.collect();
    assert!(packages.len() > 100, "the lock is read");
    packages
}

/// The files that this repository holds.
fn files() -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            let generated = ["target", ".venv", ".git", "demo-output"].iter().any(|skipped| name == *skipped);
            match entry.file_type().unwrap() {
                kind if kind.is_dir() && !generated => walk(&path, found),
                kind if kind.is_file() => found.push(path.strip_prefix(root()).unwrap().display().to_string()),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    walk(&root(), &mut found);
    assert!(found.iter().any(|file| file == "Makefile"));
    found
}

fn text_files() -> Vec<(String, String)> {
    let ours = files().into_iter().filter(|file| file != "tests/contract/tests/supply_chain.rs");
    ours.filter_map(|file| Some((std::fs::read_to_string(root().join(&file)).ok()?, file)))
        .map(|(text, file)| (file, text))
        .collect()
}

/// Whether an expression of SPDX, or of crates' older kind (`MIT/Apache-2.0`), is met by licences of the list.
fn is_allowed(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&tokens, &mut at);
    met && at == tokens.len()
}

fn any_of(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = all_of(tokens, at);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(tokens, at);
    }
    met
}

fn all_of(tokens: &[&str], at: &mut usize) -> bool {
    let mut met = one(tokens, at);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize) -> bool {
    let Some(&token) = tokens.get(*at) else { return false };
    *at += 1;
    if token == "(" {
        let met = any_of(tokens, at);
        let closed = tokens.get(*at) == Some(&")");
        *at += 1;
        return met && closed;
    }
    let mut met = LICENCES.contains(&token);
    if tokens.get(*at) == Some(&"WITH") {
        met &= tokens.get(*at + 1).is_some_and(|exception| EXCEPTIONS.contains(exception));
        *at += 2;
    }
    met
}

#[test]
fn licences_are_read_as_they_are_meant() {
    for allowed in ["MIT", "MIT/Apache-2.0", "Apache-2.0 / MIT", "GPL-3.0 OR MIT", "(MIT OR GPL-2.0) AND Unicode-3.0"] {
        assert!(is_allowed(allowed), "{allowed}");
    }
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-3.0"));
    for refused in
        ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0", "MIT MIT", "MIT OR", "MIT WITH x", "AND MIT"]
    {
        // What can be met by one side is met, but what is no expression is not.
        assert_eq!(is_allowed(refused), refused == "MIT OR", "{refused}");
    }
}

#[test]
fn every_crate_is_from_crates_io_and_held_by_its_hash() {
    for package in locked() {
        let name = &package["name"];
        match package.get("source") {
            Some(source) => {
                assert_eq!(source, CRATES_IO, "{name}");
                let hash = package.get("checksum").map_or("", String::as_str);
                assert!(hash.len() == 64 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{name} has no hash");
            }
            None => assert!(name.starts_with("reveille-"), "{name} is from a path, and is none of ours"),
        }
    }
    for (file, text) in text_files() {
        assert!(!file.ends_with("Cargo.toml") || !text.contains("git = "), "{file}: a dependency is from a repository");
        let elsewhere = file.contains(".cargo/config") && (text.contains("[source") || text.contains("[registries"));
        assert!(!elsewhere, "{file}: crates come from elsewhere");
    }
}

#[test]
fn no_banned_crate_is_in_and_no_heavy_one_twice() {
    let mut versions = BTreeMap::<String, Vec<String>>::new();
    for package in locked() {
        versions.entry(package["name"].clone()).or_default().push(package["version"].clone());
    }
    for name in BANNED {
        assert!(
            !versions.contains_key(name),
            "{name} is in Cargo.lock: `cargo tree --locked -i {name}` says who wants it"
        );
    }
    let heavy = |name: &str| ONCE.contains(&name) || name.starts_with("aws-");
    let twice: Vec<_> = versions.iter().filter(|(name, found)| heavy(name) && found.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?} are built in more than once");
    for name in ["hyper", "rustls", "tokio"] {
        assert!(versions.contains_key(name), "{name} is gone: take it off the list");
    }
}

/// Of what is built for this platform: cargo has fetched no more.
#[test]
fn every_licence_is_one_that_the_project_may_use() {
    let cargo = std::env::var_os("CARGO").expect("cargo runs the tests");
    let compiler =
        Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("-vV").output().unwrap();
    let compiler = String::from_utf8(compiler.stdout).unwrap();
    let platform = compiler.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its platform");
    let output = Command::new(cargo)
        .args(["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", platform])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100);
    for package in packages {
        let licence = package["license"].as_str().unwrap_or_default();
        assert!(is_allowed(licence), "{} {}: {licence:?}", package["name"], package["version"]);
        let source = package["source"].as_str();
        assert!(source.is_none_or(|source| source == CRATES_IO), "{}: {source:?}", package["name"]);
    }
}

#[test]
fn cargo_is_told_to_keep_to_its_lock() {
    let mut calls = 0;
    for (file, text) in text_files() {
        if file == "CHANGELOG.md" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for start in ["cargo ", "$(CARGO) ", "$CARGO "] {
                for (at, _) in line.match_indices(start) {
                    let rest = &line[at + start.len()..];
                    let command = rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
                    // A title names the command, with nothing after it.
                    let title = rest.len() == command.len() || rest[command.len()..].starts_with(['"', '`', '\'', '.']);
                    if CARGO.contains(&command) && (!title || start != "cargo ") {
                        calls += 1;
                        let place = format!("{file}:{}", number + 1);
                        assert!(rest[command.len()..].starts_with(" --locked"), "{place} lacks --locked: {line}");
                    }
                }
            }
        }
    }
    assert!(calls > 15, "the calls are found: {calls}");
}

#[test]
fn every_python_package_is_held_by_its_hash() {
    let locks: Vec<String> = files().into_iter().filter(|file| file.ends_with("requirements.txt")).collect();
    assert!(locks.len() >= 3, "{locks:?}");
    for lock in locks {
        let text = read(&lock).replace("\\\n", " ");
        let requirements: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        assert!(!requirements.is_empty(), "{lock}");
        for requirement in requirements {
            let name = requirement.split_whitespace().next().unwrap_or_default();
            assert!(name.contains("==") && !requirement.contains(" @ "), "{lock}: {name} is not one version");
            // Options would name another index, or let hashes go.
            assert!(!requirement.starts_with('-'), "{lock}: {requirement}");
            let hashes: Vec<&str> = requirement.split("--hash=sha256:").skip(1).collect();
            assert!(
                !hashes.is_empty() && hashes.iter().all(|hash| hash.trim().len() == 64),
                "{lock}: {name} has no hash"
            );
        }
    }
    for (file, text) in text_files() {
        // What is run. Docs tell people of other environments how to install ours by name.
        let script = Path::new(&file).extension().is_some_and(|extension| extension == "sh");
        if file != "Makefile" && !script && !file.starts_with(".ci/") {
            continue;
        }
        for line in text.lines().filter(|line| line.contains("pip install")) {
            assert!(line.contains("--require-hashes"), "{file}: {line}");
        }
    }
}
