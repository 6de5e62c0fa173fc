//! Small cases reduced from public reports, kept outside of this project as files: what each execution's input comes to before any
//! instance is started.
//!
//! `PEER_CASES` names a folder with a folder for each case; without it the test is skipped, and says so. The notebooks
//! themselves are run in `crates/notebook/tests/case_files.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "this is a test")]

mod support;

use std::fs;
use std::path::PathBuf;

use reveille_domain::Code;
use reveille_domain::error::Failure;
use reveille_domain::ports::StartAnswer;
use reveille_domain::records::Execution;
use reveille_protocol::admit_run::{AdmitRunOutput, admit_run};
use serde_json::{Value, json};
use support::{StepWorld, block_on, now, stack};

fn world() -> StepWorld {
    StepWorld::answering(Ok(StartAnswer::Accepted))
}

fn admit(world: &StepWorld, name: &str, input: &Value) -> Result<AdmitRunOutput, Failure> {
    let execution = Execution { arn: format!("arn:{name}"), name: name.into(), start_time: now(), redrive_count: 0 };
    let call = json!({"execution": execution, "input": input, "attempt": 1});
    block_on(admit_run(&stack(), world, serde_json::from_value(call).unwrap()))
}

#[test]
fn each_case_is_admitted_or_answered_as_is_right_for_it() {
    let Some(folder) = std::env::var_os("PEER_CASES").map(PathBuf::from) else {
        eprintln!("skipped: PEER_CASES names no folder with cases");
        return;
    };
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path().join("case.json")).collect();
    files.retain(|file| file.is_file());
    assert!(!files.is_empty(), "PEER_CASES: no case is below {}", folder.display());
    for file in files {
        let name = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        eprintln!("{name}");
        right(&name, &serde_json::from_slice(&fs::read(&file).unwrap()).expect("case.json is JSON"));
    }
}

fn right(name: &str, case: &Value) {
    let (world, input) = (world(), &case["input"]);
    match name {
        "50-param-keyword-secret" => {
            let failure = admit(&world, "one", input).unwrap_err();
            let value = input["parameters"]["class"].as_str().unwrap();
            assert_eq!(failure.code, Code::InvalidRequest);
            assert!(failure.message.contains("class") && !failure.message.contains(value), "{}", failure.message);
            assert!(world.objects.borrow().is_empty(), "nothing was recorded");
        }
        "63-key-folder-marker" => {
            let object =
                json!({"key": case["put_object"], "size": case["body"].as_str().unwrap().len(), "sequencer": "1"});
            let event = json!({"id": "e", "source": "aws.s3", "time": now(), "detail-type": "Object Created",
                "detail": {"bucket": {"name": "in"}, "object": object}});
            let input = json!({"instance": "nightly", "notebook": "a.ipynb", "event": event});
            let answer = admit(&world, "one", &input);
            assert!(matches!(answer, Ok(AdmitRunOutput::Folder { .. })), "{answer:?}");
            assert!(world.objects.borrow().is_empty(), "nothing was recorded");
        }
        "77-restore-completed-twice" => {
            // The world's clock stands still; the event is as old as its trigger allows.
            let mut input = input.clone();
            input["event"]["time"] = json!(now());
            let answer = admit(&world, "one", &input);
            assert!(matches!(answer, Ok(AdmitRunOutput::Admitted { .. })), "{answer:?}");
            let answer = admit(&world, "two", &input);
            assert!(
                matches!(&answer, Ok(AdmitRunOutput::Duplicate { held_by, .. }) if held_by == "arn:one"),
                "{answer:?}"
            );
        }
        _ if input.is_object() => {
            let answer = admit(&world, "one", input);
            // What only the notebook or its kernel can tell is told on the instance.
            assert!(matches!(answer, Ok(AdmitRunOutput::Admitted { .. })), "{name}: {answer:?}");
        }
        _ => eprintln!("skipped: {name} has no input"),
    }
}
