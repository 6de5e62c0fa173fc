//! More than one run on one instance.

use reveille_e2e_tests::{Notebook, World};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("busy::two_runs_at_once_share_one_start", |h, w| h.block_on(two_at_once(w))),
    ("busy::a_run_that_may_not_wait_fails_or_is_skipped", |h, w| h.block_on(fail_or_skip(w))),
    ("busy::a_run_that_waited_too_long_times_out_in_the_queue", |h, w| h.block_on(queue_timeout(w))),
];

async fn two_at_once(world: &World) {
    let notebook = Notebook::of(&[Notebook::GATE, "print(who)"]).with_parameters("who = 'nobody'");
    world.instance_with("two", &notebook).await;
    let input = |who: &str| json!({"instance": "two", "notebook": "run.ipynb", "parameters": {"who": who}});
    let (one, other) = (input("one"), input("other"));
    let (one, other) = tokio::join!(world.start_execution(&one), world.start_execution(&other));
    tokio::join!(one.until_queued("two"), other.until_queued("two"));
    world.open_gate("two");
    one.assert_succeeded("two").await;
    other.assert_succeeded("two").await;
    assert!(one.text("two", "1/output.ipynb").await.unwrap().contains("one"));
    assert!(other.text("two", "1/output.ipynb").await.unwrap().contains("other"));
    let mut after =
        vec![one.outcome("two").await["instanceAfter"].clone(), other.outcome("two").await["instanceAfter"].clone()];
    after.sort_by_key(ToString::to_string);
    assert_eq!(after, ["atRest", "handedOver"]);
    world.assert_at_rest("two", 1).await;
}

async fn fail_or_skip(world: &World) {
    world.instance_with("occupied", &Notebook::of(&[Notebook::GATE])).await;
    let first = world.start_execution(&json!({"instance": "occupied", "notebook": "run.ipynb"})).await;
    first.until_claimed("occupied").await;
    let asked = |when: &str| json!({"instance": "occupied", "notebook": "run.ipynb", "whenBusy": when});
    let (fail, skip) = (asked("fail"), asked("skip"));
    let (fail, skip) = tokio::join!(world.start_execution(&fail), world.start_execution(&skip));
    let ended = fail.assert_failed("occupied", "Busy").await;
    assert!(ended.cause.contains("occupied"), "{}", ended.cause);
    assert_eq!(fail.outcome("occupied").await["instanceAfter"], "handedOver");
    assert_eq!(skip.ended().await.status, "SUCCEEDED");
    assert_eq!(skip.outcome("occupied").await["status"], "SKIPPED");
    assert_eq!(fail.claims("occupied").await + skip.claims("occupied").await, 0);
    world.open_gate("occupied");
    first.assert_succeeded("occupied").await;
    world.assert_at_rest("occupied", 1).await;
}

async fn queue_timeout(world: &World) {
    world.instance_with("queue", &Notebook::of(&[Notebook::GATE])).await;
    let first = world.start_execution(&json!({"instance": "queue", "notebook": "run.ipynb"})).await;
    first.until_claimed("queue").await;
    let hasty = json!({"instance": "queue", "notebook": "run.ipynb", "limits": {"queueSeconds": 1}});
    let second = world.start_execution(&hasty).await;
    let ended = second.assert_failed("queue", "QueueTimedOut").await;
    assert!(ended.cause.contains("limits.queueSeconds is 1 s"), "{}", ended.cause);
    world.open_gate("queue");
    first.assert_succeeded("queue").await;
    world.assert_at_rest("queue", 1).await;
}
