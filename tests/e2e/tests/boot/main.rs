//! The product on instances that really boot: systemd, a user of their own, a Python of their own. `make test-boot` runs
//! these as root; without a root of machines there is nothing to test, and each says so.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

mod archives;
mod clock;
mod faults;
mod front;
mod network;
mod person;
mod proxy;
mod pythons;

use std::{fs, process::ExitCode, sync::Arc};

use libtest_mimic::{Arguments, Trial};
use reveille_e2e_tests::{LocalAws, Notebook, Run};
use reveille_local::Machines;
use serde_json::{Value, json};
use tokio::runtime::{Handle, Runtime};

/// Scenarios at a time: each boots a machine, and waits most of the time.
const AT_A_TIME: usize = 4;
const ROOT: &str = "REVEILLE_MACHINE_ROOT";

type Scenario = (&'static str, fn(&Handle, &LocalAws));

const RUNS: &[Scenario] = &[
    ("runs_one_after_another_on_boots_of_their_own", |h, w| h.block_on(one_after_another(w))),
    ("what_is_ended_from_outside", |h, w| h.block_on(ended_from_outside(w))),
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_A_TIME));
    let all =
        || [RUNS, faults::ALL, network::ALL, person::ALL, proxy::ALL, clock::ALL, pythons::ALL].into_iter().flatten();
    let Some(root) = std::env::var_os(ROOT).filter(|_| !arguments.list) else {
        let trials = all().map(|(name, _)| Trial::test(*name, || Ok(())).with_ignored_flag(true)).collect();
        if !arguments.list {
            eprintln!("skipped: {ROOT} names no root of machines; run make test-boot as root");
        }
        return libtest_mimic::run(&arguments, trials).exit_code();
    };
    let runtime = Runtime::new().expect("a runtime");
    let world = Arc::new(runtime.block_on(LocalAws::with(Some(Machines::new(root)))));
    let trials = all()
        .map(|(name, scenario)| {
            let (world, handle) = (Arc::clone(&world), runtime.handle().clone());
            Trial::test(*name, move || {
                scenario(&handle, &world);
                Ok(())
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    match Arc::try_unwrap(world) {
        Ok(world) => runtime.block_on(world.stop()),
        // A scenario still holds it: dropping the runtime and the process end what it started.
        Err(_) => eprintln!("a scenario did not let go of the local AWS"),
    }
    conclusion.exit_code()
}

async fn start<'a>(world: &'a LocalAws, instance: &str, notebook: &Notebook) -> Run<'a> {
    world.put_notebook(instance, "run.ipynb", notebook);
    world.start_execution(&json!({"instance": instance, "notebook": "run.ipynb"})).await
}

/// What the first code cell of a run printed.
async fn printed(run: &Run<'_>, instance: &str) -> Value {
    let notebook: Value = serde_json::from_str(&run.text(instance, "1/output.ipynb").await.unwrap()).unwrap();
    let mut cells = notebook["cells"].as_array().unwrap().iter();
    // A failed notebook begins with a mark.
    let first = cells.find(|cell| cell["cell_type"] == "code").unwrap();
    let text = match &first["outputs"][0]["text"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        text => text.as_str().unwrap_or_default().to_owned(),
    };
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("{notebook}"))
}

/// Where a run finds itself, and what of the instance outlived the last boot.
const LOOK: &str = "import getpass, json, os, sys
home = os.path.expanduser('~')
unit = open('/proc/self/cgroup').read()
print(json.dumps({
    'user': getpass.getuser(), 'home': home, 'folder': os.getcwd(), 'unit': 'reveille-runner.service' in unit,
    'endpoint': os.environ.get('AWS_ENDPOINT_URL_SAGEMAKER'), 'boot': open('/proc/sys/kernel/random/boot_id').read().strip(),
    'python': sys.prefix, 'bashrc': os.path.exists(home + '/left'), 'kept': os.path.exists('kept')}))
open('kept', 'w').close(); open(home + '/left', 'w').close()";

async fn one_after_another(world: &LocalAws) {
    const NAME: &str = faults::FIRST_INSTANCE;
    let faults::First { printed: first, claim, .. } = faults::first(world).await;
    world.assert_at_rest(NAME, 1).await;
    assert_eq!((&first["user"], &first["home"]), (&json!("ec2-user"), &json!("/home/ec2-user")), "{first}");
    assert_eq!(first["folder"], "/home/ec2-user/SageMaker", "{first}");
    assert_eq!(first["unit"], true, "the notebook runs in the runner's unit: {first}");
    let endpoint = &world.local().environment()["AWS_ENDPOINT_URL_SAGEMAKER"];
    assert_eq!(first["endpoint"], json!(endpoint), "a setting of the on-start script reaches the notebook");
    assert_eq!((&first["bashrc"], &first["kept"]), (&json!(false), &json!(false)), "{first}");
    assert!(claim.to_string().contains(first["boot"].as_str().unwrap()), "{claim} {first}");

    // The engine's environment was made at the first run, and is used at the second.
    let engine = world.local().notebooks(NAME).join(".reveille/engine");
    let made = |world: &LocalAws| {
        fs::metadata(world.local().notebooks(NAME).join(".reveille/engine/pyvenv.cfg")).unwrap().modified().unwrap()
    };
    assert!(engine.is_dir(), "{}", engine.display());
    let before = made(world);
    let run = start(world, NAME, &Notebook::of(&[LOOK, "raise ValueError('on a machine')"])).await;
    run.assert_failed(NAME, "NotebookFailed").await;
    world.assert_at_rest(NAME, 2).await;
    let second = printed(&run, NAME).await;
    assert_ne!(second["boot"], first["boot"]);
    assert_eq!((&second["bashrc"], &second["kept"]), (&json!(false), &json!(true)), "{second}");
    assert_eq!(second["python"], first["python"]);
    assert_eq!(made(world), before, "the engine's environment is kept");
    let outcome = run.outcome(NAME).await;
    assert!(outcome.to_string().contains("on a machine"), "{outcome}");
}

/// The process of an instance whose command line ends in this.
fn process(world: &LocalAws, instance: &str, program: &str) -> Option<i32> {
    world.processes(instance).into_iter().find(|pid| {
        let line = reveille_processes::command_line(*pid).unwrap_or_default();
        line.split(|byte| *byte == 0).next().is_some_and(|first| first.ends_with(program.as_bytes()))
    })
}

async fn ended_from_outside(world: &LocalAws) {
    const NAME: &str = "boot-ended";
    let sleeps = Notebook::of(&[
        "import subprocess, time\nsubprocess.Popen(['sleep', '4321'], start_new_session=True)\ntime.sleep(900)",
    ]);
    faults::equipped(world, NAME, "").await;
    let run = start(world, NAME, &sleeps).await;
    run.until_record(NAME, "1/progress.json").await;
    run.abort().await;
    assert_eq!(run.ended().await.status, "ABORTED");
    let outcome = run.until_record(NAME, "1/outcome.json").await;
    assert_eq!((&outcome["status"], &outcome["code"]), (&json!("ABORTED"), &json!("Cancelled")), "{outcome}");
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;

    // systemd starts the runner again on the same boot; it ends what the first one left, reports, and stops the instance.
    let run = start(world, NAME, &sleeps).await;
    run.until_claimed(NAME).await;
    while process(world, NAME, "sleep").is_none() {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let boot = world.local().service().boot_id(NAME);
    let runner = process(world, NAME, "reveille-runner").expect("a runner");
    assert!(std::process::Command::new("kill").args(["-KILL", &runner.to_string()]).status().unwrap().success());
    let again = loop {
        match process(world, NAME, "reveille-runner") {
            Some(pid) if pid != runner => break pid,
            _ => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
        assert_eq!(world.local().service().boot_id(NAME), boot, "the runner came back too late");
    };
    assert_ne!(again, runner);
    run.assert_failed(NAME, "RunnerLost").await;
    assert_eq!(run.claims(NAME).await, 1);
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 2).await;
}
