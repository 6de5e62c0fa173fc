//! moto's Step Functions, the engine of `LocalStack`.

use std::thread;

use serde_json::{Value, json};

use crate::other_engine::OtherEngine;
use crate::{generator, here, of_states, scenarios};

/// So many engines run the scenarios side by side: an engine mostly waits.
const ENGINES: usize = 4;

fn engine() -> Option<OtherEngine> {
    OtherEngine::of_environment("ASL_MOTO", "run_on_moto.py")
}

#[test]
fn the_definition_runs_alike() {
    let engines: Vec<OtherEngine> = (0..ENGINES).map_while(|_| engine()).collect();
    let shares = engines.into_iter().enumerate().map(|(first, engine)| {
        thread::spawn(move || {
            scenarios::all().into_iter().skip(first).step_by(ENGINES).filter_map(unlike(engine)).collect()
        })
    });
    let shares: Vec<_> = shares.collect();
    let unlike: Vec<&str> = shares.into_iter().flat_map(|share| -> Vec<&str> { share.join().unwrap() }).collect();
    assert!(unlike.is_empty(), "they differ in: {unlike:?}");
}

/// The name of a scenario that goes otherwise in the engine.
fn unlike(mut engine: OtherEngine) -> impl FnMut((&'static str, Value)) -> Option<&'static str> {
    move |(name, scenario)| {
        let (mut ours, theirs) = (here::run(&scenario), engine.run(&scenario));
        if name == scenarios::FAILED_BY_ITS_TOKEN {
            without_cause(&mut ours);
        }
        println!("{name}: {} {}", ours["status"], ours["error"]);
        (ours != theirs).then(|| {
            println!("{name} differs:\n  here   {ours}\n  engine {theirs}");
            name
        })
    }
}

/// A known difference: the engine loses the cause of a failed token.
fn without_cause(run: &mut Value) {
    for call in run["calls"].as_array_mut().unwrap() {
        if let Some(cause) = call.pointer_mut("/1/error/cause") {
            *cause = Value::Null;
        }
    }
}

#[test]
fn random_machines_end_alike() {
    let Some(mut engine) = engine() else { return };
    crate::random_machines_end_alike(&mut engine, told_apart);
}

/// The known differences left out: no state has both an `Assign` and an `Output`, no expression throws, and none in a branch
/// fails.
fn told_apart(definition: &Value) -> Value {
    let mut definition = crate::replaced(definition, &["$number('x')", "$a + 'x'"], "$states.input.missing");
    for state in definition["States"].as_object_mut().unwrap().values_mut() {
        let state = state.as_object_mut().unwrap();
        if state.contains_key("Output") {
            state.remove("Assign");
        }
        if let Some(branches) = state.get_mut("Branches") {
            *branches = crate::replaced(branches, generator::FAULTS, "{% $a %}");
        }
    }
    definition
}

#[test]
fn known_differences_are_still_there() {
    let Some(mut engine) = engine() else { return };
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"Set": {"Type": "Pass", "Assign": {"a": 1}, "Next": "P"}, "P": state})
    };
    let branch = json!({"StartAt": "Set", "States": pass(json!({"Output": "{% $missing %}"}))});
    let known = vec![
        (
            "Output sees what the same state assigns",
            "Passing data between states with variables: Assign and Output see the values at the state's beginning",
            of_states(&pass(json!({"Assign": {"a": 2}, "Output": "{% $a %}"}))),
        ),
        (
            "an expression that throws fails with States.Runtime",
            "Transforming data with JSONata: States.QueryEvaluationError",
            of_states(&pass(json!({"Output": "{% $number('x') %}"}))),
        ),
        (
            "a Parallel whose branch fails with an error of Step Functions itself fails with States.Runtime",
            "Parallel workflow state: the unhandled error of a branch is the state's",
            of_states(&json!({"Both": {"Type": "Parallel", "Branches": [branch], "End": true}})),
        ),
        (
            "the cause of a failed token is lost",
            "API Reference, SendTaskFailure: cause; Handling errors: the error output has Error and Cause",
            scenarios::all().into_iter().find(|(name, _)| *name == scenarios::FAILED_BY_ITS_TOKEN).unwrap().1,
        ),
    ];
    crate::known_differences_are_still_there(&mut engine, known);
}
