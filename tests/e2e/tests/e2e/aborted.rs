//! Executions that a person stops: no Catch runs, and the sweeper does what is left to do.

use reveille_e2e_tests::{Notebook, Run, World};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("aborted::a_notebook_that_runs_is_ended_and_its_instance_rests", |h, w| h.block_on(while_running(w))),
    ("aborted::an_instance_that_was_starting_is_brought_to_rest", |h, w| h.block_on(while_starting(w))),
];

async fn while_running(world: &World) {
    world.instance_with("abort-run", &Notebook::of(&["import time\ntime.sleep(600)"])).await;
    let run = world.start_execution(&json!({"instance": "abort-run", "notebook": "run.ipynb"})).await;
    run.until_claimed("abort-run").await;
    run.abort().await;
    assert_aborted(&run, "abort-run").await;
    world.until_status("abort-run", "Stopped").await;
    assert_eq!(run.claims("abort-run").await, 1);
    world.assert_at_rest("abort-run", 1).await;
}

async fn while_starting(world: &World) {
    world.instance_with("abort-start", &Notebook::of(&["1"])).await;
    let run = world.start_execution(&json!({"instance": "abort-start", "notebook": "run.ipynb"})).await;
    world.until_status("abort-start", "Pending").await;
    run.abort().await;
    assert_aborted(&run, "abort-start").await;
    world.until_status("abort-start", "InService").await;
    // The timer's sweep.
    world.until_status("abort-start", "Stopped").await;
    world.assert_at_rest("abort-start", 1).await;
}

async fn assert_aborted(run: &Run<'_>, instance: &str) {
    assert_eq!(run.ended().await.status, "ABORTED");
    let outcome = run.until_record(instance, "1/outcome.json").await;
    assert_eq!((&outcome["status"], &outcome["code"]), (&"ABORTED".into(), &"Cancelled".into()), "{outcome}");
}
