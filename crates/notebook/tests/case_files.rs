//! Small cases reduced from public reports, kept outside of this project as files: each notebook is run, and ends as is right for it.
//!
//! `PEER_CASES` names a folder with a folder for each case; without it the test is skipped, and says so. What happens to a
//! case before any instance is started is tested in `crates/protocol/tests/case_files.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reveille_notebook::{KernelEnd, Verdict};
use serde_json::{Value, json};
use support::{Bench, IPYKERNEL, KERNEL_WITHOUT_SOCKETS, kernel, python};

/// Until the cell that waits to be ended was reached: on a machine that is busy a limit may strike before.
const LONGEST_LIMIT: Duration = Duration::from_mins(16);

/// A case that was run.
struct Ended {
    bench: Bench,
    verdict: Verdict,
    html_error: Option<String>,
}

impl Ended {
    fn succeeded(&self) {
        assert_eq!(self.verdict, Verdict::Succeeded, "{}", self.bench.output("log.txt"));
        assert_eq!(self.html_error, None);
        assert!(self.bench.output("output.html").contains("</html>"));
    }

    fn failed_in_the_first_cell(&self, ename: &str, text: &str) {
        let Verdict::NotebookFailed(failure) = &self.verdict else { panic!("{:?}", self.verdict) };
        assert_eq!((failure.cell_index, failure.ename.as_str()), (Some(0), ename), "{failure:?}");
        assert!(failure.evalue.contains(text) && !failure.traceback_tail.is_empty(), "{failure:?}");
    }

    /// What the cell with this position shows as text.
    fn shown(&self, cell: usize) -> String {
        let outputs = self.bench.output_notebook()["cells"][cell]["outputs"].clone();
        let texts = outputs.as_array().unwrap().iter().flat_map(|output| output["text"].as_array().unwrap());
        texts.map(|text| text.as_str().unwrap()).collect()
    }
}

struct Case {
    folder: PathBuf,
    input: Value,
}

impl Case {
    fn read(folder: PathBuf) -> Self {
        let case: Value = fs::read(folder.join("case.json"))
            .map_or_else(|_| json!({}), |bytes| serde_json::from_slice(&bytes).expect("case.json is JSON"));
        Self { folder, input: case["input"].clone() }
    }

    fn bench(&self) -> Bench {
        let mut bench = Bench::of_bytes(&fs::read(self.folder.join("notebook.ipynb")).unwrap());
        bench.job.parameters = self.input["parameters"].as_object().cloned().unwrap_or_default();
        bench
    }

    async fn run(&self, bench: Bench) -> Ended {
        let mut execution = bench.start();
        let verdict = execution.wait().await;
        let html_error = execution.html_error().map(str::to_owned);
        assert_eq!(bench.left(), 0, "processes of the run are left");
        Ended { bench, verdict, html_error }
    }

    async fn ended(&self) -> Ended {
        self.run(self.bench()).await
    }

    /// With a kernel that stands in for one which cannot be installed here.
    async fn ended_with(&self, name: &str, language: &str, argv: &[&str]) -> Ended {
        let bench = self.bench();
        kernel(&bench, "other", name, language, argv, &json!({}));
        self.run(bench).await
    }
}

#[tokio::test]
async fn each_case_ends_as_is_right_for_it() {
    let Some(folder) = std::env::var_os("PEER_CASES").map(PathBuf::from) else {
        eprintln!("skipped: PEER_CASES names no folder with cases");
        return;
    };
    let mut folders: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.join("notebook.ipynb").is_file());
    folders.sort();
    assert!(!folders.is_empty(), "PEER_CASES: no case is below {}", folder.display());
    let mut ran = 0;
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        eprintln!("{name}");
        ran += usize::from(right(&name, &Case::read(folder)).await);
    }
    eprintln!("{ran} cases ran");
    assert!(ran > 0, "none of the cases is known");
}

/// Whether the case is one that is known, and can be run here; then it ended as is right.
async fn right(name: &str, case: &Case) -> bool {
    match name {
        "04-tags-null"
        | "98-papermill-null"
        | "12-kernelspec-only-displayname"
        | "37-mermaid-attach"
        | "G1-attachment-nonascii" => case.ended().await.succeeded(),
        "16-exit-call" => {
            let ended = case.ended().await;
            ended.succeeded();
            assert_eq!((ended.shown(0).as_str(), ended.shown(1).as_str()), ("one\n", ""));
        }
        "20-kernel-restart" => {
            let Verdict::KernelDied { cell_index, message, how } = case.ended().await.verdict else { panic!("{name}") };
            assert_eq!((cell_index, how), (Some(0), KernelEnd::Exited));
            assert!(message.contains("status 0") && !message.contains("memory"), "{message}");
        }
        "24-raises-exception-tag" => {
            let ended = case.ended().await;
            ended.succeeded();
            assert_eq!(ended.shown(1), "two\n");
        }
        "26-unknown-magic" => case.ended().await.failed_in_the_first_cell("UsageError", "nosuchmagic"),
        "B6-exception-group" => {
            if !Command::new(python()).args(["-c", "ExceptionGroup"]).status().unwrap().success() {
                eprintln!("skipped: this Python is older than exception groups");
                return false;
            }
            case.ended().await.failed_in_the_first_cell("ExceptionGroup", "many");
        }
        "A7-kernel-oom" => case.ended().await.failed_in_the_first_cell("MemoryError", ""),
        "32-update-display" => output_is_bounded(&case.ended().await),
        "50-param-keyword-secret" => the_parameter_is_refused(&case.ended().await, "class", "hunter2"),
        "53-two-param-cells" => the_parameter_is_refused(&case.ended().await, "parameters", "a is"),
        "56-bash-nolang" => {
            let ended = case.ended_with("bash", "bash", &IPYKERNEL).await;
            the_parameter_is_refused(&ended, "a to kernel bash", "\"k\"");
        }
        "70-xpython" => needs_ports(case).await,
        "75-sigterm-cleanup" => cleans_up_at_the_limit(case).await,
        "80-conda-activate" => is_activated(case).await,
        "A1-dots" => {
            let ended = case.ended().await;
            ended.succeeded();
            assert_eq!(ended.bench.output_notebook()["cells"][0]["outputs"].as_array().unwrap().len(), 1);
            assert_eq!(ended.shown(0), "....................".to_owned() + " done\n");
            assert!(ended.bench.output("output.html").contains(".................... done"));
        }
        "A6-remove-input-tag" => {
            let ended = case.ended().await;
            ended.succeeded();
            assert!(!ended.bench.output("output.html").contains("secret"));
        }
        "F1-pyspark-no-cluster" => return spark_fails(case).await,
        "77-restore-completed-twice" => return false, // it is about its event, before any instance is started
        _ => {
            eprintln!("skipped: what is right for {name} is not known here");
            return false;
        }
    }
    true
}

fn output_is_bounded(ended: &Ended) {
    ended.succeeded();
    let written = ended.bench.output("output.ipynb");
    assert!(written.len() < 33 << 20 && written.contains("is left out by Reveille"), "{}", written.len());
}

/// Refused before a cell ran, by name; what must not be said is said nowhere.
fn the_parameter_is_refused(ended: &Ended, word: &str, unsaid: &str) {
    let Verdict::ParametersRefused { reason } = &ended.verdict else { panic!("{:?}", ended.verdict) };
    assert!(reason.contains(word), "{reason}");
    assert!(!reason.contains(unsaid) && !ended.bench.output("log.txt").contains(unsaid), "{reason}");
}

async fn needs_ports(case: &Case) {
    let program = tempfile::NamedTempFile::new().unwrap();
    fs::write(program.path(), KERNEL_WITHOUT_SOCKETS).unwrap();
    let argv = [program.path().to_str().unwrap(), "-f", "{connection_file}"];
    let ended = case.ended_with("xpython", "python", &argv).await;
    ended.succeeded();
    // The parameters' cell stands before it.
    assert_eq!(ended.shown(1), "ran 1\n");
}

async fn cleans_up_at_the_limit(case: &Case) {
    let mut limit = Duration::from_secs(case.input["limits"]["runSeconds"].as_u64().unwrap());
    let ended = loop {
        let mut bench = case.bench();
        bench.job.limit = limit;
        let ended = case.run(bench).await;
        assert!(matches!(ended.verdict, Verdict::TimedOut { after, .. } if after == limit), "{:?}", ended.verdict);
        let written = fs::read_to_string(ended.bench.job.output_dir.join("output.ipynb")).unwrap_or_default();
        if written.contains("\"waiting\\n\"") {
            break ended;
        }
        limit *= 2;
        assert!(limit <= LONGEST_LIMIT, "the cell was never reached");
    };
    let written = fs::read_to_string(ended.bench.job.working_dir.join("cleaned.txt")).unwrap();
    assert_eq!(written, "yes");
}

/// The environment is laid out by the case's own script.
async fn is_activated(case: &Case) {
    let bench = case.bench();
    let home = bench.folder.path().join("home/ec2-user");
    let script = case.folder.join("make-env.sh");
    assert!(Command::new("bash").arg(script).arg(&home).arg(python()).status().unwrap().success());
    let ended = case.run(bench).await;
    ended.succeeded();
    let env = home.join("anaconda3/envs/geo");
    let shown = ended.shown(0);
    for expected in [
        format!("'CONDA_PREFIX': '{}'", env.display()),
        format!("'PROJ_LIB': '{}'", env.join("share/proj").display()),
        format!("'PATH': '{}:", env.join("bin").display()),
        "'CONDA_DEFAULT_ENV': 'geo'".to_owned(),
        "'MODEL_STAGE': 'prod'".to_owned(),
    ] {
        assert!(shown.contains(&expected), "{expected}: {shown}");
    }
}

/// Only where there is a sparkmagic. Nobody answers its calls: its home is empty.
async fn spark_fails(case: &Case) -> bool {
    let Ok(sparkmagic) = std::env::var("REVEILLE_TEST_SPARKMAGIC") else {
        eprintln!("skipped: REVEILLE_TEST_SPARKMAGIC names no Python with sparkmagic");
        return false;
    };
    let bench = case.bench();
    let home = bench.folder.path().join("own");
    fs::create_dir(&home).unwrap();
    let argv = ["-m", "sparkmagic.kernels.pysparkkernel.pysparkkernel", "-f", "{connection_file}"];
    let env = kernel(&bench, "spark", "pysparkkernel", "python3", &argv, &json!({"HOME": home}));
    started_by(&env, Path::new(&sparkmagic));
    let Verdict::NotebookFailed(failure) = case.run(bench).await.verdict else { panic!("it fails") };
    assert_eq!(failure.cell_index, Some(0), "{failure:?}");
    true
}

/// Another interpreter for the environment's only kernel.
fn started_by(env: &Path, python: &Path) {
    let file = env.join("share/jupyter/kernels/pysparkkernel/kernel.json");
    let mut spec: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    spec["argv"][0] = json!(python);
    fs::write(file, spec.to_string()).unwrap();
}
