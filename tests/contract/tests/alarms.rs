//! Alarms, their sections in docs/operations.md, and that each metric is of something that the stack has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};

use reveille_contract_tests::transform::transformed;
use reveille_contract_tests::{read, template};
use reveille_domain::limits::RUN_SECONDS;
use reveille_protocol::sweep::SweepOutput;
use serde_json::{Value, json};

fn alarms() -> BTreeMap<String, Value> {
    let template = template("infra/alarms.yaml");
    let resources = template["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm");
    alarms.map(|(name, alarm)| (name.clone(), alarm["Properties"].clone())).collect()
}

#[test]
fn each_alarm_has_its_section_and_each_section_its_alarm() {
    let page = read("docs/operations.md");
    let sections: BTreeSet<String> =
        page.split("\n## ").skip(1).map(|section| section.lines().next().unwrap().to_owned()).collect();
    assert_eq!(alarms().into_keys().collect::<BTreeSet<_>>(), sections);
    for section in page.split("\n## ").skip(1) {
        for part in ["- **Means**: ", "- **Look**: ", "- **Do**: "] {
            assert!(section.contains(part), "{part} in {section}");
        }
    }
}

#[test]
fn an_alarm_says_so_and_says_where_to_read_on() {
    let topic = json!([{"Fn::If": ["HasTopic", {"Ref": "AlarmTopicArn"},
        {"Fn::ImportValue": {"Fn::Sub": "${Stack}-NotificationsTopicArn"}}]}]);
    for (name, alarm) in alarms() {
        assert_eq!(alarm["AlarmActions"], topic, "{name}");
        assert_eq!(alarm["OKActions"], topic, "{name}");
        let description = alarm["AlarmDescription"]["Fn::Sub"].as_str().unwrap();
        assert!(description.contains(&format!("See {name} in docs/operations.md")), "{name}: {description}");
        // Silence is the alarm of one of them, says nothing of another, and is health for the rest.
        let silent = match name.as_str() {
            "SweeperSilent" => "breaching",
            "InstanceOnTooLong" => "ignore",
            _ => "notBreaching",
        };
        assert_eq!(alarm["TreatMissingData"], silent, "{name}");
    }
}

/// The dimension of each service's metrics names a thing of that service: a wrong one is an alarm that never rings.
#[test]
fn a_metric_is_of_what_the_stack_exports() {
    let main = template("infra/template.yaml");
    let of: BTreeMap<&str, (&str, &[&str])> = [
        ("AWS/States", ("StateMachineArn", &["AWS::Serverless::StateMachine"][..])),
        ("AWS/SQS", ("QueueName", &["AWS::SQS::Queue"])),
        ("AWS/Lambda", ("FunctionName", &["AWS::Serverless::Function"])),
    ]
    .into();
    for (name, alarm) in alarms() {
        let Some(namespace) = alarm["Namespace"].as_str() else {
            assert_eq!(alarm["Namespace"], json!({"Fn::Sub": "Reveille/${Stack}"}), "{name}");
            continue;
        };
        let (dimension, kinds) = of[namespace];
        let given = alarm["Dimensions"].as_array().unwrap();
        assert_eq!((given.len(), &given[0]["Name"]), (1, &json!(dimension)), "{name}");
        let export =
            given[0]["Value"]["Fn::ImportValue"]["Fn::Sub"].as_str().unwrap().replace("${Stack}", "${AWS::StackName}");
        let output =
            main["Outputs"].as_object().unwrap().values().find(|output| output["Export"]["Name"]["Fn::Sub"] == *export);
        let value = &output.unwrap_or_else(|| panic!("{name}: nothing exports {export}"))["Value"];
        let resource = value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str()).unwrap();
        let kind = main["Resources"][resource]["Type"].as_str().unwrap();
        assert!(kinds.contains(&kind), "{name}: {export} is {kind}");
        // A queue's Ref is its URL; its metrics go by its name.
        assert!(kind != "AWS::SQS::Queue" || value["Fn::GetAtt"][1] == "QueueName", "{name}");
    }
}

/// The queues that some alarm looks at, by their logical names in the main stack.
fn watched_queues(main: &Value) -> BTreeSet<String> {
    let dimensions = alarms().into_values().filter(|alarm| alarm["Namespace"] == "AWS/SQS");
    let exports = dimensions.map(|alarm| {
        let export = alarm["Dimensions"][0]["Value"]["Fn::ImportValue"]["Fn::Sub"].as_str().unwrap();
        export.replace("${Stack}", "${AWS::StackName}")
    });
    let value = |export: String| {
        let mut outputs = main["Outputs"].as_object().unwrap().values();
        let output = outputs.find(|output| output["Export"]["Name"]["Fn::Sub"] == *export).unwrap();
        output["Value"]["Fn::GetAtt"][0].as_str().unwrap().to_owned()
    };
    exports.map(value).collect()
}

/// What a rule cannot deliver is kept, and somebody is told. A rule's own metric is none to look at: on a bus of one's own it has another
/// dimension, and the `Ref` of such a rule is no name that any metric has.
#[test]
fn what_a_rule_cannot_deliver_is_kept_in_a_queue_that_an_alarm_looks_at() {
    let main = transformed("infra/template.yaml");
    let watched = watched_queues(&main);
    assert_eq!(watched.len(), 3, "events, sweeps and notifications: {watched:?}");
    let mut kept = 0;
    for (name, rule) in main["Resources"].as_object().unwrap() {
        for target in rule["Properties"]["Targets"].as_array().into_iter().flatten() {
            // SAM's: without the sweeper's calls SweeperSilent is raised, and what the function does with them is SweepsLost's.
            if name.starts_with("SweepFunction") {
                continue;
            }
            let queue = target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0].as_str();
            assert!(queue.is_some_and(|queue| watched.contains(queue)), "{name}: {target}");
            kept += 1;
        }
    }
    assert_eq!(kept, 4, "an upload, a schedule, how runs ended, and how far they are");
    let text = read("infra/alarms.yaml");
    assert!(!text.contains("AWS/Events") && !text.contains("RuleName"), "a metric that only the default bus has");
}

/// The metric filter reads what the functions write.
#[test]
fn the_code_that_the_filter_counts_is_one_that_functions_log() {
    let filter = template("infra/alarms.yaml")["Resources"]["StopNotConfirmedFilter"]["Properties"].clone();
    let code = reveille_domain::Code::StopNotConfirmed.as_str();
    assert_eq!(filter["FilterPattern"], format!("{{ $.code = \"{code}\" }}"));
    assert!(read("functions/src/log.rs").contains("self.with(\"code\", failure.code.as_str())"));
    assert_eq!(filter["MetricTransformations"][0]["MetricName"], code);
    assert_eq!(alarms()["StopNotConfirmed"]["MetricName"], code);
}

/// So does the other one: the sweeper's answer has this field, and its line of the log.
#[test]
fn the_time_that_the_filter_reads_is_one_that_the_sweeper_logs() {
    let on = SweepOutput { longest_on_seconds: Some(90_001), ..SweepOutput::default() };
    let answer = serde_json::to_value(on).unwrap();
    let field = answer.as_object().unwrap().iter().find(|(_, value)| **value == 90_001).unwrap().0.clone();
    assert!(read("functions/src/invocation.rs").contains(&format!("const LONGEST_ON_SECONDS: &str = \"{field}\";")));
    let filter = template("infra/alarms.yaml")["Resources"]["LongestOnFilter"]["Properties"].clone();
    assert_eq!(filter["FilterPattern"], format!("{{ $.{field} >= 0 }}"), "a zero ends the alarm");
    let metric = &filter["MetricTransformations"][0];
    assert_eq!((&metric["MetricValue"], &metric["Unit"]), (&json!(format!("$.{field}")), &json!("Seconds")));
    let alarm = &alarms()["InstanceOnTooLong"];
    assert_eq!((&alarm["MetricName"], &alarm["Statistic"]), (&metric["MetricName"], &json!("Maximum")));
    assert!(metric["DefaultValue"].is_null(), "a line of another function is no sign that nothing is on");
}

/// The default lets the longest run that can be asked for through, with its start and its end.
#[test]
fn no_run_within_its_limit_raises_the_alarm_of_an_instance_that_is_on() {
    let default = template("infra/alarms.yaml")["Parameters"]["LongestOnSeconds"]["Default"].as_u64().unwrap();
    assert!(default > u64::from(RUN_SECONDS.max), "{default} s");
}

#[test]
fn the_dashboard_shows_every_metric_that_an_alarm_looks_at() {
    let body =
        template("infra/alarms.yaml")["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].clone();
    let text = body[0].as_str().unwrap();
    let dashboard: Value = serde_json::from_str(text).unwrap();
    assert_eq!(dashboard["widgets"].as_array().unwrap().len(), 5);
    for (name, alarm) in alarms() {
        let metric = alarm["MetricName"].as_str().unwrap();
        assert!(text.contains(&format!("\"{metric}\"")), "{name}: {metric}");
    }
    for name in text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap()) {
        assert!(name.starts_with("AWS::") || name == "Stack" || body[1][name].is_object(), "{name} has a value");
    }
}

/// Whatever `SweepSchedule` says, if `SilentSeconds` fits it: a period without a sweep between two that failed would end a row of them.
#[test]
fn a_sweeper_that_always_fails_is_told_however_rarely_it_runs() {
    let alarms = alarms();
    let function = |alarm: &&Value| alarm["Namespace"] == "AWS/Lambda";
    let of_the_sweeper: Vec<&Value> = alarms.values().filter(function).collect();
    assert_eq!(of_the_sweeper.len(), 2, "its errors and its silence");
    for alarm in of_the_sweeper {
        assert_eq!((&alarm["Period"], &alarm["EvaluationPeriods"]), (&json!({"Ref": "SilentSeconds"}), &json!(1)));
    }
    let main = template("infra/template.yaml");
    let invoked = &main["Resources"]["SweepFunction"]["Properties"]["EventInvokeConfig"];
    assert!(invoked["MaximumRetryAttempts"].is_null(), "Lambda's own: two more tries of a call that fails");
    assert_eq!(alarms["SweeperErrors"]["Threshold"], 3, "so that one sweep within the period is enough");
    let silent = template("infra/alarms.yaml")["Parameters"]["SilentSeconds"].clone();
    assert_eq!(main["Parameters"]["SweepSchedule"]["Default"], "rate(5 minutes)");
    for seconds in silent["AllowedValues"].as_array().unwrap() {
        assert!(seconds.as_u64().unwrap() >= 3 * 300, "{seconds}: a late sweep is no alarm");
    }
}

/// Lambda gives up an asynchronous call after its tries: what is left of it is kept.
#[test]
fn a_sweep_that_failed_for_good_is_kept() {
    let sweep = template("infra/template.yaml")["Resources"]["SweepFunction"]["Properties"].clone();
    let on_failure = &sweep["EventInvokeConfig"]["DestinationConfig"]["OnFailure"];
    assert_eq!(*on_failure, json!({"Type": "SQS", "Destination": {"Fn::GetAtt": ["SweepFailures", "Arn"]}}));
}
