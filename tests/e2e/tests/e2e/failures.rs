//! Runs whose notebook fails, each way with its own code; the instance rests all the same.

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("failures::a_cell_that_raises_is_named_and_the_partial_output_kept", |h, w| h.block_on(failing_cell(w))),
    ("failures::a_missing_notebook_is_named", |h, w| h.block_on(missing_notebook(w))),
    ("failures::a_link_out_of_the_folder_is_refused", |h, w| h.block_on(link_out(w))),
    ("failures::a_missing_kernel_is_named", |h, w| h.block_on(missing_kernel(w))),
    ("failures::a_kernel_that_dies_is_seen", |h, w| h.block_on(kernel_dies(w))),
    ("failures::a_run_over_its_limit_is_ended_with_all_its_processes", |h, w| h.block_on(over_the_limit(w))),
    ("failures::a_runner_killed_in_the_middle_is_lost", |h, w| h.block_on(runner_killed(w))),
    ("failures::a_file_that_is_no_notebook_is_refused", |h, w| h.block_on(no_notebook(w))),
];

async fn failing_cell(world: &LocalAws) {
    let notebook = Notebook::of(&["print('fine')", "print('still fine')", "raise ValueError('no rows for today')"]);
    world.instance_with("fails-cell", &notebook).await;
    let run = world.run("fails-cell").await;
    let ended = run.assert_failed("fails-cell", "NotebookFailed").await;
    for part in ["Cell 3 of run.ipynb", "ValueError", "no rows for today", "Traceback"] {
        assert!(ended.cause.contains(part), "the cause names {part}: {}", ended.cause);
    }
    let outcome = run.outcome("fails-cell").await;
    assert_eq!(outcome["failure"]["evidence"]["cell"]["number"], 3);
    let partial = run.text("fails-cell", "1/output.ipynb").await.unwrap();
    assert!(partial.contains("still fine") && partial.contains("no rows for today"));
    assert!(run.text("fails-cell", "1/output.html").await.unwrap().contains("no rows for today"));
    assert_eq!(run.claims("fails-cell").await, 1);
    world.assert_at_rest("fails-cell", 1).await;
}

async fn missing_notebook(world: &LocalAws) {
    world.instance("fails-missing").await;
    let run = world.run("fails-missing").await;
    let ended = run.assert_failed("fails-missing", "NotebookNotFound").await;
    assert!(ended.cause.contains("run.ipynb"), "{}", ended.cause);
    world.assert_at_rest("fails-missing", 1).await;
}

async fn link_out(world: &LocalAws) {
    world.instance("fails-link").await;
    let outside = world.local().directory().join("outside.ipynb");
    std::fs::write(&outside, Notebook::of(&["print('out')"]).to_json()).unwrap();
    let folder = world.local().notebooks("fails-link");
    std::os::unix::fs::symlink(&outside, folder.join("run.ipynb")).unwrap();
    let run = world.run("fails-link").await;
    let ended = run.assert_failed("fails-link", "NotebookNotFound").await;
    assert!(ended.cause.contains("leads out of the notebook folder"), "{}", ended.cause);
    world.assert_at_rest("fails-link", 1).await;
}

async fn missing_kernel(world: &LocalAws) {
    world.instance_with("fails-kernel", &Notebook::of(&["1"]).for_kernel("cobol")).await;
    let run = world.run("fails-kernel").await;
    let ended = run.assert_failed("fails-kernel", "KernelNotFound").await;
    assert!(ended.cause.contains("cobol") && ended.cause.contains("python3"), "{}", ended.cause);
    world.assert_at_rest("fails-kernel", 1).await;
}

async fn kernel_dies(world: &LocalAws) {
    world.instance_with("fails-dies", &Notebook::of(&["print('alive')", "import os\nos._exit(9)"])).await;
    let run = world.run("fails-dies").await;
    let ended = run.assert_failed("fails-dies", "KernelDied").await;
    assert!(ended.cause.contains("cell 2"), "{}", ended.cause);
    assert!(run.text("fails-dies", "1/output.ipynb").await.unwrap().contains("alive"));
    world.assert_at_rest("fails-dies", 1).await;
}

async fn over_the_limit(world: &LocalAws) {
    let notebook = Notebook::of(&[
        "print('be' + 'fore')",
        "import subprocess, time\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\ntime.sleep(600)",
    ]);
    world.instance_with("fails-limit", &notebook).await;
    let run = world
        .start_execution(&json!({"instance": "fails-limit", "notebook": "run.ipynb", "limits": {"runSeconds": 60}}))
        .await;
    let ended = run.assert_failed("fails-limit", "RunTimedOut").await;
    assert!(ended.cause.contains("60 s (limits.runSeconds)"), "{}", ended.cause);
    assert!(run.text("fails-limit", "1/output.ipynb").await.unwrap().contains("before"));
    world.assert_at_rest("fails-limit", 1).await;
}

/// Nothing restarts the runner here: the heartbeat ends, its progress is stale, and the functions stop its boot.
async fn runner_killed(world: &LocalAws) {
    world.instance_with("fails-runner", &Notebook::of(&["import time\ntime.sleep(600)"])).await;
    let run = world.start_execution(&json!({"instance": "fails-runner", "notebook": "run.ipynb"})).await;
    run.until_claimed("fails-runner").await;
    let killed = world.processes("fails-runner").into_iter().filter(|pid| is_runner(*pid)).map(kill).count();
    assert_eq!(killed, 1, "one runner");
    let ended = run.assert_failed("fails-runner", "RunnerLost").await;
    assert!(ended.cause.contains("fails-runner"), "{}", ended.cause);
    assert_eq!(run.claims("fails-runner").await, 1);
    world.assert_at_rest("fails-runner", 1).await;
}

fn is_runner(pid: i32) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.ends_with("reveille-runner"))
}

fn kill(pid: i32) {
    let status = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

async fn no_notebook(world: &LocalAws) {
    world.instance("fails-text").await;
    std::fs::write(world.local().notebooks("fails-text").join("run.ipynb"), "not a notebook").unwrap();
    let run = world.run("fails-text").await;
    run.assert_failed("fails-text", "NotebookNotFound").await;
    world.assert_at_rest("fails-text", 1).await;
}
