//! One sound definition, and each fault put into it: every rule finds its fault and nothing else complains.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

mod errors;
mod history;

fn retry() -> Value {
    json!([{
        "ErrorEquals": [
            "Lambda.ClientExecutionTimeoutException", "Lambda.ServiceException", "Lambda.AWSLambdaException",
            "Lambda.SdkClientException", "Lambda.TooManyRequestsException", "Throttled"
        ],
        "IntervalSeconds": 2, "BackoffRate": 2, "MaxAttempts": 6, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"
    }])
}

fn catch(to: &str) -> Value {
    json!([{"ErrorEquals": ["States.ALL"], "Assign": {"failure": "{% $states.errorOutput %}"}, "Next": to}])
}

/// Check -> Start -> Pause -> Check ... -> Await -> Stop -> Conclude, with the shape of a machine that starts something
/// and must stop it.
fn sound() -> Value {
    json!({
        "QueryLanguage": "JSONata", "StartAt": "Begin", "TimeoutSeconds": 9000,
        "States": {
            "Begin": {"Type": "Pass", "Assign": {"run": "{% $states.input.run %}", "failure": null}, "Next": "Check"},
            "Check": {
                "Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:123456789012:function:check",
                "Arguments": {"run": "{% $run %}"}, "TimeoutSeconds": 30, "Retry": retry(), "Catch": catch("Stop"),
                "Assign": {"answer": "{% $states.result.answer %}"}, "Next": "Decide"
            },
            "Decide": {
                "Type": "Choice", "Default": "Pause",
                "Choices": [
                    {"Condition": "{% $answer = 'start' %}", "Next": "Start"},
                    {"Condition": "{% $answer = 'ready' %}", "Assign": {"ready": true}, "Next": "Await"}
                ]
            },
            "Pause": {"Type": "Wait", "Seconds": "{% 5 * 2 %}", "Next": "Check"},
            "Start": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "start", "Payload": {"run": "{% $run %}"}},
                "TimeoutSeconds": 30, "Retry": retry(), "Catch": catch("Stop"), "Next": "Pause"
            },
            "Await": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
                "Arguments": {
                    "FunctionName": "await",
                    "Payload": {"token": "{% $states.context.Task.Token %}", "ready": "{% $ready %}"}
                },
                "TimeoutSeconds": 3600, "HeartbeatSeconds": 120, "Retry": retry(), "Catch": catch("Stop"), "Next": "Stop"
            },
            "Stop": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "stop", "Payload": {"failure": "{% $failure %}"}},
                "TimeoutSeconds": 30, "Retry": retry(), "Catch": catch("Conclude"), "Next": "Conclude"
            },
            "Conclude": {
                "Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "conclude", "Payload": {"failure": "{% $failure %}"}},
                "TimeoutSeconds": 30, "Retry": retry(), "Next": "Done"
            },
            "Done": {"Type": "Succeed"}
        }
    })
}

const CODES: &[&str] = &["Throttled", "NotebookFailed"];

fn allowed(_state: &str, code: &str) -> AllowedAttempts {
    if code == "Throttled" { 3..=8 } else { 0..=0 }
}

const MUST_PASS: &[MustPass] = &[MustPass { from: "Start", through: "Stop" }];

fn options() -> LintOptions<'static> {
    LintOptions {
        uncaught: &["Conclude"],
        must_pass: MUST_PASS,
        classification: Some(Classification { codes: CODES, allowed: &allowed }),
        history: Some(HistoryBounds { entries: BTreeMap::from([("Pause", 100)]), redrives: 1, retries: None }),
        ..LintOptions::default()
    }
}

/// The findings after `edit`, as (state, rule).
fn after(edit: impl FnOnce(&mut Value)) -> Vec<(String, Rule)> {
    let mut definition = sound();
    edit(&mut definition);
    let mut found: Vec<_> = lint(&definition, &options())
        .into_iter()
        .map(|finding| {
            assert!(finding.message.len() > 20, "a message says what to do: {finding}");
            (finding.state, finding.rule)
        })
        .collect();
    found.dedup();
    found
}

fn set(pointer: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |definition| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = definition.pointer_mut(parent).unwrap();
        match parent {
            Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
            _ => parent[key] = value,
        }
    }
}

fn remove(pointer: &'static str) -> impl FnOnce(&mut Value) {
    move |definition| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = definition.pointer_mut(parent).unwrap();
        assert!(parent.as_object_mut().unwrap().remove(key).is_some());
    }
}

fn one(state: &str, rule: Rule) -> Vec<(String, Rule)> {
    vec![(state.to_owned(), rule)]
}

#[test]
fn a_sound_definition_has_no_findings() {
    assert_eq!(lint(&sound(), &options()), []);
}

#[test]
fn no_definition_at_all_is_found() {
    assert_eq!(lint(&json!(1), &options()).into_iter().map(|finding| finding.rule).collect::<Vec<_>>(), [Rule::Fields]);
}

#[test]
fn targets_that_do_not_exist_are_found() {
    let start = after(set("/StartAt", json!("Nowhere")));
    assert!(start.contains(&(String::new(), Rule::Target)), "{start:?}");
    for pointer in
        ["/States/Pause/Next", "/States/Decide/Default", "/States/Decide/Choices/0/Next", "/States/Check/Catch/0/Next"]
    {
        let found = after(set(pointer, json!("Nowhere")));
        assert!(found.iter().any(|(_, rule)| *rule == Rule::Target), "{pointer}: {found:?}");
    }
}

#[test]
fn unreachable_states_are_found() {
    let found = after(set("/States/Island", json!({"Type": "Pass", "Next": "Done"})));
    assert_eq!(found, one("Island", Rule::Unreachable));
}

#[test]
fn states_without_a_way_to_an_end_are_found() {
    let found = after(|definition| {
        definition["States"]["Done"] = json!({"Type": "Pass", "Next": "Trap"});
        definition["States"]["Trap"] = json!({"Type": "Wait", "Seconds": 1, "Next": "Done"});
    });
    assert!(found.contains(&("Trap".to_owned(), Rule::NoEnd)), "{found:?}");
    assert!(found.contains(&("Trap".to_owned(), Rule::History)) || found.contains(&("Done".to_owned(), Rule::History)));
}

#[test]
fn names_used_twice_are_found() {
    let branch = json!({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}});
    let found = after(|definition| {
        definition["States"]["Begin"]["Next"] = json!("Both");
        definition["States"]["Both"] =
            json!({"Type": "Parallel", "Branches": [branch], "Catch": catch("Stop"), "Next": "Check"});
    });
    assert_eq!(found, one("Done", Rule::DuplicateName));
}

#[test]
fn fields_are_checked() {
    for edit in [
        set("/States/Check/ResultPath", json!("$.x")),
        set("/States/Check/Timeout", json!(1)),
        set("/States/Check/Retry/0/Interval", json!(1)),
        set("/States/Check/Catch/0/ResultPath", json!("$.x")),
        set("/States/Check/QueryLanguage", json!("JSONPath")),
    ] {
        assert_eq!(after(edit), one("Check", Rule::Fields));
    }
    assert_eq!(after(remove("/States/Start/Resource"))[0], ("Start".to_owned(), Rule::Fields));
    assert_eq!(after(set("/States/Begin/End", json!(true))), one("Begin", Rule::Fields));
    assert_eq!(after(set("/States/Pause/Timestamp", json!("2030-01-01T00:00:00Z"))), one("Pause", Rule::Fields));
    assert_eq!(after(set("/States/Begin/Assign/states", json!(1))), one("Begin", Rule::Fields));
    assert_eq!(after(remove("/QueryLanguage")), one("", Rule::Fields));
    assert_eq!(after(set("/TimeoutSeconds", json!(0))), one("", Rule::Fields));
    assert_eq!(after(set("/States/Done/Type", json!("Map"))).first(), Some(&("Done".to_owned(), Rule::Fields)));
}

#[test]
fn a_choice_without_default_is_found() {
    assert_eq!(after(remove("/States/Decide/Default")), one("Decide", Rule::ChoiceDefault));
}

#[test]
fn a_path_around_a_state_is_found() {
    assert_eq!(
        after(set("/States/Start/Catch/0/Next", json!("Conclude"))),
        vec![("Conclude".to_owned(), Rule::MustPass), ("Done".to_owned(), Rule::MustPass)]
    );
    let uncaught = after(remove("/States/Await/Catch"));
    assert!(
        uncaught.contains(&("Await".to_owned(), Rule::MustPass)),
        "an error that nothing catches ends the execution: {uncaught:?}"
    );
}

#[test]
fn a_rule_about_a_state_that_does_not_exist_is_found() {
    let options = LintOptions {
        must_pass: &[MustPass { from: "Strat", through: "Stop" }],
        uncaught: &["Conclude"],
        ..LintOptions::default()
    };
    let found = lint(&sound(), &options);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, Rule::MustPass);
}

#[test]
fn expressions_that_do_not_compile_are_found() {
    assert_eq!(
        after(set("/States/Decide/Choices/0/Condition", json!("{% $answer = %}"))),
        one("Decide", Rule::Expression)
    );
    assert_eq!(after(set("/States/Pause/Seconds", json!("{% $second(5) %}"))), one("Pause", Rule::Expression));
    assert_eq!(after(set("/States/Pause/Seconds", json!("{% $eval('5') %}"))), one("Pause", Rule::Expression));
}

#[test]
fn a_variable_that_hides_a_function_that_is_called_is_found() {
    let hidden = |definition: &mut Value| {
        definition["States"]["Begin"]["Assign"]["count"] = json!(1);
        definition["States"]["Pause"]["Seconds"] = json!("{% $count([1, 2]) %}");
    };
    assert_eq!(after(hidden), one("Pause", Rule::Expression));
    // Read as a variable, it must be assigned like any other, though there is a function of its name.
    let some_paths = |definition: &mut Value| {
        definition["States"]["Start"]["Assign"] = json!({"count": 1});
        definition["States"]["Pause"]["Seconds"] = json!("{% $count %}");
    };
    assert_eq!(after(some_paths), one("Pause", Rule::Unassigned));
}

#[test]
fn parts_of_states_that_are_not_there_are_found() {
    for expression in
        ["{% $states.result %}", "{% $states.errorOutput %}", "{% $states.inptu %}", "{% $ %}", "{% run %}"]
    {
        assert_eq!(
            after(set("/States/Check/Arguments/run", json!(expression))),
            one("Check", Rule::StatesPart),
            "{expression}"
        );
    }
}

#[test]
fn variables_that_some_path_leaves_out_are_found() {
    assert_eq!(after(set("/States/Pause/Seconds", json!("{% $answer2 %}"))), one("Pause", Rule::Unassigned));
    // Only the rule that leads to Await assigns it; the state's own Assign does not apply when a rule matches.
    assert_eq!(after(remove("/States/Decide/Choices/1/Assign")), one("Await", Rule::Unassigned));
    // The first error may come before "answer" was ever assigned: the catcher does not run the state's own Assign.
    assert_eq!(
        after(set("/States/Stop/Arguments/Payload/failure", json!("{% $answer %}"))),
        one("Stop", Rule::Unassigned)
    );
    // Begin assigns it, and so does each catcher; without Begin's, the path without an error lacks it.
    let found = after(remove("/States/Begin/Assign/failure"));
    assert_eq!(found, vec![("Conclude".to_owned(), Rule::Unassigned), ("Stop".to_owned(), Rule::Unassigned)]);
}

#[test]
fn a_branch_sees_the_variables_around_it_and_keeps_its_own() {
    let fan = |inner: &str, outer: &str| {
        let mut definition = sound();
        definition["States"]["Begin"]["Next"] = json!("Fan");
        definition["States"]["Fan"] = json!({
            "Type": "Parallel", "Catch": catch("Stop"), "Next": "After",
            "Branches": [{"StartAt": "In", "States": {
                "In": {"Type": "Pass", "Assign": {"inside": 1}, "Output": inner, "Next": "Out"},
                "Out": {"Type": "Pass", "Output": "{% $inside %}", "End": true}
            }}]
        });
        definition["States"]["After"] = json!({"Type": "Pass", "Output": outer, "Next": "Check"});
        lint(&definition, &options()).into_iter().map(|finding| (finding.state, finding.rule)).collect::<Vec<_>>()
    };
    assert_eq!(fan("{% $run %}", "{% $run %}"), []);
    assert_eq!(fan("{% $answer %}", "{% $run %}"), one("In", Rule::Unassigned));
    assert_eq!(fan("{% $run %}", "{% $inside %}"), one("After", Rule::Unassigned));
}
