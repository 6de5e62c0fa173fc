//! State machines, run by the interpreter and by other engines of the language: they must end alike.
//!
//! The engines are ministack's Step Functions and moto's (the engine of `LocalStack`, made from recordings of AWS). Random
//! machines run on both; the real definition runs on moto's, which must also call the same functions with the same payloads and
//! pass through the same states. The random machines avoid each known difference; a separate machine shows
//! that it is still there, with what supports our behaviour.
//!
//! `ASL_MINISTACK` and `ASL_MOTO` name the engines' Pythons (`make engines` does), `ASL_MACHINES` how many random machines (100),
//! `ASL_SEED` the first seed (1). moto waits in real time: the scenarios take a minute.
#![expect(clippy::print_stdout, reason = "a test runner's report")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an engine that does not answer is to stop the run")]

#[path = "../equal/mod.rs"]
mod equal;
mod generator;
mod here;
mod ministack;
mod moto;
mod other_engine;
mod scenarios;

use equal::same;
use other_engine::OtherEngine;
use serde_json::{Value, json};

/// How an execution of a random machine ended.
fn ending(run: &Value) -> Value {
    json!([run["status"], run["error"], run["output"]])
}

/// Runs random machines on both sides, without what the engine is known to do otherwise.
fn random_machines_end_alike(engine: &mut OtherEngine, told_apart: fn(&Value) -> Value) {
    let number = |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (machines, first) = (number("ASL_MACHINES", 100_u64), number("ASL_SEED", 1));
    let (mut unlike, mut failed) = (Vec::new(), 0);
    for seed in first..first + machines {
        let scenario = json!({"definition": told_apart(&generator::machine(seed)), "input": {"n": seed % 5}});
        let (ours, theirs) = (ending(&here::run(&scenario)), ending(&engine.run(&scenario)));
        failed += u32::from(ours[0] == "FAILED");
        if !same(&ours, &theirs) {
            println!("seed {seed}:\n  here   {ours}\n  engine {theirs}\n  {}", scenario["definition"]);
            unlike.push(seed);
        }
    }
    println!("{machines} machines, {failed} of them failed as they should, {} differ: {unlike:?}", unlike.len());
    assert!(unlike.is_empty(), "seeds that differ: {unlike:?} (ASL_SEED=n ASL_MACHINES=1 runs one again)");
}

/// Runs what an engine does otherwise: the difference, what supports the interpreter's side, and a scenario that shows it.
fn known_differences_are_still_there(engine: &mut OtherEngine, known: Vec<(&str, &str, Value)>) {
    for (difference, support, scenario) in known {
        let (mut ours, theirs) = (here::run(&scenario), engine.run(&scenario));
        // What the engine tells of.
        ours.as_object_mut().unwrap().retain(|part, _| theirs.get(part).is_some());
        println!("{difference} ({support})\n  here   {ours}\n  engine {theirs}");
        assert!(!same(&ours, &theirs), "the engine no longer differs: take \"{difference}\" off the list");
    }
}

/// A scenario of these states, beginning with the first.
fn of_states(states: &Value) -> Value {
    json!({"definition": generator::of_states(states), "input": {"n": 1}})
}

/// A part of a definition with other expressions.
fn replaced(part: &Value, expressions: &[&str], by: &str) -> Value {
    let text = expressions.iter().fold(part.to_string(), |text, expression| text.replace(expression, by));
    serde_json::from_str(&text).unwrap()
}
