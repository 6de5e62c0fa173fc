//! Runs that succeed.

use chrono::{DateTime, Utc};
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::Operation;
use serde_json::{Value, json};

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("success::a_notebook_runs_and_the_instance_stops", |h, w| h.block_on(runs_and_rests(w))),
    ("success::hostile_parameters_reach_the_notebook_unchanged", |h, w| h.block_on(hostile_parameters(w))),
    ("success::a_run_without_a_page_says_why", |h, w| h.block_on(no_page(w))),
    ("success::a_notebook_in_s3_runs", |h, w| h.block_on(notebook_in_s3(w))),
    ("success::transitions_do_not_grow_with_the_notebook", |h, w| h.block_on(transitions(w))),
];

async fn runs_and_rests(world: &LocalAws) {
    let notebook = Notebook::of(&["print('hello from', day)", "open('left_here.txt', 'w').write(day)"])
        .with_parameters("day = 'never'");
    world.instance_with("success-plain", &notebook).await;
    let run = world
        .start_execution(&json!({"instance": "success-plain", "notebook": "run.ipynb", "parameters": {"day": "today"}}))
        .await;
    run.assert_succeeded("success-plain").await;
    world.assert_at_rest("success-plain", 1).await;

    let outcome = run.outcome("success-plain").await;
    assert_eq!(run.ended().await.output, outcome, "the execution's output is the outcome");
    assert_eq!(outcome["instanceAfter"], "atRest");
    for phase in ["starting", "queued", "running", "stopping"] {
        assert!(outcome["phases"][phase]["seconds"].is_number(), "{phase}: {outcome}");
    }
    for (name, file) in [("notebook", "output.ipynb"), ("html", "output.html"), ("log", "log.txt")] {
        assert!(outcome["outputs"][name].as_str().unwrap().ends_with(file), "{outcome}");
        assert!(!run.text("success-plain", &format!("1/{file}")).await.unwrap().is_empty());
    }
    assert!(run.text("success-plain", "1/output.ipynb").await.unwrap().contains("hello from today"));
    assert!(run.text("success-plain", "1/output.html").await.unwrap().contains("hello from today"));
    assert_eq!(world.file("success-plain", "left_here.txt").await, "today", "cells run in the notebook's folder");
    assert_eq!(outcome["sourceSha256"].as_str().unwrap().len(), 64);
    assert_eq!(world.keys("inbox/success-plain/").await, Vec::<String>::new());
    assert_eq!(world.keys("leases/success-plain").await, Vec::<String>::new());

    let notebook: Value = serde_json::from_str(&run.text("success-plain", "1/output.ipynb").await.unwrap()).unwrap();
    assert!(last_cell_at(&notebook) <= stopped_at(world, "success-plain"), "no cell outlives the stop");
}

/// When papermill says that the last cell ended; it writes no zone, and means UTC.
fn last_cell_at(notebook: &Value) -> DateTime<Utc> {
    let cells = notebook["cells"].as_array().unwrap();
    let ends = cells.iter().filter_map(|cell| cell["metadata"]["papermill"]["end_time"].as_str());
    let last =
        ends.max().expect("papermill says when cells end").trim_end_matches("+00:00").trim_end_matches('Z').to_owned();
    format!("{last}Z").parse().unwrap()
}

/// When the notebook instance service took the stop.
fn stopped_at(world: &LocalAws, instance: &str) -> DateTime<Utc> {
    let calls = world.local().service().calls(instance).unwrap();
    calls.log().filter(|call| call.operation == Operation::StopNotebookInstance).last().expect("a stop").at
}

async fn hostile_parameters(world: &LocalAws) {
    let hostile = json!({
        "quotes": "it's \"quoted\" `ticks` $(touch pwned) ; rm -rf / && echo $HOME | cat > x",
        "lines": "one\ntwo\r\n\tthree\\n\u{0}\u{7f}",
        "unicode": "ü 漢字 🙂 \u{202e}",
        "braces": "{ not } a {placeholder} }}",
        "code": "'''; import os; os._exit(1); '''",
        "nested": {"a": [1, 2.5, null, true, {"b": "c"}]},
        "number": -12_345_678_901_i64,
    });
    let notebook = Notebook::of(&[
        "import json\nopen('seen.json', 'w').write(json.dumps([quotes, lines, unicode, braces, code, nested, number]))",
    ]);
    world.instance_with("success-hostile", &notebook).await;
    let run = world
        .start_execution(&json!({"instance": "success-hostile", "notebook": "run.ipynb", "parameters": hostile}))
        .await;
    run.assert_succeeded("success-hostile").await;
    let seen: Value = serde_json::from_str(&world.file("success-hostile", "seen.json").await).unwrap();
    let names = ["quotes", "lines", "unicode", "braces", "code", "nested", "number"];
    for (index, name) in names.into_iter().enumerate() {
        assert_eq!(seen[index], hostile[name], "{name}");
    }
    assert!(!world.local().notebooks("success-hostile").join("pwned").exists());
    world.assert_at_rest("success-hostile", 1).await;
}

/// A run is no worse for it, and the outcome says why.
async fn no_page(world: &LocalAws) {
    let cell = "import os\nos.mkdir(os.path.join(os.readlink(f'/proc/{os.getppid()}/cwd'), 'output.html'))";
    world.instance_with("success-no-page", &Notebook::of(&[cell])).await;
    let run = world.run("success-no-page").await;
    run.assert_succeeded("success-no-page").await;
    let outcome = run.outcome("success-no-page").await;
    let outputs: Vec<&String> = outcome["outputs"].as_object().unwrap().keys().collect();
    assert_eq!(outputs, ["log", "notebook"]);
    assert!(outcome["htmlError"].as_str().unwrap().contains("output.html"), "{outcome}");
    world.assert_at_rest("success-no-page", 1).await;
}

async fn notebook_in_s3(world: &LocalAws) {
    world.instance("success-s3").await;
    let notebook = Notebook::of(&["print('from S3')"]);
    let bucket = world.local().trigger_bucket();
    world.put_object(bucket, "notebooks/it's here.ipynb", notebook.to_json().as_bytes()).await;
    let uri = format!("s3://{bucket}/notebooks/it's here.ipynb");
    let run = world.start_execution(&json!({"instance": "success-s3", "notebook": uri})).await;
    run.assert_succeeded("success-s3").await;
    assert!(run.text("success-s3", "1/output.ipynb").await.unwrap().contains("from S3"));
    world.assert_at_rest("success-s3", 1).await;
}

/// The waiting state waits for its callback: a notebook of 90 s, which outlasts many heartbeats, costs as many
/// transitions as one of 5 s.
async fn transitions(world: &LocalAws) {
    let sleeper = Notebook::of(&["import time\ntime.sleep(seconds)"]).with_parameters("seconds = 0");
    let mut counts = Vec::new();
    for (instance, seconds) in [("success-short", 5), ("success-long", 90)] {
        world.instance_with(instance, &sleeper).await;
        let run = world
            .start_execution(
                &json!({"instance": instance, "notebook": "run.ipynb", "parameters": {"seconds": seconds}}),
            )
            .await;
        run.assert_succeeded(instance).await;
        let states = run.states().await;
        // Polls of the start and the stop differ with the machine's load; the wait for the notebook may not.
        assert_eq!(states.iter().filter(|state| *state == "AwaitRun").count(), 1, "{states:?}");
        counts.push(
            states
                .iter()
                .filter(|state| {
                    !["WaitForInstance", "CheckInstance", "IsReady"].contains(&state.as_str())
                        && !["WaitForStop", "VerifyStopped", "IsStopped"].contains(&state.as_str())
                })
                .count(),
        );
        world.assert_at_rest(instance, 1).await;
    }
    assert_eq!(counts[0], counts[1], "transitions beside the polls");
    assert!(counts[0] <= 30, "{} transitions beside the polls", counts[0]);
}
