//! Executions recorded on AWS, run through the interpreter.
//!
//! The file is named by `ASL_RECORDINGS` and belongs to nobody here: one recording a line, with `machine` (the
//! definition), `input`, `script` (for each Task state, what its calls returned or threw, in order) and `expected`
//! (`status`, `trace` of states entered, `error`, `cause`, `output`). Status, trace, error and output must match; a cause
//! that reads otherwise is told, and fails nothing, since AWS words some causes as it likes.
#![expect(clippy::print_stdout, reason = "a test runner's report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken file is to stop the run with its line")]

mod equal;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::rc::Rc;

use equal::same;
use reveille_asl::interpreter::{
    Description, ExecutionClock, Machine, Service, TaskAnswer, TaskCall, TaskError, Tasks,
};
use serde_json::Value;

/// The environment variable that names the file.
const FILE: &str = "ASL_RECORDINGS";

#[test]
fn recorded_executions_match() {
    let Some(path) = std::env::var_os(FILE).filter(|path| !path.is_empty()) else {
        println!("skipped: {FILE} is not set");
        return;
    };
    // Cargo runs tests in the package's folder; a relative path is meant from the root of the project.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let mut mismatches = 0;
    let mut other_causes = 0;
    let mut count = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let recording: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("no JSON ({error}): {line}"));
        let differences = differences(&recording);
        count += 1;
        let (hard, soft): (Vec<_>, Vec<_>) =
            differences.into_iter().partition(|difference| difference.field != "cause");
        mismatches += usize::from(!hard.is_empty());
        other_causes += usize::from(hard.is_empty() && !soft.is_empty());
        let verdict = if hard.is_empty() { "match   " } else { "MISMATCH" };
        println!("{verdict} {}", recording["test"].as_str().unwrap_or("(no name)"));
        for Difference { field, expected, found } in hard.iter().chain(&soft) {
            println!("    {field}: expected {expected}\n    {:>1$}: found    {found}", "", field.len());
        }
    }
    println!(
        "{count} recordings: {} match, {mismatches} do not; {other_causes} differ in the cause only",
        count - mismatches
    );
    assert!(count > 0, "the file has no recordings");
    assert_eq!(mismatches, 0, "recordings that do not match are listed above");
}

/// Where an execution went another way than the recorded one.
struct Difference {
    field: &'static str,
    expected: String,
    found: String,
}

fn differences(recording: &Value) -> Vec<Difference> {
    let expected = &recording["expected"];
    let (found, trace) = match run(recording) {
        Ok(run) => run,
        Err(refused) => {
            let expected = expected["status"].to_string();
            return vec![Difference { field: "status", expected, found: refused }];
        }
    };
    let trace: Value = trace.iter().map(|state| Value::from(&**state)).collect();
    let pairs = [
        ("status", Value::from(found.status.as_str())),
        ("trace", trace),
        ("error", Value::from(found.error)),
        ("cause", Value::from(found.cause)),
        ("output", found.output.unwrap_or(Value::Null)),
    ];
    pairs
        .into_iter()
        .filter(|(field, found)| !same(&expected[*field], found))
        .map(|(field, found)| Difference { field, expected: expected[field].to_string(), found: found.to_string() })
        .collect()
}

/// Runs the recorded machine with the recorded answers, in simulated time.
fn run(recording: &Value) -> Result<(Description, Vec<Rc<str>>), String> {
    let arn = "arn:aws:states:us-east-1:123456789012:stateMachine:recorded";
    let machine = Rc::new(Machine::compile(arn, &recording["machine"]).map_err(|error| error.to_string())?);
    reveille_asl::simulated::block_on(async {
        let service = Service::new(Script::of(&recording["script"]), ExecutionClock::starting_at(0), 1);
        let execution =
            service.start_execution(&machine, "recorded", &recording["input"]).map_err(|error| error.to_string())?;
        Ok((execution.ended().await, execution.trace()))
    })
}

/// What the calls of each Task answered, in order.
struct Script(RefCell<BTreeMap<String, VecDeque<Value>>>);

impl Script {
    fn of(script: &Value) -> Self {
        let answers = |answers: &Value| answers.as_array().into_iter().flatten().cloned().collect();
        let states = script.as_object().into_iter().flatten();
        Self(RefCell::new(states.map(|(state, calls)| (state.clone(), answers(calls))).collect()))
    }
}

impl Tasks for Script {
    async fn invoke(&self, call: TaskCall) -> Result<TaskAnswer, TaskError> {
        let answer = self.0.borrow_mut().get_mut(&*call.state).and_then(VecDeque::pop_front);
        let text = |answer: &Value, field: &str| answer[field].as_str().unwrap_or_default().to_owned();
        match answer {
            Some(answer) if answer.get("throw").is_some() => {
                Err(TaskError { error: text(&answer, "throw"), cause: text(&answer, "cause") })
            }
            Some(answer) => Ok(TaskAnswer::Result(answer["return"].clone())),
            None => Err(TaskError {
                error: "ScriptExhausted".to_owned(),
                cause: format!("the recording has no further answer for {}", call.state),
            }),
        }
    }
}

/// The checker itself is checked: a recording that is true matches, and each part of it, falsified, does not.
#[test]
fn a_falsified_recording_does_not_match() {
    let true_one: Value = serde_json::json!({
        "machine": {
            "QueryLanguage": "JSONata", "StartAt": "Try",
            "States": {
                "Try": {
                    "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Arguments": {"FunctionName": "f"},
                    "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}], "Next": "Stop"
                },
                "Stop": {"Type": "Fail", "Error": "Stopped", "Cause": "{% 'after ' & $states.input.n %}"}
            }
        },
        "script": {"Try": [{"throw": "Busy", "cause": "x"}, {"return": {"n": 1.0}}]},
        "input": {},
        "expected": {
            "status": "FAILED", "trace": ["Try", "Stop"], "error": "Stopped", "cause": "after 1", "output": null
        }
    });
    let fields =
        |recording: &Value| differences(recording).iter().map(|difference| difference.field).collect::<Vec<_>>();
    assert_eq!(fields(&true_one), Vec::<&str>::new());
    for (field, falsified) in [
        ("status", Value::from("SUCCEEDED")),
        ("trace", serde_json::json!(["Try"])),
        ("error", Value::from("Other")),
        ("cause", Value::from("after 2")),
        ("output", serde_json::json!({})),
    ] {
        let mut recording = true_one.clone();
        recording["expected"][field] = falsified;
        assert_eq!(fields(&recording), [field]);
    }
}
