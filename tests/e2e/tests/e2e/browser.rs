//! A hostile page in a real browser on the developer's machine, against the local AWS. It has what no page knows, the
//! addresses and the access key, so that what refuses it is that it is a page.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, io};

use reveille_e2e_tests::LocalAws;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::Scenario;
use crate::guard::{FUNCTION, addresses, aws, key};

pub const ALL: &[Scenario] =
    &[("browser::a_page_reaches_nothing_of_the_local_aws", |h, w| h.block_on(reaches_nothing(w)))];

/// Names a browser, where it is not in the path.
const NAMED_BY: &str = "REVEILLE_CHROMIUM";
/// Names by which Debian and others install one.
const NAMES: [&str; 4] = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"];
/// A browser starts, and settles some dozens of requests, within seconds; a busy machine is given its time.
const PATIENCE: Duration = Duration::from_mins(10);
/// A request of the page's is small; more is no request of its.
const MAX_REQUEST: usize = 1 << 20;

/// The page's script.
const ATTACK: &str = include_str!("page.js");
/// Attempts against one service: a page that gives up early would pass.
const ATTEMPTS: usize = 19;

/// The browser, if this machine has one: a file that is named so may only say how to install one.
pub fn browser() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(NAMED_BY).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    let mut files = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    files.find(|path| path.is_file() && answers(path))
}

fn answers(browser: &Path) -> bool {
    let version = std::process::Command::new(browser).arg("--version").stdin(Stdio::null()).output();
    version.is_ok_and(|version| version.status.success())
}

/// Why the scenarios of this file are not run, if they are not.
pub fn skipped() -> Option<String> {
    browser().is_none().then(|| {
        format!("browser scenarios are left out: none of {NAMES:?} is in the path, and {NAMED_BY} names none (Debian: apt install chromium-headless-shell)")
    })
}

/// The page's own server; or one that lets every page in, as the local AWS once did; or a name that is rebound.
struct Server {
    page: String,
    /// Where everything but the page itself goes, as it came: the name points there, once the page is loaded.
    rebound_to: Option<String>,
    /// What was asked: method and path.
    asked: Mutex<Vec<String>>,
    /// Where the page's report goes.
    report: Mutex<Option<oneshot::Sender<Value>>>,
}

impl Server {
    fn new(page: &str, rebound_to: Option<String>, report: Option<oneshot::Sender<Value>>) -> Arc<Self> {
        Arc::new(Self { page: page.to_owned(), rebound_to, asked: Mutex::default(), report: Mutex::new(report) })
    }

    async fn serve(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let server = Arc::clone(&self);
            // Whoever hangs up, the browser or the service, is asked no more.
            tokio::spawn(async move { server.answer(stream).await.ok() });
        }
    }

    async fn answer(&self, mut stream: TcpStream) -> io::Result<()> {
        let request = read(&mut stream).await?;
        if let Some(service) = self.rebound_to.as_ref().filter(|_| request.asked != "GET /page") {
            let mut service = TcpStream::connect(service).await?;
            service.write_all(&request.raw).await?;
            return copy_bidirectional(&mut stream, &mut service).await.map(|_| ());
        }
        let content = if request.asked == "GET /page" { self.page.as_str() } else { "{}" };
        if request.asked == "POST /report"
            && let Some(report) = lock(&self.report).take()
        {
            // Nobody listens any more: the test is over.
            let _ = report.send(serde_json::from_slice(&request.raw[request.body..]).unwrap_or_default());
        }
        lock(&self.asked).push(request.asked);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nAccess-Control-Allow-Origin: *\r\n\
             Access-Control-Allow-Methods: *\r\nAccess-Control-Allow-Headers: *, Authorization\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{content}",
            content.len()
        );
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Request {
    /// All of it.
    raw: Vec<u8>,
    /// Where its body begins.
    body: usize,
    /// Its method and its path, without a query.
    asked: String,
}

async fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut raw = Vec::new();
    loop {
        if let Some(end) = raw.windows(4).position(|end| end == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&raw[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if raw.len() >= end + 4 + length.unwrap_or(0) {
                let line = head.lines().next().unwrap_or_default();
                let asked = line.split(['?', '\r']).next().unwrap_or_default();
                let asked = asked.strip_suffix(" HTTP/1.1").unwrap_or(asked).to_owned();
                return Ok(Request { raw, body: end + 4, asked });
            }
        }
        if raw.len() > MAX_REQUEST || stream.read_buf(&mut raw).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// A request of AdmitRun, whose effect anybody sees: a record of the run.
fn payload() -> Value {
    json!({
        "execution": {"arn": "arn:browser", "name": "browser", "startTime": "2026-01-01T00:00:00Z", "redriveCount": 0},
        "attempt": 1,
        "input": {"instance": "browser", "notebook": "a.ipynb"},
    })
}

/// The name that points to a service, once its page is loaded.
fn rebound_name(service: &str) -> String {
    format!("{service}.rebound.example")
}

async fn reaches_nothing(world: &LocalAws) {
    let functions =
        aws(world, &["lambda", "list-functions", "--query", "Functions[].FunctionName", "--output", "text"]);
    let function =
        functions.await.split_whitespace().find(|name| name.starts_with("reveille-AdmitRun")).unwrap().to_owned();
    let (page_listener, page_at) = listener().await;
    let (open_listener, open_at) = listener().await;
    let [gateway, sagemaker] = addresses(world);
    let services = [("gateway", gateway), ("sagemaker", sagemaker), ("open", open_at)];
    let mut rules = Vec::new();
    let mut forwarders = Vec::new();
    for (service, address) in &services {
        let (forwarder, at) = listener().await;
        rules.push(format!("MAP {} {at}", rebound_name(service)));
        forwarders.push((forwarder, address.clone()));
    }
    let at = |(service, address): &(&str, String)| ((*service).to_owned(), json!(format!("http://{address}")));
    let rebound = |(service, address): &(&str, String)| {
        let port = address.rsplit(':').next().unwrap();
        (format!("{service}-rebound"), json!(format!("http://{}:{port}", rebound_name(service))))
    };
    let given = json!({
        "services": services.iter().map(at).collect::<Map<_, _>>(),
        "rebound": services.iter().map(rebound).collect::<Map<_, _>>(),
        "key": key(world), "bucket": world.local().trigger_bucket(), "function": function,
        "planted": FUNCTION, "payload": payload().to_string(),
        "fault": json!({"kind": "quota", "instance": "browser"}).to_string(),
    });
    let page = format!("<!DOCTYPE html><body><script>const given = {given};\n{ATTACK}</script></body>");
    let (sender, report) = oneshot::channel();
    let open = Server::new("", None, None);
    let mut serving = vec![
        tokio::spawn(Server::new(&page, None, Some(sender)).serve(page_listener)),
        tokio::spawn(Arc::clone(&open).serve(open_listener)),
    ];
    for (forwarder, address) in forwarders {
        serving.push(tokio::spawn(Server::new(&page, Some(address), None).serve(forwarder)));
    }
    let seen = visit(&format!("http://{page_at}/page"), &rules.join(","), report).await;
    serving.iter().for_each(tokio::task::JoinHandle::abort);
    let seen = seen.as_object().expect("an object");

    assert_teeth(seen, &lock(&open.asked), world.local().trigger_bucket(), &function);
    for service in ["gateway", "sagemaker"] {
        assert_learned_nothing(seen, service, key(world));
    }
    assert_nothing_done(world, &function).await;
}

/// To a service that lets pages in, the same page does all of it.
fn assert_teeth(seen: &Map<String, Value>, asked: &[String], bucket: &str, function: &str) {
    for done in [
        format!("PUT /{bucket}/planted.csv"),
        format!("POST /{bucket}"),
        format!("POST /2015-03-31/functions/{function}/invocations"),
        "POST /2015-03-31/functions".to_owned(),
        "POST /_reveille/faults".to_owned(),
        "DELETE /_reveille/faults".to_owned(),
        "GET /_reveille/instances".to_owned(),
        "GET /_aws/execute-api/x/y".to_owned(),
    ] {
        // At its address, and at a name.
        assert!(asked.iter().filter(|one| **one == done).count() >= 2, "{done}: {asked:?}");
    }
    for read in ["open put", "open read instances", "open-rebound put", "open-rebound invoke", "open-rebound arm"] {
        assert_eq!(seen[read], "200 {}", "{read}");
    }
}

/// Of the local AWS a page reads nothing. At a name of its own it reads that it is refused.
fn assert_learned_nothing(seen: &Map<String, Value>, service: &str, key: &str) {
    for (at, refused) in [
        (service.to_owned(), &["refused", "opaque", "error", "loaded"][..]),
        (format!("{service}-rebound"), &["403 ", "refused", "error", "read ", "loaded"][..]),
    ] {
        let heard = |(name, heard): (&String, &Value)| {
            let (of, attempt) = name.split_once(' ')?;
            (of == at).then(|| (attempt.to_owned(), heard.as_str().unwrap_or_default().to_owned()))
        };
        let heard: Vec<(String, String)> = seen.iter().filter_map(heard).collect();
        assert_eq!(heard.len(), ATTEMPTS, "{at}: {seen:?}");
        for (attempt, heard) in heard {
            let one = refused.iter().any(|one| heard.starts_with(one) && (one.ends_with(' ') || heard == *one));
            assert!(one && (heard != "loaded" || attempt == "form"), "{at} {attempt}: {heard}");
            let denied = heard.contains("Access") && heard.contains("enied") && !heard.contains(key);
            assert!(denied || !heard.contains(' '), "{at} {attempt}: {heard}");
        }
    }
}

/// Lets the browser open the page, until the page reports.
async fn visit(page: &str, rules: &str, report: oneshot::Receiver<Value>) -> Value {
    let profile = std::env::temp_dir().join(format!("reveille-browser-{}", std::process::id()));
    fs::DirBuilder::new().mode(0o700).create(&profile).unwrap();
    let said = fs::File::create(profile.join("said")).unwrap();
    let mut chromium = Command::new(browser().expect("a browser"))
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--no-proxy-server", "--remote-debugging-port=0", "--disable-background-networking"])
        .arg(format!("--user-data-dir={}", profile.join("profile").display()))
        .arg(format!("--host-resolver-rules={rules}"))
        .arg(page)
        .env("HOME", &profile)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        // The command of some distributions is a script, and a browser has helpers: they are ended together.
        .process_group(0)
        .spawn()
        .unwrap();
    let group = Group(chromium.id().expect("it runs"));
    let words = || fs::read_to_string(profile.join("said")).unwrap_or_default();
    let seen = tokio::select! {
        seen = timeout(PATIENCE, report) => match seen {
            Ok(seen) => seen.expect("the server keeps the sender"),
            Err(late) => panic!("no report of the page ({late}): {}", words()),
        },
        ended = chromium.wait() => panic!("the browser ended ({ended:?}): {}", words()),
    };
    drop(group);
    chromium.wait().await.unwrap();
    // Its helpers end after it, and may still write.
    let begun = Instant::now();
    while fs::remove_dir_all(&profile).is_err() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    seen
}

/// Processes that end when this does, however that comes about.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        let kill = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{}", self.0)]).status();
        // In a test that fails already there is nobody to tell.
        assert!(std::thread::panicking() || kill.is_ok_and(|status| status.success()), "the browser goes on");
    }
}

async fn assert_nothing_done(world: &LocalAws, function: &str) {
    let clients = world.local().clients();
    let bucket = world.local().trigger_bucket();
    let listed = clients.s3.list_objects_v2().bucket(bucket).prefix("planted").send().await.unwrap();
    assert_eq!(listed.key_count(), Some(0));
    let functions = aws(world, &["lambda", "list-functions", "--query", "Functions[].FunctionName"]).await;
    assert!(!functions.contains("planted"), "{functions}");
    let armed = world.local().service().faults();
    assert!(
        !armed.iter().any(|fault| fault.fault.instance.as_ref().is_some_and(|on| on.starts_with("browser"))),
        "{armed:?}"
    );
    let of_the_page = world.layout().runs("browser");
    assert_eq!(world.keys(&of_the_page).await, Vec::<String>::new());
    // With the key, and without being a page, it would have been done.
    let answer = std::env::temp_dir().join(format!("reveille-invoked-{}", std::process::id()));
    let payload = payload().to_string();
    let invoke = ["lambda", "invoke", "--function-name", function, "--payload", &payload, answer.to_str().unwrap()];
    aws(world, &invoke).await;
    let said = fs::read_to_string(&answer).unwrap();
    fs::remove_file(answer).unwrap();
    assert!(!world.keys(&of_the_page).await.is_empty(), "{said}");
}
