//! One notebook being executed: supervision of the driver process, from its start to nothing left.

use std::fs;
use std::io::{self, PipeWriter, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::driver;
use crate::engine::Engine;
use crate::error::EngineError;
use crate::growth::Growth;
use crate::job::{CellProgress, HURRIED_EXPORT, Job, Mode, Output};
use crate::kernel_folder;
use crate::log::Log;
use crate::processes::Marked;
use crate::regular;
use crate::verdict::{self, Answered, Breakage, Read, Verdict};

/// The environment variable by which every process of a run is found.
pub(crate) const MARKER: &str = "REVEILLE_RUN";
/// The driver's exit code for "no space left".
const DISK_FULL: i32 = 28;
/// Rounds of killing when an execution is dropped unfinished, and the pause between them.
const DROP_ROUNDS: usize = 40;
const DROP_PAUSE: Duration = Duration::from_millis(5);

/// For a limit beyond what a clock can hold: a year, as long as any workflow may wait.
const NO_LIMIT: Duration = Duration::from_hours(365 * 24);

/// What stands in the cell that ran when the driver itself had to be killed; the driver's own words for it are the same.
const ENDED: &str =
    "Reveille ended the run in this cell: its time limit was reached, it was cancelled, or its instance was stopped";

const RESULT: &str = "result.json";
/// Two numbers.
const PROGRESS_LIMIT: u64 = 4 << 10;
const PROGRESS: &str = "progress.json";
const SPEC: &str = "spec.json";
/// What the driver needs only while it runs.
const SCRATCH: [&str; 5] = [SPEC, driver::FOLDER, "jupyter", "runtime", "sparkmagic"];

/// One notebook being executed. Dropped before its end, it kills every process of the run.
pub struct NotebookProcess {
    engine: Engine,
    job: Job,
    child: Child,
    log: Log,
    marked: Marked,
    deadline: Instant,
    /// Why we ended the run, once we do.
    ending: Option<Verdict>,
    verdict: Option<Verdict>,
    html_error: Option<String>,
    /// How long the driver may take to end, and a page that is made after it.
    end_limit: Duration,
    export_limit: Duration,
}

impl Engine {
    /// Starts a notebook. Must be called inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// When the job cannot be executed at all: no such file or folder, a parameter's name that is no
    /// identifier, an unusable output folder or interpreter. Whatever goes wrong later is a verdict.
    pub fn start(&self, job: Job) -> Result<NotebookProcess, EngineError> {
        NotebookProcess::start(self.clone(), job)
    }
}

impl NotebookProcess {
    pub(crate) fn start(engine: Engine, mut job: Job) -> Result<Self, EngineError> {
        job.check()?;
        // The driver's own working directory is the output folder: relative paths would mean another place.
        for path in [&mut job.notebook, &mut job.output_dir, &mut job.working_dir] {
            *path = std::path::absolute(&*path).map_err(|source| EngineError::Write { path: path.clone(), source })?;
        }
        // What a runner that died left here must not be taken for our answer.
        for stale in [RESULT, PROGRESS] {
            let _absent = fs::remove_file(job.output_dir.join(stale));
        }
        kernel_folder::remove(&job.marker);
        let (log, writer) = open_log(&job)?;
        let child = spawn(&engine, &job, Mode::Execute, writer)?;
        let end_limit = job.patience.to_end();
        Ok(Self {
            marked: Marked::new(MARKER, &job.marker),
            deadline: Instant::now().checked_add(job.limit).unwrap_or_else(|| Instant::now() + NO_LIMIT),
            engine,
            export_limit: job.patience.export,
            job,
            child,
            log,
            ending: None,
            verdict: None,
            html_error: None,
            end_limit,
        })
    }

    /// How far the notebook is. Cheap: reads one small file.
    #[must_use]
    pub fn progress(&self) -> CellProgress {
        Self::progress_in(&self.job.output_dir)
    }

    /// The same of the execution whose output folder this is: for who is waiting for its end meanwhile.
    #[must_use]
    pub fn progress_in(output_dir: &Path) -> CellProgress {
        let file = regular::read(&output_dir.join(PROGRESS), PROGRESS_LIMIT).unwrap_or_default();
        serde_json::from_slice(&file).unwrap_or_default()
    }

    /// What is printed, as it comes.
    #[must_use]
    pub fn printed(&self) -> Growth {
        self.log.growth()
    }

    /// The outputs that exist, with their paths.
    #[must_use]
    pub fn outputs(&self) -> Vec<(Output, PathBuf)> {
        Self::outputs_in(&self.job.output_dir)
    }

    /// The same of the execution whose output folder this is.
    #[must_use]
    pub fn outputs_in(output_dir: &Path) -> Vec<(Output, PathBuf)> {
        let named = |output: Output| (output, output_dir.join(output.file_name()));
        Output::ALL.map(named).into_iter().filter(|(_, path)| regular::is(path)).collect()
    }

    /// Why there is no output.html, if it could not be made. Never changes the verdict.
    #[must_use]
    pub fn html_error(&self) -> Option<&str> {
        self.html_error.as_deref()
    }

    /// Waits for the end, at most until the job's limit and then as long as killing and saving take.
    /// When it returns, no process of the run is left. May be dropped and called again until the driver ends; after
    /// that, dropping it would begin the saving anew.
    pub async fn wait(&mut self) -> Verdict {
        if let Some(verdict) = &self.verdict {
            return verdict.clone();
        }
        match tokio::time::timeout_at(self.deadline, self.child.wait()).await {
            Ok(status) => self.conclude(status.ok()).await,
            Err(_) => self.time_out().await,
        }
    }

    /// Ends the run as one whose limit is reached. [`Self::wait`] does so by itself when the time comes.
    pub async fn time_out(&mut self) -> Verdict {
        match &self.verdict {
            Some(verdict) => verdict.clone(),
            None => self.stop(Verdict::TimedOut { after: self.job.limit, at: None }).await,
        }
    }

    /// Ends the run now; what was executed so far is kept. Does nothing once [`Self::wait`] has returned.
    pub async fn cancel(&mut self) {
        if self.verdict.is_none() {
            self.stop(Verdict::Cancelled).await;
        }
    }

    /// The same on a machine that is about to go: what takes longer than [`Patience::hurry`](crate::Patience::hurry) is cut off.
    pub async fn cancel_soon(&mut self) {
        self.end_limit = self.end_limit.min(self.job.patience.hurry);
        self.export_limit = HURRIED_EXPORT;
        self.cancel().await;
    }

    async fn stop(&mut self, reason: Verdict) -> Verdict {
        // Once the driver has answered it only exports the HTML: then its answer stands.
        if !regular::is(&self.path(RESULT)) {
            self.ending.get_or_insert(reason);
        }
        if let Some(pid) = self.child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            // Not waited for yet, so the number is still the driver's; if it ended, nothing happens.
            let _ended = kill_process(pid, Signal::TERM);
        }
        let ended = tokio::time::timeout(self.end_limit, self.child.wait()).await;
        self.conclude(ended.ok().and_then(Result::ok)).await
    }

    /// Ends what is left of the run and puts the verdict together.
    async fn conclude(&mut self, status: Option<ExitStatus>) -> Verdict {
        let none_left = self.marked.end().await;
        let status = match status {
            Some(status) => Some(status),
            None => self.child.wait().await.ok(),
        };
        self.log.finish().await;
        let Read { answer, html_error } = verdict::read(&self.path(RESULT)).unwrap_or_default();
        self.html_error = html_error;
        let (verdict, unfinished) = match (self.ending.clone(), answer) {
            (Some(Verdict::TimedOut { after, .. }), Some(Answered::Interrupted(at))) => {
                (Verdict::TimedOut { after, at }, None)
            }
            (Some(ending), Some(_)) => (ending, None),
            (Some(ending), None) => (ending, Some(ENDED.to_owned())),
            (None, Some(Answered::Verdict(verdict))) => (verdict, None),
            (None, answer @ (Some(Answered::Interrupted(_)) | None)) => {
                // It was told to end, and not by us.
                let told = answer.map(|_| Signal::TERM.as_raw());
                let verdict = unanswered(status, told);
                let why = "Reveille's process that executed the notebook ended while this cell was running".to_owned();
                (verdict, Some(why))
            }
        };
        self.finish(unfinished).await;
        if !none_left {
            self.note("processes of this run could not be killed; they end when the instance stops");
        }
        let verdict = self.explained(verdict);
        for scratch in SCRATCH {
            regular::remove(&self.path(scratch));
        }
        kernel_folder::remove(&self.job.marker);
        self.verdict.insert(verdict).clone()
    }

    /// Does what a driver which was killed could not do: marks the cell that ran, and makes the HTML.
    async fn finish(&mut self, unfinished: Option<String>) {
        let needed = regular::is(&self.path(Output::Notebook.file_name()))
            && (unfinished.is_some()
                || !regular::is(&self.path(Output::Html.file_name()))
                    && (self.html_error.is_none() || self.ending.is_some()));
        if !needed {
            return;
        }
        let Ok((mut log, writer)) = open_log(&self.job) else {
            return;
        };
        self.html_error =
            match spawn(&self.engine, &self.job, Mode::Finish { unfinished: unfinished.as_deref() }, writer) {
                Err(error) => Some(error.to_string()),
                Ok(mut child) => match tokio::time::timeout(self.export_limit, child.wait()).await {
                    Ok(_) if regular::is(&self.path(Output::Html.file_name())) => None,
                    Ok(_) => Some("the export failed; log.txt says why".to_owned()),
                    Err(_) => Some(format!("it took longer than {} s", self.export_limit.as_secs())),
                },
            };
        self.marked.end().await;
        log.finish().await;
    }

    /// An engine that does not work is explained by its log and by what to do.
    fn explained(&self, verdict: Verdict) -> Verdict {
        let Verdict::EngineBroken { why, message, .. } = verdict else {
            return verdict;
        };
        let python = self.engine.python().display();
        let advice = match why {
            Breakage::NotImportable => format!("; {}", self.engine.repair()),
            // Its log ends where it was ended, and says nothing of that.
            Breakage::Ended { .. } => String::new(),
            Breakage::Other => format!("; the log shows what happened (Python: {python})"),
        };
        Verdict::EngineBroken { why, message: message + &advice, log_tail: self.log.tail() }
    }

    fn note(&self, line: &str) {
        let file = regular::append(&self.path(Output::Log.file_name()));
        let _best_effort = file.and_then(|mut file| writeln!(file, "{line}"));
    }

    fn path(&self, name: &str) -> PathBuf {
        self.job.output_dir.join(name)
    }
}

impl Drop for NotebookProcess {
    fn drop(&mut self) {
        if self.verdict.is_some() {
            return;
        }
        for _ in 0..DROP_ROUNDS {
            if self.marked.signal(Signal::KILL) == 0 {
                break;
            }
            std::thread::sleep(DROP_PAUSE);
        }
        kernel_folder::remove(&self.job.marker);
    }
}

/// Ends every process of the run that had this marker: for a supervisor that was itself started again after
/// it died, and finds what it left; the kernel's folder too. True when no process is left.
pub async fn end_leftovers(marker: &str) -> bool {
    let none_left = Marked::new(MARKER, marker).end().await;
    kernel_folder::remove(marker);
    none_left
}

/// What a driver that left no answer died of.
fn unanswered(status: Option<ExitStatus>, told: Option<i32>) -> Verdict {
    if status.and_then(|status| status.code()) == Some(DISK_FULL) {
        return Verdict::DiskFull { message: "No space left on device".to_owned() };
    }
    let ended = status.and_then(|status| status.signal()).or(told);
    let (why, message) = match (ended, status) {
        (Some(signal), _) => {
            (Breakage::Ended { signal }, format!("the papermill process was ended by {}", named(signal)))
        }
        (None, Some(status)) => {
            (Breakage::Other, format!("the papermill process ended with {status} and left no answer"))
        }
        (None, None) => (Breakage::Other, "the papermill process could not be waited for".to_owned()),
    };
    Verdict::EngineBroken { why, message, log_tail: Vec::new() }
}

/// A signal as people know it.
fn named(signal: i32) -> String {
    match Signal::from_named_raw(signal) {
        Some(Signal::KILL) => "SIGKILL".to_owned(),
        Some(Signal::TERM) => "SIGTERM".to_owned(),
        Some(Signal::SEGV) => "SIGSEGV".to_owned(),
        Some(Signal::BUS) => "SIGBUS".to_owned(),
        Some(Signal::ABORT) => "SIGABRT".to_owned(),
        Some(_) | None => format!("signal {signal}"),
    }
}

fn open_log(job: &Job) -> Result<(Log, PipeWriter), EngineError> {
    let path = job.output_dir.join(Output::Log.file_name());
    Log::start(&path).map_err(|source| EngineError::Write { path, source })
}

fn spawn(engine: &Engine, job: &Job, mode: Mode<'_>, log: PipeWriter) -> Result<Child, EngineError> {
    let spec = job.output_dir.join(SPEC);
    let script = driver::write(&job.output_dir)
        .map_err(|source| EngineError::Write { path: job.output_dir.join(driver::FOLDER), source })?;
    write(&spec, job.spec(mode, &engine.conda_envs()).to_string().as_bytes())?;
    let spawn = |python: &Path| -> io::Result<Child> {
        Command::new(python)
            // Isolated: neither the notebook's folder nor PYTHON* variables decide what the driver imports.
            .args(["-I", "-u", "-X", "utf8"])
            .args([&script, &spec])
            .env(MARKER, &job.marker)
            .env("JUPYTER_PATH", engine.jupyter_path(job.output_dir.join("jupyter")))
            // What Jupyter leaves there goes away with the scratch.
            .env("JUPYTER_RUNTIME_DIR", job.output_dir.join("runtime"))
            .current_dir(&job.output_dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // A Ctrl-C in the terminal is for whoever supervises us, not for the notebook.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    };
    spawn(engine.python()).map_err(|source| EngineError::Spawn { python: engine.python().to_owned(), source })
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), EngineError> {
    regular::write(path, bytes).map_err(|source| EngineError::Write { path: path.to_owned(), source })
}
