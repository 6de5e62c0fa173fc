//! The Amazon States Language has no references, so the definition repeats itself in each Task. This test says which
//! parts are meant to be equal, which states differ, and why.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::definition;
use serde_json::{Map, Value, json};

/// The state that the others are compared with.
const MODEL: &str = "AdmitRun";
/// It ends with the run's own code, which nothing may retry or catch, and only its own trouble is retried patiently.
const CONCLUDE: &str = "ConcludeRun";
/// It waits for the runner, and not for its function: its own timeout and heartbeat, and a catcher for silence.
const AWAIT: &str = "AwaitRun";
/// Its failure is told beside the run's own error, so it is kept in a variable of its own.
const VERIFY: &str = "VerifyStopped";

/// How many retriers every Task has: the calls that Lambda refused, and the functions that died.
const COMMON_RETRIERS: usize = 2;

type States = Map<String, Value>;

/// Everything in which a Task differs from what is meant, one line each.
fn differences(states: &States) -> Vec<String> {
    let tasks: Vec<(&String, &Value)> = states.iter().filter(|(_, state)| state["Type"] == "Task").collect();
    let mut found = Vec::new();
    let mut same = |place: String, is: &Value, meant: &Value| {
        if is != meant {
            found.push(format!("{place} is\n{is:#}\nand not\n{meant:#}"));
        }
    };
    for (name, state) in &tasks {
        same(format!("{name}.Retry"), &state["Retry"], &retriers(states, name));
        same(format!("{name}.Catch"), &state["Catch"], &catchers(name));
        let waits = *name == AWAIT;
        let invoke = states[MODEL]["Resource"].as_str().unwrap();
        let resource = if waits { format!("{invoke}.waitForTaskToken") } else { invoke.to_owned() };
        same(format!("{name}.Resource"), &state["Resource"], &resource.into());
        if !waits {
            same(format!("{name}.TimeoutSeconds"), &state["TimeoutSeconds"], &states[MODEL]["TimeoutSeconds"]);
        }
        // A field of one name is one expression: `execution` in all of them, `run` and `waiting` in most.
        for (field, value) in state["Arguments"]["Payload"].as_object().unwrap() {
            for (other, body) in &tasks {
                let meant = body["Arguments"]["Payload"].get(field).unwrap_or(value);
                same(format!("{name}.Arguments.Payload.{field}, unlike {other}'s,"), value, meant);
            }
        }
    }
    found
}

/// The model's list, of which ConcludeRun has the common part and one retrier of its own, as patient as the model's
/// for `Throttled`.
fn retriers(states: &States, name: &str) -> Value {
    let model = states[MODEL]["Retry"].as_array().unwrap();
    if name != CONCLUDE {
        return states[MODEL]["Retry"].clone();
    }
    let mut own = model[COMMON_RETRIERS].clone();
    own["ErrorEquals"] = json!(["OutcomeNotRecorded"]);
    model[..COMMON_RETRIERS].iter().cloned().chain([own]).collect()
}

/// Whatever fails is kept with the name of its state. Only after AdmitRun, which touches no instance, and after
/// VerifyStopped itself is there no instance left to see stopped.
fn catchers(name: &str) -> Value {
    let next = if [MODEL, VERIFY].contains(&name) { CONCLUDE } else { VERIFY };
    let variable = if name == VERIFY { "stopError" } else { "error" };
    let error = json!({
        "state": name,
        "error": "{% $states.errorOutput.Error %}",
        "cause": "{% $exists($states.errorOutput.Cause) ? $states.errorOutput.Cause : '' %}"
    });
    let all = json!({"ErrorEquals": ["States.ALL"], "Assign": {variable: error}, "Next": next});
    match name {
        CONCLUDE => Value::Null,
        AWAIT => {
            let silence = json!({
                "ErrorEquals": ["States.HeartbeatTimeout", "States.Timeout"],
                "Assign": {"silences": "{% $silences + 1 %}"},
                "Next": "CheckInstance"
            });
            json!([silence, all])
        }
        _ => json!([all]),
    }
}

#[test]
fn what_the_tasks_repeat_is_equal_where_it_is_meant_to_be() {
    let definition = definition();
    let found = differences(definition["States"].as_object().unwrap());
    assert!(found.is_empty(), "change every state alike, or say here why one differs:\n{}", found.join("\n"));
}

/// Every place below a value that holds neither a list nor an object.
fn leaves(value: &Value, pointer: &str) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, field)| leaves(field, &format!("{pointer}/{name}"))).collect()
        }
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(index, item)| leaves(item, &format!("{pointer}/{index}"))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![pointer.to_owned()],
    }
}

/// The check above is worth something only if no change in one state escapes it.
#[test]
fn a_change_in_one_state_alone_is_found() {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    let mut tried = 0;
    for (name, state) in states.iter().filter(|(_, state)| state["Type"] == "Task") {
        for part in ["/Retry", "/Catch", "/Arguments/Payload/execution"] {
            let Some(value) = state.pointer(part) else { continue };
            for leaf in leaves(value, part) {
                let mut changed = states.clone();
                *changed[name].pointer_mut(&leaf).unwrap() = "changed".into();
                assert!(!differences(&changed).is_empty(), "{name}{leaf} was changed, and nothing noticed");
                tried += 1;
            }
            if let Some(list) = value.as_array() {
                for index in 0..list.len() {
                    let mut changed = states.clone();
                    changed[name].pointer_mut(part).unwrap().as_array_mut().unwrap().remove(index);
                    assert!(!differences(&changed).is_empty(), "{name}{part}/{index} was removed, and nothing noticed");
                }
            }
        }
    }
    assert!(tried > 200, "the definition was read: {tried} places");
}
