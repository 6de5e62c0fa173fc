//! The house: a room for each state, and decisions that are pure.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use reveille_contract_tests::{definition, files_below, read, root, rust_below, snake};

const PROTOCOL: &str = "crates/protocol/src";

/// Each source file of the protocol, by its path below `src`.
fn protocol() -> BTreeMap<String, String> {
    let folder = root().join(PROTOCOL);
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
        (name, std::fs::read_to_string(path).unwrap())
    };
    rust_below(PROTOCOL).into_iter().map(named).collect()
}

/// What a file says before its tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap()
}

/// `check_instance/decide.rs` is in the room `check_instance`.
fn room(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The rooms of the states that call a function.
fn states() -> BTreeSet<String> {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    states.iter().filter(|(_, body)| body["Type"] == "Task").map(|(state, _)| snake(state)).collect()
}

#[test]
fn decisions_are_pure() {
    let ports = read("crates/domain/src/ports.rs") + &read("crates/domain/src/ports/instance.rs");
    let traits: Vec<&str> = ports
        .lines()
        .filter_map(|line| line.strip_prefix("pub trait ")?.split([':', ' ', '<']).next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(traits.contains(&"Clock") && traits.contains(&"GetObject"), "{traits:?}");
    let protocol = protocol();
    let decisions: Vec<_> = protocol.iter().filter(|(file, _)| file.contains("/decide")).collect();
    assert!(decisions.len() >= 9, "{decisions:?}");
    for (file, text) in decisions {
        let text: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for impure in ["async", ".await", "Utc::now", "SystemTime", "Instant", "std::env", "std::fs"] {
            assert!(!text.contains(impure), "{file} is a decision, and holds `{impure}`");
        }
        let words: BTreeSet<&str> = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
        for port in &traits {
            assert!(!words.contains(port), "{file} is a decision, and names the port {port}");
        }
    }
}

#[test]
fn each_state_has_a_room_and_imports_no_other_states() {
    let (protocol, states) = (protocol(), states());
    for state in &states {
        assert!(protocol.contains_key(&format!("{state}.rs")), "{PROTOCOL}/{state}.rs");
    }
    for (file, text) in &protocol {
        // The sweeper does what every state could not.
        if matches!(room(file), "sweep" | "lib") {
            continue;
        }
        for other in states.iter().filter(|other| **other != room(file)) {
            assert!(
                !without_tests(text).contains(&format!("crate::{other}")),
                "{file} imports the state {other}: what two states share has a room of its own"
            );
        }
    }
}

/// The name that a line gives to a public type.
fn public_type(line: &str) -> Option<&str> {
    let item = line.trim_start();
    let rest =
        ["pub struct ", "pub enum ", "pub trait ", "pub type "].iter().find_map(|kind| item.strip_prefix(kind))?;
    rest.split(|letter: char| !letter.is_alphanumeric()).next()
}

/// Whoever reads a name must find one place: in what is deployed, in what is not, and in the tests.
#[test]
fn no_two_public_types_share_a_name() {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in ["crates", "functions", "tests"].into_iter().flat_map(rust_below) {
        let text = std::fs::read_to_string(&path).unwrap();
        for name in text.lines().filter_map(public_type) {
            places.entry(name.to_owned()).or_default().push(path.display().to_string());
        }
    }
    for (name, crate_of_it) in [("LocalAws", "e2e"), ("World", "simulation"), ("RunStatus", "domain")] {
        assert!(places[name].iter().any(|path| path.contains(crate_of_it)), "{name} is found");
    }
    places.retain(|_, places| places.len() > 1);
    assert!(places.is_empty(), "name each for whose it is: {places:#?}");
}

/// The files in Rust and in Python, and what each holds.
fn sources() -> Vec<(PathBuf, String)> {
    let folders = ["crates", "examples", "functions", "infra", "tests"].map(|folder| root().join(folder));
    let files = folders.iter().flat_map(|folder| files_below(folder));
    let sources: Vec<(PathBuf, String)> = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs" || extension == "py"))
        .map(|file| (file.clone(), std::fs::read_to_string(file).unwrap()))
        .collect();
    assert!(sources.len() > 300, "{} files", sources.len());
    sources
}

/// A file is read at one sitting.
#[test]
fn no_source_file_is_over_400_lines() {
    for (file, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{} has {lines} lines: split it by what it holds", file.display());
    }
}

/// Nobody sees it: a tool that took `\1` for a character once put one in the place of a word.
#[test]
fn no_source_file_has_a_control_character() {
    let stray = |letter: &char| letter.is_control() && !matches!(letter, '\n' | '\t');
    assert!(stray(&'\u{1}') && stray(&'\r'));
    for (file, text) in sources() {
        for (number, line) in text.split('\n').enumerate() {
            let found = line.chars().find(stray);
            assert!(found.is_none(), "{}:{} has {found:?}: write it as an escape", file.display(), number + 1);
        }
    }
}

/// Which rooms of the protocol each of its rooms imports.
fn doors() -> BTreeMap<String, BTreeSet<String>> {
    let mut doors: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let protocol = protocol();
    for (file, text) in &protocol {
        let own = doors.entry(room(file).to_owned()).or_default();
        for path in without_tests(text).split("crate::").skip(1) {
            let list = path.strip_prefix('{').map_or(path, |list| list.split('}').next().unwrap());
            let named = if path.starts_with('{') { list.split(',').collect() } else { vec![list] };
            own.extend(named.iter().filter_map(|name| {
                name.trim().split(|letter: char| !letter.is_alphanumeric() && letter != '_').next().map(str::to_owned)
            }));
        }
    }
    let rooms: BTreeSet<String> = doors.keys().cloned().collect();
    for (room, leads_to) in &mut doors {
        leads_to.retain(|other| rooms.contains(other) && other != room);
    }
    doors
}

/// A walk through rooms, each with the rooms that it opens onto: those that were entered, in order, and each step back, into a room that
/// the walk has not left yet or that it came through as a state's.
fn walk(doors: &BTreeMap<String, BTreeSet<String>>, through: &[&str]) -> (Vec<String>, Vec<String>) {
    fn enter(
        doors: &BTreeMap<String, BTreeSet<String>>,
        through: &[&str],
        open: &mut Vec<String>,
        entered: &mut Vec<String>,
        back: &mut Vec<String>,
    ) {
        let room = open.last().expect("one is open").clone();
        entered.push(room.clone());
        for next in &doors[&room] {
            if open.contains(next) || (through.contains(&next.as_str()) && entered.contains(next)) {
                back.push(format!("{room} leads back to {next}"));
            } else if !entered.contains(next) {
                open.push(next.clone());
                enter(doors, through, open, entered, back);
                open.pop();
            }
        }
    }
    let (mut entered, mut back) = (Vec::new(), Vec::new());
    for room in through {
        if !entered.iter().any(|known| known == room) {
            enter(doors, through, &mut vec![(*room).to_owned()], &mut entered, &mut back);
        }
    }
    (entered, back)
}

/// Whoever follows an object that landed, or a cell that raised, from state to state opens each room once, and reads on downwards.
#[test]
fn a_walk_through_a_run_takes_no_step_back() {
    let doors = doors();
    assert!(doors["verify_stopped"].contains("bring_to_rest") && doors["sweep"].contains("conclude_run"), "{doors:?}");
    let an_object_lands =
        ["admit_run", "check_instance", "start_instance", "await_run", "runner", "verify_stopped", "conclude_run"];
    let a_cell_raises = ["runner", "await_run", "verify_stopped", "conclude_run"];
    for (through, most) in [(&an_object_lands[..], 19), (&a_cell_raises[..], 16)] {
        let (entered, back) = walk(&doors, through);
        assert!(back.is_empty(), "{back:?}");
        assert!(entered.len() <= most, "{} rooms: {entered:?}", entered.len());
    }
    let circle = |rooms: &[(&str, &str)]| {
        rooms.iter().map(|(room, next)| ((*room).to_owned(), BTreeSet::from([(*next).to_owned()]))).collect()
    };
    assert_eq!(walk(&circle(&[("a", "b"), ("b", "a")]), &["a"]).1, ["b leads back to a"]);
}
