//! A service in a folder of its own, and a raw HTTP client.
#![allow(dead_code, reason = "each test file uses its part of this")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reveille_instance_model::{
    Command, CreateConfig, CreateInstance, Hook, InstanceSettings, NotebookInstanceStatus, Timings,
};
use reveille_notebook_service::{Config, NotebookService, StateChange, processes_of_boot, serve};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

/// How long anything may take before a test fails: far more than it needs, on a busy machine too.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Looks until it finds what it looks for. Until then a look says what there is instead.
pub async fn until<T>(look: impl Fn() -> Result<T, String>) -> T {
    let begun = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(instead) => assert!(begun.elapsed() < PATIENCE, "{instead}"),
        }
        sleep(Duration::from_millis(20)).await;
    }
}

static NEXT: AtomicU32 = AtomicU32::new(0);

pub struct TestService {
    pub service: NotebookService,
    pub directory: PathBuf,
    pub changes: Arc<Mutex<Vec<StateChange>>>,
}

pub fn config() -> Config {
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let name = format!("reveille-notebook-service-{}-{number}", std::process::id());
    let mut config = Config::new(std::env::temp_dir().join(name));
    config.timings = Timings {
        pending: Duration::from_millis(100),
        shutdown: Duration::from_millis(20),
        stopping: Duration::from_millis(300),
        updating: Duration::from_millis(100),
        deleting: Duration::from_millis(100),
        script_limit: PATIENCE,
    };
    config.kill_grace = Duration::from_millis(200);
    config
}

impl TestService {
    pub async fn new() -> Self {
        Self::with(config()).await
    }

    pub async fn with(mut config: Config) -> Self {
        let changes = Arc::new(Mutex::new(Vec::new()));
        let heard = changes.clone();
        config.on_state_change = Some(Arc::new(move |change: &StateChange| heard.lock().unwrap().push(change.clone())));
        let directory = config.directory.clone();
        Self { service: serve(config).await.unwrap(), directory, changes }
    }

    /// Creates an instance whose on-start script is this.
    pub fn create(&self, name: &str, on_start: &str) {
        self.create_in(name, None, on_start);
    }

    /// The same, in a subnet.
    pub fn create_in(&self, name: &str, subnet: Option<&str>, on_start: &str) {
        self.create_with(name, subnet, None, on_start);
    }

    /// The same, with an on-create script.
    pub fn create_with(&self, name: &str, subnet: Option<&str>, on_create: Option<&str>, on_start: &str) {
        let new = CreateConfig {
            name: format!("{name}-config"),
            on_create: on_create.map(|script| STANDARD.encode(script)),
            on_start: Some(STANDARD.encode(on_start)),
            ..CreateConfig::default()
        };
        self.service.apply("test", Command::CreateConfig(new)).unwrap();
        let mut settings = InstanceSettings::new("ml.t3.medium", "arn:aws:iam::000000000000:role/notebooks");
        settings.lifecycle_config = Some(format!("{name}-config"));
        settings.subnet_id = subnet.map(str::to_owned);
        let new = CreateInstance { name: name.to_owned(), settings, tags: BTreeMap::new() };
        self.service.apply("test", Command::CreateInstance(new)).unwrap();
    }

    pub fn start(&self, name: &str) {
        self.service.apply("test", Command::Start { name: name.to_owned() }).unwrap();
    }

    pub fn stop(&self, name: &str) {
        self.service.apply("test", Command::Stop { name: name.to_owned() }).unwrap();
    }

    pub fn status(&self, name: &str) -> Option<NotebookInstanceStatus> {
        self.service.snapshot(name).map(|snapshot| snapshot.view.status)
    }

    /// Waits for a status, and at `InService` for the boot: without a script to wait for, it may come up a moment later.
    pub async fn reaches(&self, name: &str, status: NotebookInstanceStatus) {
        let begun = Instant::now();
        let boots = |name| status != NotebookInstanceStatus::InService || self.service.boot_id(name).is_some();
        while self.status(name) != Some(status) || !boots(name) {
            let view = self.service.snapshot(name).map(|snapshot| snapshot.view);
            let failed = view.as_ref().is_some_and(|view| view.status == NotebookInstanceStatus::Failed);
            assert!(!failed && begun.elapsed() < PATIENCE, "{name} is not {status}: {view:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn log(&self, name: &str) -> String {
        fs::read_to_string(self.service.log_file(name, Hook::OnStart)).unwrap_or_default()
    }

    pub fn processes(&self, name: &str, boot: &str) -> Vec<i32> {
        processes_of_boot(self.service.machine(name).root(), boot).unwrap()
    }

    /// Waits until as many processes of an instance have this command line. One that was started may not be there yet.
    pub async fn has(&self, name: &str, line: &[u8], count: usize) {
        let begun = Instant::now();
        loop {
            let pids = self.service.processes(name).unwrap();
            let found = |pid: &&i32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default() == line;
            let found = pids.iter().filter(found).count();
            if found == count {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{found} of {count} in {pids:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn statuses(&self, name: &str) -> Vec<Option<NotebookInstanceStatus>> {
        let changes = self.changes.lock().unwrap();
        changes.iter().filter(|change| change.instance == name).map(|change| change.to).collect()
    }

    pub async fn end(self) {
        self.service.shutdown().await.unwrap();
        fs::remove_dir_all(self.directory).unwrap();
    }

    /// One raw request to a path; the status and the JSON of the answer.
    pub async fn http(&self, line: &str, body: &str) -> (u16, Value) {
        let (_, status, value) = self.exchange(line, &self.credential(), body).await;
        (status, value)
    }

    /// One request of the `SageMaker` API.
    pub async fn api(&self, operation: &str, body: &str) -> (u16, Value) {
        let headers = format!(
            "content-type: application/x-amz-json-1.1\r\nx-amz-target: SageMaker.{operation}\r\nuser-agent: raw-test\r\n{}",
            self.credential()
        );
        let (head, status, value) = self.exchange("POST /", &headers, body).await;
        assert!(head.contains("content-type: application/x-amz-json-1.1"), "{head}");
        assert!(head.contains("x-amzn-requestid: "), "{head}");
        (status, value)
    }

    /// The header of a request that names the service's access key.
    pub fn credential(&self) -> String {
        let key = self.service.access_key().as_str();
        format!(
            "authorization: AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/sagemaker/aws4_request, Signature=00\r\n"
        )
    }

    /// One raw request: the head of its answer, the status, and the body.
    pub async fn raw(&self, request: &str) -> (String, u16, String) {
        let mut stream = TcpStream::connect(self.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (head.to_owned(), status, body.to_owned())
    }

    pub fn address(&self) -> String {
        self.service.endpoint().replace("http://", "")
    }

    async fn exchange(&self, line: &str, headers: &str, body: &str) -> (String, u16, Value) {
        let (address, length) = (self.address(), body.len());
        let request = format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n{body}"
        );
        let (head, status, body) = self.raw(&request).await;
        (head, status, serde_json::from_str(&body).unwrap())
    }
}
