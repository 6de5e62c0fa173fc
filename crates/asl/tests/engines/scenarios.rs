//! What happens to the real definition: its answers are made up, its states are not.

use std::collections::BTreeMap;
use std::path::Path;

use reveille_asl::definition::load;
use serde_json::{Value, json};

/// The run's own failure, which comes by its token.
pub const FAILED_BY_ITS_TOKEN: &str = "a run's own failure";

const STEPS: [&str; 6] = ["AdmitRun", "CheckInstance", "StartInstance", "AwaitRun", "VerifyStopped", "ConcludeRun"];

/// The definition, with polls and a heartbeat of seconds. The heartbeat is far from what the worker takes below, in real time on a
/// busy machine.
pub fn definition() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../statemachines/notebook_run.asl.json");
    let mut values = BTreeMap::from([
        ("Partition".to_owned(), "aws".to_owned()),
        ("StartPollSeconds".to_owned(), "1".to_owned()),
        ("StopPollSeconds".to_owned(), "1".to_owned()),
        ("HeartbeatSeconds".to_owned(), "10".to_owned()),
    ]);
    for step in STEPS {
        values.insert(format!("{step}FunctionArn"), format!("arn:aws:lambda:us-east-1:123456789012:function:{step}"));
    }
    load(&std::fs::read_to_string(path).unwrap(), &values).unwrap()
}

/// The answers of a run in which all goes well.
fn well() -> BTreeMap<&'static str, Value> {
    let payload = |payload: Value| json!({"payload": payload});
    let checked = |decision: &str| payload(json!({"decision": decision, "waiting": {"patience": 1}}));
    let verified = |decision: &str| payload(json!({"decision": decision, "stopping": {"patience": 1}}));
    BTreeMap::from([
        ("AdmitRun", json!([payload(json!({"decision": "admitted", "run": {"instance": "research", "id": "r"}}))])),
        ("CheckInstance", json!([checked("start"), checked("wait"), checked("ready")])),
        ("StartInstance", json!([checked("started")])),
        ("AwaitRun", json!([{"payload": {}, "then": [{"success": {"status": "succeeded"}}]}])),
        ("VerifyStopped", json!([verified("wait"), verified("done")])),
        ("ConcludeRun", json!([payload(json!({"decision": "concluded", "outcome": {"status": "succeeded"}}))])),
    ])
}

/// Every scenario, by its name.
pub fn all() -> Vec<(&'static str, Value)> {
    let failure = |name: &str| json!({"error": name, "message": "a \"quoted\" text\nof two lines"});
    let concluded = |name: &str| ("ConcludeRun", json!([failure(name)]));
    let admitted = |decision: &str| json!([{"payload": {"decision": decision, "heldBy": "arn"}}]);
    let fails = |state: &'static str, name: &str| vec![(state, json!([failure(name)])), concluded(name)];
    let then = |deeds: Value| json!({"payload": {}, "then": deeds});
    let passed = json!([{"success": {"status": "succeeded"}}]);
    let before = |first: Value, state: &'static str| {
        let answers = well()[state].as_array().unwrap().clone();
        vec![(state, [vec![first], answers].concat().into())]
    };
    let again = json!({"payload": {"decision": "runAgain", "attempt": 2}});
    let verify = json!({"payload": {"decision": "verifyAgain", "verifiedRedrive": 1}});
    let cases: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("a success", vec![]),
        ("a duplicate", vec![("AdmitRun", admitted("duplicate"))]),
        ("another key", vec![("AdmitRun", admitted("otherKey"))]),
        ("a folder", vec![("AdmitRun", admitted("folder"))]),
        ("a run that is skipped", vec![("CheckInstance", json!([{"payload": {"decision": "skip", "waiting": null}}]))]),
        (
            "a run that was reported",
            vec![("CheckInstance", json!([{"payload": {"decision": "reported", "waiting": null}}]))],
        ),
        (
            FAILED_BY_ITS_TOKEN,
            vec![
                (
                    "AwaitRun",
                    json!([then(json!([{"failure": "NotebookFailed", "cause": "{\"errorMessage\":\"cell 3\"}"}]))]),
                ),
                concluded("NotebookFailed"),
            ],
        ),
        (
            "beats keep it alive",
            vec![(
                "AwaitRun",
                json!([then(
                    json!([{"wait": 6, "beat": true}, {"wait": 6, "beat": true}, {"wait": 6, "success": {"n": 1}}])
                )]),
            )],
        ),
        ("a missed heartbeat", vec![("AwaitRun", json!([{"payload": {}}, then(passed.clone())]))]),
        (
            "a heartbeat that is missed after beats",
            vec![("AwaitRun", json!([then(json!([{"wait": 6, "beat": true}])), then(passed)]))],
        ),
        ("AdmitRun is caught", fails("AdmitRun", "InvalidRequest")),
        ("CheckInstance is caught", fails("CheckInstance", "InstanceNotFound")),
        ("StartInstance is caught", fails("StartInstance", "QuotaExceeded")),
        ("AwaitRun is caught", fails("AwaitRun", "RunnerLost")),
        ("VerifyStopped is caught", vec![("VerifyStopped", json!([failure("StopNotConfirmed")]))]),
        (
            "both errors are kept",
            vec![
                ("CheckInstance", json!([failure("Busy")])),
                ("VerifyStopped", json!([failure("AccessDenied")])),
                concluded("Busy"),
            ],
        ),
        ("AdmitRun is throttled", before(failure("Throttled"), "AdmitRun")),
        ("CheckInstance dies", before(failure("Runtime.ExitError"), "CheckInstance")),
        ("StartInstance is not reached", before(failure("Lambda.ServiceException"), "StartInstance")),
        ("VerifyStopped is unavailable", before(failure("ServiceUnavailable"), "VerifyStopped")),
        ("ConcludeRun does not record", before(failure("OutcomeNotRecorded"), "ConcludeRun")),
        ("a repetition", before(again, "ConcludeRun")),
        ("the stop is verified again", before(verify, "ConcludeRun")),
    ];
    let scenario = |(name, changed): (&'static str, Vec<(&'static str, Value)>)| {
        let mut answers = well();
        answers.extend(changed);
        let input =
            json!({"instance": "research", "notebook": "a/b.ipynb", "parameters": {"alpha": 0.5, "text": "ü \"x\""}});
        (name, json!({"definition": definition(), "input": input, "answers": answers}))
    };
    cases.into_iter().map(scenario).collect()
}

/// What every state that has a Catch does with it is among the scenarios.
#[test]
fn each_catch_has_its_scenario() {
    let definition = definition();
    let states = definition["States"].as_object().unwrap();
    let traces: Vec<Value> = all().iter().map(|(_, scenario)| crate::here::run(scenario)["trace"].clone()).collect();
    let mut untried: Vec<String> = Vec::new();
    for (name, state) in states {
        for catcher in state["Catch"].as_array().into_iter().flatten() {
            let to = catcher["Next"].as_str().unwrap();
            let is_taken = |pair: &[Value]| pair[0] == **name && pair[1] == to;
            let has_scenario = traces.iter().any(|trace| trace.as_array().unwrap().windows(2).any(is_taken));
            if !has_scenario {
                untried.push(format!("{name} -> {to}"));
            }
        }
    }
    assert_eq!(untried, Vec::<String>::new());
}
