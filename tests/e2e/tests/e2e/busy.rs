//! More than one run on one instance.

use reveille_e2e_tests::{LocalAws, MAX_WAITING_RUNS, Notebook};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("busy::two_runs_at_once_share_one_start", |h, w| h.block_on(two_at_once(w))),
    ("busy::a_run_that_may_not_wait_fails_or_is_skipped", |h, w| h.block_on(fail_or_skip(w))),
    ("busy::one_run_more_than_may_wait_is_busy_and_leaves_nothing", |h, w| h.block_on(flooded(w))),
    ("busy::a_run_that_waited_too_long_times_out_in_the_queue", |h, w| h.block_on(queue_timeout(w))),
];

async fn two_at_once(world: &LocalAws) {
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

async fn fail_or_skip(world: &LocalAws) {
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

/// As many runs as may wait: the one more ends at once and leaves its records, and those that wait keep their places.
async fn flooded(world: &LocalAws) {
    world.instance_with("flooded", &Notebook::of(&[Notebook::GATE])).await;
    let input = json!({"instance": "flooded", "notebook": "run.ipynb"});
    let first = world.start_execution(&input).await;
    first.until_claimed("flooded").await;
    let mut waiting = Vec::new();
    for _ in 1..MAX_WAITING_RUNS {
        waiting.push(world.start_execution(&input).await);
    }
    for run in &waiting {
        run.until_queued("flooded").await;
    }
    let inbox = format!("{}inbox/flooded/", world.layout().prefix);
    let queue = world.keys(&inbox).await;
    assert_eq!(queue.len(), MAX_WAITING_RUNS);

    let more = world.start_execution(&input).await;
    let ended = more.assert_failed("flooded", "Busy").await;
    let most = format!("MaxWaitingRuns is {MAX_WAITING_RUNS}");
    for told in ["flooded", &most, "Redrive the execution when some of them have ended"] {
        assert!(ended.cause.contains(told), "{}", ended.cause);
    }
    // Its claim is of the function that gave it up, so that no runner takes it.
    assert_eq!(more.records("flooded").await, ["1/claim.json", "1/outcome.json", "request.json"]);
    assert_eq!(more.claims("flooded").await, 0);
    assert_eq!(more.outcome("flooded").await["instanceAfter"], "handedOver");
    assert_eq!(world.keys(&inbox).await, queue, "it has no ticket, and the others have theirs");

    // Without their notebook they end at once, each in its turn.
    std::fs::remove_file(world.local().notebooks("flooded").join("run.ipynb")).unwrap();
    world.open_gate("flooded");
    first.assert_succeeded("flooded").await;
    for run in &waiting {
        run.assert_failed("flooded", "NotebookNotFound").await;
        assert_eq!(run.claims("flooded").await, 1);
    }
    assert_eq!(world.keys(&inbox).await, Vec::<String>::new());
    world.assert_at_rest("flooded", 1).await;
}

async fn queue_timeout(world: &LocalAws) {
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
