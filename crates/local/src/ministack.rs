//! ministack as a child process: started with the heartbeat shim, watched until it answers, ended with its functions.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reveille_notebook_service::{AccessKey, RoleCall};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    process::{Child, Command},
    time::{Instant, sleep, timeout},
};

use crate::{LocalError, environment, error::tail, processes};

/// The shim, which is run.
const SHIM: &str = "ministack_with_heartbeats.py";
/// Its files, by name: itself, and what it imports. See their own texts.
const SHIM_FILES: [(&str, &str); 10] = [
    (SHIM, include_str!("../shim/ministack_with_heartbeats.py")),
    ("reveille_guard.py", include_str!("../shim/reveille_guard.py")),
    ("reveille_calls.py", include_str!("../shim/reveille_calls.py")),
    ("reveille_sagemaker.py", include_str!("../shim/reveille_sagemaker.py")),
    ("reveille_bucket.py", include_str!("../shim/reveille_bucket.py")),
    ("reveille_iam.py", include_str!("../shim/reveille_iam.py")),
    ("reveille_simulate.py", include_str!("../shim/reveille_simulate.py")),
    ("reveille_conditions.py", include_str!("../shim/reveille_conditions.py")),
    ("reveille_custom.py", include_str!("../shim/reveille_custom.py")),
    ("reveille_processes.py", include_str!("../shim/reveille_processes.py")),
];
/// Tells the notes of calls where they go.
const CALLS_FILE: &str = "REVEILLE_CALLS";
/// Tells the guard the ports of [`crate::Options::forwarded_ports`].
pub(crate) const FORWARDED: &str = "REVEILLE_FORWARDED_PORTS";
/// It is up within a second; a cold disk and a busy machine may take much longer.
const START_LIMIT: Duration = Duration::from_mins(3);
const LOOK: Duration = Duration::from_millis(25);
/// Between two looks at whether it still lives: a person waits no longer than this to be told.
const WATCH: Duration = Duration::from_millis(300);
/// A healthy server answers its health check at once.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);
/// Asked seldom, and long in vain: a machine at full load delays an answer by seconds, and a local AWS that works is not to be stopped for that.
const ASK_EVERY: Duration = Duration::from_secs(10);
const SILENT_QUESTIONS: u32 = 12;
/// It ends within a second; requests under way may hold it.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// The same where its files are kept: it writes the state of every service at its end and never before. That takes a second too, and much
/// longer on a busy machine.
const SAVE_LIMIT: Duration = Duration::from_mins(2);
const TAIL_LINES: usize = 12;
/// Its words, and those of its HTTP server, where somebody has its port.
const TAKEN: &str = "already in use";

/// Where ministack's files go.
#[derive(Clone, Copy)]
pub(crate) struct Files<'a> {
    /// A folder below that of the local AWS.
    pub(crate) folder: &'a Path,
    /// They outlive it, with the state of every service, which the next start reads.
    pub(crate) kept: bool,
}

/// A running ministack.
pub(crate) struct Ministack {
    /// Looked at by whoever waits for its end, while others use the whole.
    child: Mutex<Child>,
    port: u16,
    key: AccessKey,
    log: PathBuf,
    calls: PathBuf,
    marker: String,
    kept: bool,
}

impl Ministack {
    /// Starts it on a port, with its files in a folder, and waits until it answers. Functions inherit `environment`.
    ///
    /// # Errors
    /// It cannot be run, ends early, or does not answer within a minute.
    pub(crate) async fn start(
        python: &Path,
        files: Files<'_>,
        port: u16,
        key: &AccessKey,
        environment: &BTreeMap<String, String>,
    ) -> Result<Self, LocalError> {
        let folder = files.folder;
        fs::create_dir_all(folder).map_err(LocalError::file("make", folder))?;
        for (name, text) in SHIM_FILES {
            let path = folder.join(name);
            fs::write(&path, text).map_err(LocalError::file("write", &path))?;
        }
        let calls = folder.join("calls.jsonl");
        // Those of this start.
        File::create(&calls).map_err(LocalError::file("write", &calls))?;
        let log = folder.join("ministack.log");
        let output = File::create(&log).map_err(LocalError::file("write", &log))?;
        let errors = output.try_clone().map_err(LocalError::file("write", &log))?;
        let marker = format!("{port}-{}", std::process::id());
        let child = Command::new(python)
            .arg(folder.join(SHIM))
            // What to end with it: see the shim.
            .arg(folder.parent().unwrap_or(folder))
            .arg(if files.kept { "keep" } else { "remove" })
            .env_clear()
            .envs(environment::handed_on())
            .envs(environment)
            // What the guard asks for.
            .env(environment::ACCESS_KEY, key.as_str())
            .envs(settings(port, folder))
            .env(CALLS_FILE, &calls)
            .envs(if files.kept { persistence(folder) } else { BTreeMap::new() })
            .env(processes::MARKER, &marker)
            .current_dir(folder)
            // Kept open as long as this program lives: its end ends ministack (see the shim).
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            // Ctrl-C is for this program, which then stops everything in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| LocalError::Program { program: python.display().to_string(), source })?;
        let ministack = Self { child: Mutex::new(child), port, key: key.clone(), log, calls, marker, kept: files.kept };
        ministack.wait_until_healthy().await?;
        Ok(ministack)
    }

    pub(crate) fn endpoint(port: u16) -> String {
        format!("http://127.0.0.1:{port}")
    }

    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// What roles called since its start; see `shim/reveille_calls.py`.
    ///
    /// # Errors
    /// Its notes cannot be read.
    pub(crate) fn calls(&self) -> Result<Vec<RoleCall>, LocalError> {
        let text = fs::read_to_string(&self.calls).map_err(LocalError::file("read", &self.calls))?;
        // It may be writing the last line now.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let read = whole.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        read.map_err(LocalError::aws(format!("read {}", self.calls.display())))
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it breaks: it ends, or answers nothing any more.
    pub(crate) async fn broken(&self) -> LocalError {
        self.ended_or_silent(ASK_EVERY, SILENT_QUESTIONS).await
    }

    /// Questions are counted, not time: a program that was stopped (Ctrl-Z, a closed lid) has heard nothing meanwhile.
    async fn ended_or_silent(&self, every: Duration, limit: u32) -> LocalError {
        let (mut asked, mut unanswered) = (Instant::now(), 0);
        loop {
            let ended = self.child().try_wait();
            if let Ok(Some(status)) = ended {
                return self.failed(&format!("ended ({status}) while it was in use"));
            }
            if asked.elapsed() >= every {
                asked = Instant::now();
                unanswered = if self.answers().await { 0 } else { unanswered + 1 };
            }
            if unanswered >= limit {
                return self.failed(&format!("is running, but did not answer {limit} requests in a row"));
            }
            sleep(WATCH).await;
        }
    }

    async fn answers(&self) -> bool {
        matches!(timeout(HEALTH_LIMIT, is_healthy(self.port, &self.key)).await, Ok(Ok(true)))
    }

    async fn wait_until_healthy(&self) -> Result<(), LocalError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let ended = self.child().try_wait();
            if let Ok(Some(status)) = ended {
                return Err(match self.failed(&format!("did not start: it ended at once ({status})")) {
                    LocalError::Ministack { tail, .. } if tail.contains(TAKEN) => {
                        LocalError::PortTaken { port: self.port, tail }
                    }
                    other => other,
                });
            }
            if self.answers().await {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(
                    self.failed(&format!("did not start: no answer on port {} within {START_LIMIT:?}", self.port))
                );
            }
            sleep(LOOK).await;
        }
    }

    fn failed(&self, reason: &str) -> LocalError {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        LocalError::Ministack { reason: reason.to_owned(), tail: tail(&text, TAIL_LINES) }
    }

    /// Ends it and every function's process.
    ///
    /// # Errors
    /// A process would not end, or it had to be killed before it had saved what is to be kept.
    pub(crate) async fn stop(mut self) -> Result<(), LocalError> {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut stdin) = child.stdin.take() {
            // If it cannot be told it has ended, which is what it would be told.
            let _ = stdin.write_all(b"stop").await;
        }
        let limit = if self.kept { SAVE_LIMIT } else { STOP_LIMIT };
        let killed = timeout(limit, child.wait()).await.is_err();
        if killed {
            // It may have ended between the two; the look at what is left tells.
            let _ = child.kill().await;
        }
        processes::kill_marked(&self.marker)?;
        if killed && self.kept { Err(LocalError::NotSaved { limit }) } else { Ok(()) }
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        // After `stop` nothing is left. Otherwise a start failed, a test unwinds or the program dies: there is
        // nobody to tell.
        let _ = processes::kill_marked(&self.marker);
    }
}

/// What ministack is told. Everything that would reach out of its folder and its port is off.
fn settings(port: u16, folder: &Path) -> BTreeMap<String, String> {
    [
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("GATEWAY_PORT", port.to_string()),
        ("MINISTACK_HOST", "127.0.0.1".to_owned()),
        ("MINISTACK_REGION", environment::REGION.to_owned()),
        ("MINISTACK_ACCOUNT_ID", environment::ACCOUNT.to_owned()),
        // The functions' code is unpacked below the folder for temporary files.
        ("TMPDIR", folder.display().to_string()),
        // Listeners on fixed ports that nothing here uses.
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
        // It would remove the containers of other ministacks on this machine.
        ("DOCKER_HOST", "unix:///nonexistent".to_owned()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// Lets it write the state of its services when it ends, and read it when it starts.
fn persistence(folder: &Path) -> BTreeMap<String, String> {
    [
        ("PERSIST_STATE", "1".to_owned()),
        ("STATE_DIR", folder.join("state").display().to_string()),
        ("S3_PERSIST", "1".to_owned()),
        ("S3_DATA_DIR", folder.join("s3").display().to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

async fn is_healthy(port: u16, key: &AccessKey) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    let credential = format!("AWS4-HMAC-SHA256 Credential={}/x/x/x/aws4_request", key.as_str());
    let head = format!("Host: 127.0.0.1:{port}\r\nAuthorization: {credential}\r\nConnection: close");
    stream.write_all(format!("GET /_ministack/health HTTP/1.1\r\n{head}\r\n\r\n").as_bytes()).await?;
    let mut start = [0_u8; 12];
    stream.read_exact(&mut start).await?;
    Ok(&start == b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests;
