//! Random machines, run by the interpreter and by a local engine: both must end in the same status, error and output.
//!
//! `ASL_ENDPOINT` names the local AWS (`http://127.0.0.1:PORT`), `ASL_MACHINES` how many machines (100), `ASL_SEED` the
//! first seed (1). Where the engine is known to differ, a machine of its own shows it, with the side that AWS's documents
//! support; the random machines leave these things out.
#![expect(clippy::print_stdout, reason = "a test runner's report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an engine that does not answer is to stop the run")]

#[path = "differential/client.rs"]
mod client;
mod equal;
#[path = "differential/generator.rs"]
mod generator;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use client::StepFunctionsLocal;
use equal::same;
use reveille_asl::interpreter::{ExecutionClock, Machine, Service, TaskAnswer, TaskCall, TaskError, Tasks};
use serde_json::{Value, json};

/// How an execution ended, as far as both sides must agree.
#[derive(Debug, PartialEq)]
pub struct AgreedEnding {
    status: String,
    error: Option<String>,
    output: Option<Value>,
}

#[test]
fn random_machines_end_alike() {
    let Some(engine) = engine() else { return };
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (machines, first) = (number("ASL_MACHINES", 100), number("ASL_SEED", 1));
    let mut differing = Vec::new();
    let mut failed = 0;
    for seed in first..first + machines {
        let definition = generator::machine(seed);
        let input = json!({"n": seed % 5});
        let (ours, theirs) = (run(&definition, &input), engine.run(&unique(seed), &definition, &input));
        failed += u32::from(ours.status == "FAILED");
        if !alike(&ours, &theirs) {
            println!("seed {seed}:\n  here   {ours:?}\n  engine {theirs:?}\n  {definition}");
            differing.push(seed);
        }
    }
    println!("{machines} machines, {failed} of them failed as they should, {} differ: {differing:?}", differing.len());
    assert!(differing.is_empty(), "seeds that differ: {differing:?} (ASL_SEED=n ASL_MACHINES=1 runs one again)");
}

/// What the local engine does otherwise, and the document that supports the interpreter's side.
#[test]
fn known_differences_are_still_there() {
    let Some(engine) = engine() else { return };
    let pass = |output: &str| json!({"P": {"Type": "Pass", "Output": {"n": output}, "End": true}});
    let task = |extra: Value| {
        let mut state = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": client::FUNCTION, "Payload": {"n": 1}}, "Output": {"n": 1}, "End": true
        });
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"T": state})
    };
    let fan = |extra: Value, inner: Value| {
        let mut branch = json!({"Type": "Pass", "Output": 1, "End": true});
        branch.as_object_mut().unwrap().extend(inner.as_object().unwrap().clone());
        let mut fan = json!({
            "Type": "Parallel", "Branches": [{"StartAt": "In", "States": {"In": branch}}], "Next": "Read"
        });
        fan.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({
            "Set": {"Type": "Pass", "Assign": {"a": 1}, "Next": "Fan"}, "Fan": fan,
            "Read": {"Type": "Pass", "Output": {"a": "{% $a %}", "in": "{% $states.input %}"}, "End": true}
        })
    };
    let known = [
        (
            "Output of a Parallel is ignored",
            "Parallel workflow state: Output",
            fan(json!({"Output": "{% $sum($states.result) %}"}), json!({})),
        ),
        (
            "Assign of a Parallel is ignored",
            "Passing data between states with variables: Assign is a field of Parallel",
            fan(json!({"Assign": {"a": "{% $states.result[0] + 5 %}"}}), json!({})),
        ),
        (
            "a branch's variables are seen outside it",
            "Passing data between states with variables: variable scope",
            fan(json!({}), json!({"Assign": {"a": 9}})),
        ),
        (
            "Output of a Succeed is ignored",
            "Succeed workflow state: Output",
            json!({"S": {"Type": "Succeed", "Output": {"n": 5}}}),
        ),
        (
            "a condition that is not a boolean is coerced",
            "Choice workflow state: Condition must evaluate to a boolean",
            json!({
                "C": {"Type": "Choice", "Default": "D", "Choices": [{"Condition": "{% 'yes' %}", "Next": "D"}]},
                "D": {"Type": "Succeed"}
            }),
        ),
        (
            "RedriveCount is absent",
            "Accessing execution data from the Context object: RedriveCount",
            pass("{% $states.context.Execution.RedriveCount %}"),
        ),
        (
            "an expression in TimeoutSeconds fails the state",
            "Transforming data with JSONata: fields that accept expressions",
            task(json!({"TimeoutSeconds": "{% 30 %}"})),
        ),
    ];
    for (index, (difference, document, states)) in known.into_iter().enumerate() {
        let definition = generator::of_states(&states);
        let name = unique(u64::try_from(index).unwrap());
        let (ours, theirs) = (run(&definition, &json!({"n": 1})), engine.run(&name, &definition, &json!({"n": 1})));
        println!("{difference} (AWS: {document})\n  here   {ours:?}\n  engine {theirs:?}");
        assert!(!alike(&ours, &theirs), "the engine no longer differs: take \"{difference}\" off the list");
    }
}

fn engine() -> Option<StepFunctionsLocal> {
    let Some(endpoint) = std::env::var("ASL_ENDPOINT").ok().filter(|endpoint| !endpoint.is_empty()) else {
        println!("skipped: ASL_ENDPOINT is not set");
        return None;
    };
    Some(StepFunctionsLocal::at(&endpoint))
}

/// A name that no earlier run has used.
fn unique(seed: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    format!("differential-{}-{seed}", now.as_micros())
}

/// Outputs are compared where there is one: the engine shows one for a failed execution too, AWS does not
/// (API Reference, `DescribeExecution`: the output is set only if the execution succeeded).
fn alike(ours: &AgreedEnding, theirs: &AgreedEnding) -> bool {
    ours.status == theirs.status
        && ours.error == theirs.error
        && match (&ours.output, &theirs.output) {
            _ if ours.status != "SUCCEEDED" => true,
            (Some(ours), Some(theirs)) => same(ours, theirs),
            (ours, theirs) => ours == theirs,
        }
}

/// The same function that the engine runs: it gives back what it was given, or fails when that says so.
struct Echo;

impl Tasks for Echo {
    async fn invoke(&self, call: TaskCall) -> Result<TaskAnswer, TaskError> {
        if call.payload["fail"] == true {
            return Err(TaskError::of_function(client::FUNCTION_ERROR, "on purpose"));
        }
        Ok(TaskAnswer::Payload(call.payload))
    }
}

fn run(definition: &Value, input: &Value) -> AgreedEnding {
    let arn = "arn:aws:states:us-east-1:000000000000:stateMachine:differential";
    let machine = Rc::new(Machine::compile(arn, definition).unwrap_or_else(|error| panic!("{error}: {definition}")));
    let ended = reveille_asl::simulated::block_on(async {
        let service = Service::new(Echo, ExecutionClock::starting_at(0), 1);
        service.start_execution(&machine, "differential", input).unwrap().ended().await
    });
    AgreedEnding { status: ended.status.as_str().to_owned(), error: ended.error, output: ended.output }
}
