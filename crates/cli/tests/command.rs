//! The command as people use it: what it prints works, and nothing of it is left when it ends, however it ends.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Far more than anything takes; a hang ends here.
const LIMIT: Duration = Duration::from_mins(2);

struct Reveille {
    child: Child,
    output: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Reveille {
    fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_reveille"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            // Its files, and so everything that it starts, are known by this folder.
            .env("TMPDIR", folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output, folder }
    }

    /// Reads lines until one holds a text; gives all of them.
    fn read_until(&mut self, text: &str) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        while !lines.last().is_some_and(|line| line.contains(text)) {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).unwrap(), 0, "it ended without {text:?}: {lines:#?}");
            lines.push(line.trim_end().to_owned());
        }
        lines
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; gives its exit code.
    fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            sleep(Duration::from_millis(20));
        }
        panic!("it did not end");
    }

    /// The processes that it started and that are alive.
    fn processes(&self) -> Vec<String> {
        let mark = format!("={}/", self.folder.path().display());
        let started = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            String::from_utf8_lossy(&environment)
                .contains(&mark)
                .then(|| String::from_utf8_lossy(&command).into_owned())
        });
        started.collect()
    }

    fn wait_until_nothing_is_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline && !self.processes().is_empty() {
            sleep(Duration::from_millis(50));
        }
        assert_eq!(self.processes(), Vec::<String>::new());
    }
}

impl Drop for Reveille {
    fn drop(&mut self) {
        // In a failing test only; ministack's shim ends the rest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs what a person would paste into a shell.
fn shell(script: &str) -> String {
    let output = Command::new("/bin/bash").args(["-euo", "pipefail", "-c", script]).current_dir("/").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_local_prints_runs_a_notebook_and_ctrl_c_ends_everything() {
    let mut reveille = Reveille::start(&["local"]);
    let lines = reveille.read_until("Ctrl-C stops everything.");
    assert!(!reveille.processes().is_empty(), "at least ministack");
    let exports: Vec<&str> = lines.iter().filter(|line| line.starts_with("export ")).map(String::as_str).collect();
    let exports = exports.join("\n");
    let start = lines.iter().find(|line| line.starts_with("aws stepfunctions start-execution ")).expect("a command");
    let arn = shell(&format!("{exports}\n{start} --query executionArn --output text"));
    let status = format!("{exports}\naws stepfunctions describe-execution --execution-arn {arn}");
    let deadline = Instant::now() + LIMIT;
    let seen = loop {
        let seen = shell(&status);
        if !seen.contains("\"RUNNING\"") || Instant::now() > deadline {
            break seen;
        }
        sleep(Duration::from_millis(200));
    };
    assert!(seen.contains("\"SUCCEEDED\"") && seen.contains("output.ipynb"), "{seen}");
    reveille.signal(Signal::INT);
    assert_eq!(reveille.ended(), Some(0));
    assert_eq!(reveille.processes(), Vec::<String>::new());
    assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let output = tempfile::tempdir().unwrap();
    let mut reveille = Reveille::start(&["demo", "--output", output.path().to_str().unwrap()]);
    reveille.read_until("InService");
    reveille.signal(Signal::INT);
    assert_eq!(reveille.ended(), Some(130));
    assert_eq!(reveille.processes(), Vec::<String>::new());
    assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn a_killed_demo_leaves_no_process() {
    let output = tempfile::tempdir().unwrap();
    let mut reveille = Reveille::start(&["demo", "--output", output.path().to_str().unwrap()]);
    reveille.read_until("claims attempt 1");
    assert!(reveille.processes().iter().any(|command| command.contains("reveille-runner")));
    reveille.signal(Signal::KILL);
    assert_eq!(reveille.ended(), None);
    reveille.wait_until_nothing_is_left();
}

#[test]
fn a_start_that_fails_in_the_middle_leaves_nothing() {
    let mut reveille = Reveille::start(&["local", "--parameter", "Architecture=sparc"]);
    assert_eq!(reveille.ended(), Some(1));
    assert_eq!(reveille.processes(), Vec::<String>::new());
    assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_reveille")).arg("demo").current_dir(elsewhere.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("infra/template.yaml is not there") && said.contains("checkout"), "{said}");
    let wrong = Command::new(env!("CARGO_BIN_EXE_reveille")).arg("dance").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}
