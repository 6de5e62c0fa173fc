//! A person who works on an instance that we started, in a real Jupyter server: never stopped under their hands.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook;
use aws_smithy_types::base64;
use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::InstanceName;
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::{Command, Operation};
use tokio::process::{Child, Command as Process};

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("person::a_busy_kernel_of_theirs_keeps_the_instance_up", |h, w| h.block_on(busy_kernel(w))),
    ("person::who_was_quiet_for_long_enough_keeps_nothing_up", |h, w| h.block_on(quiet_for_long(w))),
    ("person::a_silent_job_in_a_terminal_keeps_the_instance_up", |h, w| h.block_on(silent_job(w))),
];

/// What the person runs: busy for longer than the scenario takes.
const BUSY: &str = r#"
import sys, time
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
# Without the heartbeat, which takes a kernel that answers late for a dead one: on a busy machine it is no sign.
client.start_channels(hb=False)
client.wait_for_ready(timeout=600)
client.execute("import time; time.sleep(3600)")
time.sleep(1)
"#;

async fn busy_kernel(world: &LocalAws) {
    let port = free_port();
    let folder = world.local().directory().join("person");
    std::fs::create_dir_all(&folder).unwrap();
    let mut server = jupyter(world, port, &folder);
    world.instance_with("person", &Notebook::of(&["print('beside a person')"])).await;
    asks_that_server(world, "person", port).await;
    start_busy_kernel(world, port, &folder).await;

    let run = world.run("person").await;
    run.assert_succeeded("person").await;
    assert_eq!(run.outcome("person").await["instanceAfter"], "leftRunning");
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(world.status("person").await, "InService", "a person works on it");
    assert_eq!(world.accepted("person", Operation::StopNotebookInstance), 1, "the one after its creation");

    // Their Jupyter goes away (restarted, crashed, or its kernels were shut down): that tells nothing of the person, whose
    // last sign is seconds old.
    let pid = server.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    server.wait().await.unwrap();
    // The runner looks every 10 s.
    tokio::time::sleep(Duration::from_secs(35)).await;
    assert_eq!(world.status("person").await, "InService", "the person was there half a minute ago");
    let lease = lease(world, "person").await;
    assert!(lease["personAt"].is_string(), "{lease}");
    world.by_hand(Command::Stop { name: "person".to_owned() });
    world.until_status("person", "Stopped").await;
}

async fn lease(world: &LocalAws, instance: &str) -> serde_json::Value {
    let key = world.layout().lease(&InstanceName::parse(instance).unwrap());
    serde_json::from_slice(&world.object(&key).await.expect("there is a lease")).unwrap()
}

/// A server that shows one kernel, last used at a time, for as long as it lives.
const ONE_KERNEL: &str = r#"
import http.server, json, sys
class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps([{"id": "k", "execution_state": "idle", "last_activity": sys.argv[2]}]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Server).serve_forever()
"#;

/// Last used a little less than 900 s ago: left running by the run, and stopped when the quiet is over.
async fn quiet_for_long(world: &LocalAws) {
    const QUIET_FOR: i64 = 900 - 60;
    let port = free_port();
    let last_used = (Utc::now() - TimeDelta::seconds(QUIET_FOR)).to_rfc3339();
    let mut server = Process::new(world.local().project().tools().join("python"))
        .args(["-c", ONE_KERNEL, &port.to_string(), &last_used])
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    world.instance_with("quiet", &Notebook::of(&["print('beside a person')"])).await;
    asks_that_server(world, "quiet", port).await;
    let run = world.run("quiet").await;
    run.assert_succeeded("quiet").await;
    if run.outcome("quiet").await["instanceAfter"] == "leftRunning" {
        let told = lease(world, "quiet").await;
        let told = DateTime::parse_from_rfc3339(told["personAt"].as_str().unwrap()).unwrap();
        let last_used = DateTime::parse_from_rfc3339(&last_used).unwrap();
        assert_eq!(told.timestamp(), last_used.timestamp(), "the sign's own time, not that of the look");
    }
    world.until_status("quiet", "Stopped").await;
    assert!(Utc::now().timestamp() - DateTime::parse_from_rfc3339(&last_used).unwrap().timestamp() >= 900);
    world.assert_at_rest("quiet", 1).await;
    server.kill().await.unwrap();
}

/// A job that prints nothing, in a real pseudo-terminal of a real shell. On a real instance the runner reads `/proc`; a local
/// one has a `/proc` of its own, in which the shell and its job are shown.
async fn silent_job(world: &LocalAws) {
    const IN_A_TERMINAL: &str = r#"
import os, pty, sys, time
shell, terminal = pty.fork()
if shell == 0:
    os.execvp("sh", ["sh", "-c", "sleep 600; true"])
while True:
    time.sleep(0.1)
    jobs = open(f"/proc/{shell}/task/{shell}/children").read().split()
    if jobs:
        break
print(shell, jobs[0], flush=True)
sys.stdin.read()
"#;
    let mut terminal = std::process::Command::new(world.local().project().tools().join("python"))
        .args(["-c", IN_A_TERMINAL])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(terminal.stdout.take().unwrap()).read_line(&mut line).unwrap();
    // A boot finds an empty disk, so that the links are made while it is up: by the notebook.
    let proc = world.local().service().machine("terminal").root().join("proc");
    let show = format!(
        "import os\nfor pid in {:?}.split():\n    os.symlink('/proc/' + pid, os.path.join({:?}, pid))",
        line.trim(),
        proc.to_str().unwrap()
    );
    world.instance_with("terminal", &Notebook::of(&[&show])).await;
    let run = world.run("terminal").await;
    run.assert_succeeded("terminal").await;
    assert_eq!(run.outcome("terminal").await["instanceAfter"], "leftRunning");
    assert_eq!(world.status("terminal").await, "InService", "a job runs in a terminal");
    world.by_hand(Command::Stop { name: "terminal".to_owned() });
    world.until_status("terminal", "Stopped").await;
    // Its terminal is hung up, and the job with it.
    terminal.kill().unwrap();
    terminal.wait().unwrap();
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn jupyter(world: &LocalAws, port: u16, folder: &Path) -> Child {
    Process::new(world.local().project().tools().join("python"))
        .args(["-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"])
        .args(["--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"])
        .arg(format!("--ServerApp.port={port}"))
        .arg(format!("--ServerApp.root_dir={}", folder.display()))
        .env("JUPYTER_RUNTIME_DIR", folder)
        .env("JUPYTER_CONFIG_DIR", folder)
        .stdout(std::fs::File::create(folder.join("server.log")).unwrap())
        .stderr(std::fs::File::create(folder.join("server.err")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// On a real instance the server is where the runner looks by itself; here its address is put in front of the script.
async fn asks_that_server(world: &LocalAws, instance: &str, port: u16) {
    let sagemaker = &world.local().clients().sagemaker;
    let ours = sagemaker.describe_notebook_instance_lifecycle_config();
    let ours = ours.notebook_instance_lifecycle_config_name("reveille").send().await.expect("our configuration");
    let script = base64::decode(ours.on_start()[0].content().unwrap()).unwrap();
    let script = String::from_utf8(script).unwrap();
    let script = script.replacen('\n', &format!("\nexport REVEILLE_JUPYTER_URL=http://127.0.0.1:{port}/\n"), 1);
    let hook = NotebookInstanceLifecycleHook::builder().content(base64::encode(script)).build();
    let config_name = format!("with-jupyter-of-{instance}");
    let config = sagemaker.create_notebook_instance_lifecycle_config().on_start(hook);
    config.notebook_instance_lifecycle_config_name(&config_name).send().await.expect("the configuration is created");
    let update = sagemaker.update_notebook_instance().notebook_instance_name(instance);
    update.lifecycle_config_name(&config_name).send().await.expect("the update is taken");
    world.until_status(instance, "Stopped").await;
}

async fn start_busy_kernel(world: &LocalAws, port: u16, folder: &Path) {
    let kernels = format!("http://127.0.0.1:{port}/api/kernels");
    let mut answer = String::new();
    while !answer.contains("\"id\"") {
        tokio::time::sleep(Duration::from_millis(300)).await;
        answer = curl(world, &["POST", &kernels]).await;
    }
    let kernel: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let file = folder.join(format!("kernel-{}.json", kernel["id"].as_str().unwrap()));
    let script = Process::new(world.local().project().tools().join("python")).args(["-c", BUSY]).arg(file).status();
    assert!(script.await.unwrap().success());
    while !curl(world, &["GET", &kernels]).await.contains("\"busy\"") {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// One request, by the Python that is there anyway; nothing is answered until the server is up.
async fn curl(world: &LocalAws, request: &[&str]) -> String {
    const REQUEST: &str =
        "import sys, urllib.request as u\nprint(u.urlopen(u.Request(sys.argv[2], method=sys.argv[1])).read().decode())";
    let output =
        Process::new(world.local().project().tools().join("python")).args(["-c", REQUEST]).args(request).output();
    String::from_utf8_lossy(&output.await.unwrap().stdout).into_owned()
}
