//! `reveille schedule`, `on-upload` and `on-run` where others made the rules, where an earlier `add` was ended, and where AWS would refuse.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::process::Output;

use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall, fault};

const MACHINE: &str = "arn:aws:states:eu-west-1:999988887777:stateMachine:reveille";
const WITH_EVENTS: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
const UPLOAD: [&str; 7] = ["on-upload", "add", "a.ipynb", "--on", "a", "--bucket", "in-1"];
const RUN: [&str; 7] = ["on-run", "add", "a.ipynb", "--on", "a", "--after", "b.ipynb"];
const SCHEDULE: [&str; 7] = ["schedule", "add", "a.ipynb", "--on", "a", "--rate", "1 day"];

type Answer = (u16, String);

/// The rules of an account, each with its pattern, its targets and its state.
#[derive(Clone)]
struct Rules(Vec<(&'static str, Value, Value, &'static str)>);

impl Rules {
    fn of(name: &'static str, pattern: Value, parameters: &Value) -> Self {
        let input = json!({"instance": "a", "notebook": "a.ipynb", "parameters": parameters}).to_string();
        let template = format!("{},\"event\":<aws.events.event.json>}}", &input[..input.len() - 1]);
        let target = json!({"Id": "NotebookRun", "Arn": MACHINE, "InputTransformer": {"InputTemplate": template}});
        Self(vec![(name, pattern, json!([target]), "ENABLED")])
    }

    fn answer(&self, call: &StubCall<'_>) -> Answer {
        let body: Value = serde_json::from_str(call.body).unwrap_or_default();
        let asked = |field: &str| self.0.iter().find(|(name, ..)| body[field] == *name);
        let is_on = call.before.iter().any(|before| before.starts_with("EnableRule"));
        let answer = match call.action {
            "ListRuleNamesByTarget" => json!({"RuleNames": self.0.iter().map(|(name, ..)| name).collect::<Vec<_>>()}),
            "DescribeRule" => match asked("Name") {
                None => return fault("ResourceNotFoundException"),
                Some((name, pattern, _, state)) => {
                    let state = if is_on { "ENABLED" } else { state };
                    json!({"Name": name, "Arn": format!("arn:{name}"), "State": state, "EventPattern": pattern.to_string()})
                }
            },
            "ListTargetsByRule" => json!({"Targets": asked("Rule").unwrap().2}),
            "ListTagsForResource" => json!({"Tags": [{"Key": "reveille:stack", "Value": "reveille"}]}),
            "PutTargets" => json!({"FailedEntryCount": 0, "FailedEntries": []}),
            "PutRule" | "EnableRule" => json!({"RuleArn": "arn:r"}),
            "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "Stopped"}),
            _ if call.first.contains("notification") => return (200, WITH_EVENTS.to_owned()),
            _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
            _ => {
                return (200, STACK.replace(stub::MACHINE, MACHINE));
            }
        };
        (200, answer.to_string())
    }

    fn stub(self) -> Stub {
        Stub::start(move |call| Some(self.answer(call)))
    }
}

fn said(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

fn shown(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The body of the one call that begins so.
fn sent(stub: &Stub, call: &str) -> Value {
    let asked = stub.asked(call);
    assert_eq!(asked.len(), 1, "{asked:?}");
    serde_json::from_str(&asked[0][asked[0].find('{').unwrap()..]).unwrap()
}

/// Several buckets, several filters, and the account: only EventBridge's matcher understands that, and it is asked with the real event.
#[test]
fn a_rule_of_others_is_judged_by_eventbridge() {
    let pattern = json!({"source": ["aws.s3"], "account": ["999988887777"], "region": ["eu-west-1"], "detail": {
        "bucket": {"name": ["in-1", "in-2"]}, "object": {"key": [{"prefix": "a/"}, {"prefix": "b/"}]}}});
    let rules = Rules::of("theirs", pattern, &json!({"source": "s3://{{ bucket }}/{{ key }}"}));
    let stub = Stub::start(move |call| {
        if call.action != "TestEventPattern" {
            return Some(rules.answer(call));
        }
        let body: Value = serde_json::from_str(call.body).unwrap();
        let event: Value = serde_json::from_str(body["Event"].as_str().unwrap()).unwrap();
        let (bucket, key) = (&event["detail"]["bucket"]["name"], event["detail"]["object"]["key"].as_str().unwrap());
        let is_taken = event["account"] == "999988887777" && event["region"] == "eu-west-1" && bucket == "in-2";
        Some((200, json!({"Result": is_taken && key.starts_with("b/")}).to_string()))
    });
    for typed in [&["s3://in-2/b/x.csv"][..], &["b/x.csv"]] {
        let output = stub.reveille(&[&["on-upload", "test"][..], typed].concat());
        said(&output, 0);
        assert!(shown(&output).contains("parameter source = s3://in-2/b/x.csv"), "{}", shown(&output));
    }
    let other = stub.reveille(&["on-upload", "test", "s3://in-2/c/x.csv"]);
    said(&other, 5);
    assert!(shown(&other).contains("the rule's pattern does not match the event of this file"), "{}", shown(&other));
    let listed = stub.reveille(&["on-upload", "list", "--output", "json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["bucket"]), (&json!("theirs"), &json!(null)), "{listed}");
}

#[test]
fn a_rule_that_names_no_bucket_is_listed_and_tested() {
    for pattern in [
        json!({"source": ["aws.s3"]}),
        json!({"source": ["aws.s3"], "detail": {"bucket": {"name": [{"prefix": "data-"}]}}}),
    ] {
        let rules = Rules::of("theirs", pattern, &json!({}));
        let stub = Stub::start(move |call| match call.action {
            "TestEventPattern" => Some((200, r#"{"Result": true}"#.to_owned())),
            _ => Some(rules.answer(call)),
        });
        let listed = shown(&stub.reveille(&["on-upload", "list"]));
        assert!(listed.contains("theirs on (by a pattern of its own)"), "{listed}");
        let output = stub.reveille(&["on-upload", "test", "s3://data-1/a.csv"]);
        said(&output, 0);
        let without = stub.reveille(&["on-upload", "test", "a.csv"]);
        said(&without, 5);
        assert!(shown(&without).contains("reveille on-upload test s3://BUCKET/a.csv"), "{}", shown(&without));
    }
}

/// Ctrl-C after the rule got its target and before it was on.
#[test]
fn the_same_add_again_finishes_a_rule() {
    for (add, name) in [(UPLOAD, "reveille-a"), (RUN, "reveille-a")] {
        // What there is of it, as an `add` makes it.
        let first = Stub::start(|call| match call.action {
            "EnableRule" => None,
            _ => Some(Rules(Vec::new()).answer(call)),
        });
        said(&first.reveille(&add), 1);
        let (rule, targets) = (sent(&first, "PutRule"), sent(&first, "PutTargets")["Targets"].clone());
        let pattern: Value = serde_json::from_str(rule["EventPattern"].as_str().unwrap()).unwrap();
        assert_eq!((&rule["Name"], &rule["State"]), (&json!(name), &json!("DISABLED")));
        let left = |state| Rules(vec![(name, pattern.clone(), targets.clone(), state)]);

        let stub = left("DISABLED").stub();
        let told = said(&stub.reveille(&add), 0);
        assert!(
            told.contains(&format!("the rule {name} was there already, just as asked, and off; it is on now")),
            "{told}"
        );
        assert_eq!(
            [stub.asked("EnableRule").len(), stub.asked("PutRule").len(), stub.asked("PutTargets").len()],
            [1, 0, 0]
        );
        // Another one of that name, and one that is on, is taken.
        for (stub, more) in [(left("DISABLED").stub(), &["-p", "n=1"][..]), (left("ENABLED").stub(), &[])] {
            let told = said(&stub.reveille(&[&add[..], more].concat()), 2);
            assert!(told.contains(&format!("a rule {name} already exists")), "{told}");
            assert_eq!(stub.asked("EnableRule").len() + stub.asked("PutRule").len(), 0);
        }
    }
}

#[test]
fn the_same_schedule_again_is_no_mistake() {
    let first = Stub::start(|call| Some(schedules(call, None)));
    said(&first.reveille(&SCHEDULE), 0);
    let made = sent(&first, "POST /schedules/reveille-a");
    for (more, code, sentence) in [
        (&[][..], 0, "the schedule reveille-a was there already, just as asked; nothing was changed"),
        (&["-p", "n=1"], 2, "a schedule reveille-a already exists"),
        (&["--flexible", "5"], 2, "a schedule reveille-a already exists"),
        (&["--end", "2199-01-01T00:00"], 2, "a schedule reveille-a already exists"),
    ] {
        let there = made.clone();
        let stub = Stub::start(move |call| Some(schedules(call, Some(&there))));
        let told = said(&stub.reveille(&[&SCHEDULE[..], more].concat()), code);
        assert!(told.contains(sentence), "{told}");
    }
}

/// `there` is what was sent to make the schedule that there is.
fn schedules(call: &StubCall<'_>, there: Option<&Value>) -> Answer {
    if !call.first.contains(" /schedules/") {
        return Rules(Vec::new()).answer(call);
    }
    if call.first.starts_with("POST") {
        return there.map_or_else(|| (200, r#"{"ScheduleArn": "a"}"#.to_owned()), |_| fault("ConflictException"));
    }
    let rate =
        json!({"ScheduleExpression": "rate(1 day)", "State": "ENABLED", "Target": {"Arn": MACHINE, "RoleArn": "r"}});
    let mut schedule = there.cloned().unwrap_or(rate);
    schedule["Name"] = json!("reveille-a");
    (200, schedule.to_string())
}

/// Cut to 64 characters, the names from an ARN would all be the same.
#[test]
fn a_stack_that_is_given_by_its_arn_names_triggers_by_its_name() {
    let arn = "arn:aws:cloudformation:us-east-1:999988887777:stack/reveille/0b1f6f3c-5555-4444-3333-222211110000";
    for (add, made) in [(UPLOAD, "PutRule"), (RUN, "PutRule"), (SCHEDULE, "POST /schedules/")] {
        let stub = Stub::start(|call| Some(schedules(call, None)));
        stub.reveille(&[&add[..], &["--stack", arn]].concat());
        let asked = stub.asked(made);
        assert!(asked.len() == 1 && asked[0].contains("reveille-a"), "{asked:?}");
        assert!(!asked[0].contains("cloudformation"), "{asked:?}");
    }
}

#[test]
fn a_time_that_has_passed_is_refused_before_aws_is_asked() {
    let start = ["schedule", "add", "a.ipynb", "--on", "a"];
    for (when, sentence) in [
        (
            &["--rate", "1 day", "--start", "2001-01-01T08:00"][..],
            "--start: Mon 1 Jan 2001, 08:00 UTC has passed; write: --start 20",
        ),
        (
            &["--cron", "0 8 * * ? *", "--start", "2001-01-01T08:00"],
            "has passed; leave it out: cron(0 8 * * ? *) then fires first",
        ),
        (
            &["--rate", "1 day", "--end", "2001-01-01T08:00"],
            "--end: Mon 1 Jan 2001, 08:00 UTC has passed; leave it out, or give a later one",
        ),
        (
            &["--at", "2001-01-01T08:00"],
            "--at: Mon 1 Jan 2001, 08:00 UTC has passed; give a time in the future, such as --at 20",
        ),
        (
            &["--at", "2027-03-28T02:30", "--zone", "Europe/Berlin"],
            "because the clocks go forward then; write: --at 2027-03-28T03:00",
        ),
        (&["--rate", "1 day", "--start", "2199-01-02T00:00", "--end", "2199-01-01T00:00"], "is before --start"),
        (&["--cron", "0 8 ? * 2-6/2 *"], "write: --cron '0 8 ? * MON,WED,FRI *'"),
    ] {
        let stub = Stub::start(|call| Some(schedules(call, None)));
        let told = said(&stub.reveille(&[&start[..], when].concat()), 2);
        assert!(told.contains(sentence), "{told}");
        assert_eq!(stub.asked(""), Vec::<String>::new());
    }
}

#[test]
fn rules_that_would_feed_each_other_are_refused() {
    let pattern = json!({"source": ["aws.s3"], "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["in-2"]}, "object": {"key": [{"wildcard": "b/*.csv"}]}}});
    let rules = Rules::of("back", pattern, &json!({"source": "s3://in-2/{{ key }}", "out": "s3://in-1/orders"}));
    let add = |more: &[&str]| {
        let stub = rules.clone().stub();
        let keys = ["--prefix", "orders/", "--suffix", ".csv", "-p", "target=s3://in-2/b"];
        let output = stub.reveille(&[&UPLOAD[..], &keys, more].concat());
        (output, stub.asked("PutRule").len())
    };
    let (refused, made) = add(&[]);
    let told = said(&refused, 2);
    assert!(
        told.contains("the parameter out of the rule back would be s3://in-1/orders, where this rule takes files"),
        "{told}"
    );
    assert_eq!(made, 0);
    let (_, made) = add(&["--reads", "target"]);
    assert_eq!(made, 1, "the notebook only reads there");
}
