//! States, expressions, retries and catchers.

use serde_json::{Value, json};

use super::super::*;
use super::world::*;

/// A Task that calls a function by its own ARN, and ends unless `extra` says otherwise.
fn task(extra: Value) -> Value {
    let mut state = json!({"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:f"});
    if extra.get("Next").is_none() {
        state["End"] = json!(true);
    }
    for (field, value) in extra.as_object().unwrap() {
        state[field] = value.clone();
    }
    state
}

fn cause_of(states: Value) -> String {
    let ended = run_states(states, json!({"n": 1, "list": [1]}));
    assert_eq!(ended.error.as_deref(), Some("States.QueryEvaluationError"));
    ended.cause.unwrap()
}

// "Wait workflow state": Seconds, and Timestamp as an absolute time; a time that has passed does not wait.
#[test]
fn wait_states_wait() {
    let waited = |wait: Value| {
        let mut state = json!({"Type": "Wait", "End": true});
        for (field, value) in wait.as_object().unwrap() {
            state[field] = value.clone();
        }
        seconds(&run_states(json!({"Wait": state}), json!({"n": 7})))
    };
    assert_eq!(waited(json!({"Seconds": 30})), 30);
    assert_eq!(waited(json!({"Seconds": "{% $states.input.n * 2 %}"})), 14);
    assert_eq!(waited(json!({"Timestamp": "2023-11-14T22:14:20Z"})), 60);
    assert_eq!(waited(json!({"Timestamp": "2001-01-01T00:00:00Z"})), 0);
}

#[test]
fn wait_states_refuse_what_is_no_time() {
    let ended = run_states(json!({"Wait": {"Type": "Wait", "Timestamp": "{% 'soon' %}", "End": true}}), json!({}));
    assert_eq!(ended.error.as_deref(), Some("States.Runtime"));
    let ended = run_states(json!({"Wait": {"Type": "Wait", "Seconds": "{% 1.5 %}", "End": true}}), json!({}));
    assert_eq!(ended.error.as_deref(), Some("States.QueryEvaluationError"));
}

// "Parallel workflow state": branches run concurrently, the output is an array with one element per branch, in order.
#[test]
fn branches_run_side_by_side() {
    let branch = |name: &str, wait: u32| {
        json!({"StartAt": name, "States": {
            name: {"Type": "Wait", "Seconds": wait, "Output": {"name": name, "input": "{% $states.input %}"}, "End": true}
        }})
    };
    let ended = run_states(
        json!({
            "Both": {"Type": "Parallel", "Branches": [branch("Slow", 20), branch("Quick", 5)],
                     "Arguments": "{% $states.input.n %}", "Assign": {"first": "{% $states.result[0].name %}"},
                     "Next": "Out"},
            "Out": {"Type": "Pass", "Output": {"first": "{% $first %}", "all": "{% $states.input %}"}, "End": true}
        }),
        json!({"n": 5}),
    );
    assert_eq!(seconds(&ended), 20);
    assert_eq!(
        ended.output,
        Some(json!({"first": "Slow", "all": [{"name": "Slow", "input": 5}, {"name": "Quick", "input": 5}]}))
    );
}

// "Parallel workflow state": if any branch fails, the entire state fails and all branches are stopped.
#[test]
fn the_first_branch_that_fails_fails_the_state() {
    let ended = run_states(
        json!({
            "Both": {"Type": "Parallel", "Catch": [{"ErrorEquals": ["Broken"], "Next": "Caught"}], "End": true, "Branches": [
                {"StartAt": "Slow", "States": {"Slow": {"Type": "Wait", "Seconds": 900, "End": true}}},
                {"StartAt": "Pause", "States": {
                    "Pause": {"Type": "Wait", "Seconds": 3, "Next": "Break"},
                    "Break": {"Type": "Fail", "Error": "Broken", "Cause": "on purpose"}
                }}
            ]},
            "Caught": {"Type": "Pass", "End": true}
        }),
        json!({}),
    );
    assert_eq!(seconds(&ended), 3);
    assert_eq!(ended.output, Some(json!({"Error": "Broken", "Cause": "on purpose"})));
}

// "Passing data between states with variables": inner scopes read outer variables, and keep their own.
#[test]
fn a_branch_reads_the_variables_around_it_and_keeps_its_own() {
    let ended = run_states(
        json!({
            "Set": {"Type": "Pass", "Assign": {"x": 1}, "Next": "Fan"},
            "Fan": {"Type": "Parallel", "Next": "After", "Branches": [{"StartAt": "In", "States": {
                "In": {"Type": "Pass", "Assign": {"x": "{% $x + 1 %}", "y": 5}, "Next": "Read"},
                "Read": {"Type": "Pass", "Output": "{% $x %}", "End": true}
            }}]},
            "After": {"Type": "Pass", "Output": {"in": "{% $states.input[0] %}", "out": "{% $x %}", "y": "{% $exists($y) %}"},
                      "End": true}
        }),
        json!({}),
    );
    assert_eq!(ended.output, Some(json!({"in": 2, "out": 1, "y": false})));
}

// "Passing data between states with variables", "Evaluation order in an assign field": all values are those from the
// entry of the state.
#[test]
fn assign_and_output_see_the_values_from_before() {
    let ended = run_states(
        json!({
            "Set": {"Type": "Pass", "Assign": {"a": 1, "b": 2}, "Next": "Swap"},
            "Swap": {"Type": "Pass", "Assign": {"a": "{% $b %}", "b": "{% $a %}"}, "Output": "{% $a %}", "Next": "Read"},
            "Read": {"Type": "Pass", "Output": ["{% $a %}", "{% $b %}", "{% $states.input %}"], "End": true}
        }),
        json!({}),
    );
    assert_eq!(ended.output, Some(json!([2, 1, 1])));
}

// "Choice workflow state": a rule's own Assign and Output take the place of the state's, which apply with Default.
#[test]
fn a_rule_has_its_own_effects() {
    let choice = |input: Value| {
        run_states(
            json!({
                "Choose": {"Type": "Choice", "Default": "Out", "Assign": {"by": "default"}, "Choices": [
                    {"Condition": "{% $states.input.n > 1 %}", "Assign": {"by": "rule"}, "Output": "{% $states.input.n %}",
                     "Next": "Out"}
                ]},
                "Out": {"Type": "Pass", "Output": ["{% $by %}", "{% $states.input %}"], "End": true}
            }),
            input,
        )
        .output
    };
    assert_eq!(choice(json!({"n": 2})), Some(json!(["rule", 2])));
    assert_eq!(choice(json!({"n": 1})), Some(json!(["default", {"n": 1}])));
}

// "Choice workflow state": without a match and a Default the error is States.NoChoiceMatched.
#[test]
fn a_choice_without_a_match_fails() {
    let ended = run_states(
        json!({
            "Choose": {"Type": "Choice", "Choices": [{"Condition": "{% false %}", "Next": "Out"}]},
            "Out": {"Type": "Succeed"}
        }),
        json!({}),
    );
    assert_eq!(ended.error.as_deref(), Some("States.NoChoiceMatched"));
}

// "Fail workflow state" and "Succeed workflow state".
#[test]
fn fail_and_succeed_evaluate_their_fields() {
    let ended = run_states(
        json!({"Fail": {"Type": "Fail", "Error": "{% 'E' & $states.input.n %}", "Cause": "{% 'because' %}"}}),
        json!({"n": 1}),
    );
    assert_eq!((ended.error.as_deref(), ended.cause.as_deref()), (Some("E1"), Some("because")));
    assert_eq!(run_states(json!({"Fail": {"Type": "Fail"}}), json!({})).error, None);
    let ended =
        run_states(json!({"Done": {"Type": "Succeed", "Output": {"n": "{% $states.input.n + 1 %}"}}}), json!({"n": 1}));
    assert_eq!(ended.output, Some(json!({"n": 2})));
}

// A value that is only handed on arrives as it was: JSONata's unwrapping of sequences does not touch arrays that were
// there before.
#[test]
fn values_are_handed_on_unchanged() {
    let input = json!({
        "one": [1], "none": [], "nested": [[1], [[]]], "object": {}, "nothing": null, "text": "a\"\\\n", "float": 0.1,
        "list": [{"n": [1]}, null, false], "key with \"quotes\" and {% %}": 1
    });
    let states = json!({
        "Keep": {"Type": "Pass", "Assign": {"kept": "{% $states.input %}", "one": "{% $states.input.one %}"}, "Next": "Give"},
        "Give": {"Type": "Pass", "End": true, "Output": {
            "whole": "{% $kept %}", "one": ["{% $one %}", "{% $kept.one %}"], "none": "{% $kept.none %}",
            "nested": "{% $kept.nested %}", "nothing": "{% $kept.nothing %}", "list": "{% $kept.list %}"
        }}
    });
    let expected = json!({
        "whole": input, "one": [[1], [1]], "none": [], "nested": [[1], [[]]], "nothing": null,
        "list": [{"n": [1]}, null, false]
    });
    assert_eq!(run_states(states, input).output, Some(expected));
}

// "Handling errors in Step Functions workflows" and "Transforming data with JSONata" say that an evaluation that fails,
// or gives nothing, is States.QueryEvaluationError; the sentences are those that AWS was seen to write.
#[test]
fn evaluations_that_fail_say_where() {
    let pass = |output: Value| json!({"P": {"Type": "Pass", "Output": output, "End": true}});
    let place = "An error occurred while executing the state 'P' (entered at the event id #2). The JSONata expression";
    assert_eq!(
        cause_of(pass(json!({"a": {"b": [1, "{% $states.input.x %}"]}}))),
        format!("{place} '$states.input.x' specified for the field 'Output/a/b[1]' returned nothing (undefined).")
    );
    assert!(cause_of(pass(json!("{% 1 + 'a' %}"))).starts_with(&format!(
        "{place} '1 + 'a'' specified for the field 'Output' threw an error during evaluation. T2002: "
    )));
    assert_eq!(
        cause_of(pass(json!("{% $sum %}"))),
        format!("{place} '$sum' specified for the field 'Output' returned an unsupported result type.")
    );
    let choice = json!({"P": {"Type": "Choice", "Choices": [
        {"Condition": "{% false %}", "Next": "O"}, {"Condition": "{% 'yes' %}", "Next": "O"}
    ]}, "O": {"Type": "Succeed"}});
    assert_eq!(
        cause_of(choice),
        format!(
            "{place} ''yes'' specified for the field 'Choices[1]/Condition' returned an unexpected result type. \
             Expected 'boolean', but was 'string' for value: \"yes\""
        )
    );
    let later = json!({
        "First": {"Type": "Pass", "Next": "P"},
        "P": {"Type": "Pass", "Assign": {"x": "{% $nope %}"}, "End": true}
    });
    assert!(cause_of(later).contains("'P' (entered at the event id #4)"));
}

// "Handling errors", "Retry": IntervalSeconds, BackoffRate and MaxAttempts; the context object counts the retries.
#[test]
fn a_task_is_retried_at_its_intervals() {
    simulate(async {
        let service = service(
            async |call: TaskCall| {
                if call.attempt < 3 { failed("Busy") } else { Ok(TaskAnswer::Payload(json!("done"))) }
            },
        );
        let machine = machine(json!({"Try": task(json!({
            "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "BackoffRate": 3, "MaxAttempts": 3}],
            "Arguments": {"tried": "{% $states.context.State.RetryCount %}"},
        }))}));
        let ended = run(&service, &machine, json!({})).await;
        assert_eq!(ended.output, Some(json!("done")));
        assert_eq!(seconds(&ended), 2 + 6 + 18);
        let calls = service.tasks().calls.borrow();
        let tried: Vec<_> = calls.iter().map(|call| call.payload["tried"].clone()).collect();
        assert_eq!(tried, [0, 1, 2, 3]);
    });
}

// "Handling errors", "Retry": when the retriers are used up, the catchers are tried, in order.
#[test]
fn an_error_that_is_retried_no_more_is_caught() {
    simulate(async {
        let service = service(async |_| failed("Busy"));
        let machine = machine(json!({
            "Set": {"Type": "Pass", "Assign": {"before": 1}, "Next": "Try"},
            "Try": task(json!({
                "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1, "IntervalSeconds": 1}],
                "Catch": [
                    {"ErrorEquals": ["Other"], "Next": "Wrong"},
                    {"ErrorEquals": ["Busy"], "Next": "Right", "Assign": {"error": "{% $states.errorOutput.Error %}"},
                     "Output": "{% $parse($states.errorOutput.Cause).errorMessage %}"},
                    {"ErrorEquals": ["States.ALL"], "Next": "Wrong"}
                ],
                "Assign": {"before": 2}
            })),
            "Wrong": {"Type": "Fail"},
            "Right": {"Type": "Pass", "Output": ["{% $before %}", "{% $error %}", "{% $states.input %}"], "End": true}
        }));
        let ended = run(&service, &machine, json!({})).await;
        assert_eq!(ended.cause, None);
        assert_eq!(ended.output, Some(json!([1, "Busy", "on purpose"])));
        assert_eq!(service.tasks().calls.borrow().len(), 2);
    });
}

// "Handling errors": an Output that cannot be evaluated fails the state, which is caught like any other error.
#[test]
fn an_evaluation_that_fails_is_caught() {
    simulate(async {
        let service = idle();
        let machine = machine(json!({
            "Try": task(json!({
                "Output": "{% $states.result.missing %}",
                "Catch": [{"ErrorEquals": ["States.QueryEvaluationError"], "Next": "Caught"}]
            })),
            "Caught": {"Type": "Pass", "Output": "{% $states.input.Error %}", "End": true}
        }));
        let ended = run(&service, &machine, json!({})).await;
        assert_eq!(ended.output, Some(json!("States.QueryEvaluationError")));
    });
}

// "Call a Lambda function with Step Functions": the optimized integration names the function, takes a Payload, and
// wraps the answer; a function's own ARN takes the arguments and gives the answer as they are.
#[test]
fn a_function_is_called_in_two_ways() {
    simulate(async {
        let service = service(async |call: TaskCall| Ok(TaskAnswer::Payload(json!({"got": call.payload}))));
        let machine = machine(json!({
            "Own": task(json!({"Arguments": {"a": "{% $states.input.n %}"}, "Next": "Invoke"})),
            "Invoke": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "g", "Payload": {"b": "{% $states.input.got.a %}"}},
                "Output": ["{% $states.result.Payload.got %}", "{% $states.result.StatusCode %}"], "End": true
            }
        }));
        let ended = run(&service, &machine, json!({"n": 1})).await;
        assert_eq!(ended.output, Some(json!([{"b": 1}, 200])));
        let names: Vec<_> =
            service.tasks().calls.borrow().iter().map(|call| call.function_name.clone().unwrap()).collect();
        assert_eq!(names, ["arn:aws:lambda:eu-west-1:123456789012:function:f", "g"]);
    });
}

// "Accessing execution data from the Context object".
#[test]
fn the_context_object_is_that_of_aws() {
    let ended =
        run_states(json!({"P": {"Type": "Pass", "Output": "{% $states.context %}", "End": true}}), json!({"n": 1}));
    let context = ended.output.unwrap();
    assert_eq!(context["Execution"]["Id"], "arn:aws:states:eu-west-1:123456789012:execution:test:run");
    assert_eq!(context["Execution"]["Name"], "run");
    assert_eq!(context["Execution"]["Input"], json!({"n": 1}));
    assert_eq!(context["Execution"]["StartTime"], "2023-11-14T22:13:20.000Z");
    assert_eq!(context["Execution"]["RedriveCount"], 0);
    assert_eq!(context["State"], json!({"EnteredTime": "2023-11-14T22:13:20.000Z", "Name": "P", "RetryCount": 0}));
    assert_eq!(context["StateMachine"]["Name"], "test");
    assert_eq!(context.get("Task"), None);
}

#[test]
fn what_is_not_of_the_language_is_refused_by_name() {
    let pass =
        |field: &str| try_machine(json!({"P": {"Type": "Pass", field: "$.x", "End": true}})).unwrap_err().to_string();
    assert!(pass("ResultPath").contains("'ResultPath', which belongs to JSONPath"));
    assert!(pass("Results").contains("'Results', which is not of the language"));
    let map = try_machine(json!({"M": {"Type": "Map", "Items": [], "End": true}})).unwrap_err();
    assert_eq!(map, MachineError::Kind { state: "M".to_owned(), kind: "Map".to_owned() });
    let jsonpath = json!({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": true}}});
    assert!(compile(&jsonpath).unwrap_err().to_string().contains("JSONPath"));
    for broken in [
        json!({"P": {"Type": "Pass", "Next": "Q"}}),
        json!({"P": {"Type": "Pass"}}),
        json!({"P": {"Type": "Pass", "Output": "{% 1 + %}", "End": true}}),
        json!({"P": {"Type": "Wait", "End": true}}),
        json!({"P": task(json!({"Retry": [{"ErrorEquals": ["States.ALL", "A"]}]}))}),
        json!({"P": task(json!({"Retry": [{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["A"]}]}))}),
        json!({"P": task(json!({"Catch": [{"ErrorEquals": ["A"], "Next": "Q"}]}))}),
    ] {
        assert!(try_machine(broken.clone()).is_err(), "{broken}");
    }
}

// The same seed gives the same run.
#[test]
fn a_seed_repeats_a_run() {
    let history = || {
        simulate(async {
            let service = service(async |_| failed("Busy"));
            let machine = machine(json!({"Try": task(json!({
                "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 5, "JitterStrategy": "FULL"}]
            }))}));
            let execution = service.start_execution(&machine, "run", &json!({})).unwrap();
            execution.ended().await;
            execution.history().iter().map(ToString::to_string).collect::<Vec<_>>()
        })
    };
    assert_eq!(history(), history());
    assert!(history()[2].contains("LambdaFunctionScheduled Try"), "{:?}", history());
}
