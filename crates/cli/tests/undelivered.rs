//! `reveille undelivered` against a queue and a Step Functions that a test makes up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use std::{
    process::Stdio,
    sync::{Mutex, mpsc},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use stub::{EMPTY, STACK, Stub, StubCall, fault};

const IDS: [&str; 2] = ["0b1f6f3c-1", "77aa0000-2"];

fn message(id: &str) -> Value {
    let arn = json!({"DataType": "String", "StringValue": "arn:aws:events:us-east-1:1:rule/orders"});
    json!({"MessageId": id, "ReceiptHandle": id, "Body": r#"{"source": "aws.s3"}"#, "MessageAttributes": {"RULE_ARN": arn}})
}

/// A queue that shows its messages until somebody reads them, and again when they are put back.
fn usual(call: &StubCall<'_>) -> (u16, String) {
    let of_queue = call
        .before
        .iter()
        .rev()
        .find(|asked| asked.starts_with("ReceiveMessage") || asked.starts_with("ChangeMessageVisibilityBatch"));
    let are_held = of_queue.is_some_and(|asked| asked.starts_with("ReceiveMessage"));
    let answer = match call.action {
        "ReceiveMessage" if are_held => json!({}),
        "ReceiveMessage" => json!({"Messages": IDS.map(message)}),
        "ChangeMessageVisibilityBatch" => json!({"Successful": [], "Failed": []}),
        "DescribeRule" => json!({"Name": "orders", "Arn": "arn:orders", "State": "ENABLED", "EventPattern": "{}"}),
        "ListTargetsByRule" => {
            json!({"Targets": [{"Id": "NotebookRun", "Arn": "arn:aws:states:us-east-1:1:stateMachine:m"}]})
        }
        "StartExecution" => json!({"executionArn": "arn:aws:states:us-east-1:1:execution:m:again", "startDate": 1}),
        "DescribeExecution" => json!({"executionArn": "arn:aws:states:us-east-1:1:execution:m:again", "name": "again",
            "stateMachineArn": "m", "status": "RUNNING", "startDate": 1, "input": "{}"}),
        "ListTagsForResource" | "DeleteMessage" => json!({}),
        _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

fn words(text: &[u8]) -> String {
    String::from_utf8_lossy(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_message_that_cannot_be_taken_out_is_put_back_and_its_run_is_told() {
    let stub = Stub::start(|call| match call.action {
        "DeleteMessage" if call.body.contains(IDS[1]) => Some(fault("OverLimit")),
        _ => Some(usual(call)),
    });
    let output = stub.reveille(&["undelivered", "replay", "--all"]);
    let (said, complained) = (words(&output.stdout), words(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}\n{complained}");
    assert!(said.contains("replayed 0b1f6f3c: run again"), "{said}");
    assert!(complained.contains("replayed 77aa0000: run again"), "{complained}");
    assert!(complained.contains("but its message may still be in the queue"), "{complained}");
    assert!(complained.contains("1 of 2 was replayed or may have been, and may still be in the queue"), "{complained}");
    assert!(complained.contains("Continue with: reveille undelivered replay 77aa0000"), "{complained}");
    assert!(!complained.contains("not be replayed"), "{complained}");
    assert_eq!((stub.asked("StartExecution").len(), stub.asked("DescribeRule").len()), (2, 1), "one rule is read once");
    let put_back = stub.asked("ChangeMessageVisibilityBatch");
    assert!(put_back.len() == 1 && put_back[0].contains(IDS[1]), "{put_back:?}");
}

#[test]
fn what_becomes_of_a_replay_is_told_by_its_exit_code() {
    for (refused, answer, code, told) in [
        (
            "StartExecution",
            "AccessDeniedException",
            4,
            "0b1f6f3c was not replayed: AWS refused to start the execution undelivered-0b1f6f3c-1",
        ),
        ("DescribeRule", "AccessDeniedException", 4, "0b1f6f3c was not replayed: AWS refused to read the rule orders"),
        ("DeleteMessage", "AccessDeniedException", 4, "but its message may still be in the queue (AWS refused"),
        ("StartExecution", "InternalServerException", 1, "0b1f6f3c may have been replayed: AWS's answer was lost"),
    ] {
        let stub = Stub::start(move |call| Some(if call.action == refused { fault(answer) } else { usual(call) }));
        let output = stub.reveille(&["undelivered", "replay", IDS[0]]);
        let complained = words(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{complained}");
        assert!(complained.contains(told), "{complained}");
        assert!(complained.contains("Continue with: reveille undelivered replay 0b1f6f3c"), "{complained}");
        assert!(stub.asked("ChangeMessageVisibilityBatch").iter().any(|put_back| put_back.contains(IDS[0])));
    }
}

#[test]
fn a_queue_whose_messages_somebody_reads_is_not_called_empty() {
    for (count, said) in
        [("0", "one that somebody else is reading comes back within five minutes"), ("2", "is reading 2")]
    {
        let stub = Stub::start(move |call| match call.action {
            "ReceiveMessage" => Some((200, "{}".to_owned())),
            "GetQueueAttributes" => {
                Some((200, json!({"Attributes": {"ApproximateNumberOfMessagesNotVisible": count}}).to_string()))
            }
            _ => Some(usual(call)),
        });
        for arguments in
            [&["undelivered"][..], &["undelivered", "--output", "json"], &["undelivered", "replay", "--all"]]
        {
            let output = stub.reveille(arguments);
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert!(words(&output.stderr).contains(said), "{output:?}");
        }
    }
}

/// The calls on the queue, in their order.
fn on_queue(stub: &Stub) -> Vec<String> {
    let all = stub.asked("");
    let actions = all.iter().filter_map(|asked| asked.split_once(' ').map(|(action, _)| action));
    let mut actions: Vec<String> = actions.filter(|action| action.contains("Message")).map(str::to_owned).collect();
    actions.dedup();
    actions
}

/// A person may take their time to answer, or press Ctrl-C: the messages are in the queue meanwhile.
#[test]
fn nothing_is_held_while_a_person_is_asked() {
    for (answer, code, then) in [
        ("\u{3}", 130, &[][..]),
        ("n\n", 1, &[]),
        ("y\n", 0, &["ReceiveMessage", "ChangeMessageVisibilityBatch", "DeleteMessage"]),
    ] {
        let stub = Stub::start(|call| Some(usual(call)));
        let output = stub.at_a_terminal("[y/N]", answer, &["undelivered", "discard", IDS[0]]);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let shown = words(&output.stdout);
        assert_eq!(shown.contains("nothing was discarded"), then.is_empty(), "{shown}");
        // The other one is put back at once.
        let first = ["ReceiveMessage", "ChangeMessageVisibilityBatch"];
        assert_eq!(on_queue(&stub), [&first[..], then].concat(), "{answer:?}");
        let put_back = stub.asked("ChangeMessageVisibilityBatch");
        assert!(put_back[..2].iter().any(|entries| entries.contains(IDS[0])), "{put_back:?}");
        assert!(stub.asked("DeleteMessage").iter().all(|deleted| deleted.contains(IDS[0])));
    }
}

#[test]
fn a_message_that_goes_while_a_person_is_asked_is_told() {
    let stub = Stub::start(|call| match call.action {
        "ReceiveMessage" if call.before.iter().any(|asked| asked.starts_with("ChangeMessageVisibilityBatch")) => {
            let read = call.before.iter().filter(|asked| asked.starts_with("ReceiveMessage")).count();
            Some((200, if read > 3 { json!({}) } else { json!({"Messages": [message(IDS[1])]}) }.to_string()))
        }
        _ => Some(usual(call)),
    });
    let output = stub.at_a_terminal("[y/N]", "y\n", &["undelivered", "discard", "--all"]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    let shown = words(&output.stdout);
    assert!(shown.contains("discarded 77aa0000") && shown.contains("reading them now"), "{shown}");
    assert!(shown.contains(IDS[0]), "{shown}");
    assert_eq!(stub.asked("DeleteMessage").len(), 1);
}

#[test]
fn who_ends_a_listing_hides_no_message() {
    let (reads, is_reading) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let stub = Stub::start(move |call| {
        let read = call.before.iter().filter(|asked| asked.starts_with("ReceiveMessage")).count();
        if call.action == "ReceiveMessage" && read == 1 {
            reads.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
        Some(usual(call))
    });
    let mut command = stub.command(env!("CARGO_BIN_EXE_reveille"), &["undelivered"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    is_reading.recv().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    go_on.send(()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let put_back = stub.asked("ChangeMessageVisibilityBatch");
    assert!(put_back.len() == 1 && IDS.iter().all(|id| put_back[0].contains(id)), "{put_back:?}");
}
