//! Runs one lifecycle script as a process of its boot, and keeps what it prints.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use reveille_instance_model::Hook;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::launch::Launch;

/// The kernel's answer when some other thread's fork still holds the script open for writing.
const TEXT_BUSY_WAIT: Duration = Duration::from_millis(10);
const TEXT_BUSY_TRIES: u32 = 100;
/// How long after the script's end its output may still arrive before the end is reported; processes
/// that it left behind keep the pipe open, so that waiting for its end would be waiting for theirs.
const OUTPUT_WAIT: Duration = Duration::from_millis(100);
/// One read of output.
const CHUNK: usize = 8192;

/// A script to run.
pub(crate) struct Script {
    pub(crate) hook: Hook,
    pub(crate) content: std::sync::Arc<[u8]>,
    /// Where it is written, as this process sees it.
    pub(crate) file: PathBuf,
    pub(crate) launch: Launch,
    pub(crate) log: PathBuf,
    pub(crate) log_limit: u64,
}

impl Script {
    /// Runs it to its end. Every process that it leaves behind keeps running.
    pub(crate) async fn run(&self) -> io::Result<ExitStatus> {
        let (mut child, log) = match self.open().await {
            Ok(started) => started,
            Err(error) => {
                // The reason stands where a user looks for it: in the log, as on AWS.
                self.note(&format!("the {} script could not be run: {error}\n", self.hook));
                return Err(error);
            }
        };
        let readers = [
            child.stdout.take().map(|pipe| tokio::spawn(keep(pipe, log.try_clone(), self.log_limit))),
            child.stderr.take().map(|pipe| tokio::spawn(keep(pipe, log.try_clone(), self.log_limit))),
        ];
        let status = child.wait().await?;
        let _ = timeout(OUTPUT_WAIT, async {
            for reader in readers.into_iter().flatten() {
                let _ = reader.await;
            }
        })
        .await;
        Ok(status)
    }

    async fn open(&self) -> io::Result<(Child, File)> {
        if let Some(folder) = self.log.parent() {
            fs::create_dir_all(folder)?;
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log)?;
        fs::write(&self.file, &self.content)?;
        fs::set_permissions(&self.file, Permissions::from_mode(0o755))?;
        Ok((self.spawn().await?, log))
    }

    fn note(&self, line: &str) {
        if let Ok(mut log) = OpenOptions::new().create(true).append(true).open(&self.log) {
            let _ = log.write_all(line.as_bytes());
        }
    }

    fn command(&self) -> io::Result<Command> {
        let launch = &self.launch;
        let (program, arguments) = launch.argv.split_first().ok_or_else(|| io::Error::other("nothing to start"))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(&launch.environment)
            .current_dir(&launch.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C in the terminal of the service is not for the instances.
            .process_group(0)
            .kill_on_drop(true);
        Ok(command)
    }

    async fn spawn(&self) -> io::Result<Child> {
        let mut tries = 0;
        loop {
            match self.command()?.spawn() {
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy && tries < TEXT_BUSY_TRIES => {
                    tries += 1;
                    sleep(TEXT_BUSY_WAIT).await;
                }
                done => return done,
            }
        }
    }
}

/// Appends what comes out of a pipe to the log until the log is full, and drains the rest: a closed
/// pipe would kill the runner with SIGPIPE.
async fn keep(mut pipe: impl AsyncRead + Unpin, log: io::Result<File>, limit: u64) -> io::Result<()> {
    let mut log = log?;
    let mut chunk = [0; CHUNK];
    loop {
        let count = pipe.read(&mut chunk).await?;
        if count == 0 {
            return Ok(());
        }
        let room = limit.saturating_sub(log.metadata()?.len());
        let kept = usize::try_from(room).unwrap_or(usize::MAX).min(count);
        log.write_all(&chunk[..kept])?;
    }
}
