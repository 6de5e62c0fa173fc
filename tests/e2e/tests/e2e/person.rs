//! A person who works on an instance that we started, in a real Jupyter server: never stopped under their hands.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook;
use aws_smithy_types::base64;
use reveille_e2e_tests::{Notebook, World};
use reveille_instance_model::Operation;
use tokio::process::{Child, Command};

use crate::Scenario;

pub const ALL: &[Scenario] =
    &[("person::a_busy_kernel_of_theirs_keeps_the_instance_up", |h, w| h.block_on(busy_kernel(w)))];

/// What the person runs: busy for longer than the scenario takes.
const BUSY: &str = r#"
import sys, time
from jupyter_client import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("import time; time.sleep(300)")
time.sleep(1)
"#;

async fn busy_kernel(world: &World) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
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

    // The person leaves; then it is ours to stop.
    let pid = server.id().expect("it runs").to_string();
    assert!(std::process::Command::new("kill").arg(&pid).status().unwrap().success());
    server.wait().await.unwrap();
    world.until_status("person", "Stopped").await;
    world.assert_at_rest("person", 1).await;
}

fn jupyter(world: &World, port: u16, folder: &Path) -> Child {
    Command::new(world.local().project().tools().join("python"))
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
async fn asks_that_server(world: &World, instance: &str, port: u16) {
    let sagemaker = &world.local().clients().sagemaker;
    let ours = sagemaker.describe_notebook_instance_lifecycle_config();
    let ours = ours.notebook_instance_lifecycle_config_name("reveille").send().await.expect("our configuration");
    let script = base64::decode(ours.on_start()[0].content().unwrap()).unwrap();
    let script = String::from_utf8(script).unwrap();
    let script = script.replacen('\n', &format!("\nexport REVEILLE_JUPYTER_URL=http://127.0.0.1:{port}/\n"), 1);
    let hook = NotebookInstanceLifecycleHook::builder().content(base64::encode(script)).build();
    let config = sagemaker.create_notebook_instance_lifecycle_config().on_start(hook);
    config.notebook_instance_lifecycle_config_name("with-jupyter").send().await.expect("the configuration is created");
    let update = sagemaker.update_notebook_instance().notebook_instance_name(instance);
    update.lifecycle_config_name("with-jupyter").send().await.expect("the update is taken");
    world.until_status(instance, "Stopped").await;
}

async fn start_busy_kernel(world: &World, port: u16, folder: &Path) {
    let kernels = format!("http://127.0.0.1:{port}/api/kernels");
    let mut answer = String::new();
    while !answer.contains("\"id\"") {
        tokio::time::sleep(Duration::from_millis(300)).await;
        answer = curl(world, &["POST", &kernels]).await;
    }
    let kernel: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let file = folder.join(format!("kernel-{}.json", kernel["id"].as_str().unwrap()));
    let script = Command::new(world.local().project().tools().join("python")).args(["-c", BUSY]).arg(file).status();
    assert!(script.await.unwrap().success());
    while !curl(world, &["GET", &kernels]).await.contains("\"busy\"") {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// One request, by the Python that is there anyway; nothing is answered until the server is up.
async fn curl(world: &World, request: &[&str]) -> String {
    const REQUEST: &str =
        "import sys, urllib.request as u\nprint(u.urlopen(u.Request(sys.argv[2], method=sys.argv[1])).read().decode())";
    let output =
        Command::new(world.local().project().tools().join("python")).args(["-c", REQUEST]).args(request).output();
    String::from_utf8_lossy(&output.await.unwrap().stdout).into_owned()
}
