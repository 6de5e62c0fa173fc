//! The `reveille` command: a run is run again, and the queue that runs of one instance stand in.

use reveille_e2e_tests::{LocalAws, Notebook};
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use crate::Scenario;
use crate::command::{answered, complained, ended, reveille, said};

pub const ALL: &[Scenario] =
    &[("command_again::a_run_waits_in_the_queue_and_is_run_again", |h, w| h.block_on(queued_and_again(w)))];

/// Far more than a run takes to be queued on a busy machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// The queue as JSON, once it has as many rows and its first one runs.
async fn queue_of(world: &LocalAws, instance: &str, rows: usize) -> Vec<Value> {
    let start = Instant::now();
    loop {
        let answer = answered(world, &["queue", instance]).await;
        let runs = answer["runs"].as_array().unwrap().clone();
        // One that has just come is `starting` until it has its ticket.
        let settled = runs.iter().all(|run| run["state"] != "starting");
        if runs.len() == rows && settled && runs[0]["state"] == "running" {
            return runs;
        }
        assert!(start.elapsed() < PATIENCE, "{answer}");
        sleep(Duration::from_millis(200)).await;
    }
}

async fn queued_and_again(world: &LocalAws) {
    let notebook = Notebook::of(&[Notebook::GATE, "print('who is', who)"]).with_parameters("who = 'nobody'");
    world.instance_with("command-again", &notebook).await;
    let empty = reveille(world, &["queue", "command-again"]).await;
    ended(&empty, 0);
    assert!(
        said(&empty).is_empty() && complained(&empty).contains("no run is using command-again (Stopped)"),
        "{empty:?}"
    );

    let start = ["run", "run.ipynb", "--on", "command-again", "-p", "who", "one", "--detach"];
    let first = said(&reveille(world, &start).await).trim().to_owned();
    queue_of(world, "command-again", 1).await;
    let second = said(&reveille(world, &start).await).trim().to_owned();
    let queue = queue_of(world, "command-again", 2).await;
    assert_eq!((&queue[0]["run"], &queue[0]["place"]), (&first.clone().into(), &0.into()), "{queue:?}");
    assert_eq!((&queue[1]["run"], &queue[1]["place"]), (&second.clone().into(), &1.into()), "{queue:?}");
    assert_eq!((&queue[1]["state"], &queue[1]["expectedStart"]), (&"waiting".into(), &Value::Null), "{queue:?}");
    assert!(queue[1]["waitsUntil"].as_str() > queue[1]["since"].as_str(), "{queue:?}");

    // What is under way is not started once more.
    let refused = reveille(world, &["rerun", &first]).await;
    ended(&refused, 1);
    assert!(complained(&refused).contains("is under way"), "{}", complained(&refused));
    world.open_gate("command-again");
    ended(&reveille(world, &["watch", &first]).await, 0);
    ended(&reveille(world, &["watch", &second]).await, 0);

    let again = reveille(world, &["rerun", &first, "-p", "who", "two"]).await;
    ended(&again, 0);
    let screen = said(&again);
    let new = screen.lines().find_map(|line| line.strip_prefix("run ")).expect("the new run's id comes first");
    assert!(screen.contains(&format!("{first} -> {new}: a new run, because its parameters change")), "{screen}");
    assert!(screen.contains("✓ SUCCEEDED  run.ipynb on command-again"), "{screen}");
    let log = reveille(world, &["logs", new]).await;
    assert!(said(&log).contains("who is two"), "{}", said(&log));

    let again = answered(world, &["rerun", new]).await;
    assert_eq!((&again["from"], &again["by"]), (&new.into(), &"new".into()), "{again}");
    ended(&reveille(world, &["watch", again["run"].as_str().unwrap()]).await, 0);
    let log = reveille(world, &["logs", again["run"].as_str().unwrap()]).await;
    assert!(said(&log).contains("who is two"), "{}", said(&log));
}
