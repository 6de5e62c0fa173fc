//! The runtime API and AWS, as far as a bootstrap under test needs them, and the bootstrap itself as a process.
#![allow(dead_code, reason = "each test uses some of it")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reveille_bench::http::{self, Message};
use serde_json::{Value, json};

/// Nothing here takes long; the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);
pub const TRACE_ID: &str = "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0";

/// What the bootstrap posted.
#[derive(Debug)]
pub struct Post {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Post {
    pub fn error(&self) -> (&str, &str) {
        (self.body["errorType"].as_str().unwrap_or_default(), self.body["errorMessage"].as_str().unwrap_or_default())
    }
}

#[derive(Default)]
struct Shared {
    invocations: Mutex<VecDeque<(String, Vec<u8>, Duration)>>,
    /// Statuses of the next posts; 202 when there are none.
    statuses: Mutex<VecDeque<u16>>,
    gone: Mutex<bool>,
    changed: Condvar,
}

pub struct FakeRuntimeApi {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    posts: Receiver<Post>,
    given: u32,
}

impl FakeRuntimeApi {
    pub fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let (sender, posts) = channel();
        let known = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if *known.gone.lock().unwrap() {
                    break;
                }
                let (shared, sender) = (Arc::clone(&known), sender.clone());
                thread::spawn(move || runtime_connection(stream, &shared, &sender));
            }
        });
        Self { address, shared, posts, given: 0 }
    }

    /// Hands an invocation out, whose time is over after that long.
    pub fn invoke(&mut self, payload: impl Into<Vec<u8>>, time: Duration) -> String {
        self.given += 1;
        let id = format!("request-{}", self.given);
        self.shared.invocations.lock().unwrap().push_back((id.clone(), payload.into(), time));
        self.shared.changed.notify_all();
        id
    }

    /// Answers the next posts with these statuses.
    pub fn answer_with(&self, statuses: &[u16]) {
        self.shared.statuses.lock().unwrap().extend(statuses);
    }

    pub fn post(&self) -> Post {
        self.posts.recv_timeout(PATIENCE).expect("the bootstrap posts something")
    }

    /// Whether nothing was posted.
    pub fn is_quiet(&self) -> bool {
        self.posts.recv_timeout(Duration::from_millis(300)).is_err()
    }

    /// Goes away, connections included.
    pub fn go_away(&self) {
        *self.shared.gone.lock().unwrap() = true;
        self.shared.changed.notify_all();
        TcpStream::connect(self.address).ok();
    }
}

fn runtime_connection(stream: TcpStream, shared: &Shared, posts: &Sender<Post>) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream)? {
        let path = request.target().strip_prefix("/2018-06-01/runtime").unwrap().to_owned();
        if path != "/invocation/next" {
            let body = serde_json::from_slice(&request.body).unwrap_or_default();
            let status = shared.statuses.lock().unwrap().pop_front().unwrap_or(202);
            posts.send(Post { path, headers: request.headers, body }).ok();
            http::write(stream.get_mut(), &format!("HTTP/1.1 {status} Status"), &[], b"{}")?;
            continue;
        }
        let mut waiting = shared.invocations.lock().unwrap();
        let (id, payload, time) = loop {
            if *shared.gone.lock().unwrap() {
                return Ok(());
            }
            if let Some(next) = waiting.pop_front() {
                break next;
            }
            waiting = shared.changed.wait_timeout(waiting, Duration::from_millis(50)).unwrap().0;
        };
        drop(waiting);
        let deadline = (SystemTime::now() + time).duration_since(UNIX_EPOCH).unwrap().as_millis().to_string();
        let headers = [
            ("Content-Type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", id.as_str()),
            ("Lambda-Runtime-Deadline-Ms", &deadline),
            ("Lambda-Runtime-Trace-Id", TRACE_ID),
            ("Lambda-Runtime-Invocation-Id", "7"),
        ];
        http::write(stream.get_mut(), "HTTP/1.1 200 OK", &headers, &payload)?;
    }
    Ok(())
}

/// S3 and EventBridge.
#[derive(Clone)]
pub struct FakeAws {
    pub address: SocketAddr,
    pub objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    pub events: Arc<Mutex<Vec<Value>>>,
    /// Keys that nobody may read or write.
    pub denied: Arc<Mutex<BTreeSet<String>>>,
    /// What was put to an address of CloudFormation's, with its headers.
    pub answers: Arc<Mutex<Vec<Message>>>,
    /// Statuses of the next such puts; 200 when there are none.
    pub answer_statuses: Arc<Mutex<VecDeque<u16>>>,
    /// Requests are read and never answered.
    pub hangs: Arc<Mutex<bool>>,
    pub requests: Arc<Mutex<u32>>,
}

impl FakeAws {
    pub fn listen() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let aws = Self {
            address: listener.local_addr().unwrap(),
            objects: Arc::default(),
            events: Arc::default(),
            denied: Arc::default(),
            answers: Arc::default(),
            answer_statuses: Arc::default(),
            hangs: Arc::default(),
            requests: Arc::default(),
        };
        let served = aws.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let aws = served.clone();
                thread::spawn(move || aws.connection(stream));
            }
        });
        aws
    }

    fn connection(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = http::read(&mut stream)? {
            *self.requests.lock().unwrap() += 1;
            while *self.hangs.lock().unwrap() {
                thread::sleep(Duration::from_millis(20));
            }
            let (status, body) = self.answer(&request);
            let headers = [("ETag", "\"e\""), ("x-amz-request-id", "1"), ("Content-Type", "application/json")];
            http::write(stream.get_mut(), &format!("HTTP/1.1 {status} Status"), &headers, &body)?;
        }
        Ok(())
    }

    fn answer(&self, request: &Message) -> (u16, Vec<u8>) {
        if request.header("x-amz-target") == Some("AWSEvents.PutEvents") {
            self.events.lock().unwrap().push(serde_json::from_slice(&request.body).unwrap());
            return (200, json!({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}).to_string().into_bytes());
        }
        let path = request.target().split('?').next().unwrap();
        let key = path.trim_start_matches("/bucket/").trim_start_matches('/').to_owned();
        if key.starts_with("response/") {
            self.answers.lock().unwrap().push(request.clone());
            return (self.answer_statuses.lock().unwrap().pop_front().unwrap_or(200), Vec::new());
        }
        let mut objects = self.objects.lock().unwrap();
        let source = request.header("x-amz-copy-source").map(str::to_owned);
        if [Some(&key), source.as_ref()].into_iter().flatten().any(|key| self.denied.lock().unwrap().contains(key)) {
            let body = b"<Error><Code>AccessDenied</Code><Message>no statement allows it</Message></Error>";
            return (403, body.to_vec());
        }
        if let Some(source) = source {
            assert_eq!(request.header("x-amz-copy-source-if-match"), Some("\"e\""), "the bytes that were hashed");
            let copied = objects[&source].clone();
            objects.insert(key, copied);
            return (200, b"<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>".to_vec());
        }
        if request.start.starts_with("PUT") {
            objects.insert(key, request.body.clone());
            return (200, Vec::new());
        }
        match objects.get(&key) {
            Some(body) => (200, body.clone()),
            None => (404, b"<Error><Code>NoSuchKey</Code><Message>none</Message></Error>".to_vec()),
        }
    }
}

pub struct Bootstrap {
    child: Child,
    folder: tempfile::TempDir,
}

impl Bootstrap {
    pub fn start(handler: &str, api: SocketAddr, aws: &FakeAws) -> Self {
        Self::start_with(handler, api, aws, |_| {})
    }

    pub fn start_with(handler: &str, api: SocketAddr, aws: &FakeAws, change: impl FnOnce(&mut Command)) -> Self {
        Self::run(env!("CARGO_BIN_EXE_bootstrap").as_ref(), handler, api, aws, change)
    }

    pub fn run(
        program: &std::path::Path,
        handler: &str,
        api: SocketAddr,
        aws: &FakeAws,
        change: impl FnOnce(&mut Command),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
            .env("_HANDLER", handler)
            .env("REVEILLE_BUCKET", "bucket")
            .env("REVEILLE_PREFIX", "")
            .env("REVEILLE_EVENT_BUS", "default")
            .env("REVEILLE_HEARTBEAT_SECONDS", "300")
            .env("REVEILLE_STATE_MACHINE", "arn:machine")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "id")
            .env("AWS_SECRET_ACCESS_KEY", "key")
            .env("AWS_ENDPOINT_URL", format!("http://{}", aws.address))
            .stdin(Stdio::null())
            .stdout(File::create(folder.path().join("out")).unwrap())
            .stderr(File::create(folder.path().join("err")).unwrap());
        change(&mut command);
        Self { child: command.spawn().unwrap(), folder }
    }

    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "the bootstrap ends");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its log: every line is JSON, bounded, and free of what nobody should read.
    pub fn log(&self) -> Vec<Value> {
        let read = |name: &str| std::fs::read_to_string(self.folder.path().join(name)).unwrap();
        assert_eq!(read("err"), "", "nothing is written but the log");
        let out = read("out");
        assert!(!out.contains("secret"), "{out:.500}");
        let line = |line: &str| {
            assert!(line.len() < 12_000, "a line of {} bytes", line.len());
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line:.200}: {error}"))
        };
        out.lines().map(line).collect()
    }
}

impl Bootstrap {
    /// The lines of JSON among what a test harness writes.
    pub fn lines_of_json(&self) -> Vec<Value> {
        let out = std::fs::read_to_string(self.folder.path().join("out")).unwrap();
        assert!(!out.contains("secret"), "{out}");
        out.lines().filter_map(|line| serde_json::from_str(&line[line.find('{')?..]).ok()).collect()
    }
}

impl Drop for Bootstrap {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
