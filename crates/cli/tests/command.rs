//! The command as people use it: what it prints works, and nothing of it is left when it ends, however it ends.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Far more than anything takes, also on a machine that is busy; a hang ends here.
const LIMIT: Duration = Duration::from_mins(10);

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
            .stderr(Stdio::piped())
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
            let read = self.output.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended without {text:?}: {lines:#?}, {}", self.complaint());
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

    /// What it said on standard error, after its end.
    fn complaint(&mut self) -> String {
        let mut said = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        said
    }

    /// The processes that it started and that are alive.
    fn processes(&self) -> Vec<String> {
        self.started(self.folder.path()).into_iter().map(|(_, command)| command).collect()
    }

    fn started(&self, folder: &Path) -> Vec<(Pid, String)> {
        let mark = format!("={}/", folder.display());
        let started = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let environment = fs::read(entry.path().join("environ")).ok()?;
            let command = fs::read(entry.path().join("cmdline")).ok()?;
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let ours = String::from_utf8_lossy(&environment).contains(&mark);
            (ours && pid != Pid::from_child(&self.child)).then(|| (pid, String::from_utf8_lossy(&command).into_owned()))
        });
        started.collect()
    }

    /// Kills the process of a folder whose command holds a text.
    fn kill(&self, folder: &Path, text: &str) {
        let started = self.started(folder);
        let (pid, _) = started.iter().find(|(_, command)| command.contains(text)).expect("it runs");
        kill_process(*pid, Signal::KILL).unwrap();
    }

    fn wait_until_nothing_is_left(&self) {
        let deadline = Instant::now() + LIMIT;
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

/// The lines that a person pastes into a shell, so that AWS clients use this local AWS.
fn exports(lines: &[String]) -> String {
    lines.iter().filter(|line| line.starts_with("export ")).map(String::as_str).collect::<Vec<_>>().join("\n")
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
    let exports = exports(&lines);
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
    let run = lines.iter().find(|line| line.contains(" run ") && line.contains(" --on nightly")).expect("a command");
    let followed = shell(&format!("{exports}\n{run}"));
    assert!(followed.contains("✓ SUCCEEDED") && followed.contains("Next: reveille open"), "{followed}");
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
fn a_killed_demo_leaves_nothing() {
    let output = tempfile::tempdir().unwrap();
    let mut reveille = Reveille::start(&["demo", "--output", output.path().to_str().unwrap()]);
    reveille.read_until("claims attempt 1");
    assert!(reveille.processes().iter().any(|command| command.contains("reveille-runner")));
    reveille.signal(Signal::KILL);
    assert_eq!(reveille.ended(), None);
    reveille.wait_until_nothing_is_left();
    assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn a_start_that_fails_in_the_middle_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    // Where the packaged functions go.
    fs::write(folder.path().join("artifacts"), "no folder").unwrap();
    let mut reveille = Reveille::start(&["local", "--directory", folder.path().to_str().unwrap()]);
    assert_eq!(reveille.ended(), Some(1));
    assert_eq!(reveille.processes(), Vec::<String>::new());
}

#[test]
fn a_terminal_that_closes_ends_everything() {
    let mut reveille = Reveille::start(&["local"]);
    reveille.read_until("Ctrl-C stops everything.");
    reveille.signal(Signal::HUP);
    assert_eq!(reveille.ended(), Some(0));
    assert_eq!(reveille.processes(), Vec::<String>::new());
    assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0, "its files are gone");
}

#[test]
fn a_dead_ministack_is_told_and_its_files_serve_the_next() {
    let kept = tempfile::tempdir().unwrap();
    let arguments = ["local", "--directory", kept.path().to_str().unwrap()];
    let mut reveille = Reveille::start(&arguments);
    let exports = exports(&reveille.read_until("Ctrl-C stops everything."));
    shell(&format!("{exports}\nprintf kept | aws s3 cp - s3://reveille-incoming/kept.txt"));
    reveille.kill(kept.path(), "ministack_with_heartbeats.py");
    assert_eq!(reveille.ended(), Some(1));
    let said = reveille.complaint();
    assert!(said.contains("ministack ended") && said.contains("signal: 9"), "{said}");
    assert_eq!(reveille.started(kept.path()), []);

    // As after a power cut: it writes what it knows of its services when it is stopped, and objects at once.
    let mut next = Reveille::start(&arguments);
    let exports = self::exports(&next.read_until("Ctrl-C stops everything."));
    assert_eq!(shell(&format!("{exports}\naws s3 cp s3://reveille-incoming/kept.txt -")), "kept");
    next.signal(Signal::INT);
    assert_eq!(next.ended(), Some(0));
}

#[test]
fn what_the_template_refuses_is_refused_before_anything_is_started() {
    for (parameter, why) in [("Nonsense=1", "no such parameter"), ("Architecture=sparc", "not one of arm64, x86_64")] {
        let mut reveille = Reveille::start(&["local", "--parameter", parameter]);
        assert_eq!(reveille.ended(), Some(2));
        let said = reveille.complaint();
        assert!(said.contains(why), "{said}");
        assert_eq!(fs::read_dir(reveille.folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_kept_folder_serves_one_local_aws_at_a_time_and_the_next_goes_on_from_it() {
    let kept = tempfile::tempdir().unwrap();
    let arguments = ["local", "--directory", kept.path().to_str().unwrap()];
    let mut first = Reveille::start(&arguments);
    let exports = exports(&first.read_until("Ctrl-C stops everything."));

    let mut second = Reveille::start(&arguments);
    assert_eq!(second.ended(), Some(1));
    let said = second.complaint();
    assert!(said.contains("another local AWS (process ") && said.contains("--directory"), "{said}");

    // The first one lives, and takes a file and an execution that will never be answered.
    let machines =
        format!("{exports}\naws stepfunctions list-state-machines --query 'stateMachines[0].stateMachineArn'");
    let machine = shell(&format!("{machines} --output text"));
    let machine = machine.trim();
    let start = "aws stepfunctions start-execution --query executionArn --output text --state-machine-arn";
    let input = r#"{"instance": "not-there", "notebook": "a.ipynb"}"#;
    shell(&format!(
        "{exports}\nprintf kept > {0}/kept.txt\naws s3 cp {0}/kept.txt s3://reveille-incoming/kept.txt",
        kept.path().display()
    ));
    let arn = shell(&format!("{exports}\n{start} {machine} --input '{input}'"));
    let arn = arn.trim();
    first.signal(Signal::INT);
    assert_eq!(first.ended(), Some(0));

    let mut third = Reveille::start(&arguments);
    let exports = self::exports(&third.read_until("Ctrl-C stops everything."));
    assert_eq!(shell(&format!("{exports}\naws s3 cp s3://reveille-incoming/kept.txt -")), "kept");
    let describe = "aws stepfunctions describe-execution --query status --output text --execution-arn";
    let status = shell(&format!("{exports}\n{describe} {arn}"));
    // docs/local.md: "An execution that was still running is `FAILED` then"
    assert_eq!(status.trim(), "FAILED", "it does not run for ever");
    // What was deployed anew works.
    let run = shell(&format!("{exports}\n{start} {machine} --input '{input}'"));
    let deadline = Instant::now() + LIMIT;
    let code = loop {
        let code = shell(&format!("{exports}\n{} {}", describe.replace("status", "error"), run.trim()));
        if code.trim() != "None" || Instant::now() > deadline {
            break code;
        }
        sleep(Duration::from_millis(200));
    };
    assert_eq!(code.trim(), "InstanceNotFound");
    third.signal(Signal::INT);
    assert_eq!(third.ended(), Some(0));
}

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let elsewhere = tempfile::tempdir().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_reveille")).arg("demo").current_dir(elsewhere.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("infra/template.yaml is missing") && said.contains("checkout"), "{said}");
    let wrong = Command::new(env!("CARGO_BIN_EXE_reveille")).arg("dance").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
}

/// docs/cli.md: "Files and folders that you name are checked first".
#[test]
fn what_was_typed_is_checked_before_aws_is_asked_and_before_the_confirmation() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("parameters.json");
    fs::write(&bad, "[7]").unwrap();
    let (bad, none) = (bad.display().to_string(), folder.path().join("none").display().to_string());
    let in_bucket = ["deploy", "--release", "s3://b/p/"];
    for (arguments, problem) in [
        (&[&in_bucket[..], &["--parameters-file", &bad]].concat()[..], "parameters.json: [0] must be"),
        (&[&in_bucket[..], &["--parameters-file", &none]].concat(), "cannot read"),
        (&[&in_bucket[..], &["--artifacts-bucket", "a"]].concat(), "--artifacts-bucket is for a folder"),
        (&["deploy", "--release", &none], "none is no release"),
        (&["attach", "nightly", "--on-start", &none], "cannot read"),
        (&["run", "a.ipynb", "--on", "nightly", "-f", &none], "cannot read"),
        (&["instances", "--prices", &none], "cannot read"),
        // Nothing is wrong with these, but for the answer.
        (&in_bucket, "nobody can answer here"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reveille"));
        // No region: whatever asks AWS ends with another code.
        command.args(arguments).env_clear().stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.code() == Some(2) && said.contains(problem), "{arguments:?}: {said}");
    }
}
