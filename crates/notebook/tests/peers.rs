//! The test notebooks of papermill and nbclient, run by our engine and by papermill; papermill's once more with a parameter.
//! The verdict and what each cell shows are the same, except where docs/output.md says otherwise.
//!
//! The notebooks are not part of this project. `PEER_NOTEBOOKS` names a folder with a folder for each project; without
//! it the test is skipped, and says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr, reason = "tests")]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reveille_notebook::Verdict;
use serde_json::{Map, Value, json};
use support::{Bench, python};
use tokio::process::Command;
use tokio::task::JoinSet;

/// Pairs at a time: each is a driver and a kernel.
const AT_ONCE: usize = 2;
/// Papermill fails a cell whose outputs lag four seconds behind its end, as they may on a busy machine: it gets another try.
const TRIES: usize = 4;
/// For whatever has to end by itself.
const LONG: Duration = Duration::from_mins(20);
/// A notebook that never ends is ended, by both, at a limit that nothing depends on.
const ENDLESS: &str = "nbclient/Interrupt.ipynb";
const ENDLESS_LIMIT: Duration = Duration::from_secs(20);
/// What papermill's own notebooks run with, the second time.
const PARAMETER: (&str, &str) = ("msg", "Hello");

/// The pairs that differ: the notebook, and the sentence of docs/output.md that says why, by its beginning.
const DIFFERENT: &[(&str, &str)] = &[
    ("nbclient/Autokill.ipynb", "The cell in which the kernel died"),
    (ENDLESS, "The cell in which the kernel died"),
    ("nbclient/Skip Exceptions with Cell Tags.ipynb", "A cell tagged `raises-exception` may raise"),
    ("papermill/line_magic_error.ipynb", "An error that the kernel reports without showing it"),
    ("papermill/no_parameters.ipynb", "A run is refused if a parameter's value would be lost"),
    ("papermill/notimplemented_translator.ipynb", "A run that is refused before its first cell"),
];
/// It prints the time.
const PRINTS_TIME: &str = "nbclient/Sleep1s.ipynb";
/// Papermill refuses a notebook that names no kernel; ours takes this one, as docs/output.md says.
const KERNEL: &str = "python3";

/// What is compared of one run.
#[derive(Debug, PartialEq)]
struct Run {
    verdict: String,
    /// What each code cell shows, in order; nothing where there is no output notebook.
    cells: Vec<Value>,
}

#[tokio::test]
async fn peer_notebooks_end_as_papermill_ends_them() {
    let Some(folder) = std::env::var_os("PEER_NOTEBOOKS").map(PathBuf::from) else {
        eprintln!("skipped: PEER_NOTEBOOKS names no folder with the test notebooks of papermill and nbclient");
        return;
    };
    let sources = notebooks(&folder);
    assert!(!sources.is_empty(), "PEER_NOTEBOOKS: no notebook is below {}", folder.display());
    let with_parameter = sources.iter().filter(|(name, _)| name.starts_with("papermill/")).map(|source| (source, true));
    let pairs = sources.iter().map(|source| (source, false)).chain(with_parameter);
    let pairs = pairs.map(|((name, path), with_parameter)| (name.clone(), path.clone(), with_parameter));
    let waiting = Arc::new(Mutex::new(pairs.collect::<Vec<_>>()));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let waiting = Arc::clone(&waiting);
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let next = waiting.lock().unwrap().pop();
                let Some((name, path, with_parameter)) = next else { return done };
                let mut differences = differences(&name, &path, with_parameter).await;
                for _ in 1..TRIES {
                    if !differences.is_empty() && !is_named(&name) {
                        differences = self::differences(&name, &path, with_parameter).await;
                    }
                }
                done.push((name, with_parameter, differences));
            }
        });
    }
    let (mut equal, mut found) = (0, BTreeMap::<String, Vec<String>>::new());
    for (name, with_parameter, differences) in workers.join_all().await.into_iter().flatten() {
        if differences.is_empty() {
            equal += 1;
            continue;
        }
        let how = if with_parameter { "with a parameter" } else { "plain" };
        found.entry(name).or_default().extend(differences.into_iter().map(|text| format!("{how}: {text}")));
    }
    println!("{equal} pairs are equal, {} notebooks differ", found.len());
    let named: BTreeSet<&str> = DIFFERENT.iter().map(|(name, _)| *name).collect();
    let unnamed: Vec<_> = found.iter().filter(|(name, _)| !named.contains(name.as_str())).collect();
    assert!(unnamed.is_empty(), "these differ, and docs/output.md does not say why: {unnamed:#?}");
    let same: Vec<_> = named.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(same.is_empty(), "these are said to differ, and do not: {same:?}");
}

#[test]
fn each_difference_is_told() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/output.md")).unwrap();
    for (name, sentence) in DIFFERENT {
        assert!(
            page.contains(&format!("- {sentence}")),
            "{name}: docs/output.md lacks a line that begins with {sentence:?}"
        );
    }
}

/// The notebooks below the folder, by their project and name.
fn notebooks(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut all = Vec::new();
    for project in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        for path in fs::read_dir(&project).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "ipynb") {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                all.push((name, path));
            }
        }
    }
    all.sort();
    all
}

fn is_named(name: &str) -> bool {
    DIFFERENT.iter().any(|(named, _)| *named == name)
}

async fn differences(name: &str, path: &Path, with_parameter: bool) -> Vec<String> {
    let limit = if name == ENDLESS { ENDLESS_LIMIT } else { LONG };
    let (mut ours, mut theirs) =
        (ours(path, with_parameter, limit).await, papermills(path, with_parameter, limit).await);
    if name == PRINTS_TIME {
        for cell in ours.cells.iter_mut().chain(&mut theirs.cells) {
            *cell = json!(cell.to_string().replace(|letter: char| letter.is_ascii_digit(), "#"));
        }
    }
    let mut told = Vec::new();
    if ours.verdict != theirs.verdict {
        told.push(format!("verdict: {:?}, papermill: {:?}", ours.verdict, theirs.verdict));
    }
    if ours.cells.len() != theirs.cells.len() {
        told.push(format!("{} cells, papermill: {}", ours.cells.len(), theirs.cells.len()));
    }
    for (number, (our, their)) in ours.cells.iter().zip(&theirs.cells).enumerate() {
        if our != their {
            told.push(format!("cell {number}: {}\npapermill: {}", short(our), short(their)));
        }
    }
    told
}

fn short(cell: &Value) -> String {
    cell.to_string().chars().take(900).collect()
}

async fn ours(path: &Path, with_parameter: bool, limit: Duration) -> Run {
    let mut bench = Bench::of_bytes(&fs::read(path).unwrap());
    bench.job.limit = limit;
    if with_parameter {
        bench.job.parameters = Map::from_iter([(PARAMETER.0.to_owned(), json!(PARAMETER.1))]);
    }
    let verdict = match bench.run().await {
        Verdict::Succeeded => "succeeded".to_owned(),
        Verdict::NotebookFailed(failure) => format!("failed: {}", failure.ename),
        Verdict::KernelDied { .. } => "the kernel died".to_owned(),
        Verdict::KernelNotFound { wanted, .. } => format!("no kernel {wanted}"),
        Verdict::TimedOut { .. } => "timed out".to_owned(),
        Verdict::ParametersRefused { .. } => "the parameter is refused".to_owned(),
        Verdict::NotebookUnreadable { .. } => "unreadable".to_owned(),
        other => format!("{other:?}"),
    };
    let cells = cells(&bench.job.output_dir.join("output.ipynb"), &bench.job.working_dir);
    Run { verdict, cells }
}

async fn papermills(path: &Path, with_parameter: bool, limit: Duration) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output.ipynb");
    let mut command = Command::new(python());
    command.args(["-m", "papermill", "--no-progress-bar"]).arg(path).arg(&output).arg("--cwd").arg(folder.path());
    command.arg("--execution-timeout").arg(limit.as_secs().to_string());
    command.arg("--start-timeout").arg(LONG.as_secs().to_string());
    if with_parameter {
        command.args(["-r", PARAMETER.0, PARAMETER.1]);
    }
    let notebook: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    if notebook["metadata"]["kernelspec"]["name"].is_null() {
        command.args(["-k", KERNEL]);
    }
    let ended = command.stdin(Stdio::null()).output().await.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    let verdict = if ended.status.success() { "succeeded".to_owned() } else { word(&said, &output) };
    Run { verdict, cells: cells(&output, folder.path()) }
}

/// Papermill's last words, as the verdict that they mean.
fn word(said: &str, output: &Path) -> String {
    let classes = said.lines().filter_map(|line| line.split_once(": ").map_or(Some(line), |(class, _)| Some(class)));
    let known =
        ["PapermillExecutionError", "DeadKernelError", "CellTimeoutError", "NoSuchKernel", "PapermillException"];
    let class = classes.filter_map(|class| known.into_iter().find(|name| class.ends_with(name))).next_back();
    match class {
        Some("PapermillExecutionError") => format!("failed: {}", last_error(output)),
        Some("DeadKernelError") => "the kernel died".to_owned(),
        Some("CellTimeoutError") => "timed out".to_owned(),
        Some("NoSuchKernel") => {
            let wanted = said.lines().rev().find_map(|line| line.split_once("NoSuchKernel: "));
            format!("no kernel {}", wanted.map_or("", |(_, name)| name).rsplit(' ').next().unwrap_or_default())
        }
        Some(_) => "the parameter is refused".to_owned(),
        None => format!("other: {}", said.lines().last().unwrap_or_default()),
    }
}

/// The class of the error that the output notebook ends with.
fn last_error(output: &Path) -> String {
    let cells = cells(output, Path::new("a folder that no cell names"));
    let outputs = cells.iter().flat_map(|cell| cell["outputs"].as_array().into_iter().flatten());
    let mut names = outputs.filter_map(|output| output["ename"].as_str());
    names.next_back().unwrap_or("an error that no cell shows").to_owned()
}

/// What the code cells show, without what differs from one execution to the next, such as the folder where they ran.
fn cells(output: &Path, ran_in: &Path) -> Vec<Value> {
    let Ok(text) = fs::read_to_string(output) else { return Vec::new() };
    let notebook: Value = serde_json::from_str(&text.replace(ran_in.to_str().unwrap(), "#")).unwrap();
    let cells = notebook["cells"].as_array().unwrap().iter().filter(|cell| cell["cell_type"] == "code");
    cells.map(|cell| json!({"outputs": shown(&cell["outputs"]), "count": cell["execution_count"]})).collect()
}

/// A cell's outputs: pieces of one stream joined, as Jupyter shows them.
fn shown(outputs: &Value) -> Value {
    let mut shown: Vec<Value> = Vec::new();
    for output in outputs.as_array().into_iter().flatten() {
        let mut output = scrubbed(output);
        if output["output_type"] == "stream" {
            if let Some(last) = shown.last_mut().filter(|last| last["name"] == output["name"]) {
                let joined = format!("{}{}", last["text"].as_str().unwrap(), output["text"].as_str().unwrap());
                last["text"] = json!(joined);
                continue;
            }
        } else if let Some(object) = output.as_object_mut() {
            object.remove("transient");
        }
        shown.push(output);
    }
    for output in &mut shown {
        if let Some(text) = output["text"].as_str() {
            output["text"] = json!(text.split('\n').map(written_over).collect::<Vec<_>>().join("\n"));
        }
    }
    json!(shown)
}

/// A line as a terminal shows it after its carriage returns.
fn written_over(line: &str) -> String {
    let mut screen: Vec<char> = Vec::new();
    for part in line.split('\r') {
        for (column, letter) in part.chars().enumerate() {
            if column < screen.len() { screen[column] = letter } else { screen.push(letter) }
        }
    }
    screen.into_iter().collect()
}

/// Lists of lines as one text; addresses, process ids and random ids as `#`.
fn scrubbed(value: &Value) -> Value {
    match value {
        Value::Array(lines) if !lines.is_empty() && lines.iter().all(Value::is_string) => {
            scrubbed(&json!(lines.iter().filter_map(Value::as_str).collect::<String>()))
        }
        Value::Array(items) => items.iter().map(scrubbed).collect(),
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), scrubbed(value))).collect(),
        Value::String(text) => json!(without_ids(text)),
        other => other.clone(),
    }
}

fn without_ids(text: &str) -> String {
    let mut kept = String::new();
    for token in text.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric()) {
        let word = token.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
        let process = kept.ends_with("ipykernel_") && word.bytes().all(|byte| byte.is_ascii_digit());
        let address = word.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let id = word.len() >= 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        if process || address || id {
            kept.push('#');
            kept.push_str(&token[word.len()..]);
        } else {
            kept.push_str(token);
        }
    }
    kept
}
