//! The limits of the service ("Step Functions service quotas").

use serde_json::{Value, json};

use super::super::*;
use super::world::*;

/// One byte more than fits, as a JSON text with its quotes.
fn too_large() -> Value {
    json!("x".repeat(262_143))
}

fn largest() -> Value {
    json!("x".repeat(262_142))
}

fn big_task(error: &str) -> Value {
    json!({
        "Big": {"Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f",
                "Catch": [{"ErrorEquals": [error], "Output": "{% $states.errorOutput.Error %}", "Next": "Caught"}],
                "Output": "ok", "End": true},
        "Caught": {"Type": "Pass", "End": true}
    })
}

// "Handling errors": States.DataLimitExceeded is not caught by States.ALL.
#[test]
fn a_result_that_is_too_large_is_not_caught_by_states_all() {
    let run_with = |payload: Value, error: &str| {
        let states = big_task(error);
        simulate(async move {
            let service = service(move |_| {
                let payload = payload.clone();
                async move { Ok(TaskAnswer::Payload(payload)) }
            });
            run(&service, &machine(states), json!({})).await
        })
    };
    assert_eq!(run_with(largest(), "States.ALL").output, Some(json!("ok")));
    let ended = run_with(too_large(), "States.ALL");
    assert_eq!(ended.error.as_deref(), Some("States.DataLimitExceeded"));
    assert_eq!(
        ended.cause.as_deref(),
        Some(
            "The state/task 'arn:aws:lambda:x:1:function:f' returned a result with a size exceeding the maximum number \
             of bytes service limit."
        )
    );
    assert_eq!(run_with(too_large(), "States.DataLimitExceeded").output, Some(json!("States.DataLimitExceeded")));
}

#[test]
fn an_output_or_variable_that_is_too_large_fails_the_state() {
    let twice = "{% $states.input.x & $states.input.x %}";
    let input = json!({"x": "x".repeat(140_000)});
    for state in [json!({"Output": twice}), json!({"Assign": {"v": twice}})] {
        let mut pass = json!({"Type": "Pass", "End": true});
        for (field, value) in state.as_object().unwrap() {
            pass[field] = value.clone();
        }
        let ended = run_states(json!({"P": pass}), input.clone());
        assert_eq!(ended.error.as_deref(), Some("States.DataLimitExceeded"));
    }
}

// "Step Functions service quotas": 25,000 events; the last is the failure. States.Runtime is not caught.
#[test]
fn the_history_ends_an_execution() {
    simulate(async {
        let service = idle();
        let machine = machine(json!({
            "Loop": {"Type": "Task", "Resource": "arn:aws:lambda:x:1:function:f", "Next": "Loop",
                     "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]},
            "Caught": {"Type": "Succeed"}
        }));
        let execution = service.start_execution(&machine, "run", &json!({})).unwrap();
        let ended = execution.ended().await;
        assert_eq!(ended.status, Status::Failed);
        assert_eq!(ended.error.as_deref(), Some("States.Runtime"));
        assert_eq!(ended.cause.as_deref(), Some("The execution reached the maximum number of history events (25000)."));
        assert_eq!(execution.history_len(), 25_000);
        assert!(service.redrive_execution(execution.arn()).is_err());
    });
}

// Expressions that would run for ever are cut off, and fail like any other.
#[test]
fn an_expression_without_end_fails() {
    let output = "{% ($f := function($n){ 1 + $f($n + 1) }; $f(0)) %}";
    let ended = run_states(json!({"P": {"Type": "Pass", "Output": output, "End": true}}), json!({}));
    assert_eq!(ended.error.as_deref(), Some("States.QueryEvaluationError"));
}
