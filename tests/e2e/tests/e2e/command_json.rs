//! What the command answered with `--output json` in all scenarios, held to the schemas that docs/schemas/command.json publishes.

use std::{process::Output, sync::Mutex};

use reveille_contract_tests::schemas::command;
use serde_json::Value;

static ANSWERS: Mutex<Vec<(String, Value)>> = Mutex::new(Vec::new());

/// Notes an answer, if it is one.
pub fn note(arguments: &[&str], output: &Output) {
    if let Some(answer) = command::answer(arguments, &output.stdout) {
        ANSWERS.lock().unwrap().push(answer);
    }
}

/// What is wrong. `whole`: every scenario ran, so that each verb must have answered.
pub fn faults(whole: bool) -> Vec<String> {
    let answers = ANSWERS.lock().unwrap();
    let mut faults = if answers.is_empty() { Vec::new() } else { command::faults(&answers) };
    if whole {
        let has_answered = |wanted: &str| answers.iter().any(|(verb, _)| verb == wanted);
        let silent = command::with_schema().into_iter().filter(|verb| !has_answered(verb));
        faults.extend(silent.map(|verb| format!("{verb}: no scenario makes it write JSON")));
    }
    faults
}

/// The faults, as they are printed.
pub fn told(faults: &[String]) -> String {
    match faults {
        [] => "answers: what the command writes as JSON fits its schema ... ok".to_owned(),
        faults => format!(
            "answers: what the command writes as JSON fits its schema ... FAILED\n  {}\nChange the command, or its schema in tests/contract/src/schemas/command (then run `make schemas`).\n",
            faults.join("\n  ")
        ),
    }
}
