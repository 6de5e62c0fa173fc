//! Processes that are killed, an instance that a person stops under a run, and a burst.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;
use std::time::Instant;

use reveille_e2e_tests::{LocalAws, Notebook, Run};
use reveille_instance_model::{Command, Operation};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("killed::papermill_killed_in_the_middle_is_told", |h, w| h.block_on(papermill_killed(w))),
    ("killed::every_process_of_an_instance_killed_at_once_is_a_lost_runner", |h, w| h.block_on(all_killed(w))),
    ("killed::a_function_that_crashes_once_is_called_again", |h, w| h.block_on(function_crashes(w))),
    ("killed::an_instance_stopped_by_a_person_under_a_run_stays_stopped", |h, w| h.block_on(stopped_by_hand(w))),
    ("killed::a_runner_that_is_started_again_keeps_what_the_one_before_left", |h, w| h.block_on(runner_restarted(w))),
    ("killed::a_burst_of_fifty_events_has_fifty_outcomes_and_three_starts", |h, w| h.block_on(burst(w))),
];

async fn papermill_killed(world: &LocalAws) {
    world.instance_with("kill-papermill", &Notebook::of(&["import time\ntime.sleep(600)"])).await;
    let run = world.start_execution(&json!({"instance": "kill-papermill", "notebook": "run.ipynb"})).await;
    run.until_claimed("kill-papermill").await;
    let driver = loop {
        let found = world.processes("kill-papermill").into_iter().find(|pid| command_line(*pid).contains("spec.json"));
        if let Some(driver) = found {
            break driver;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    let status = std::process::Command::new("kill").args(["-9", &driver.to_string()]).status().unwrap();
    assert!(status.success());
    let ended = run.assert_failed("kill-papermill", "Internal").await;
    assert!(ended.cause.contains("SIGKILL") && ended.cause.contains("ran out of memory"), "{}", ended.cause);
    assert_eq!(run.claims("kill-papermill").await, 1);
    world.assert_at_rest("kill-papermill", 1).await;
}

/// As when the machine under the instance dies: the service still shows it InService.
async fn all_killed(world: &LocalAws) {
    world.instance_with("kill-all", &Notebook::of(&["import time\ntime.sleep(600)"])).await;
    let run = world.start_execution(&json!({"instance": "kill-all", "notebook": "run.ipynb"})).await;
    run.until_claimed("kill-all").await;
    let pids: Vec<String> = world.processes("kill-all").iter().map(ToString::to_string).collect();
    assert!(!pids.is_empty());
    // One may have ended by itself meanwhile.
    let _ = std::process::Command::new("kill").arg("-9").args(&pids).output();
    run.assert_failed("kill-all", "RunnerLost").await;
    assert_eq!(run.claims("kill-all").await, 1);
    world.assert_at_rest("kill-all", 1).await;
}

fn command_line(pid: i32) -> String {
    String::from_utf8_lossy(&reveille_processes::command_line(pid).unwrap_or_default()).into_owned()
}

/// The process of VerifyStopped is killed when it is seen, twice: the second is one that was just started for a call.
async fn function_crashes(world: &LocalAws) {
    // A call may pass between two looks, on a busy machine above all: then the next run's is tried.
    const RUNS: u64 = 10;
    world.instance_with("kill-function", &Notebook::of(&["print('hello')"])).await;
    for runs in 1..=RUNS {
        let run = world.start_execution(&json!({"instance": "kill-function", "notebook": "run.ipynb"})).await;
        run.until_record("kill-function", "1/report.json").await;
        let hit = kill_a_call(&run, "verify_stopped").await;
        run.assert_succeeded("kill-function").await;
        world.assert_at_rest("kill-function", runs).await;
        if hit {
            return;
        }
    }
    panic!("no call of the function was hit in {RUNS} runs");
}

/// Kills each process of a function that is seen, until a call of the run failed by it or the run is over.
async fn kill_a_call(run: &Run<'_>, function: &str) -> bool {
    const MOST: usize = 50;
    let mut killed = std::collections::BTreeSet::new();
    loop {
        let over = run.is_over().await;
        // The second is the local engine's word for a process that is killed before it asks for a call.
        let crashes = ["Runtime.ExitError", "Runtime.Unknown"];
        if run.failed_tasks().await.iter().any(|error| crashes.contains(&error.as_str())) {
            return true;
        }
        if over {
            return false;
        }
        for pid in functions(function) {
            if killed.len() < MOST && killed.insert(pid) {
                // It may have ended by itself meanwhile.
                let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).output();
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// The processes of a function.
fn functions(handler: &str) -> Vec<i32> {
    let wanted = format!("_HANDLER={handler}");
    let environment = |pid: &i32| reveille_processes::environment(*pid).unwrap_or_default();
    let pids = reveille_processes::pids().unwrap();
    pids.filter(|pid| reveille_processes::has(&environment(pid), wanted.as_bytes())).collect()
}

/// Prints, and then sleeps for as long as its run is let.
fn printing_sleeper() -> Notebook {
    // Printing returns before the text has left the kernel: what is saved is there.
    let sleeper = "import time\nprint('in the ' + 'middle', flush=True)\n\
                   output = '.reveille/work/output/output.ipynb'\n\
                   while 'in the ' + 'middle' not in open(output).read(): time.sleep(0.1)\n\
                   open('begun', 'w').close()\ntime.sleep(3600)";
    Notebook::of(&["print('be' + 'fore')", sleeper, "print('never')"])
}

/// Whoever stops it, the run is lost, and told so; nobody starts the instance again for it. What its cells printed by then is
/// kept, and the outcome names it: the machine asks the runner to end.
async fn stopped_by_hand(world: &LocalAws) {
    // The runner has a minute. On a machine that is so busy that this is too short, it is tried again.
    const TRIES: u32 = 4;
    let mut seen = Vec::new();
    for number in 0..TRIES {
        let name = format!("kill-instance-{number}");
        world.instance_with(&name, &printing_sleeper()).await;
        let run = world.start_execution(&json!({"instance": name, "notebook": "run.ipynb"})).await;
        world.file(&name, "begun").await;
        world.by_hand(Command::Stop { name: name.clone() });
        let ended = run.assert_failed(&name, "RunnerLost").await;
        let outcome = run.outcome(&name).await;
        assert_eq!(outcome["instanceAfter"], "atRest", "{outcome}");
        assert_eq!(run.claims(&name).await, 1);
        world.assert_at_rest(&name, 1).await;
        if outcome["outputs"]["log"].is_null() {
            assert!(ended.cause.contains("stopped"), "{}", ended.cause);
            seen.push(outcome);
            continue;
        }
        assert!(ended.cause.contains(&format!("{name} was stopped while the notebook ran")), "{}", ended.cause);
        assert_eq!(outcome["sourceSha256"].as_str().unwrap().len(), 64, "{outcome}");
        assert!(outcome["outputs"]["html"].is_string() || outcome["htmlError"].is_string(), "{outcome}");
        assert_kept(&run, &name, &outcome).await;
        return;
    }
    panic!("nothing was kept in {TRIES} tries: {seen:#?}");
}

/// The outcome names the notebook and the log, and both have what the cells printed.
async fn assert_kept(run: &Run<'_>, instance: &str, outcome: &serde_json::Value) {
    for (name, file) in [("notebook", "output.ipynb"), ("log", "log.txt")] {
        assert!(outcome["outputs"][name].as_str().unwrap().ends_with(&format!("/1/{file}")), "{outcome}");
        let kept = run.text(instance, &format!("1/{file}")).await.unwrap();
        assert!(kept.contains("before") && kept.contains("in the middle"), "{file}: {kept}");
    }
}

/// As systemd does on an instance. What the first process left on the disk is kept by the second, which tells the execution.
async fn runner_restarted(world: &LocalAws) {
    world.instance_with("kill-runner", &printing_sleeper()).await;
    let run = world.start_execution(&json!({"instance": "kill-runner", "notebook": "run.ipynb"})).await;
    world.file("kill-runner", "begun").await;
    let is_runner = |pid: &i32| {
        std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.ends_with("reveille-runner"))
    };
    let pid = world.processes("kill-runner").into_iter().find(is_runner).expect("a runner");
    let program = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap();
    let environment = reveille_processes::environment(pid).unwrap();
    let variables = environment.split(|byte| *byte == 0).filter_map(|entry| {
        let at = entry.iter().position(|byte| *byte == b'=')?;
        Some((OsStr::from_bytes(&entry[..at]), OsStr::from_bytes(&entry[at + 1..])))
    });
    let mut again = std::process::Command::new(program);
    again.env_clear().envs(variables).process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    let mut again = again.spawn().unwrap();
    run.assert_failed("kill-runner", "RunnerLost").await;
    let outcome = run.outcome("kill-runner").await;
    assert_kept(&run, "kill-runner", &outcome).await;
    assert!(outcome["htmlError"].is_string(), "{outcome}");
    assert_eq!(run.claims("kill-runner").await, 1);
    world.assert_at_rest("kill-runner", 1).await;
    // The end of its boot was its end.
    again.wait().unwrap();
}

/// Fifty events on three instances: fifty outcomes, one start for each instance, all stopped.
#[expect(clippy::print_stdout, reason = "the burst's figures are for whoever reads the test's output")]
async fn burst(world: &LocalAws) {
    const INSTANCES: [&str; 3] = ["burst-a", "burst-b", "burst-c"];
    const EVENTS: usize = 50;
    let started = Instant::now();
    for instance in INSTANCES {
        let notebook = Notebook::of(&[Notebook::GATE, "print(number)"]).with_parameters("number = None");
        world.instance_with(instance, &notebook).await;
    }
    let mut runs = Vec::new();
    for number in 0..EVENTS {
        let instance = INSTANCES[number % INSTANCES.len()];
        let input = json!({"instance": instance, "notebook": "run.ipynb", "parameters": {"number": number}});
        runs.push((instance, world.start_execution(&input).await));
    }
    // An instance whose queue is empty stops: none is, until all have their place.
    for (instance, run) in &runs {
        run.until_queued(instance).await;
    }
    for instance in INSTANCES {
        world.open_gate(instance);
    }
    for (instance, run) in &runs {
        run.assert_succeeded(instance).await;
    }
    let starts: Vec<u64> =
        INSTANCES.iter().map(|instance| world.accepted(instance, Operation::StartNotebookInstance)).collect();
    println!("burst: {EVENTS} events, {} outcomes, starts {starts:?}, {:.0?}", runs.len(), started.elapsed());
    for instance in INSTANCES {
        world.until_status(instance, "Stopped").await;
        world.assert_at_rest(instance, 1).await;
    }
}
