//! `make demo` prints what docs/local.md shows: each word, but for times, ids and the folder of the outputs.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::Path;
use std::process::Command;

/// States that are passed as often as the instance and the machine take: whether they are seen says nothing about the page.
const AS_OFTEN_AS_IT_TAKES: [&str; 6] = [
    "CheckInstance wait",
    "IsReady → WaitForInstance",
    "WaitForInstance waits for the instance",
    "VerifyStopped wait",
    "IsStopped → WaitForStop",
    "WaitForStop waits for the instance to stop",
];

/// What the demo printed, or the page shows.
#[derive(Default, Debug)]
struct Shown {
    /// Of each run, what its timeline says, without the times.
    timelines: Vec<BTreeSet<String>>,
    /// Everything else, word by word: lines are broken where the folder's name ends.
    words: Vec<String>,
}

impl Shown {
    fn read(text: &str, folders: &[&str]) -> Self {
        let text = folders.iter().fold(text.to_owned(), |text, folder| text.replace(folder, "FOLDER"));
        let mut shown = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "│").collect();
            match words[..] {
                ["..."] => {}
                [seconds, "s", ..] if seconds.parse::<f64>().is_ok() => {
                    let what = words[2..].iter().map(|word| masked(word)).collect::<Vec<_>>().join(" ");
                    shown.timelines.last_mut().expect("a run began").insert(what);
                }
                _ => {
                    if matches!(words.first(), Some(&("1/2" | "2/2"))) {
                        shown.timelines.push(BTreeSet::new());
                    }
                    shown.words.extend(words.iter().map(|word| masked(word)));
                }
            }
        }
        shown
    }
}

/// A time of this run, or an id, as any other.
fn masked(word: &str) -> String {
    let bare = word.trim_matches(['(', ')']);
    if bare.contains('.') && bare.parse::<f64>().is_ok() {
        return word.replace(bare, "TIME");
    }
    let is_id = word.len() >= 36 && word.chars().all(|sign| sign.is_ascii_hexdigit() || sign == '-');
    if is_id { "ID".to_owned() } else { word.to_owned() }
}

/// Who did something: the state, or what is outside of the state machine.
fn actors(timeline: &BTreeSet<String>) -> BTreeSet<&str> {
    timeline.iter().map(|what| what.split(' ').next().unwrap()).collect()
}

#[test]
fn the_demo_prints_what_its_page_shows() {
    let page = read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/local.md")).unwrap();
    let section = page.split("\n## What the demo prints\n").nth(1).expect("a section");
    let transcript =
        section.split("```text\n").nth(1).and_then(|rest| rest.split("\n```").next()).expect("a transcript");
    let shown = Shown::read(transcript, &["/home/you/reveille/demo-output", "demo-output"]);

    let folder = tempfile::tempdir().unwrap();
    let outputs = folder.path().join("outputs").display().to_string();
    let demo = Command::new(env!("CARGO_BIN_EXE_reveille"))
        .args(["demo", "--output", &outputs])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8(demo.stdout).unwrap();
    assert!(demo.status.success(), "{text}\n{}", String::from_utf8_lossy(&demo.stderr));
    let printed = Shown::read(&text, &[&outputs]);

    assert_eq!(shown.words, printed.words, "{text}");
    assert_eq!((shown.timelines.len(), printed.timelines.len()), (2, 2), "{text}");
    for (shown, printed) in shown.timelines.iter().zip(&printed.timelines) {
        assert!(shown.len() > 10, "{shown:#?}");
        for what in shown {
            // How far papermill is, is seen from time to time.
            let depends_on_time = AS_OFTEN_AS_IT_TAKES.contains(&what.as_str()) || what.starts_with("papermill ");
            assert!(depends_on_time || printed.contains(what), "the demo does not print {what:?}:\n{text}");
        }
    }
    // The second run's timeline is shortened on the page.
    let known = actors(&shown.timelines[0]);
    for actor in actors(&printed.timelines[0]) {
        assert!(known.contains(actor) || actor == "papermill", "the page's first run does not name {actor}:\n{text}");
    }
}
