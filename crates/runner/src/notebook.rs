//! One notebook, from its request to its files: found, copied, executed, its verdict in the domain's words.

use std::cell::Cell;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use reveille_aws::{Aws, Downloaded};
use reveille_domain::ids::sha256_hex;
use reveille_domain::input::{Html, NotebookSource};
use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::{Cells, ExecutedNotebook, LeftNotebook, OutputFile, RunningNotebook};
use reveille_domain::records::Request;
use reveille_domain::{Code, Failure};
use reveille_notebook::{Engine, Job, NotebookProcess, Output, Patience, Verdict, regular};
use tokio::sync::{Notify, OnceCell};
use tokio::task::JoinHandle;

mod failures;
mod live;
mod mark;

pub use live::LiveNotebook;
use mark::Mark;

/// Larger files are no notebooks that a person wrote; outputs are kept outside of the source.
const MAX_NOTEBOOK_BYTES: u64 = 64 * 1024 * 1024;
/// In the work folder: the copy of the notebook that is executed.
const SOURCE: &str = "source.ipynb";
/// How often the progress of the notebook is read; it is written to S3 with the beats, which are further apart.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Where notebooks are, and where their runs work.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The instance's notebook folder: the only one that persists across a stop.
    notebooks: PathBuf,
    /// Scratch of the run at hand, on the same disk: emptied before each run.
    work: PathBuf,
}

impl Folders {
    /// The folders of the machine whose `/` is `root`.
    pub fn below(root: &Path) -> Self {
        let notebooks = root.join("home/ec2-user/SageMaker");
        Self { work: notebooks.join(".reveille/work"), notebooks }
    }

    /// Where outputs are written.
    fn output(&self) -> PathBuf {
        self.work.join("output")
    }
}

/// A notebook that executes in a task of its own, which ends with it.
pub struct NotebookTask {
    task: JoinHandle<ExecutedNotebook>,
    marker: String,
    cells: Rc<Cell<Cells>>,
    live: LiveNotebook,
    stop: Rc<Stop>,
}

/// The order to end.
#[derive(Default)]
struct Stop {
    /// Rung once.
    bell: Notify,
    /// Whether the machine is about to go.
    hurries: Cell<bool>,
}

/// The notebook that was executed last in these folders, if anything of it is there.
pub fn left(folders: &Folders) -> Option<LeftNotebook> {
    let Mark { at, source_sha256 } = Mark::read(&folders.work)?;
    let files = NotebookProcess::outputs_in(&folders.output()).into_iter().map(output_file).collect();
    Some(LeftNotebook { at, source_sha256, files })
}

impl NotebookTask {
    /// Starts the task.
    pub fn start(
        aws: Rc<Aws>,
        engine: Rc<OnceCell<Engine>>,
        root: PathBuf,
        folders: Folders,
        request: Request,
        attempt: u32,
        marker: String,
    ) -> Self {
        let cells = Rc::new(Cell::new(Cells::default()));
        let seen = Rc::clone(&cells);
        let stop = Rc::new(Stop::default());
        let told = Rc::clone(&stop);
        let ours = marker.clone();
        let live = LiveNotebook::of(&folders.output());
        let shown = live.clone();
        let task = tokio::task::spawn_local(async move {
            let mut execution = ExecutedNotebook::default();
            let run = Run {
                aws: &aws,
                engine: &engine,
                root: &root,
                folders: &folders,
                request: &request,
                attempt,
                cells: &seen,
                live: &shown,
                stop: &told,
                claimed: Instant::now(),
            };
            if let Err(failure) = run.execute(marker, &mut execution).await {
                execution.failure = Some(failure);
            }
            execution
        });
        Self { task, marker: ours, cells, live, stop }
    }
}

/// A task goes on when its handle is dropped: it is told to end, and the engine's own drop kills the processes.
impl Drop for NotebookTask {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RunningNotebook for NotebookTask {
    type Live = LiveNotebook;

    fn cells(&self) -> Cells {
        self.cells.get()
    }

    fn live(&self) -> LiveNotebook {
        self.live.clone()
    }

    async fn end_soon(self) -> ExecutedNotebook {
        self.stop.hurries.set(true);
        self.end().await
    }

    async fn end(mut self) -> ExecutedNotebook {
        self.stop.bell.notify_one();
        let execution = self.finish().await;
        if !reveille_notebook::end_leftovers(&self.marker).await {
            crate::log::log("a process of the notebook that was ended could not be killed");
        }
        execution
    }

    async fn finish(&mut self) -> ExecutedNotebook {
        (&mut self.task).await.unwrap_or_else(|error| ExecutedNotebook {
            failure: Some(Failure::new(Code::Internal, format!("The task that executed the notebook ended: {error}."))),
            ..ExecutedNotebook::default()
        })
    }
}

struct Run<'a> {
    aws: &'a Aws,
    engine: &'a OnceCell<Engine>,
    root: &'a Path,
    folders: &'a Folders,
    request: &'a Request,
    attempt: u32,
    cells: &'a Cell<Cells>,
    live: &'a LiveNotebook,
    stop: &'a Stop,
    claimed: Instant,
}

/// The notebook's file name without its ending: what the page is called.
fn title(notebook: &NotebookSource) -> String {
    let (NotebookSource::Path(path) | NotebookSource::S3 { key: path, .. }) = notebook;
    let file = path.rsplit('/').next().unwrap_or_default();
    file.strip_suffix(".ipynb").unwrap_or(file).to_owned()
}

impl Run<'_> {
    async fn execute(&self, marker: String, execution: &mut ExecutedNotebook) -> Result<(), Failure> {
        // Until papermill starts there is nothing to keep.
        let (source, engine) = tokio::select! {
            biased;
            () = self.stop.bell.notified() => return self.judge(Verdict::Cancelled),
            prepared = self.before_the_first_cell(execution) => prepared?,
        };
        let job = Job {
            notebook: source.copy,
            title: title(&self.request.notebook),
            output_dir: self.output_folder(),
            working_dir: source.working_folder,
            parameters: self.request.parameters.clone(),
            kernel: self.request.kernel.clone(),
            sanitize_html: self.request.html == Html::Sanitized,
            limit: self.time_left(),
            patience: Patience::default(),
            marker,
        };
        let mut running = engine.start(job).map_err(|error| self.engine_failure(&error))?;
        self.live.prints(running.printed());
        let verdict = self.wait(&mut running).await;
        execution.files = running.outputs().into_iter().map(output_file).collect();
        // Without an output notebook there is nothing to make a page of, and the verdict says why.
        let named = |name| execution.files.iter().any(|file| file.name == name);
        if named("notebook") && !named("html") {
            let reason = running.html_error().unwrap_or("it was not made before the run was ended");
            execution.html_error = Some(reason.to_owned());
        }
        self.judge(verdict)
    }

    async fn before_the_first_cell(&self, execution: &mut ExecutedNotebook) -> Result<(Source, &Engine), Failure> {
        let source = self.prepare().await?;
        let sha256 = hash(source.copy.clone()).await.map_err(|error| self.disk(&source.copy, &error))?;
        let mark = Mark { at: self.at(), source_sha256: Some(sha256.clone()) };
        mark.write(&self.folders.work).map_err(|error| self.disk(&self.folders.work, &error))?;
        execution.source_sha256 = Some(sha256);
        let engine = crate::engine::find(self.engine, self.aws, self.root).await;
        Ok((source, engine.map_err(|error| self.engine_failure(&error))?))
    }

    fn at(&self) -> AttemptRef {
        AttemptRef { instance: self.request.instance.to_string(), run: self.request.run.clone(), attempt: self.attempt }
    }

    /// Waits for the end, or ends it when told to, looking at the progress meanwhile. The wait is dropped for nothing else:
    /// saving what there is, after the limit, takes its time.
    async fn wait(&self, running: &mut NotebookProcess) -> Verdict {
        {
            let mut wait = std::pin::pin!(running.wait());
            loop {
                tokio::select! {
                    biased;
                    verdict = &mut wait => return verdict,
                    () = self.stop.bell.notified() => break,
                    () = tokio::time::sleep(PROGRESS_EVERY) => {}
                }
                let progress = NotebookProcess::progress_in(&self.output_folder());
                let [cell, cells, done] = [progress.cell, progress.cells, progress.done].map(count);
                self.cells.set(Cells { cell, cells, done });
            }
        }
        if self.stop.hurries.get() {
            running.cancel_soon().await;
        } else {
            running.cancel().await;
        }
        running.wait().await
    }

    /// What is left of runSeconds, which count from the claim; a moment at least, so that the end is papermill's.
    fn time_left(&self) -> Duration {
        let limit = Duration::from_secs(self.request.limits.run_seconds.into());
        limit.saturating_sub(self.claimed.elapsed()).max(Duration::from_secs(1))
    }

    fn output_folder(&self) -> PathBuf {
        self.folders.output()
    }

    /// Empties the scratch folder and copies the notebook into it, so that what is hashed is what runs, whatever a
    /// person does to the file meanwhile.
    async fn prepare(&self) -> Result<Source, Failure> {
        let work = &self.folders.work;
        match std::fs::remove_dir_all(work) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.disk(work, &error)),
            Ok(()) | Err(_) => {}
        }
        std::fs::create_dir_all(self.output_folder()).map_err(|error| self.disk(work, &error))?;
        let copy = work.join(SOURCE);
        let working_folder = match &self.request.notebook {
            NotebookSource::Path(path) => self.copy_local(path, &copy)?,
            NotebookSource::S3 { bucket, key } => self.copy_s3(bucket, key, &copy).await?,
        };
        Ok(Source { copy, working_folder })
    }

    /// Copies a notebook of the instance; answers its folder. The file's real path decides, so that no symbolic link
    /// leads out of the notebook folder.
    fn copy_local(&self, path: &str, copy: &Path) -> Result<PathBuf, Failure> {
        let instance = &self.request.instance;
        let folder = std::fs::canonicalize(&self.folders.notebooks).map_err(|error| {
            self.missing(&format!("the notebook folder of notebook instance {instance} cannot be read ({error})"))
        })?;
        let real = std::fs::canonicalize(folder.join(path)).map_err(|error| {
            self.none_of_the_name(&format!(
                "there is no notebook {path} in the notebook folder of notebook instance {instance} ({error})"
            ))
        })?;
        if !real.starts_with(&folder) {
            return Err(
                self.missing(&format!("{path} leads out of the notebook folder of notebook instance {instance}"))
            );
        }
        let metadata =
            std::fs::metadata(&real).map_err(|error| self.missing(&format!("{path} cannot be read ({error})")))?;
        if !metadata.is_file() {
            return Err(self.missing(&format!("{path} is not a file")));
        }
        if metadata.len() > MAX_NOTEBOOK_BYTES {
            return Err(self.missing(&format!("{path} is larger than {MAX_NOTEBOOK_BYTES} bytes")));
        }
        // Opened first: a notebook that this user may not read is no matter of room. It may be another file by now, which
        // is neither waited for nor read without an end.
        let notebook =
            regular::open(&real).map_err(|error| self.missing(&format!("{path} cannot be read ({error})")))?;
        std::fs::File::create(copy)
            .and_then(|mut copy| io::copy(&mut notebook.take(MAX_NOTEBOOK_BYTES), &mut copy))
            .map_err(|error| self.disk(copy, &error))?;
        Ok(real.parent().unwrap_or(&folder).to_owned())
    }

    async fn copy_s3(&self, bucket: &str, key: &str, copy: &Path) -> Result<PathBuf, Failure> {
        match self.aws.download(bucket, key, copy, MAX_NOTEBOOK_BYTES).await? {
            Downloaded::Done => Ok(self.folders.notebooks.clone()),
            Downloaded::Missing => Err(self.none_of_the_name(&format!("there is no object s3://{bucket}/{key}"))),
            Downloaded::NoBucket => Err(self.missing(&format!("there is no bucket {bucket}"))),
            Downloaded::OtherRegion => {
                Err(self.missing(&format!("the bucket {bucket} is in another region than this notebook instance")))
            }
            Downloaded::Archived => {
                Err(self.missing(&format!("s3://{bucket}/{key} is archived and must be restored first")))
            }
            Downloaded::TooLarge => {
                Err(self.missing(&format!("s3://{bucket}/{key} is larger than {MAX_NOTEBOOK_BYTES} bytes")))
            }
        }
    }
}

struct Source {
    copy: PathBuf,
    working_folder: PathBuf,
}

fn output_file((output, path): (Output, PathBuf)) -> OutputFile {
    let (name, content_type) = match output {
        Output::Notebook => ("notebook", "application/x-ipynb+json"),
        Output::Html => ("html", "text/html; charset=utf-8"),
        Output::Log => ("log", "text/plain; charset=utf-8"),
    };
    OutputFile { name, file_name: output.file_name(), path, content_type }
}

/// On a thread of its own: a large notebook takes longer than the runner's loops may stand still.
async fn hash(path: PathBuf) -> io::Result<String> {
    let hashed = tokio::task::spawn_blocking(move || Ok(sha256_hex(&regular::read(&path, MAX_NOTEBOOK_BYTES)?)));
    hashed.await.map_err(io::Error::other)?
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
