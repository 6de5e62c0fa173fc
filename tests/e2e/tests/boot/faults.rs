//! What a real boot does otherwise when something goes wrong: units that systemd ends, memory and disks with limits of their
//! own, lifecycle scripts that hold up a boot.

use std::{path::Path, process::Command as Process};

use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::{Command, Operation};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::{LOOK, Scenario, archives, printed, start};

pub(crate) const ALL: &[Scenario] = &[
    ("faults::a_lifecycle_script_that_fails_or_takes_too_long_is_told", |h, w| h.block_on(lifecycle(w))),
    ("faults::a_run_over_its_limit_is_ended_with_all_its_processes", |h, w| h.block_on(over_the_limit(w))),
    ("faults::a_machine_that_is_powered_off_under_a_run_stays_off", |h, w| h.block_on(powered_off(w))),
    ("faults::a_kernel_killed_for_memory_does_not_take_the_runner_along", |h, w| h.block_on(out_of_memory(w))),
    ("faults::a_full_disk_is_told", |h, w| h.block_on(full_disk(w))),
    ("faults::an_environment_of_other_pins_is_renewed", |h, w| h.block_on(other_pins(w))),
];

/// The first run of all: it makes an engine, whose files are at the same place on each machine.
static FIRST: OnceCell<First> = OnceCell::const_new();
const HOME: &str = ".reveille/engine";

/// What came of it.
pub(crate) struct First {
    engine: std::path::PathBuf,
    /// What its one cell printed.
    pub(crate) printed: Value,
    pub(crate) claim: Value,
}

/// The first run, on an instance of this name, of which the engine is made: whoever needs one first starts it.
pub(crate) const FIRST_INSTANCE: &str = "boot-runs";

pub(crate) async fn first(world: &LocalAws) -> &'static First {
    const NAME: &str = FIRST_INSTANCE;
    FIRST
        .get_or_init(|| async {
            world.instance(NAME).await;
            let _index = archives::none().await;
            let run = start(world, NAME, &Notebook::of(&[LOOK])).await;
            run.assert_succeeded(NAME).await;
            world.until_status(NAME, "Stopped").await;
            let printed = printed(&run, NAME).await;
            let claim = run.record(NAME, "1/claim.json").await.unwrap();
            First { engine: world.local().notebooks(NAME).join(HOME), printed, claim }
        })
        .await
}

/// An instance whose engine's environment an earlier boot has made: what a scenario is about is not how it is made.
pub(crate) async fn equipped(world: &LocalAws, name: &str, commands: &str) {
    equipped_in(world, name, None, commands).await;
}

/// The same, in a subnet.
pub(crate) async fn equipped_in(world: &LocalAws, name: &str, subnet: Option<&str>, commands: &str) {
    let made = &first(world).await.engine;
    let created = match subnet {
        None => world.local().create_instance_with_commands(name, commands).await,
        Some(subnet) => world.local().create_instance_in_subnet(name, subnet, commands).await,
    };
    created.expect("the instance is created");
    let folder = world.local().notebooks(name).join(".reveille");
    std::fs::create_dir_all(&folder).unwrap();
    copy(made, &folder);
}

/// Lets the runner's log outlive the machine: it is then in the notebook folder.
pub(crate) const RUNNER_LOG_KEPT: &str = "ln -s /home/ec2-user/SageMaker/runner.log /var/log/reveille-runner.log\n";

/// What the runner of such an instance said.
pub(crate) fn runner_log(world: &LocalAws, name: &str) -> String {
    std::fs::read_to_string(world.local().notebooks(name).join("runner.log")).unwrap_or_default()
}

/// The instance has stopped. A boot that has no runner and takes longer than a heartbeat may be stopped by the sweeper before its
/// run waits on it, and is then started again: how often, the speed of this machine decides.
pub(crate) async fn rests_without_a_runner(world: &LocalAws, name: &str) {
    world.until_status(name, "Stopped").await;
    let starts = world.accepted(name, Operation::StartNotebookInstance);
    assert!(starts > 0, "{name} was started");
    world.assert_at_rest(name, starts).await;
}

/// The files themselves are shared: there are more than ten thousand. So nothing may be written into one that is there.
fn copy(from: &Path, into: &Path) {
    assert!(Process::new("cp").arg("-al").arg(from).arg(into).status().unwrap().success());
}

/// The cause of a run that fails with this code.
async fn ended_with(world: &LocalAws, instance: &str, cells: &[&str], code: &str) -> String {
    let run = start(world, instance, &Notebook::of(cells)).await;
    run.assert_failed(instance, code).await.cause
}

async fn lifecycle(world: &LocalAws) {
    tokio::join!(
        lifecycle_failed(world, "boot-fails", "echo going; exit 3\n"),
        lifecycle_failed(world, "boot-hangs", "setsid sleep 4000 & sleep 4000\n")
    );
}

async fn lifecycle_failed(world: &LocalAws, name: &str, commands: &str) {
    world.local().create_instance_with_commands(name, commands).await.unwrap();
    let cause = ended_with(world, name, &["1"], "LifecycleFailed").await;
    assert!(cause.contains(name), "{cause}");
    world.assert_at_rest(name, 1).await;
}

async fn over_the_limit(world: &LocalAws) {
    const NAME: &str = "boot-limit";
    equipped(world, NAME, "").await;
    let notebook = Notebook::of(&[
        "import subprocess, time\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)\ntime.sleep(4000)",
    ]);
    world.put_notebook(NAME, "run.ipynb", &notebook);
    let input = json!({"instance": NAME, "notebook": "run.ipynb", "limits": {"runSeconds": 30}});
    let run = world.start_execution(&input).await;
    let ended = run.assert_failed(NAME, "RunTimedOut").await;
    assert!(ended.cause.contains("30 s (limits.runSeconds)"), "{}", ended.cause);
    assert_eq!(run.claims(NAME).await, 1);
    world.assert_at_rest(NAME, 1).await;
}

/// systemd sends its signal to the runner and to the kernel at once: what the kernel's end looks like to the runner is not
/// what is told of the run.
/// systemd tells the runner, and keeps the network until it has ended: what the cells printed is kept.
async fn powered_off(world: &LocalAws) {
    const NAME: &str = "boot-off";
    equipped(world, NAME, "").await;
    let cell = "import time\nprint('be' + 'fore', flush=True)\n\
                while 'be' + 'fore' not in open('.reveille/work/output/output.ipynb').read(): time.sleep(0.1)\n\
                open('begun', 'w').close()\ntime.sleep(4000)";
    let run = start(world, NAME, &Notebook::of(&[cell])).await;
    world.file(NAME, "begun").await;
    world.by_hand(Command::Stop { name: NAME.to_owned() });
    let ended = run.assert_failed(NAME, "RunnerLost").await;
    assert!(ended.cause.contains("boot-off was stopped while the notebook ran"), "{}", ended.cause);
    let outcome = run.outcome(NAME).await;
    assert!(outcome["outputs"]["notebook"].is_string() && outcome["outputs"]["log"].is_string(), "{outcome}");
    assert!(run.text(NAME, "1/output.ipynb").await.unwrap().contains("before"));
    assert_eq!(run.claims(NAME).await, 1);
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}

async fn out_of_memory(world: &LocalAws) {
    const NAME: &str = "boot-memory";
    equipped(world, NAME, RUNNER_LOG_KEPT).await;
    // More than the machine has, and each page written to.
    let policy = "import json, subprocess\nshow = ['systemctl', 'show', '-P', 'OOMPolicy', 'reveille-runner']\n\
                  print(json.dumps(subprocess.check_output(show, text=True).strip()))";
    let run = start(world, NAME, &Notebook::of(&[policy, "b'x' * (4 << 30)"])).await;
    let ended = run.assert_failed(NAME, "KernelDied").await;
    assert!(ended.cause.contains("cell 2"), "{}", ended.cause);
    // What was there is kept. A systemd that sees the kill (control groups of version 2) is told to go on.
    assert_eq!(printed(&run, NAME).await, "continue");
    // Nobody started the runner a second time.
    assert_eq!(
        runner_log(world, NAME).matches("runner of boot-memory on boot").count(),
        1,
        "{}",
        runner_log(world, NAME)
    );
    assert_eq!(run.claims(NAME).await, 1);
    world.assert_at_rest(NAME, 1).await;
}

/// A volume of the notebooks' size and a little.
const SMALL_VOLUME: &str = r#"
cp -a /home/ec2-user/SageMaker /run/kept
size=$(du -sk /run/kept | cut -f 1)
mount -t tmpfs -o "size=$((size + size / 8 + 8192))k,uid=1000,gid=1000" small /home/ec2-user/SageMaker
cp -a /run/kept/. /home/ec2-user/SageMaker/
"#;

async fn full_disk(world: &LocalAws) {
    const NAME: &str = "boot-full";
    equipped(world, NAME, SMALL_VOLUME).await;
    let fill = "with open('fill', 'wb', buffering=0) as file:\n    while True:\n        file.write(bytes(1 << 12))";
    let cause = ended_with(world, NAME, &["print('before')", fill], "OutputNotSaved").await;
    assert!(cause.contains("No space left on device") && cause.contains("Make room"), "{cause}");
    world.assert_at_rest(NAME, 1).await;
}

async fn other_pins(world: &LocalAws) {
    const NAME: &str = "boot-pins";
    equipped(world, NAME, "").await;
    let marker = world.local().notebooks(NAME).join(HOME).join(".reveille-complete");
    let fingerprint = std::fs::read_to_string(&marker).unwrap();
    std::fs::remove_file(&marker).unwrap();
    std::fs::write(&marker, "of another version").unwrap();
    let _index = archives::none().await;
    let run = start(world, NAME, &Notebook::of(&["print('renewed')"])).await;
    run.assert_succeeded(NAME).await;
    assert_eq!(std::fs::read_to_string(&marker).unwrap(), fingerprint);
    world.assert_at_rest(NAME, 1).await;
}
