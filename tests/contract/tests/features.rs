//! Users get each program built alone. The tests run in a build of the whole workspace, where crates turn on each other's features. So a
//! test can pass by a feature that users do not have: coloured help and suggested commands worked in the tests alone, and `serde_json` would
//! read numbers differently.
#![expect(clippy::unwrap_used, reason = "a broken workspace is to stop the run")]

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use reveille_contract_tests::root;

/// The programs that are shipped.
const PROGRAMS: [&str; 3] = ["reveille-cli", "reveille-functions", "reveille-runner"];

/// Features that a shipped program lacks: the crate, its features, and why nobody can tell.
const UNSEEN: &[(&str, &[&[&str]], &str)] = &[
    (
        "aws-config",
        &[&["credentials-process", "sso"]],
        "functions and instances have roles; the command asks for both itself",
    ),
    ("base64", &[&["default", "std"]], NO_USE),
    ("clap", &[&["default"]], "what it stands for is asked for by name"),
    ("chrono", &[&["default", "js-sys", "oldtime", "wasm-bindgen", "wasmbind"]], NO_USE),
    ("crypto-common", &[&["std"]], NO_USE),
    ("digest", &[&["block-buffer", "core-api", "default", "std"]], NO_USE),
    ("futures-channel", &[&["futures-sink", "sink"]], NO_USE),
    ("futures-task", &[&["std"]], NO_USE),
    ("futures-util", &[&["async-await", "async-await-macro", "channel", "default"], FUTURES], NO_USE),
    ("getrandom", &[&["std", "sys_rng"]], NO_USE),
    ("hyper", &[&["server"]], SERVERS),
    ("hyper-util", &[&["server", "service"]], SERVERS),
    ("num-traits", &[&["default", "std"]], NO_USE),
    ("regex", &[&["default"], PERF, UNICODE], PATTERNS),
    ("regex-automata", &[AUTOMATA, UNICODE], PATTERNS),
    ("regex-syntax", &[&["default"], UNICODE], PATTERNS),
    ("rustix", &[&["default", "event", "pty", "termios", "thread", "time"]], NO_USE),
    ("serde", &[&["rc"]], NO_USE),
    ("serde_core", &[&["default", "rc"]], NO_USE),
    (
        "tempfile",
        &[&["default", "getrandom"]],
        "names of temporary files are as hard to guess: another source of chance",
    ),
    ("thiserror", &[&["default"]], NO_USE),
    (
        "tokio",
        &[&["process", "rt-multi-thread", "test-util"]],
        "calls that are missing do not compile; the runtimes are built by name",
    ),
    (
        "tower",
        &[&["futures-core", "futures-util", "make", "pin-project-lite", "sync_wrapper", "tokio", "util"]],
        SERVERS,
    ),
    ("tracing", &[&["log"]], "nothing reads records of log"),
];

const FUTURES: &[&str] =
    &["futures-channel", "futures-io", "futures-macro", "futures-sink", "io", "memchr", "sink", "std"];
const PERF: &[&str] =
    &["perf", "perf-backtrack", "perf-cache", "perf-dfa", "perf-inline", "perf-literal", "perf-onepass"];
const AUTOMATA: &[&str] = &[
    "dfa-onepass",
    "hybrid",
    "nfa-backtrack",
    "perf-inline",
    "perf-literal",
    "perf-literal-multisubstring",
    "perf-literal-substring",
];
const UNICODE: &[&str] =
    &["unicode", "unicode-age", "unicode-bool", "unicode-case", "unicode-script", "unicode-segment"];

const NO_USE: &str = "more functions and types: without one that is used, the program does not compile";
const SERVERS: &str = "the program is no server";
const PATTERNS: &str =
    "a pattern that needs it does not compile, and a test compiles each: other ways to search find the same";

#[test]
fn a_shipped_program_has_the_features_that_its_tests_have() {
    let tested = features(&["--workspace", "--edges", "normal,build,dev"]);
    // A feature of a crate, and a program that lacks it.
    let mut lacking: BTreeMap<(String, String), &str> = BTreeMap::new();
    for program in PROGRAMS {
        for (package, shipped) in features(&["--package", program, "--edges", "normal"]) {
            let name = package.split(' ').next().unwrap();
            for feature in tested.get(&package).into_iter().flatten().filter(|feature| !shipped.contains(*feature)) {
                lacking.insert((name.to_owned(), feature.clone()), program);
            }
        }
    }
    let pairs = |(name, known, _): &(&str, &[&[&str]], _)| {
        let name = (*name).to_owned();
        known.concat().into_iter().map(move |feature| (name.clone(), feature.to_owned())).collect::<Vec<_>>()
    };
    let unseen: BTreeSet<(String, String)> = UNSEEN.iter().flat_map(pairs).collect();
    let new: Vec<_> = lacking.iter().filter(|(feature, _)| !unseen.contains(*feature)).collect();
    assert!(
        new.is_empty(),
        "ask for it in the program's own Cargo.toml, or add it to UNSEEN and say why it makes no difference: {new:#?}"
    );
    let stale: Vec<_> = unseen.iter().filter(|feature| !lacking.contains_key(*feature)).collect();
    assert!(stale.is_empty(), "they are no differences any more: {stale:#?}");
}

/// The features of each crate (with its version) of a build.
fn features(of: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--target",
            "x86_64-unknown-linux-gnu",
            "--prefix",
            "none",
            "--no-dedupe",
            "--format",
            "{p}|{f}",
        ])
        .args(of)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(tree.stdout).unwrap().lines().filter(|line| !line.is_empty()) {
        let (package, features) = line.split_once('|').unwrap();
        // The version is the second word; behind it is where the package is.
        let package = package.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let features = features.split(',').filter(|feature| !feature.is_empty()).map(str::to_owned);
        all.entry(package).or_default().extend(features);
    }
    assert!(all.len() > 50, "cargo names {} crates", all.len());
    all
}
