//! The instance's own Jupyter server, where SageMaker puts it (https://localhost:8443, no token), and a person in it; and the
//! kernels of its conda environments.

use std::path::PathBuf;

use reveille_domain::InstanceName;
use reveille_e2e_tests::{Notebook, Run, World};
use reveille_instance_model::Command;
use serde_json::{Value, json};

use crate::{Scenario, faults::equipped_in, network, printed, start};

pub(crate) const ALL: &[Scenario] = &[
    ("person::a_busy_kernel_in_the_instances_jupyter_keeps_it_up", |h, w| h.block_on(busy_kernel(w))),
    ("person::the_kernel_of_a_conda_environment_is_activated", |h, w| h.block_on(conda_kernel(w))),
];

/// Does what a person does who is logged in: whatever stands in the file `do` of the notebook folder, as root.
const HANDS: &str = r"
(
    cd /home/ec2-user/SageMaker
    while sleep 0.2; do
        [ -e do ] || continue
        mv do doing
        bash doing >done.part 2>&1
        mv done.part done
    done
) </dev/null >/dev/null 2>&1 &
";

/// Waits until the server is up, starts a kernel in it, and keeps that one busy.
const BUSY: &str = r#"
import glob, json, ssl, time, urllib.request
from jupyter_client import BlockingKernelClient
context = ssl._create_unverified_context()
def ask(path, body=None):
    request = urllib.request.Request("https://localhost:8443/api/" + path, body, {"Content-Type": "application/json"})
    return json.load(urllib.request.urlopen(request, context=context))
while True:
    try:
        kernel = ask("kernels", b'{"name": "python3"}')["id"]
        break
    except OSError:
        time.sleep(0.5)
files = []
while not files:
    time.sleep(0.2)
    files = glob.glob(f"/home/ec2-user/.local/share/jupyter/runtime/kernel-{kernel}.json")
client = BlockingKernelClient(connection_file=files[0])
client.load_connection_file()
client.start_channels()
while True:
    try:
        client.wait_for_ready(timeout=600)
        break
    except RuntimeError:
        # On a busy machine a heartbeat comes late, and jupyter_client takes the kernel for dead.
        time.sleep(1)
client.execute("import time; time.sleep(4000)")
while ask("kernels/" + kernel)["execution_state"] != "busy":
    time.sleep(0.2)
print("busy")
"#;

fn file(world: &World, instance: &str, name: &str) -> PathBuf {
    world.local().notebooks(instance).join(name)
}

/// Lets the person do something, and waits until it is done; gives what it printed.
async fn does(world: &World, instance: &str, commands: &str) -> String {
    let (part, whole) = (file(world, instance, "do.part"), file(world, instance, "do"));
    std::fs::write(&part, commands).unwrap();
    std::fs::rename(part, whole).unwrap();
    let said = world.file(instance, "done").await;
    std::fs::remove_file(file(world, instance, "done")).unwrap();
    said
}

async fn lease(world: &World, instance: &str) -> Value {
    let key = world.layout().lease(&InstanceName::parse(instance).unwrap());
    serde_json::from_slice(&world.object(&key).await.expect("a lease stands")).unwrap()
}

/// Starts a run that goes on until the file `go` is there.
async fn waiting_run<'a>(world: &'a World, instance: &str) -> Run<'a> {
    let waits = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.2)";
    let run = start(world, instance, &Notebook::of(&[waits])).await;
    run.until_claimed(instance).await;
    run
}

async fn busy_kernel(world: &World) {
    const NAME: &str = "boot-person";
    let commands = network::private(world, NAME) + HANDS;
    equipped_in(world, NAME, Some(NAME), &commands).await;

    // A server that nobody works in is nobody. One that could not be asked would count as somebody.
    let run = waiting_run(world, NAME).await;
    let up = "until systemctl is-active jupyter-server; do sleep 0.5; done";
    assert!(does(world, NAME, up).await.ends_with("active\n"));
    std::fs::write(file(world, NAME, "go"), "").unwrap();
    run.assert_succeeded(NAME).await;
    assert_eq!(run.outcome(NAME).await["instanceAfter"], "atRest");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;

    std::fs::remove_file(file(world, NAME, "go")).unwrap();
    let run = waiting_run(world, NAME).await;
    std::fs::write(file(world, NAME, "busy.py"), BUSY).unwrap();
    let python = "/home/ec2-user/anaconda3/envs/JupyterSystemEnv/bin/python";
    let said = does(world, NAME, &format!("runuser -u ec2-user -- {python} busy.py")).await;
    assert_eq!(said, "busy\n");
    std::fs::write(file(world, NAME, "go"), "").unwrap();
    run.assert_succeeded(NAME).await;
    assert_eq!(run.outcome(NAME).await["instanceAfter"], "leftRunning");
    assert_eq!(world.status(NAME).await, "InService", "a person works on it");
    assert!(lease(world, NAME).await["personAt"].is_string());

    // Their server is restarted, and their kernel is gone with it: they were there a moment ago.
    does(world, NAME, "systemctl restart jupyter-server").await;
    let run = start(world, NAME, &Notebook::of(&["print('beside a person')"])).await;
    run.assert_succeeded(NAME).await;
    assert_eq!(run.outcome(NAME).await["instanceAfter"], "leftRunning");
    assert_eq!(world.status(NAME).await, "InService");
    world.by_hand(Command::Stop { name: NAME.to_owned() });
    world.until_status(NAME, "Stopped").await;
}

async fn conda_kernel(world: &World) {
    const NAME: &str = "boot-conda";
    equipped_in(world, NAME, None, "").await;
    let look = "import json, os, sys\nprint(json.dumps({'python': sys.prefix, **{name: os.environ.get(name) for name in \
                ('FROM_CONDA_STATE', 'FROM_ACTIVATE_D', 'CONDA_DEFAULT_ENV')}}))";
    let run = start(world, NAME, &Notebook::of(&[look]).for_kernel("conda_python3")).await;
    run.assert_succeeded(NAME).await;
    let seen = printed(&run, NAME).await;
    let expected = json!({
        "python": "/home/ec2-user/anaconda3/envs/python3", "FROM_CONDA_STATE": "set", "FROM_ACTIVATE_D": "activated",
        "CONDA_DEFAULT_ENV": "python3",
    });
    assert_eq!(seen, expected);
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}
