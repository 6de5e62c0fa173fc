//! What a notebook prints, read while it runs; and of a run that was lost, what was uploaded of it.

use std::process::Stdio;

use reveille_e2e_tests::{LocalAws, Notebook};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::{Duration, sleep, timeout};

use crate::Scenario;
use crate::command::{complained, ended, reveille, said};

/// For what must happen, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_mins(10);

pub const ALL: &[Scenario] = &[
    ("command_logs::what_a_notebook_prints_is_read_before_its_end", |h, w| h.block_on(read_before_its_end(w))),
    ("command_logs::a_lost_run_has_what_was_uploaded_of_it", |h, w| h.block_on(lost(w))),
];

/// The notebook goes on only when its first line was seen by `logs -f`: so that line was there before the end.
async fn read_before_its_end(world: &LocalAws) {
    let cells = ["print('the first', 'line')", Notebook::GATE, "print('the last', 'line')"];
    world.instance_with("live", &Notebook::of(&cells)).await;
    let run = reveille(world, &["run", "run.ipynb", "--on", "live", "--detach"]).await;
    ended(&run, 0);
    let id = said(&run).trim().to_owned();

    let mut following = Command::new(world.local().project().binary("reveille"));
    following.args(["logs", "-f", &id]).envs(world.local().environment());
    following.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut following = following.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    let mut seen = Vec::new();
    timeout(PATIENCE, async {
        while !seen.last().is_some_and(|line: &String| line.contains("the first line")) {
            seen.push(lines.next_line().await.unwrap().expect("it goes on"));
        }
    })
    .await
    .expect("the first line comes while the notebook waits");

    left_by_ctrl_c(world, &id).await;
    let log = reveille(world, &["logs", &id]).await;
    ended(&log, 0);
    assert!(said(&log).contains("the first line") && !said(&log).contains("the last line"), "{}", said(&log));
    assert!(complained(&log).contains("so far, as of"), "{}", complained(&log));
    let cell = until(world, &["logs", &id, "--cell", "1"], "the first line").await;
    assert_eq!(cell, "the first line\n");
    until(world, &["show", &id], "cell 2 of 3").await;

    world.open_gate("live");
    timeout(PATIENCE, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            seen.push(line);
        }
    })
    .await
    .expect("it ends with the run");
    let status = following.wait().await.unwrap();
    let mut notes = String::new();
    following.stderr.take().unwrap().read_to_string(&mut notes).await.unwrap();
    assert_eq!(status.code(), Some(0), "{notes}");
    assert!(notes.contains(&format!("{id} SUCCEEDED; see: reveille show {id}")), "{notes}");
    for once in ["the first line", "the last line"] {
        assert_eq!(seen.iter().filter(|line| line.contains(once)).count(), 1, "{once}: {seen:#?}");
    }
    // What is final is whole, and is what is read from now on.
    let log = reveille(world, &["logs", &id]).await;
    assert_eq!(said(&log).lines().collect::<Vec<_>>(), seen);
    assert!(!complained(&log).contains("so far"), "{}", complained(&log));
    let cell = reveille(world, &["logs", &id, "--cell", "3"]).await;
    assert_eq!(said(&cell), "the last line\n");
    let none = reveille(world, &["logs", &id, "--cell", "4"]).await;
    ended(&none, 5);
    assert!(complained(&none).contains("has no cell 4: it has 3 cells"), "{}", complained(&none));

    let (s3, bucket) = (&world.local().clients().s3, world.local().bucket());
    let outcome = world.execution_of("live", "run.ipynb").await.outcome("live").await;
    let key = outcome["outputs"]["log"].as_str().and_then(|uri| uri.strip_prefix(&format!("s3://{bucket}/")));
    s3.delete_object().bucket(bucket).key(key.expect("a log of this bucket")).send().await.unwrap();
    let followed = reveille(world, &["logs", "-f", &id]).await;
    ended(&followed, 0);
    let told = format!("the log of {id} was deleted from {bucket}");
    assert!(complained(&followed).contains(&told), "{}", complained(&followed));
}

/// Whoever has seen enough leaves, and the run goes on.
async fn left_by_ctrl_c(world: &LocalAws, id: &str) {
    let mut following = Command::new(world.local().project().binary("reveille"));
    following.args(["logs", "-f", id]).envs(world.local().environment()).kill_on_drop(true);
    following.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut following = following.spawn().unwrap();
    let mut lines = BufReader::new(following.stdout.take().unwrap()).lines();
    timeout(PATIENCE, lines.next_line()).await.expect("it prints what there is").unwrap();
    let pid = following.id().expect("it goes on").to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let left = timeout(PATIENCE, following.wait_with_output()).await.expect("it ends at Ctrl-C").unwrap();
    assert_eq!(left.status.code(), Some(130), "{}", complained(&left));
    let told = format!("the run goes on; come back with: reveille logs -f {id}");
    assert!(complained(&left).contains(&told), "{}", complained(&left));
}

/// Asks again until the answer holds a text; the answer.
async fn until(world: &LocalAws, arguments: &[&str], expected: &str) -> String {
    let asked = timeout(PATIENCE, async {
        loop {
            let answer = said(&reveille(world, arguments).await);
            if answer.contains(expected) {
                return answer;
            }
            sleep(Duration::from_millis(500)).await;
        }
    });
    asked.await.unwrap_or_else(|_| panic!("{arguments:?} never says {expected}"))
}

/// Everything on the instance is killed, as when its machine dies.
async fn lost(world: &LocalAws) {
    let notebook = Notebook::of(&["print('the first', 'line')", "import time\ntime.sleep(600)"]);
    world.instance_with("live-lost", &notebook).await;
    let started = reveille(world, &["run", "run.ipynb", "--on", "live-lost", "--detach"]).await;
    ended(&started, 0);
    let id = said(&started).trim().to_owned();
    until(world, &["logs", &id], "the first line").await;
    until(world, &["logs", &id, "--cell", "1"], "the first line").await;
    let pids: Vec<String> = world.processes("live-lost").iter().map(ToString::to_string).collect();
    assert!(!pids.is_empty());
    // One may have ended by itself meanwhile.
    let _ = std::process::Command::new("kill").arg("-9").args(&pids).output();
    let run = world.execution_of("live-lost", "run.ipynb").await;
    run.assert_failed("live-lost", "RunnerLost").await;
    assert!(run.outcome("live-lost").await["outputs"].as_object().unwrap().is_empty(), "what is partial is no output");

    let log = reveille(world, &["logs", &id]).await;
    ended(&log, 0);
    assert!(said(&log).contains("the first line"), "{}", said(&log));
    assert!(complained(&log).contains(&format!("{id} ended without its outputs")), "{}", complained(&log));
    let cell = reveille(world, &["logs", &id, "--cell", "1"]).await;
    assert_eq!(said(&cell), "the first line\n");
    let shown = said(&reveille(world, &["show", &id]).await);
    assert!(shown.contains("partial") && shown.contains(&format!("reveille logs {id}")), "{shown}");
    let link = reveille(world, &["open", &id, "--notebook"]).await;
    ended(&link, 0);
    assert!(said(&link).contains("/1/partial.ipynb?"), "{}", said(&link));
    assert!(complained(&link).contains("partial"), "{}", complained(&link));
}
