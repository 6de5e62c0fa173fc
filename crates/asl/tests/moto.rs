//! The real definition, run by the interpreter and by moto's Step Functions (the engine of `LocalStack`, made from recordings of
//! AWS): both must call the same functions with the same payloads, pass through the same states, and end alike. So must random
//! machines.
//!
//! `ASL_MOTO` names a Python that has `tests/moto/requirements.txt`; `ASL_MACHINES` how many random machines (100), `ASL_SEED`
//! the first seed (1). The engine waits in real time: the scenarios take some minutes.
#![expect(clippy::print_stdout, reason = "a test runner's report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an engine that does not answer is to stop the run")]

#[path = "moto/client.rs"]
mod client;
mod equal;
#[path = "differential/generator.rs"]
mod generator;
#[path = "moto/here.rs"]
mod here;
#[path = "moto/scenarios.rs"]
mod scenarios;

use client::Moto;
use equal::same;
use serde_json::{Value, json};

#[test]
fn the_definition_runs_alike() {
    let Some(mut engine) = Moto::of_environment() else { return };
    let mut unlike = Vec::new();
    for (name, scenario) in scenarios::all() {
        let (mut ours, theirs) = (here::run(&scenario), engine.run(&scenario));
        if name == scenarios::FAILED_BY_ITS_TOKEN {
            without_cause(&mut ours);
        }
        println!("{name}: {} {}", ours["status"], ours["error"]);
        if ours != theirs {
            println!("  here   {ours}\n  engine {theirs}");
            unlike.push(name);
        }
    }
    assert!(unlike.is_empty(), "they differ in: {unlike:?}");
}

/// A known difference: the engine loses the cause of a failed token.
fn without_cause(run: &mut Value) {
    for call in run["calls"].as_array_mut().unwrap() {
        if let Some(cause) = call.pointer_mut("/1/error/cause") {
            *cause = Value::Null;
        }
    }
}

/// What every state that has a Catch does with it is among the scenarios.
#[test]
fn each_catch_has_its_scenario() {
    let definition = scenarios::definition();
    let states = definition["States"].as_object().unwrap();
    let mut untried: Vec<String> = Vec::new();
    for (name, state) in states {
        for catcher in state["Catch"].as_array().into_iter().flatten() {
            let to = catcher["Next"].as_str().unwrap();
            let taken = scenarios::all().iter().any(|(_, scenario)| {
                let trace = here::run(scenario)["trace"].as_array().unwrap().clone();
                trace.windows(2).any(|pair| pair[0] == **name && pair[1] == to)
            });
            if !taken {
                untried.push(format!("{name} -> {to}"));
            }
        }
    }
    assert_eq!(untried, Vec::<String>::new());
}

#[test]
fn random_machines_end_alike() {
    let Some(mut engine) = Moto::of_environment() else { return };
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (machines, first) = (number("ASL_MACHINES", 100_u64), number("ASL_SEED", 1));
    let mut unlike = Vec::new();
    for seed in first..first + machines {
        let scenario = json!({"definition": told_apart(&generator::machine(seed)), "input": {"n": seed % 5}});
        let ending = |run: Value| json!([run["status"], run["error"], run["output"]]);
        let (ours, theirs) = (ending(here::run(&scenario)), ending(engine.run(&scenario)));
        if !same(&ours, &theirs) {
            println!("seed {seed}:\n  here   {ours}\n  engine {theirs}\n  {}", scenario["definition"]);
            unlike.push(seed);
        }
    }
    println!("{machines} machines, {} differ: {unlike:?}", unlike.len());
    assert!(unlike.is_empty(), "seeds that differ: {unlike:?} (ASL_SEED=n ASL_MACHINES=1 runs one again)");
}

/// The known differences left out: no state has both an `Assign` and an `Output`, and no expression throws.
fn told_apart(definition: &Value) -> Value {
    let text = definition.to_string();
    let text =
        ["$number('x')", "$a + 'x'"].iter().fold(text, |text, throws| text.replace(throws, "$states.input.missing"));
    let mut definition: Value = serde_json::from_str(&text).unwrap();
    for state in definition["States"].as_object_mut().unwrap().values_mut() {
        let state = state.as_object_mut().unwrap();
        if state.contains_key("Output") {
            state.remove("Assign");
        }
    }
    definition
}

/// What the engine does otherwise, and what supports the interpreter's side.
#[test]
fn known_differences_are_still_there() {
    let Some(mut engine) = Moto::of_environment() else { return };
    let pass = |fields: Value| {
        let mut state = json!({"Type": "Pass", "End": true});
        state.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"Set": {"Type": "Pass", "Assign": {"a": 1}, "Next": "P"}, "P": state})
    };
    let known = [
        (
            "Output sees what the same state assigns",
            "Passing data between states with variables: Assign and Output see the values at the state's beginning",
            json!({"definition": generator::of_states(&pass(json!({"Assign": {"a": 2}, "Output": "{% $a %}"})))}),
        ),
        (
            "an expression that throws fails with States.Runtime",
            "Transforming data with JSONata: States.QueryEvaluationError",
            json!({"definition": generator::of_states(&pass(json!({"Output": "{% $number('x') %}"})))}),
        ),
        (
            "the cause of a failed token is lost",
            "API Reference, SendTaskFailure: cause; Handling errors: the error output has Error and Cause",
            scenarios::all().into_iter().find(|(name, _)| *name == scenarios::FAILED_BY_ITS_TOKEN).unwrap().1,
        ),
    ];
    for (difference, support, mut scenario) in known {
        if scenario["input"].is_null() {
            scenario["input"] = json!({});
        }
        let (ours, theirs) = (here::run(&scenario), engine.run(&scenario));
        println!("{difference} ({support})\n  here   {ours}\n  engine {theirs}");
        assert!(ours != theirs, "the engine no longer differs: take \"{difference}\" off the list");
    }
}
