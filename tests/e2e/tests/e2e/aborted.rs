//! Executions that a person stops: no Catch runs, and the sweeper does what is left to do.

use reveille_e2e_tests::{LocalAws, Notebook, Run};
use reveille_instance_model::{FaultKind, InstanceFault};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("aborted::a_notebook_that_runs_is_ended_and_its_instance_stops", |h, w| h.block_on(while_running(w))),
    ("aborted::nothing_of_an_aborted_run_is_left_when_the_next_one_runs", |h, w| h.block_on(next_in_the_queue(w))),
    ("aborted::an_instance_that_was_starting_is_stopped", |h, w| h.block_on(while_starting(w))),
];

/// What its cells printed by then is kept, in the usual place, and the outcome names it.
async fn while_running(world: &LocalAws) {
    // It begins to wait once what it printed is saved, in the folder of the process that started its kernel.
    let sleeper = "import os, time\nprint('in the ' + 'middle', flush=True)\n\
        saved = os.readlink(f'/proc/{os.getppid()}/cwd') + '/output.ipynb'\n\
        while 'in the ' + 'middle' not in open(saved, encoding='utf-8').read(): time.sleep(0.05)\n\
        open('begun', 'w').close()\ntime.sleep(3600)";
    world.instance_with("abort-run", &Notebook::of(&["print('be' + 'fore')", sleeper, "print('never')"])).await;
    let run = world.start_execution(&json!({"instance": "abort-run", "notebook": "run.ipynb"})).await;
    world.file("abort-run", "begun").await;
    run.abort().await;
    assert_aborted(&run, "abort-run").await;
    let outcome = run.until_outputs("abort-run").await;
    assert_eq!((&outcome["status"], &outcome["code"]), (&"ABORTED".into(), &"Cancelled".into()), "{outcome}");
    assert_eq!(outcome["sourceSha256"].as_str().unwrap().len(), 64, "{outcome}");
    for (name, file) in [("notebook", "output.ipynb"), ("html", "output.html"), ("log", "log.txt")] {
        assert!(outcome["outputs"][name].as_str().unwrap().ends_with(&format!("/1/{file}")), "{outcome}");
    }
    let output = run.text("abort-run", "1/output.ipynb").await.unwrap();
    for kept in ["before", "in the middle", "papermill-error-cell", "Interrupted: Reveille ended the run in this cell"]
    {
        assert!(output.contains(kept), "{kept}: {output}");
    }
    for file in ["1/output.html", "1/log.txt"] {
        let text = run.text("abort-run", file).await.unwrap();
        assert!(text.contains("before") && text.contains("in the middle"), "{file}: {text}");
    }
    world.until_status("abort-run", "Stopped").await;
    assert_eq!(run.claims("abort-run").await, 1);
    world.assert_at_rest("abort-run", 1).await;
}

/// The second run waits behind the first; it runs on the same boot, and nothing of the first runs beside it.
async fn next_in_the_queue(world: &LocalAws) {
    let sleeper =
        "import subprocess, time\nsubprocess.Popen(['sleep', '54321'], start_new_session=True)\ntime.sleep(600)";
    world.instance_with("abort-queue", &Notebook::of(&[sleeper])).await;
    world.put_notebook("abort-queue", "next.ipynb", &Notebook::of(&["import time\ntime.sleep(3)", "print('next')"]));
    let first = world.start_execution(&json!({"instance": "abort-queue", "notebook": "run.ipynb"})).await;
    first.until_claimed("abort-queue").await;
    let second = world.start_execution(&json!({"instance": "abort-queue", "notebook": "next.ipynb"})).await;
    while !sleeps(world) {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    second.until_queued("abort-queue").await;
    first.abort().await;
    second.until_claimed("abort-queue").await;
    assert!(!sleeps(world), "a process of the aborted run is left");
    assert_aborted(&first, "abort-queue").await;
    second.assert_succeeded("abort-queue").await;
    world.assert_at_rest("abort-queue", 1).await;
}

/// Whether the first run's background process is there.
fn sleeps(world: &LocalAws) -> bool {
    let processes = world.processes("abort-queue");
    let line = |pid: &i32| reveille_processes::command_line(*pid).unwrap_or_default();
    processes.iter().any(|pid| String::from_utf8_lossy(&line(pid)).contains("54321"))
}

async fn while_starting(world: &LocalAws) {
    world.instance_with("abort-start", &Notebook::of(&["1"])).await;
    let stuck = InstanceFault::once(FaultKind::StuckPending).on("abort-start");
    let stuck = world.local().service().arm(stuck).expect("the fault is armed");
    let run = world.start_execution(&json!({"instance": "abort-start", "notebook": "run.ipynb"})).await;
    world.until_status("abort-start", "Pending").await;
    run.abort().await;
    assert_eq!(world.local().service().clear_faults(Some(stuck)), 1);
    assert_aborted(&run, "abort-start").await;
    // The timer's sweep.
    world.until_status("abort-start", "Stopped").await;
    world.assert_at_rest("abort-start", 1).await;
}

async fn assert_aborted(run: &Run<'_>, instance: &str) {
    assert_eq!(run.ended().await.status, "ABORTED");
    let outcome = run.until_record(instance, "1/outcome.json").await;
    assert_eq!((&outcome["status"], &outcome["code"]), (&"ABORTED".into(), &"Cancelled".into()), "{outcome}");
}
