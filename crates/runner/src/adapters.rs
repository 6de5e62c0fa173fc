//! The runner's ports: AWS, this machine, and the notebook engine.

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_aws::{Aws, Credentials};
use reveille_domain::ports::{
    AnswerTask, AskedToEnd, Call, CallError, CallErrorKind, Clock, DeleteObject, ExecuteNotebook, FindLeftNotebook,
    GetAnswer, GetObject, KillLeftovers, LeftNotebook, ListObjects, LiveBody, Log, Nonces, PersonSeen, PutAnswer,
    PutCondition, PutObject, SavedNotebook, SeePerson, SendTaskHeartbeat, Sleep, StopAnswer, StopNotebookInstance,
    TokenAnswer, UploadFile, UploadLive,
};
use reveille_domain::records::Request;
use reveille_domain::{Failure, InstanceName};
use reveille_notebook::{Engine, EngineError, regular};
use tokio::sync::{OnceCell, watch};

use crate::environment::Environment;
use crate::log::log;
use crate::notebook::{Folders, NotebookTask};
use crate::person;

/// Everything outside of the loop.
pub struct RunnerAdapters {
    aws: Rc<Aws>,
    root: PathBuf,
    folders: Folders,
    engine: Rc<OnceCell<Engine>>,
    /// Whether the machine asked this process to end.
    asked: watch::Receiver<bool>,
    marker: String,
    /// What the log was last told of how far AWS's clock is ahead.
    offset_told: Cell<TimeDelta>,
}

impl RunnerAdapters {
    /// Wires the adapters from the environment.
    pub async fn new(environment: &Environment, asked: watch::Receiver<bool>) -> Self {
        let region = environment.region.clone();
        // The runner publishes no events; the bus is never used.
        let aws = Aws::from_env(Credentials::Chain, region, environment.layout.clone(), String::new()).await;
        Self {
            aws: Rc::new(aws),
            root: environment.root.clone(),
            folders: Folders::below(&environment.root),
            engine: Rc::new(OnceCell::new()),
            asked,
            marker: format!("{}/{}", environment.identity.instance, environment.identity.boot_id),
            offset_told: Cell::default(),
        }
    }

    /// The Python with papermill, found once.
    ///
    /// # Errors
    /// There is none, and none could be made.
    pub async fn engine(&self) -> Result<&Engine, EngineError> {
        crate::engine::find(&self.engine, &self.aws, &self.root).await
    }
}

impl Log for RunnerAdapters {
    fn log(&self, message: &str) {
        log(message);
    }
}

impl ExecuteNotebook for RunnerAdapters {
    type Running = NotebookTask;

    async fn execute_notebook(&self, request: &Request, attempt: u32) -> NotebookTask {
        NotebookTask::start(
            Rc::clone(&self.aws),
            Rc::clone(&self.engine),
            self.root.clone(),
            self.folders.clone(),
            request.clone(),
            attempt,
            self.marker.clone(),
        )
    }
}

impl KillLeftovers for RunnerAdapters {
    async fn kill_leftovers(&self) {
        if !reveille_notebook::end_leftovers(&self.marker).await {
            log("a process of an earlier run could not be killed");
        }
    }
}

impl FindLeftNotebook for RunnerAdapters {
    async fn find_left_notebook(&self) -> Option<LeftNotebook> {
        crate::notebook::left(&self.folders)
    }
}

impl AskedToEnd for RunnerAdapters {
    async fn asked_to_end(&self) {
        // Without a handler, SIGTERM ends the process itself.
        if self.asked.clone().wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl SeePerson for RunnerAdapters {
    async fn see_person(&self) -> PersonSeen {
        // Asking needs no papermill: while one is being looked for or installed, any Python does, and the loop goes on.
        let any = Engine::with_python(PathBuf::from("python3"), &self.root);
        let activity = self.engine.get().unwrap_or(&any).activity().await;
        // Jupyter's times are of this machine's clock, whatever AWS's shows.
        person::seen(&activity, &self.root, Utc::now(), |at| self.aws.by_awss_clock(at))
    }
}

impl Clock for RunnerAdapters {
    /// AWS's time, which is everybody's; this machine's clock may be off.
    fn now(&self) -> DateTime<Utc> {
        let offset = self.aws.clock_offset();
        if self.offset_told.replace(offset) != offset {
            log(&person::clock(offset));
        }
        self.aws.now()
    }
}

impl Sleep for RunnerAdapters {
    async fn sleep(&self, duration: Duration) {
        self.aws.sleep(duration).await;
    }
}

impl Nonces for RunnerAdapters {
    fn nonce(&self) -> String {
        self.aws.nonce()
    }
}

impl ListObjects for RunnerAdapters {
    async fn list_objects_after(&self, prefix: &str, after: Option<&str>, limit: usize) -> Call<Vec<String>> {
        self.aws.list_objects_after(prefix, after, limit).await
    }
}

impl GetObject for RunnerAdapters {
    async fn get_object(&self, key: &str) -> Call<GetAnswer> {
        self.aws.get_object(key).await
    }
}

impl PutObject for RunnerAdapters {
    async fn put_object(&self, key: &str, body: Vec<u8>, condition: PutCondition) -> Call<PutAnswer> {
        self.aws.put_object(key, body, condition).await
    }
}

impl DeleteObject for RunnerAdapters {
    async fn delete_object(&self, key: &str, etag: &str) -> Call<bool> {
        self.aws.delete_object(key, etag).await
    }
}

impl UploadFile for RunnerAdapters {
    async fn upload_file(&self, key: &str, path: &Path, content_type: &str) -> Call<()> {
        let (_file, opened) = opened(key, path, u64::MAX)?;
        self.aws.upload_file(key, &opened, content_type).await
    }
}

impl UploadLive for RunnerAdapters {
    async fn upload_live(&self, key: &str, body: LiveBody<'_>) -> Call<()> {
        match body {
            LiveBody::Printed(_) => self.aws.upload_live(key, body).await,
            LiveBody::Notebook(saved) => {
                let (_file, path) = opened(key, &saved.path, saved.bytes)?;
                self.aws.upload_live(key, LiveBody::Notebook(&SavedNotebook { path, ..saved.clone() })).await
            }
        }
    }
}

/// Opens a file to be uploaded. The notebook may have put anything in its place: what was opened, and stays open, is what is sent from
/// this path, however often it is tried; up to so many bytes.
fn opened(key: &str, path: &Path, limit: u64) -> Call<(std::fs::File, PathBuf)> {
    let refused = |why: &dyn std::fmt::Display| CallError {
        kind: CallErrorKind::Refused,
        action: "s3:PutObject",
        resource: key.to_owned(),
        message: format!("{} cannot be read: {why}", path.display()),
    };
    let file = regular::open(path).map_err(|error| refused(&error))?;
    if file.metadata().map_err(|error| refused(&error))?.len() > limit {
        return Err(refused(&format!("it is larger than {limit} bytes")));
    }
    let opened = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok((file, opened))
}

impl AnswerTask for RunnerAdapters {
    async fn send_task_success(&self, token: &str, output: &serde_json::Value) -> Call<TokenAnswer> {
        self.aws.send_task_success(token, output).await
    }

    async fn send_task_failure(&self, token: &str, failure: &Failure) -> Call<TokenAnswer> {
        self.aws.send_task_failure(token, failure).await
    }
}

impl SendTaskHeartbeat for RunnerAdapters {
    async fn send_task_heartbeat(&self, token: &str) -> Call<TokenAnswer> {
        self.aws.send_task_heartbeat(token).await
    }
}

impl StopNotebookInstance for RunnerAdapters {
    async fn stop_notebook_instance(&self, name: &InstanceName) -> Call<StopAnswer> {
        self.aws.stop_notebook_instance(name).await
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "this is a test")]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    /// The notebook may put anything in the place of what it saves. To open it neither waits nor follows.
    #[test]
    fn only_the_file_that_was_looked_at_is_uploaded() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "{}").unwrap();
        let (held, path) = opened("k", &at("file"), 2).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        // What comes into its place now is not what was opened.
        fs::remove_file(at("file")).unwrap();
        symlink("/etc/passwd", at("file")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{}");
        drop(held);

        assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        fs::create_dir(at("folder")).unwrap();
        fs::write(at("grown"), "{ }").unwrap();
        for (name, why) in [
            ("file", "not a regular file"),
            ("fifo", "not a regular file"),
            ("folder", "not a regular file"),
            ("grown", "larger than 2 bytes"),
            ("gone", "No such file"),
        ] {
            let error = opened("k", &at(name), 2).unwrap_err();
            assert_eq!(error.kind, CallErrorKind::Refused);
            assert!(error.message.contains(why), "{name}: {}", error.message);
        }
    }
}
