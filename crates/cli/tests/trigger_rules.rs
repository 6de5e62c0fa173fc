//! `reveille on-upload` and `on-run` where EventBridge and S3 answer as the local AWS never does: late, after somebody else, or not at all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::process::Output;

use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall, fault};

const UPLOAD: [&str; 9] = ["on-upload", "add", "a.ipynb", "--on", "a", "--bucket", "in-1", "--name", "orders"];
const RUN: [&str; 9] = ["on-run", "add", "a.ipynb", "--on", "a", "--after", "b.ipynb", "--name", "orders"];
const WITH_EVENTS: &str = "<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>";
const WITHOUT: &str = "<NotificationConfiguration/>";

type Answer = (u16, String);

/// How often something was asked before this call.
fn count(call: &StubCall<'_>, what: &str) -> usize {
    call.before.iter().filter(|asked| asked.starts_with(what)).count()
}

fn gone() -> Answer {
    fault("ResourceNotFoundException")
}

/// Rules that are all there, of the command, and of this kind.
fn usual(call: &StubCall<'_>, of_uploads: bool) -> Answer {
    let pattern = if of_uploads {
        json!({"source": ["aws.s3"], "detail": {"bucket": {"name": ["in-1"]}, "object": {"key": [{"prefix": ""}]}}})
    } else {
        json!({"source": ["reveille"], "detail": {"instance": ["a"], "notebook": ["b.ipynb"], "status": ["SUCCEEDED"]}})
    };
    let input = json!({"instance": "a", "notebook": "a.ipynb"}).to_string();
    let answer = match call.action {
        "ListRuleNamesByTarget" => json!({"RuleNames": ["first", "orders", "other"]}),
        "DescribeRule" => {
            let name = ["first", "orders", "other"].into_iter().find(|name| call.body.contains(name)).unwrap();
            json!({"Name": name, "Arn": format!("arn:{name}"), "State": "ENABLED", "EventPattern": pattern.to_string()})
        }
        "ListTargetsByRule" => {
            json!({"Targets": [{"Id": "NotebookRun", "Arn": "arn:aws:states:us-east-1:1:stateMachine:m", "Input": input}]})
        }
        "ListTagsForResource" => json!({"Tags": [{"Key": "reveille:stack", "Value": "reveille"}]}),
        "PutRule" => json!({"RuleArn": "arn:orders"}),
        "PutTargets" => json!({"FailedEntryCount": 0, "FailedEntries": []}),
        "EnableRule" | "DisableRule" | "RemoveTargets" | "DeleteRule" => json!({}),
        "DescribeNotebookInstance" => json!({"NotebookInstanceStatus": "Stopped"}),
        _ if call.first.contains("notification") => return (200, WITH_EVENTS.to_owned()),
        _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

fn said(output: Output, code: i32) -> String {
    let said = String::from_utf8(output.stderr).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

#[test]
fn a_lost_answer_is_found_out_with_the_command_of_the_rules_kind() {
    for (verb, of_uploads) in [("on-upload", true), ("on-run", false)] {
        for word in ["pause", "remove"] {
            let stub = Stub::start(move |call| match call.action {
                "DisableRule" | "DeleteRule" => Some(fault("InternalException")),
                _ => Some(usual(call, of_uploads)),
            });
            let said = said(stub.reveille(&[verb, word, "orders"]), 1);
            assert!(said.contains("AWS's answer was lost"), "{said}");
            assert!(said.contains(&format!("reveille {verb} list orders")), "{said}");
        }
    }
}

#[test]
fn a_rule_that_is_removed_during_the_listing_is_not_in_it() {
    let stub = Stub::start(|call| match call.action {
        "ListTargetsByRule" if call.body.contains("first") => Some(gone()),
        "ListTagsForResource" if call.body.contains("other") => Some(gone()),
        _ => Some(usual(call, true)),
    });
    let output = stub.reveille(&["on-upload", "list", "--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed[0]["name"], "orders");
}

#[test]
fn a_rule_that_was_made_is_told_even_if_it_cannot_be_read_back() {
    for (add, of_uploads, verb) in [(UPLOAD, true, "on-upload"), (RUN, false, "on-run")] {
        let stub = Stub::start(move |call| match call.action {
            "DescribeRule" if count(call, "EnableRule") > 0 => Some(fault("AccessDeniedException")),
            "DescribeRule" => Some(gone()),
            _ => Some(usual(call, of_uploads)),
        });
        let said = said(stub.reveille(&add), 4);
        assert!(said.contains("the rule orders was made, but: "), "{said}");
        assert!(said.contains(&format!("Continue with: reveille {verb} list orders")), "{said}");
        assert_eq!(stub.asked("DeleteRule"), Vec::<String>::new());
    }
}

/// `remove` sees rules of its own kind, and removes those that the command made.
#[test]
fn a_name_that_is_taken_is_freed_only_where_that_can_be_done() {
    for (of_uploads, is_tagged, removable) in [(true, true, true), (false, true, false), (true, false, false)] {
        let stub = Stub::start(move |call| match call.action {
            "ListTagsForResource" if !is_tagged => Some((200, r#"{"Tags": []}"#.to_owned())),
            _ => Some(usual(call, of_uploads)),
        });
        let said = said(stub.reveille(&UPLOAD), 2);
        assert!(said.contains("a rule orders already exists; give another --name"), "{said}");
        assert_eq!(said.contains("reveille on-upload remove orders"), removable, "{said}");
        assert_eq!(stub.asked("PutRule"), Vec::<String>::new());
    }
}

#[test]
fn a_name_that_somebody_takes_while_the_bucket_is_changed_is_not_overwritten() {
    let stub = Stub::start(|call| match call.action {
        "DescribeRule" if count(call, "PUT ") == 0 => Some(gone()),
        _ if call.first.starts_with("GET ") && call.first.contains("notification") && count(call, "PUT ") == 0 => {
            Some((200, WITHOUT.to_owned()))
        }
        _ => Some(usual(call, true)),
    });
    let said = said(stub.reveille(&[&UPLOAD[..], &["--fix-bucket"]].concat()), 2);
    assert!(said.contains("a rule orders already exists"), "{said}");
    assert_eq!((stub.asked("PUT ").len(), stub.asked("PutRule").len()), (1, 0));
}

/// What a call of EventBridge's does in the tests of rules that are half made.
fn denied(call: &StubCall<'_>, refused: &[&str]) -> Answer {
    match call.action {
        action if refused.contains(&action) => fault("AccessDeniedException"),
        "DescribeRule" if count(call, "PutRule") == 0 => gone(),
        _ => usual(call, true),
    }
}

#[test]
fn a_rule_that_is_half_made_is_told_with_what_finishes_or_removes_it() {
    for (refused, left, next) in [
        (&["PutTargets"][..], "the rule orders was removed again, so nothing is left of it", ""),
        (&["EnableRule"], "the rule orders was removed again", ""),
        (
            &["PutTargets", "DeleteRule"],
            "the rule orders was begun and could not be removed again; it is off and has no target",
            "Continue with: the same command again, which finishes it, or reveille on-upload remove orders",
        ),
        (
            &["EnableRule", "RemoveTargets", "DeleteRule"],
            "the rule orders was begun and could not be removed again; it is off, so it starts nothing",
            "Continue with: reveille on-upload list orders",
        ),
    ] {
        let stub = Stub::start(move |call| Some(denied(call, refused)));
        let said = said(stub.reveille(&UPLOAD), 4);
        assert!(said.contains(left) && said.contains(next), "{refused:?}: {said}");
        assert!(said.contains("rule orders") && !said.contains(".;") && !said.contains(".."), "{said}");
    }
}

#[test]
fn a_rule_that_is_half_removed_is_told() {
    let stub = Stub::start(|call| match call.action {
        "DeleteRule" => Some(fault("AccessDeniedException")),
        _ => Some(usual(call, true)),
    });
    let text = said(stub.reveille(&["on-upload", "remove", "orders"]), 4);
    assert!(text.contains("the target of the rule orders was removed, so it no longer starts anything"), "{text}");
    assert!(text.contains("Continue with: reveille on-upload remove orders"), "{text}");
    let failed = json!({"FailedEntryCount": 1, "FailedEntries": [{"TargetId": "NotebookRun", "ErrorCode": "X", "ErrorMessage": "not now."}]});
    let stub = Stub::start(move |call| match call.action {
        "RemoveTargets" => Some((200, failed.to_string())),
        _ => Some(usual(call, true)),
    });
    let text = said(stub.reveille(&["on-upload", "remove", "orders"]), 1);
    assert!(text.contains("cannot remove the target of the rule orders: X: not now"), "{text}");
    assert_eq!(stub.asked("DeleteRule"), Vec::<String>::new());
}

/// A rule's instance was deleted since it was made.
#[test]
fn a_rule_whose_instance_is_gone_is_not_on() {
    let no_instance = || (400, r#"{"__type": "ValidationException", "message": "RecordNotFound"}"#.to_owned());
    for (verb, of_uploads) in [("on-upload", true), ("on-run", false)] {
        let stub = Stub::start(move |call| match call.action {
            "DescribeNotebookInstance" => Some(no_instance()),
            _ => Some(usual(call, of_uploads)),
        });
        let output = stub.reveille(&[verb, "list"]);
        let table = String::from_utf8(output.stdout.clone()).unwrap();
        assert!(table.lines().skip(1).all(|line| line.split_whitespace().nth(1) == Some("broken")), "{table}");
        let text = said(output, 0);
        assert!(text.contains("orders: there is no notebook instance a, so each of its runs fails"), "{text}");
        assert_eq!(stub.asked("DescribeNotebookInstance").len(), 1, "each is looked at once");
        let listed = stub.reveille(&[verb, "list", "--output", "json"]);
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        assert!(listed[0]["problem"].as_str().unwrap().contains("InstanceNotFound"), "{listed}");
    }
    let stub = Stub::start(move |call| match call.action {
        "DescribeNotebookInstance" => Some(no_instance()),
        "TestEventPattern" => Some((200, r#"{"Result": true}"#.to_owned())),
        _ => Some(usual(call, true)),
    });
    let output = stub.reveille(&["on-upload", "test", "s3://in-1/a.csv"]);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    said(output, 5);
    assert!(shown.contains("orders would start a run that fails") && shown.contains("InstanceNotFound"), "{shown}");
}

#[test]
fn a_rule_without_a_target_is_not_on() {
    let stub = Stub::start(|call| match call.action {
        "ListTargetsByRule" => Some((200, r#"{"Targets": []}"#.to_owned())),
        _ => Some(usual(call, true)),
    });
    let output = stub.reveille(&["on-upload", "list", "orders"]);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(shown.starts_with("orders has no target\n"), "{shown}");
    assert!(said(output, 0).contains("reveille on-upload remove orders"));
    let refused = said(stub.reveille(&["on-upload", "resume", "orders"]), 1);
    assert!(refused.contains("orders has no target, so it starts nothing"), "{refused}");
    assert_eq!(stub.asked("EnableRule"), Vec::<String>::new());
}

#[test]
fn what_names_no_file_or_a_bucket_that_is_not_there_starts_nothing() {
    let stub = Stub::start(|call| match call.action {
        "TestEventPattern" => Some((200, r#"{"Result": true}"#.to_owned())),
        _ if call.first.contains("notification") => Some((404, "<Error><Code>NoSuchBucket</Code></Error>".to_owned())),
        _ => Some(usual(call, true)),
    });
    let output = stub.reveille(&["on-upload", "test", "s3://in-1/a.csv"]);
    let shown = String::from_utf8(output.stdout.clone()).unwrap();
    said(output, 5);
    assert!(shown.contains("there is no bucket in-1") && !shown.contains("would start a run"), "{shown}");
    for key in ["s3://in-1", "in-1/a.csv"] {
        let refused = said(stub.reveille(&["on-upload", "test", key]), 2);
        assert!(refused.contains("s3://in-1/"), "{refused}");
    }
}

/// S3's notifications are eventually consistent.
#[test]
fn a_bucket_may_show_late_that_it_sends_its_events() {
    let late = |call: &StubCall<'_>, then: fn(&StubCall<'_>) -> Answer| match call.action {
        "DescribeRule" if count(call, "EnableRule") == 0 => gone(),
        _ if call.first.starts_with("GET ") && call.first.contains("notification") => {
            if count(call, "PUT ") == 0 {
                (200, WITHOUT.to_owned())
            } else {
                then(call)
            }
        }
        _ => usual(call, true),
    };
    let add = [&UPLOAD[..], &["--fix-bucket"]].concat();
    // Two looks before the change, and two after it.
    let stale =
        |call: &StubCall<'_>| (200, if count(call, "GET /in-1") < 4 { WITHOUT } else { WITH_EVENTS }.to_owned());
    let stub = Stub::start(move |call| Some(late(call, stale)));
    let made = said(stub.reveille(&add), 0);
    assert!(made.contains("in-1 now sends its events"), "{made}");
    assert_eq!((stub.asked("GET /in-1").len(), stub.asked("EnableRule").len()), (5, 1));

    let unreadable = |_: &StubCall<'_>| (403, "<Error><Code>AccessDenied</Code></Error>".to_owned());
    let stub = Stub::start(move |call| Some(late(call, unreadable)));
    let done = said(stub.reveille(&add), 4);
    assert!(done.contains("in-1 was made to send its events to EventBridge, but: "), "{done}");
    assert_eq!(stub.asked("PutRule"), Vec::<String>::new());
}
