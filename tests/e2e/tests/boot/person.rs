//! The instance's own Jupyter server, where SageMaker puts it (https://localhost:8443, no token), and a person in it; and the
//! kernels of its conda environments.

use std::path::PathBuf;

use reveille_domain::InstanceName;
use reveille_e2e_tests::{LocalAws, Notebook, Run};
use reveille_instance_model::Command;
use serde_json::{Value, json};

use crate::{Scenario, clock, faults::equipped_in, network, printed, start};

pub(crate) const ALL: &[Scenario] = &[
    ("person::a_busy_kernel_in_the_instances_jupyter_keeps_it_up", |h, w| h.block_on(busy_kernel(w))),
    ("person::a_kernel_that_was_shut_down_or_used_long_ago_keeps_nothing_up", |h, w| h.block_on(shut_down_kernel(w))),
    ("person::a_job_in_a_terminal_keeps_it_up", |h, w| h.block_on(terminal(w))),
    ("person::the_kernel_of_a_conda_environment_is_activated", |h, w| h.block_on(conda_kernel(w))),
];

/// Does what a person does who is logged in: whatever is in the file `do` of the notebook folder, as root.
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

/// What a person does in Jupyter.
const PERSON: &str = include_str!("person.py");
const PYTHON: &str = "/home/ec2-user/anaconda3/envs/JupyterSystemEnv/bin/python";
/// Long enough that nobody is taken for being at work: so long ago by the server's clock all happens that happens in it.
const LONG_AGO: i64 = -3_600;

fn file(world: &LocalAws, instance: &str, name: &str) -> PathBuf {
    world.local().notebooks(instance).join(name)
}

/// Lets the person do something, and waits until it is done; gives what it printed.
async fn does(world: &LocalAws, instance: &str, commands: &str) -> String {
    let (part, whole) = (file(world, instance, "do.part"), file(world, instance, "do"));
    std::fs::write(&part, commands).unwrap();
    std::fs::rename(part, whole).unwrap();
    let said = world.file(instance, "done").await;
    std::fs::remove_file(file(world, instance, "done")).unwrap();
    said
}

async fn lease(world: &LocalAws, instance: &str) -> Value {
    let key = world.layout().lease(&InstanceName::parse(instance).unwrap());
    serde_json::from_slice(&world.object(&key).await.expect("there is a lease")).unwrap()
}

/// Starts a run that goes on until the file `go` is there.
async fn waiting_run<'a>(world: &'a LocalAws, instance: &str) -> Run<'a> {
    let waits = "import os, time\nwhile not os.path.exists('go'):\n    time.sleep(0.2)";
    let run = start(world, instance, &Notebook::of(&[waits])).await;
    run.until_claimed(instance).await;
    run
}

/// Does something as the person in the instance's Jupyter, in the notebook folder; gives what they saw.
async fn in_jupyter(world: &LocalAws, instance: &str, what: &str) -> String {
    std::fs::write(file(world, instance, "person.py"), PERSON).unwrap();
    does(world, instance, &format!("runuser -u ec2-user -- {PYTHON} person.py {what}")).await
}

/// An instance with a Jupyter, whose clock may be off.
async fn with_jupyter(world: &LocalAws, name: &str, server_clock: Option<i64>) {
    let clock = server_clock.map(|_| clock::of_unit("jupyter-server") + "systemctl restart jupyter-server\n");
    let commands = network::private(world, name) + &clock.unwrap_or_default() + HANDS;
    equipped_in(world, name, Some(name), &commands).await;
    if let Some(seconds) = server_clock {
        clock::put(world, name, seconds);
    }
}

/// Lets the run end, and tells where its instance is left.
async fn left_after(world: &LocalAws, instance: &str, run: &Run<'_>) -> Value {
    world.open_gate(instance);
    run.assert_succeeded(instance).await;
    std::fs::remove_file(file(world, instance, "go")).unwrap();
    run.outcome(instance).await["instanceAfter"].clone()
}

/// The instance is on, for a person; they stop it by hand.
async fn stopped_by_the_person(world: &LocalAws, name: &str) {
    assert_eq!(world.status(name).await, "InService", "a person works on it");
    assert!(lease(world, name).await["personAt"].is_string());
    world.by_hand(Command::Stop { name: name.to_owned() });
    world.until_status(name, "Stopped").await;
}

async fn busy_kernel(world: &LocalAws) {
    const NAME: &str = "boot-person";
    with_jupyter(world, NAME, None).await;

    // A server that nobody works in is nobody. One that could not be asked would count as somebody.
    let run = waiting_run(world, NAME).await;
    let up = "until systemctl is-active jupyter-server; do sleep 0.5; done";
    assert!(does(world, NAME, up).await.ends_with("active\n"));
    assert_eq!(left_after(world, NAME, &run).await, "atRest");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;

    let run = waiting_run(world, NAME).await;
    let kernel = in_jupyter(world, NAME, "kernel").await;
    assert_eq!(in_jupyter(world, NAME, &format!("work {kernel}")).await, "busy\n");
    assert_eq!(left_after(world, NAME, &run).await, "leftRunning");
    assert_eq!(world.status(NAME).await, "InService", "a person works on it");
    assert!(lease(world, NAME).await["personAt"].is_string());

    // They shut their kernel down, and the server is restarted: they were there a moment ago.
    assert_eq!(in_jupyter(world, NAME, &format!("shut {kernel}")).await, "0 kernels\n");
    does(world, NAME, "systemctl restart jupyter-server").await;
    let run = start(world, NAME, &Notebook::of(&["print('beside a person')"])).await;
    run.assert_succeeded(NAME).await;
    assert_eq!(run.outcome(NAME).await["instanceAfter"], "leftRunning");
    stopped_by_the_person(world, NAME).await;
}

/// The kernel was used long ago, by the only clock that dates it. What keeps an instance on is use, not that a kernel is there;
/// and one that was shut down holds nobody.
async fn shut_down_kernel(world: &LocalAws) {
    const NAME: &str = "boot-shut";
    with_jupyter(world, NAME, Some(LONG_AGO)).await;
    let run = waiting_run(world, NAME).await;
    in_jupyter(world, NAME, "kernel").await;
    assert_eq!(left_after(world, NAME, &run).await, "atRest", "nobody has used it for an hour");
    world.until_status(NAME, "Stopped").await;

    let run = waiting_run(world, NAME).await;
    let kernel = in_jupyter(world, NAME, "kernel").await;
    assert_eq!(in_jupyter(world, NAME, &format!("shut {kernel}")).await, "0 kernels\n");
    assert_eq!(left_after(world, NAME, &run).await, "atRest");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 2).await;
}

/// The terminal itself was used long ago, and the job prints nothing: that it runs is all that tells of a person.
async fn terminal(world: &LocalAws) {
    const NAME: &str = "boot-terminal";
    with_jupyter(world, NAME, Some(LONG_AGO)).await;
    let run = waiting_run(world, NAME).await;
    assert_eq!(in_jupyter(world, NAME, "terminal 'sleep 4003'").await, "runs\n");
    assert_eq!(left_after(world, NAME, &run).await, "leftRunning");
    // The job goes on beside the next run, too.
    let run = start(world, NAME, &Notebook::of(&["print('beside a person')"])).await;
    run.assert_succeeded(NAME).await;
    assert_eq!(run.outcome(NAME).await["instanceAfter"], "leftRunning");
    assert!(does(world, NAME, "pgrep -fx 'sleep 4003' | wc -l").await.starts_with('1'), "nobody ended it");
    stopped_by_the_person(world, NAME).await;
}

async fn conda_kernel(world: &LocalAws) {
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
