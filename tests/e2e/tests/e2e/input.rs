//! Inputs that are refused: by name, with an outcome, and with nothing started.

use reveille_e2e_tests::LocalAws;
use serde_json::{Value, json};

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("input::bad_fields_are_refused_by_name", |h, w| h.block_on(bad_fields(w))),
    ("input::an_input_just_over_the_limit_is_refused", |h, w| h.block_on(too_large(w))),
    ("input::a_value_that_cannot_arrive_is_refused_by_name", |h, w| h.block_on(unheld(w))),
    ("input::an_input_without_an_instance_still_has_an_outcome", |h, w| h.block_on(no_instance(w))),
];

async fn bad_fields(world: &LocalAws) {
    world.instance("bad-input").await;
    let with = |field: &str, value: Value| {
        let mut input = json!({"instance": "bad-input", "notebook": "run.ipynb"});
        input[field] = value;
        input
    };
    let cases = [
        (with("paramters", json!({})), "paramters"),
        (with("notebook", json!("../../etc/x.ipynb")), "notebook"),
        (with("notebook", json!("a;rm -rf $(HOME)'\".txt")), "notebook"),
        (with("notebook", json!("s3:/b/x.ipynb")), "notebook"),
        (with("notebook", json!("s3://-a.-/x.ipynb")), "notebook"),
        (with("whenBusy", json!({"queue": null})), "whenBusy"),
        (with("parameters", json!({"a b; import os": 1})), "a b; import os"),
        (with("parameters", json!({"day": "{{ date }}"})), "{{ date }}"),
        (with("limits", json!({"runSeconds": -1})), "limits.runSeconds"),
        (with("kernel", json!("$(id)")), "kernel"),
    ];
    for (input, named) in cases {
        let run = world.start_execution(&input).await;
        let ended = run.assert_failed("bad-input", "InvalidRequest").await;
        let cause: Value = serde_json::from_str(&ended.cause).unwrap();
        assert!(cause["errorMessage"].as_str().unwrap().contains(named), "{named}: {cause}");
        assert_eq!(run.outcome("bad-input").await["instanceAfter"], "notTouched");
        assert_eq!(run.claims("bad-input").await, 0);
    }
    world.assert_at_rest("bad-input", 0).await;
}

async fn too_large(world: &LocalAws) {
    world.instance("large-input").await;
    let mut input = json!({"instance": "large-input", "notebook": "run.ipynb", "parameters": {"text": ""}});
    let room = 64 * 1024 - input.to_string().len();
    input["parameters"]["text"] = "x".repeat(room + 1).into();
    let run = world.start_execution(&input).await;
    let ended = run.assert_failed("large-input", "InvalidRequest").await;
    assert!(ended.cause.contains("65537 bytes"), "{}", ended.cause);
    world.assert_at_rest("large-input", 0).await;
}

/// Texts that are JSON, or that an engine makes of it, and that no step may fail over without a code.
async fn unheld(world: &LocalAws) {
    world.instance("unheld-input").await;
    let deep = "[".repeat(126) + &"]".repeat(126);
    for value in ["1e400", r#""\ud800""#, &deep, "9007199254740993", "123456789012345678901234567890"] {
        let input =
            format!(r#"{{"instance": "unheld-input", "notebook": "run.ipynb", "parameters": {{"x": {value}}}}}"#);
        let run = world.start_execution_with(&input).await;
        let ended = run.assert_failed("unheld-input", "InvalidRequest").await;
        assert!(ended.cause.contains("parameters.x: "), "{value:.30}: {}", ended.cause);
    }
    world.assert_at_rest("unheld-input", 0).await;
}

async fn no_instance(world: &LocalAws) {
    for input in
        [json!({"notebook": "run.ipynb"}), json!({"instance": "../x", "notebook": "run.ipynb"}), json!("hello")]
    {
        let run = world.start_execution(&input).await;
        let ended = run.assert_failed("_invalid", "InvalidRequest").await;
        assert!(ended.cause.contains("instance"), "{}", ended.cause);
    }
}
