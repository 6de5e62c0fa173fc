//! ministack's Step Functions, which the end-to-end tests run on.

use serde_json::{Value, json};

use crate::other_engine::{FUNCTION, OtherEngine};
use crate::{generator, of_states};

fn engine() -> Option<OtherEngine> {
    OtherEngine::of_environment("ASL_MINISTACK", "run_on_ministack.py")
}

#[test]
fn random_machines_end_alike() {
    let Some(mut engine) = engine() else { return };
    crate::random_machines_end_alike(&mut engine, told_apart);
}

/// The known difference that a random machine would meet: where an expression of a task may fail, `States.TaskFailed` is
/// `States.ALL`.
fn told_apart(definition: &Value) -> Value {
    let mut definition = definition.clone();
    for state in definition["States"].as_object_mut().unwrap().values_mut() {
        if generator::FAULTS.iter().any(|fault| state.to_string().contains(fault)) {
            *state = crate::replaced(state, &["States.TaskFailed"], "States.ALL");
        }
    }
    definition
}

#[test]
fn known_differences_are_still_there() {
    let Some(mut engine) = engine() else { return };
    let pass = |output: &str| json!({"P": {"Type": "Pass", "Output": {"n": output}, "End": true}});
    let task = |extra: Value| {
        let mut state = json!({
            "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
            "Arguments": {"FunctionName": FUNCTION, "Payload": {"n": 1}}, "Output": {"n": 1}, "End": true
        });
        state.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        json!({"T": state, "Caught": {"Type": "Succeed"}})
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
    let known = vec![
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
        (
            "States.TaskFailed takes an expression of the task that fails",
            "moto's engine and fakecloud's (0.52), made from recordings of AWS; the page on errors names no such exception",
            task(json!({
                "Output": "{% $missing %}", "Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
            })),
        ),
    ];
    let known = known.into_iter().map(|(difference, support, states)| (difference, support, of_states(&states)));
    crate::known_differences_are_still_there(&mut engine, known.collect());
}
