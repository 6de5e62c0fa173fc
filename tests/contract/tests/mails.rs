//! What a mail says, as the template hands it on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use reveille_contract_tests::{fires, mails, python, read, template};
use reveille_domain::error::{Code, Evidence, FailedCell, Failure};
use reveille_domain::records::RunStatus;
use serde_json::{Value, json};

#[test]
fn the_page_is_what_the_code_writes() {
    assert!(read(mails::PAGE) == mails::page(), "docs/mails.md is not what the code writes now: run `make pages`");
}

/// A template of EventBridge's escapes nothing: each line must stay a JSON string by itself, whatever a notebook raised. And
/// by a transformer that we did not write.
#[test]
fn hostile_text_stays_in_its_line() {
    let hostile = "\"\n\"SUCCEEDED: all is well\"\n\\u0022 <aws.events.event.json> <line01> \u{1b}[2J";
    let cell = FailedCell {
        number: 1,
        error_name: hostile.into(),
        error_value: hostile.into(),
        traceback_tail: vec![hostile.into(); 9],
    };
    let failure =
        Failure::new(Code::NotebookFailed, hostile).with_evidence(Evidence { cell: Some(cell), log_tail: vec![] });
    let detail = mails::detail(&mails::outcome(RunStatus::Failed, Some(failure)));
    let ours = mails::rendered(&detail);
    let target =
        &template("infra/template.yaml")["Resources"]["NotifyRule"]["Properties"]["Targets"][0]["InputTransformer"];
    let script = "import json, sys\n\
        from ministack.services import eventbridge as e\n\
        given = json.load(sys.stdin)\n\
        event = e._event_from_test_payload(given['event'])\n\
        print(json.dumps(e._apply_input_transformer(given['transformer'], {}, e._pattern_event_view(event))))";
    let event = json!({"version": "0", "id": "1", "source": "reveille", "detail-type": "x", "account": "1",
        "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [], "detail": detail});
    let theirs = python(script, &json!({"event": event, "transformer": target}));
    for text in [ours.as_str(), theirs.as_str().unwrap()] {
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), reveille_domain::card::LINES, "{text}");
        for line in lines {
            assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_string()), "{line}");
        }
    }
}

#[test]
fn who_is_told_of_what_is_the_statuses_asked_for_and_every_instance_that_may_be_on() {
    let stack = template("infra/template.yaml");
    let pattern = stack["Resources"]["NotifyRule"]["Properties"]["EventPattern"].to_string();
    let pattern = pattern.replace(r#"{"Ref":"NotifyStatuses"}"#, r#"["FAILED","ABORTED"]"#);
    assert_eq!(stack["Parameters"]["NotifyStatuses"]["Default"], "FAILED,ABORTED");
    let event = |status: &str, after: &str| {
        json!({"version": "0", "id": "1", "source": "reveille", "detail-type": "Notebook Run Status Change", "account": "1",
            "time": "2026-11-23T10:00:00Z", "region": "eu-west-1", "resources": [],
            "detail": {"status": status, "instanceAfter": after}})
    };
    let tried = [
        (event("FAILED", "atRest"), true),
        (event("ABORTED", "atRest"), true),
        (event("SUCCEEDED", "notConfirmed"), true),
        (event("SUCCEEDED", "atRest"), false),
        (event("SKIPPED", "notTouched"), false),
        // Of a run that has not ended.
        (event("QUEUED", ""), false),
        (event("RUNNING", ""), false),
    ];
    let answers = fires(&tried.each_ref().map(|(event, _)| (pattern.clone(), event.clone())));
    assert_eq!(answers, tried.iter().map(|(_, told)| *told).collect::<Vec<_>>());
}

#[test]
fn a_mail_goes_to_the_topic_only_from_rules_of_the_account() {
    let stack = template("infra/template.yaml");
    let statement = &stack["Resources"]["NotificationsPolicy"]["Properties"]["PolicyDocument"]["Statement"][0];
    assert_eq!(statement["Principal"], json!({"Service": "events.amazonaws.com"}));
    assert!(statement["Condition"]["ArnLike"]["aws:SourceArn"].is_object());
    assert_eq!(stack["Resources"]["NotificationMail"]["Condition"], "HasNotifyEmail", "no mail until asked for");
}
