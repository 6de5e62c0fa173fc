//! Lists that go on behind the pages that most accounts have: nothing is left out of them in silence.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use stub::{MACHINE, STACK, Stub, StubCall, without_records};

const ARN: &str = "arn:aws:states:us-east-1:1:execution:m:daily";

fn answered(stub: &Stub, arguments: &[&str]) -> (Value, String) {
    let output = stub.reveille(&[arguments, &["--output", "json"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    (serde_json::from_slice(&output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

/// What most calls are answered.
fn usual(call: &StubCall<'_>) -> (u16, String) {
    let answer = match call.action {
        "DescribeNotebookInstance" => json!({"NotebookInstanceName": "nightly", "NotebookInstanceStatus": "InService"}),
        "ListTagsForResource" => json!({"Tags": []}),
        "ListExecutions" => json!({"executions": []}),
        _ if call.first.starts_with("GET ") => return without_records(call.first),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

/// A page of `named` things, behind it the last one.
fn pages(call: &StubCall<'_>, field: &str, count: usize, named: impl Fn(String) -> Value) -> (u16, String) {
    if call.body.contains("more") || call.first.contains("more") {
        return (200, json!({field: [named("the-last".to_owned())]}).to_string());
    }
    let page: Vec<Value> = (0..count).map(|number| named(format!("n{number:04}"))).collect();
    (200, json!({field: page, "NextToken": "more"}).to_string())
}

#[test]
fn all_instances_are_listed() {
    let instance = |name: String| json!({"NotebookInstanceName": name, "NotebookInstanceArn": name, "NotebookInstanceStatus": "Stopped"});
    let stub = Stub::start(move |call| {
        Some(match call.action {
            "ListNotebookInstances" => pages(call, "NotebookInstances", 1_000, instance),
            _ => usual(call),
        })
    });
    let (listed, _) = answered(&stub, &["instances"]);
    assert_eq!(listed.as_array().unwrap().len(), 1_001);
}

/// Of an account with many schedules: the stack's own may be the last.
#[test]
fn all_schedules_are_looked_at() {
    let stub = Stub::start(|call| {
        Some(match () {
            () if call.first.starts_with("GET /schedules/the-last") => {
                let target = json!({"Arn": "arn:aws:states:us-east-1:1:stateMachine:m", "RoleArn": "r", "Input": "{}"});
                (200, json!({"Name": "the-last", "ScheduleExpression": "rate(1 day)", "Target": target}).to_string())
            }
            () if call.first.starts_with("GET /schedules") => pages(call, "Schedules", 5_000, |name| {
                let ours = if name == "the-last" { MACHINE } else { "another" };
                json!({"Name": name, "Target": {"Arn": ours}})
            }),
            () => usual(call),
        })
    });
    let (listed, _) = answered(&stub, &["schedule", "list"]);
    assert_eq!(listed[0]["name"], "the-last");
}

/// `undelivered` and `logs` have such limits, too; this one costs a call for each rule.
#[test]
fn all_rules_are_listed() {
    let stub = Stub::start(|call| {
        Some(match call.action {
            "ListRuleNamesByTarget" => pages(call, "RuleNames", 2_000, Value::from),
            "DescribeRule" if call.body.contains("the-last") => {
                let pattern = json!({"source": ["aws.s3"], "detail": {"bucket": {"name": ["in"]}}}).to_string();
                (
                    200,
                    json!({"Name": "the-last", "Arn": "arn:last", "State": "ENABLED", "EventPattern": pattern})
                        .to_string(),
                )
            }
            // Somebody removed it meanwhile.
            "DescribeRule" => stub::fault("ResourceNotFoundException"),
            "ListTargetsByRule" => (
                200,
                json!({"Targets": [{"Id": "NotebookRun", "Arn": "arn:aws:states:us-east-1:1:stateMachine:m"}]})
                    .to_string(),
            ),
            _ => usual(call),
        })
    });
    let (listed, _) = answered(&stub, &["on-upload", "list"]);
    assert_eq!(listed[0]["name"], "the-last");
}

/// Each costs two calls, so that there is a limit: whoever reads the queue is told of it.
#[test]
fn a_queue_says_how_far_it_looked() {
    for (count, bound) in [(200, false), (201, true)] {
        let stub = Stub::start(move |call| {
            let execution = |number: usize, status: &str| {
                json!({"executionArn": format!("{ARN}{number}"), "name": format!("daily{number}"), "stateMachineArn": "m",
                    "status": status, "startDate": 1, "input": "{}"})
            };
            Some(match call.action {
                "ListExecutions" => {
                    let all: Vec<Value> = (0..count).map(|number| execution(number, "RUNNING")).collect();
                    (200, json!({"executions": all}).to_string())
                }
                // Each has ended meanwhile.
                "DescribeExecution" => (200, execution(1, "SUCCEEDED").to_string()),
                _ => usual(call),
            })
        });
        let (queue, told) = answered(&stub, &["queue", "nightly"]);
        assert_eq!(queue["isComplete"], !bound, "{queue}");
        assert_eq!(told.contains("the newest 200 executions under way were looked at"), bound, "{told}");
    }
}

/// A full page of executions, of so many pages: each execution by the end of its name.
fn listed(call: &StubCall<'_>, pages: usize, one: impl Fn(&str) -> Value) -> (u16, String) {
    let body: Value = serde_json::from_str(call.body).unwrap();
    let page: usize = body["nextToken"].as_str().map_or(1, |token| token.parse().unwrap());
    let all: Vec<Value> = (0..1_000).map(|number| one(&format!("{page}-{number}"))).collect();
    let next = (page < pages).then(|| (page + 1).to_string());
    (200, json!({"executions": all, "nextToken": next}).to_string())
}

/// Where ten thousand executions were looked at, nobody knows that there is no such run.
#[test]
fn a_run_that_is_not_found_says_how_far_the_look_went() {
    for (pages, bound) in [(1, false), (11, true)] {
        let stub = Stub::start(move |call| {
            Some(match call.action {
                "ListExecutions" => listed(call, pages, |name| {
                    json!({"executionArn": format!("{ARN}{name}"), "name": format!("daily{name}"), "stateMachineArn": "m",
                        "status": "SUCCEEDED", "startDate": 1})
                }),
                _ => usual(call),
            })
        });
        let output = stub.reveille(&["show", "weekly"]);
        assert_eq!(output.status.code(), Some(5), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(told.contains("among the newest 10000 executions"), bound, "{told}");
    }
}

/// Behind ten thousand newer executions, and where Step Functions has forgotten some, nobody knows for whom an old run waited.
#[test]
fn an_explanation_says_how_far_it_looked_for_those_before_it() {
    for (pages, days, bound) in [(1, 1, None), (11, 1, Some(10_000)), (1, 91, Some(1_000))] {
        let began = Utc::now() - TimeDelta::days(days);
        let stub = Stub::start(move |call| {
            Some(match call.action {
                // Each began after the wait.
                "ListExecutions" => listed(call, pages, |name| {
                    let started = began.timestamp() + 1_000;
                    json!({"executionArn": format!("{ARN}{name}"), "name": format!("newer{name}"), "stateMachineArn": "m",
                        "status": "SUCCEEDED", "startDate": started, "stopDate": started + 1})
                }),
                "DescribeExecution" => (200, waited(began).to_string()),
                "GetExecutionHistory" => (200, json!({"events": []}).to_string()),
                _ => usual(call),
            })
        });
        let (told, _) = answered(&stub, &["explain", &format!("{ARN}-1")]);
        assert_eq!(told["isComplete"], bound.is_none(), "{told:#}");
        let fact = |count: usize| {
            format!("looked at only {count} executions for the runs that it waited for; there may be others")
        };
        assert_eq!(told["facts"].to_string().contains(&fact(bound.unwrap_or(1_000))), bound.is_some(), "{told:#}");
    }
}

/// A run that began then, and stood in the queue for a minute.
fn waited(began: DateTime<Utc>) -> Value {
    let at = |seconds| (began + TimeDelta::seconds(seconds)).to_rfc3339_opts(SecondsFormat::Millis, true);
    let queued = json!({"startedAt": at(10), "endedAt": at(70), "seconds": 60});
    let outcome = json!({"run": "daily-1-0123456789", "attempt": 1, "status": "SUCCEEDED", "instance": "nightly",
        "notebook": "daily.ipynb", "phases": {"queued": queued}, "instanceAfter": "atRest", "outputs": {},
        "executionArn": format!("{ARN}-1"), "redriveCount": 0, "admittedAt": at(5), "concludedAt": at(90)});
    json!({"executionArn": format!("{ARN}-1"), "name": "daily-1", "stateMachineArn": "m", "status": "SUCCEEDED",
        "startDate": began.timestamp(), "stopDate": began.timestamp() + 90, "input": "{}", "output": outcome.to_string()})
}
