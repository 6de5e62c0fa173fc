//! The `reveille` command on a stack: as a person types it, in a process of its own.

use std::process::{Output, Stdio};

use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::{FaultKind, InstanceFault};
use serde_json::Value;
use tokio::{
    process::Command,
    time::{Duration, Instant, sleep},
};

use crate::{Scenario, command_json};

/// For what must happen, on a machine that may be busy.
const PATIENCE: Duration = Duration::from_mins(5);

pub const ALL: &[Scenario] = &[
    ("command::a_run_is_started_followed_and_shown", |h, w| h.block_on(followed(w))),
    ("command::a_run_is_cancelled_and_its_instance_seen_stopped", |h, w| h.block_on(cancelled(w))),
    ("command::an_instance_that_hangs_ends_its_follower_with_12", |h, w| h.block_on(hangs(w))),
    ("command::what_is_typed_wrong_starts_nothing", |h, w| h.block_on(typed_wrong(w))),
    ("command::a_tab_completes_what_exists", |h, w| h.block_on(completed(w))),
];

/// Runs the command to its end.
pub async fn reveille(world: &LocalAws, arguments: &[&str]) -> Output {
    let command = world.local().project().binary("reveille");
    let mut command = Command::new(command);
    command.args(arguments).envs(world.local().environment()).stdin(Stdio::null()).kill_on_drop(true);
    let output = command.output().await.expect("the command is built with the workspace");
    command_json::note(arguments, &output);
    output
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn complained(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub fn ended(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}\n{}", said(output), complained(output));
}

/// What the command answers that succeeds.
pub async fn answered(world: &LocalAws, arguments: &[&str]) -> Value {
    let output = reveille(world, &[arguments, &["--output", "json"]].concat()).await;
    ended(&output, 0);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs the command, which ends with this code and says this.
pub async fn refused(world: &LocalAws, arguments: &[&str], code: i32, sentence: &str) {
    let output = reveille(world, arguments).await;
    ended(&output, code);
    let sentences = complained(&output);
    assert!(sentences.contains(sentence), "{arguments:?}: {sentences}");
}

/// What a shell is told when somebody presses Tab behind these words.
async fn tab(world: &LocalAws, words: &[&str]) -> String {
    let mut command = Command::new(world.local().project().binary("reveille"));
    command.args(["--", "reveille"]).args(words).envs(world.local().environment()).stdin(Stdio::null());
    command.env("REVEILLE_COMPLETE", "bash").env("_CLAP_IFS", "\n");
    let output = command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).output().await.unwrap();
    ended(&output, 0);
    said(&output)
}

async fn completed(world: &LocalAws) {
    world.instance("command-tab").await;
    for (words, expected) in [
        (["queue", "command-t"].as_slice(), "command-tab"),
        (&["run", "a.ipynb", "--on", "command-t"], "command-tab"),
        (&["show", "@l"], "@last-failed"),
        (&["explain", "NotebookF"], "NotebookFailed"),
        (&["runs", "--stack", ""], "reveille"),
    ] {
        let deadline = Instant::now() + PATIENCE;
        // A Tab waits for AWS for a few seconds only, which a busy machine may need.
        while !tab(world, words).await.lines().any(|line| line == expected) {
            assert!(Instant::now() < deadline, "{words:?} is not completed to {expected}");
        }
    }
}

/// A run that fails: its exit code, its card, its log, its row, and the same as JSON.
async fn followed(world: &LocalAws) {
    let notebook = Notebook::of(&["print('day is', day)", "raise ValueError('no orders')"]).with_parameters("day = 0");
    world.instance_with("command-run", &notebook).await;
    let run = reveille(world, &["run", "run.ipynb", "--on", "command-run", "-p", "day", "2026-11-26"]).await;
    ended(&run, 10);
    let screen = said(&run);
    for part in
        ["✗ FAILED  run.ipynb on command-run", "was seen stopped", "─ NotebookFailed ─", "ValueError: no orders"]
    {
        assert!(screen.contains(part), "{part} is missing in:\n{screen}");
    }
    let id = screen.lines().find_map(|line| line.strip_prefix("run ")).expect("the run's id comes first").to_owned();
    assert!(screen.contains(&format!("Next: reveille logs {id}\n      reveille rerun {id}")), "{screen}");

    assert!(screen.contains("  cost       about 0.0"), "{screen}");
    let cost = &answered(world, &["show", &id]).await["cost"];
    assert_eq!((&cost["instance"], &cost["isEstimate"]), (&"startedByRun".into(), &true.into()), "{cost}");
    assert!(cost["usd"].as_f64().is_some_and(|usd| (0.0..1.0).contains(&usd)), "{cost}");

    let log = reveille(world, &["logs", &id]).await;
    ended(&log, 0);
    assert!(said(&log).contains("day is 2026-11-26"), "{}", said(&log));

    let listed = answered(world, &["runs", "--instance", "command-run"]).await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(
        (&listed[0]["run"], &listed[0]["status"], &listed[0]["code"], &listed[0]["instanceAfter"]),
        (&id.clone().into(), &"FAILED".into(), &"NotebookFailed".into(), &"atRest".into())
    );

    // The beginning of the id is enough; the link is a page that anybody with it can read.
    let link = reveille(world, &["open", &id[..id.len() - 3]]).await;
    ended(&link, 0);
    assert!(said(&link).contains("/1/output.html?") && said(&link).contains("X-Amz-Signature="), "{}", said(&link));

    let instances = answered(world, &["instances"]).await;
    let mine = instances.as_array().unwrap().iter().find(|it| it["instance"] == "command-run").unwrap();
    assert_eq!((&mine["status"], &mine["on"]), (&"Stopped".into(), &false.into()));
}

/// docs/cli.md, exit codes: the instance wins over how the notebook ended, because it costs money.
async fn hangs(world: &LocalAws) {
    world.instance_with("command-hangs", &Notebook::of(&["raise ValueError('no orders')"])).await;
    let stuck = InstanceFault::once(FaultKind::StuckStopping).on("command-hangs").until_cleared();
    let stuck = world.local().service().arm(stuck).expect("the fault is armed");
    let run = reveille(world, &["run", "run.ipynb", "--on", "command-hangs", "--stop-limit", "30s"]).await;
    ended(&run, 12);
    let screen = said(&run);
    assert!(screen.contains("─ NotebookFailed ─") && screen.contains("Next: reveille instances"), "{screen}");
    let listed = answered(world, &["runs", "--instance", "command-hangs"]).await;
    assert_eq!((&listed[0]["code"], &listed[0]["instanceAfter"]), (&"NotebookFailed".into(), &"notConfirmed".into()));
    assert_eq!(world.local().service().clear_faults(Some(stuck)), 1);
    world.until_status("command-hangs", "Stopped").await;
}

/// Asks again until the answer holds a text.
async fn eventually(world: &LocalAws, arguments: &[&str], expected: &str) {
    let begun = Instant::now();
    loop {
        let answer = reveille(world, arguments).await;
        if said(&answer).contains(expected) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{expected} is missing in:\n{}{}", said(&answer), complained(&answer));
        sleep(Duration::from_millis(500)).await;
    }
}

async fn cancelled(world: &LocalAws) {
    let notebook = Notebook::of(&["print('the first', 'cell')", "import time", "time.sleep(600)"]);
    world.instance_with("command-cancel", &notebook).await;
    let run = reveille(world, &["run", "run.ipynb", "--on", "command-cancel", "--detach"]).await;
    ended(&run, 0);
    let id = said(&run).trim().to_owned();
    eventually(world, &["show", &id], "cell 3 of 3").await;
    let cancelled = reveille(world, &["cancel", &id]).await;
    ended(&cancelled, 0);
    assert!(said(&cancelled).contains("command-cancel was seen stopped"), "{}", said(&cancelled));
    let shown = reveille(world, &["show", &id]).await;
    assert!(said(&shown).starts_with("ABORTED  run.ipynb on command-cancel"), "{}", said(&shown));
    assert!(said(&shown).contains("stopped with `reveille cancel`"), "{}", said(&shown));
    // The runner uploads what there is before it stops the instance; nobody waits for the sweeper to add it to the outcome.
    let log = reveille(world, &["logs", &id]).await;
    ended(&log, 0);
    assert!(said(&log).contains("the first cell"), "{}", said(&log));
    let shown = reveille(world, &["show", &id]).await;
    assert!(said(&shown).contains("kept: html, log, notebook"), "{}", said(&shown));
    let watched = reveille(world, &["watch", &id]).await;
    ended(&watched, 13);
    let again = reveille(world, &["cancel", &id]).await;
    ended(&again, 0);
    assert!(said(&again).contains("had already ended: ABORTED"), "{}", said(&again));
}

async fn typed_wrong(world: &LocalAws) {
    for (arguments, code, sentence) in [
        (&["run", "run.txt", "--on", "command-wrong"][..], 2, "does not end in .ipynb"),
        (&["run", "run.ipynb", "--on", "command_wrong"], 2, "is not a notebook instance name"),
        (&["run", "run.ipynb", "--on", "a", "-p", "class=1"], 2, "class"),
        (&["run", "run.ipynb", "--on", "a", "-f", "/nowhere.yaml"], 2, "/nowhere.yaml"),
        (&["run", "run.ipynb", "--on", "a", "--when-busy", "later"], 2, "whenBusy"),
        (&["run", "run.ipynb", "--on", "a", "-p", "day", "{{ dat }}"], 2, "there is no placeholder {{ dat }}"),
        (&["show", "no-such-run"], 5, "no run's id begins with no-such-run"),
        (&["show", "@first"], 2, "@last"),
        (&["runs", "--stack", "no-such-stack"], 5, "there is no stack no-such-stack"),
        (&["rerun", "no-such-run"], 5, "no run's id begins with no-such-run"),
        (&["rerun", "a", "-p", "n=1", "-p", "n=2"], 2, "n is given twice"),
        (&["queue", "no-such-instance"], 5, "there is no notebook instance no-such-instance"),
        (&["queue", "a/../b"], 2, "is not a notebook instance name"),
        (&["explain", "NoSuchCode"], 5, "NoSuchCode"),
    ] {
        refused(world, arguments, code, sentence).await;
    }
    let mut command = Command::new(world.local().project().binary("reveille"));
    command.arg("runs").envs(world.local().environment()).env("AWS_ACCESS_KEY_ID", "somebody-elses");
    let refused = command.output().await.unwrap();
    ended(&refused, 4);
}
