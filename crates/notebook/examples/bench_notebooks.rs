//! `make bench-notebooks`: our engine and plain papermill on the same notebooks, in turns, with the same Python.
//!
//! Ours includes the page (`output.html`); papermill runs without one, and once more with nbconvert for the page.
//! Times are medians of each round's own; ratios are medians of each round's ratios, so that what slows the machine in one
//! round slows both. Memory is the largest resident set of a process that drives the kernel or makes the page.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark stops where it cannot go on"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use reveille_notebook::{Engine, Job, Patience, Verdict};
use serde_json::{Map, Value, json};

/// Rounds, each with every program once. Fewer say little on a machine that does other work.
const ROUNDS: usize = 5;

/// What is run: the name, the cells, and the targets for time beside papermill's.
fn notebooks() -> Vec<(&'static str, Vec<String>, f64)> {
    let small = vec!["import math".to_owned(), "print(math.pi)".to_owned(), "math.e".to_owned()];
    let cells = (0..300).map(|number| format!("x = {number}")).collect();
    let bars = "import sys\nfor i in range(20000):\n    sys.stderr.write('\\r%5d/20000 |#########| 123.4it/s' % i)\n    sys.stderr.flush()";
    let large = "for i in range(20): print(('y' * 99 + '\\n') * 10_000, end='')";
    vec![
        ("3 cells", small, 0.7),
        ("300 cells", cells, 0.4),
        ("20,000 updates of a progress bar", vec![bars.to_owned()], 1.0),
        ("20 MB of output", vec![large.to_owned()], 1.0),
    ]
}

/// One measurement.
#[derive(Clone, Copy)]
struct Cost {
    seconds: f64,
    mebibytes: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let python = PathBuf::from(arguments.next().expect("usage: bench_notebooks PYTHON [ROUNDS]"));
    // Each program has a working directory of its own.
    let python = std::path::absolute(python).unwrap();
    let rounds = arguments.next().map_or(ROUNDS, |text| text.parse().expect("ROUNDS is a number"));
    println!(
        "| notebook | ours s | papermill s | with page s | ours / papermill | target | ours MiB | papermill MiB | with page MiB |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for (name, cells, target) in notebooks() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("source.ipynb");
        fs::write(&source, notebook(&cells).to_string()).unwrap();
        let round = |_| {
            let [plain, page] = [false, true].map(|page| papermill(&python, &source, page));
            Some([ours(&python, &source), plain?, page?])
        };
        let measured: Vec<[Cost; 3]> = (0..rounds).filter_map(round).collect();
        if measured.is_empty() {
            println!("| {name} | papermill itself failed in every round | | | | | | | |");
            continue;
        }
        let column = |program: usize| median(measured.iter().map(|round| round[program].seconds));
        let memory = |program: usize| median(measured.iter().map(|round| round[program].mebibytes));
        let ratio = median(measured.iter().map(|round| round[0].seconds / round[1].seconds));
        println!(
            "| {name} | {:.2} | {:.2} | {:.2} | {ratio:.2} | {target:.1} | {:.0} | {:.0} | {:.0} |",
            column(0),
            column(1),
            column(2),
            memory(0),
            memory(1),
            memory(2)
        );
    }
}

fn notebook(cells: &[String]) -> Value {
    let cell = |(number, source): (usize, &String)| json!({"cell_type": "code", "id": format!("c{number}"), "source": source, "metadata": {}, "outputs": [], "execution_count": null});
    let cells: Vec<Value> = cells.iter().enumerate().map(cell).collect();
    let kernel = json!({"name": "python3", "display_name": "Python 3", "language": "python"});
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}}, "cells": cells})
}

fn ours(python: &Path, source: &Path) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let (working_dir, output_dir) = (folder.path().join("work"), folder.path().join("out"));
    fs::create_dir(&working_dir).unwrap();
    fs::create_dir(&output_dir).unwrap();
    let marker = folder.path().display().to_string();
    let job = Job {
        notebook: source.to_owned(),
        title: String::new(),
        working_dir,
        parameters: Map::new(),
        kernel: None,
        sanitize_html: false,
        limit: Duration::from_mins(10),
        patience: Patience::default(),
        marker,
        output_dir,
    };
    let spec = job.output_dir.join("spec.json").display().to_string();
    let watch = Watch::start(move |line| line.contains(&spec));
    let began = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let verdict = runtime.block_on(async {
        Engine::with_python(python.to_owned(), folder.path()).start(job.clone()).unwrap().wait().await
    });
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(verdict, Verdict::Succeeded);
    assert!(job.output_dir.join("output.html").is_file(), "there is no page");
    Cost { seconds, mebibytes: watch.end() }
}

/// The command as a person types it; with the page, nbconvert after it. None when it failed: it gives up a cell whose
/// outputs come four seconds late, as they do on a machine that does other work.
fn papermill(python: &Path, source: &Path, page: bool) -> Option<Cost> {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("output.ipynb");
    let shown = output.display().to_string();
    let watch = Watch::start(move |line| line.contains(&shown) && !line.contains("ipykernel"));
    let began = Instant::now();
    let run = |arguments: &[&Path]| {
        let mut command = Command::new(python);
        command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(Stdio::null()).status().unwrap().success()
    };
    let word = Path::new;
    let good = run(&[word("-m"), word("papermill"), source, &output])
        && (!page || run(&[word("-m"), word("nbconvert"), word("--to"), word("html"), &output]));
    let cost = Cost { seconds: began.elapsed().as_secs_f64(), mebibytes: watch.end() };
    good.then_some(cost)
}

/// Looks at the largest resident set of a process that is found by its command line.
struct Watch {
    ended: Arc<AtomicBool>,
    kibibytes: Arc<AtomicU64>,
    thread: thread::JoinHandle<()>,
}

impl Watch {
    fn start(is_it: impl Fn(&str) -> bool + Send + 'static) -> Self {
        let (ended, kibibytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stop, peak) = (Arc::clone(&ended), Arc::clone(&kibibytes));
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for entry in fs::read_dir("/proc").unwrap().flatten() {
                    let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    if is_it(&String::from_utf8_lossy(&line)) {
                        peak.fetch_max(high_water(&entry.path()), Ordering::Relaxed);
                    }
                }
                thread::sleep(Duration::from_millis(20));
            }
        });
        Self { ended, kibibytes, thread }
    }

    fn end(self) -> f64 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        let kibibytes = u32::try_from(self.kibibytes.load(Ordering::Relaxed)).unwrap();
        f64::from(kibibytes) / 1_024.0
    }
}

fn high_water(process: &Path) -> u64 {
    let status = fs::read_to_string(process.join("status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|text| text.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
