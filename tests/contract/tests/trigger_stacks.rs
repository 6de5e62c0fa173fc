//! The small stacks of triggers: what each makes of an event goes through admission's own code, and what each takes from the
//! main stack is there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::BTreeSet;

use chrono::{TimeDelta, Utc};
use reveille_contract_tests::intrinsics::ParametrisedStack;
use reveille_contract_tests::{fires, read, template, templates};
use reveille_domain::InputText;
use reveille_domain::input;
use reveille_domain::limits::DEDUPE_WINDOW;
use reveille_domain::records::{Execution, TriggerRecord};
use reveille_protocol::admit_run::decide;
use serde_json::{Value, json};

const UPLOAD: &str = "infra/trigger-upload.yaml";
const SCHEDULE: &str = "infra/trigger-schedule.yaml";
const RUN: &str = "infra/trigger-run.yaml";

const SCHEDULE_ARN: &str = "arn:aws:scheduler:eu-west-1:111122223333:schedule/default/nightly-Schedule-1";

fn triggers() -> Vec<String> {
    templates().into_iter().filter(|name| name.starts_with("infra/trigger-")).collect()
}

/// The one resource of a trigger that starts runs, and its target.
fn target(template: &Value) -> (Value, Value) {
    let resources = template["Resources"].as_object().unwrap();
    let starts = resources
        .values()
        .filter(|resource| resource["Type"] == "AWS::Events::Rule" || resource["Type"] == "AWS::Scheduler::Schedule");
    let [resource] = starts.collect::<Vec<_>>()[..] else { panic!("one rule or schedule") };
    let properties = &resource["Properties"];
    let targets = properties["Targets"].as_array();
    let target = targets.map_or_else(|| properties["Target"].clone(), |targets| targets[0].clone());
    assert!(targets.is_none_or(|targets| targets.len() == 1));
    (properties.clone(), target)
}

/// An event, and another delivery of it; and the event after it.
fn deliveries(path: &str) -> [String; 3] {
    let event = |id: &str, time: &str, detail: Value, source: &str| {
        json!({"version": "0", "id": id, "source": source, "account": "111122223333", "time": time, "region": "eu-west-1",
            "resources": [], "detail-type": "x", "detail": detail})
        .to_string()
    };
    let object =
        |sequencer: &str| json!({"bucket": {"name": "in"}, "object": {"key": "a \"b\".csv", "sequencer": sequencer}});
    let ended = |run: &str| {
        json!({"run": run, "attempt": 1, "status": "SUCCEEDED", "instance": "nightly", "notebook": "a.ipynb",
            "message": null, "evidence": null})
    };
    let (noon, later) = ("2026-11-23T12:00:00Z", "2026-11-23T12:00:40Z");
    match path {
        UPLOAD => [("1", noon, "1"), ("2", noon, "1"), ("3", later, "2")]
            .map(|(id, time, sequencer)| event(id, time, object(sequencer), "aws.s3")),
        // Published again, so later.
        RUN => [("1", noon, "a-0b1f6f3c55"), ("2", later, "a-0b1f6f3c55"), ("3", later, "b-0b1f6f3c55")]
            .map(|(id, time, run)| event(id, time, ended(run), "reveille")),
        _ => panic!("{path} has no event"),
    }
}

/// The inputs of an execution, of another one by the same cause, and of one by the next.
fn inputs(path: &str) -> [String; 3] {
    let template = template(path);
    let given = [("Instance", "nightly"), ("Notebook", "reports/daily.ipynb")];
    let (stack, (_, target)) = (ParametrisedStack::new(&template, &given), target(&template));
    if path == SCHEDULE {
        let firings = [
            ("x-1", "1", "2026-11-23T12:00:00Z"),
            ("x-2", "2", "2026-11-23T12:00:00Z"),
            ("x-3", "1", "2026-11-24T12:00:00Z"),
        ];
        let text = stack.input(&target, "");
        return firings.map(|(execution, attempt, time)| {
            text.replace("<aws.scheduler.schedule-arn>", SCHEDULE_ARN)
                .replace("<aws.scheduler.scheduled-time>", time)
                .replace("<aws.scheduler.execution-id>", execution)
                .replace("<aws.scheduler.attempt-number>", attempt)
        });
    }
    deliveries(path).map(|event| stack.input(&target, &event))
}

fn execution(name: &str, start: &str) -> Execution {
    Execution { arn: format!("arn:{name}"), name: name.into(), start_time: start.parse().unwrap(), redrive_count: 0 }
}

#[test]
fn what_a_trigger_makes_is_admitted_and_its_second_delivery_is_a_duplicate() {
    let paths = triggers();
    assert_eq!(paths, [RUN, SCHEDULE, UPLOAD], "each trigger is tried here");
    for path in paths {
        let [first, second, next] = inputs(&path).map(|text| {
            assert!(!text.contains("<aws") && !text.contains("${"), "{path}: {text}");
            let text = InputText::new(text);
            let input = input::read(&text).unwrap_or_else(|failure| panic!("{path}: {}", failure.message));
            let me = execution("one", "2026-11-24T12:01:00Z");
            let request =
                decide::request(input, &me, Utc::now()).unwrap_or_else(|failure| panic!("{path}: {}", failure.message));
            assert!(!request.parameters.is_empty(), "the placeholders of the default parameters have values");
            let outline = input::outline(&text);
            let time = decide::event(&outline).unwrap().time().expect("an event's time");
            (decide::trigger_key(&outline).expect("it can be recognised"), time)
        });
        assert_eq!(first.0, second.0, "{path}: two deliveries are one trigger");
        assert_ne!(first.0, next.0, "{path}: the next event is another one");
        let holder = execution("one", "2026-11-23T12:01:00Z");
        let held =
            TriggerRecord { execution_arn: holder.arn.clone(), start_time: holder.start_time, run: holder.run() };
        let started = holder.start_time;
        for (after, expected) in
            [(TimeDelta::seconds(30), true), (DEDUPE_WINDOW, true), (DEDUPE_WINDOW + TimeDelta::seconds(1), false)]
        {
            let mut me = execution("two", "2026-11-23T12:01:00Z");
            me.start_time += after;
            let duplicate = decide::is_duplicate(&held, &me, Some(second.1), me.start_time);
            assert_eq!(duplicate, expected, "{path}: {after} after the first start, which was at {started}");
        }
    }
}

/// Scheduler's execution id is another one at each attempt: an identity with it in would recognise nothing.
#[test]
fn no_trigger_identifies_an_event_by_what_differs_between_deliveries() {
    let text = read(SCHEDULE);
    let [first, second, _] = inputs(SCHEDULE);
    assert_eq!(first, second, "{text}");
}

/// docs/triggers.md: "`{{ time }}` and `{{ date }}` are the scheduled time, in the time zone `TimeZone`"
#[test]
fn the_day_of_a_schedules_run_is_the_one_in_its_zone() {
    let template = template(SCHEDULE);
    let given = [("Instance", "nightly"), ("Notebook", "a.ipynb"), ("TimeZone", "Asia/Tokyo")];
    let stack = ParametrisedStack::new(&template, &given);
    let (schedule, target) = target(&template);
    assert_eq!(schedule["ScheduleExpressionTimezone"], json!({"Ref": "TimeZone"}));
    let text = stack.input(&target, "").replace("<aws.scheduler.scheduled-time>", "2026-11-23T21:30:00Z");
    let input = input::read(&InputText::new(text.replace("<aws.scheduler.schedule-arn>", SCHEDULE_ARN))).unwrap();
    let request = decide::request(input, &execution("one", "2026-11-23T21:30:30Z"), Utc::now()).unwrap();
    assert_eq!(request.parameters["day"], "2026-11-24");
}

#[test]
fn a_trigger_gives_up_within_the_window_and_leaves_the_event_in_the_queue() {
    for path in triggers() {
        let (properties, target) = target(&template(&path));
        assert_eq!(target["RetryPolicy"]["MaximumEventAgeInSeconds"], DEDUPE_WINDOW.num_seconds(), "{path}");
        assert_eq!(target["RetryPolicy"]["MaximumRetryAttempts"], 185, "{path}");
        let imported = |place: &Value| place["Fn::ImportValue"]["Fn::Sub"].as_str().unwrap_or_default().to_owned();
        assert_eq!(imported(&target["DeadLetterConfig"]["Arn"]), "${Stack}-UndeliveredEventsArn", "{path}");
        assert_eq!(imported(&target["Arn"]), "${Stack}-StateMachineArn", "{path}");
        let role = if path == SCHEDULE { "${Stack}-SchedulerRoleArn" } else { "${Stack}-EventsRoleArn" };
        assert_eq!(imported(&target["RoleArn"]), role, "{path}");
        assert_eq!(properties["State"], json!({"Ref": "State"}), "{path} can be paused");
    }
}

/// Every import of a template.
fn imports(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => match fields.get("Fn::ImportValue") {
            Some(name) => [name["Fn::Sub"].as_str().expect("a name").to_owned()].into(),
            None => fields.values().flat_map(imports).collect(),
        },
        Value::Array(items) => items.iter().flat_map(imports).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => BTreeSet::new(),
    }
}

#[test]
fn what_the_small_stacks_import_the_main_stack_exports() {
    let main = template("infra/template.yaml");
    let exports: BTreeSet<String> = main["Outputs"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(|output| output["Export"]["Name"]["Fn::Sub"].as_str())
        .map(|name| name.replace("AWS::StackName", "Stack"))
        .collect();
    let mut all = 0;
    for name in templates() {
        let imported = imports(&template(&name));
        all += imported.len();
        assert!(imported.is_subset(&exports), "{name}: {imported:?} of {exports:?}");
    }
    assert!(all >= 10, "{all} imports");
}

/// One meaning for one name: the quick start in the main stack and the small stack.
#[test]
fn the_small_stacks_take_what_the_main_stacks_trigger_takes() {
    let main = template("infra/template.yaml");
    let mut compared = 0;
    for (path, prefix) in [(UPLOAD, "Trigger"), (SCHEDULE, "Schedule"), (RUN, "Schedule")] {
        let small = template(path);
        for (name, ours) in small["Parameters"].as_object().unwrap() {
            let theirs = &main["Parameters"][format!("{prefix}{name}")];
            for bound in ["Type", "AllowedValues", "MaxLength"] {
                assert!(theirs.is_null() || ours[bound] == theirs[bound], "{path}: {name}: {bound}");
            }
            if let Some(theirs) = theirs["AllowedPattern"].as_str() {
                compared += 1;
                // What may be left empty there is required here.
                assert_eq!(
                    ours["AllowedPattern"],
                    theirs.strip_prefix("^$|").filter(|_| ours["Default"].is_null()).unwrap_or(theirs),
                    "{path}: {name}"
                );
            }
        }
    }
    assert!(compared >= 12, "{compared}");
    let rule = &main["Resources"]["ObjectCreatedRule"]["Properties"];
    let (ours, target) = target(&template(UPLOAD));
    let renamed = |value: &Value| value.to_string().replace("Trigger", "");
    assert_eq!(renamed(&rule["EventPattern"]), ours["EventPattern"].to_string(), "trigger_rule.rs tries this pattern");
    assert_eq!(renamed(&rule["Targets"][0]["InputTransformer"]), target["InputTransformer"].to_string());
}

/// By a matcher that we did not write.
#[test]
fn a_run_follows_the_success_of_the_run_that_is_named_and_no_other() {
    let (properties, _) = target(&template(RUN));
    assert_eq!(properties["EventBusName"], json!({"Fn::ImportValue": {"Fn::Sub": "${Stack}-EventBusName"}}));
    let pattern = properties["EventPattern"].to_string();
    let pattern = pattern
        .replace(r#"{"Ref":"AfterInstance"}"#, r#""nightly""#)
        .replace(r#"{"Ref":"AfterNotebook"}"#, r#""a.ipynb""#);
    let event = |status: &str, instance: &str, notebook: &str| {
        json!({"version": "0", "id": "1", "source": "reveille", "detail-type": "Notebook Run Status Change", "account": "1",
            "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
            "detail": {"run": "a", "attempt": 1, "status": status, "instance": instance, "notebook": notebook}})
    };
    let mut foreign = event("SUCCEEDED", "nightly", "a.ipynb");
    foreign["source"] = json!("somebody");
    let tried = [
        (event("SUCCEEDED", "nightly", "a.ipynb"), true),
        (event("FAILED", "nightly", "a.ipynb"), false),
        (event("SKIPPED", "nightly", "a.ipynb"), false),
        (event("SUCCEEDED", "nightly", "b.ipynb"), false),
        (event("SUCCEEDED", "other", "a.ipynb"), false),
        (foreign, false),
    ];
    let answers = fires(&tried.each_ref().map(|(event, _)| (pattern.clone(), event.clone())));
    assert_eq!(answers, tried.iter().map(|(_, expected)| *expected).collect::<Vec<_>>());
}

/// A run after itself would never end.
#[test]
fn a_run_does_not_follow_itself() {
    let assertion = &template(RUN)["Rules"]["NotAfterItself"]["Assertions"][0]["Assert"]["Fn::Not"][0]["Fn::And"];
    let same = |one: &str, other: &str| json!({"Fn::Equals": [{"Ref": one}, {"Ref": other}]});
    assert_eq!(*assertion, json!([same("AfterInstance", "Instance"), same("AfterNotebook", "Notebook")]));
}
