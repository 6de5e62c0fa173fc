//! `reveille undelivered replay` against a queue and a Step Functions that a test makes up.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod stub;

use serde_json::json;
use stub::{EMPTY, STACK, Stub, StubCall};

const IDS: [&str; 2] = ["0b1f6f3c-1", "77aa0000-2"];

fn answer(call: &StubCall<'_>) -> (u16, String) {
    let asked_before = call.before.iter().any(|asked| asked.starts_with(call.action));
    let message = |id: &str| {
        let arn = json!({"DataType": "String", "StringValue": "arn:aws:events:us-east-1:1:rule/orders"});
        json!({"MessageId": id, "ReceiptHandle": id, "Body": r#"{"source": "aws.s3"}"#, "MessageAttributes": {"RULE_ARN": arn}})
    };
    let answer = match call.action {
        "ReceiveMessage" if asked_before => json!({}),
        "ReceiveMessage" => json!({"Messages": IDS.map(message)}),
        "DeleteMessage" if call.body.contains(IDS[1]) => {
            return (403, json!({"__type": "AccessDeniedException", "message": "not you"}).to_string());
        }
        "ChangeMessageVisibilityBatch" => json!({"Successful": [], "Failed": []}),
        "DescribeRule" => json!({"Name": "orders", "Arn": "arn:orders", "State": "ENABLED", "EventPattern": "{}"}),
        "ListTargetsByRule" => json!({"Targets": [{"Id": "NotebookRun", "Arn": "m"}]}),
        "StartExecution" => json!({"executionArn": "arn:aws:states:us-east-1:1:execution:m:again", "startDate": 1}),
        "DescribeExecution" => json!({"executionArn": "arn:aws:states:us-east-1:1:execution:m:again", "name": "again",
            "stateMachineArn": "m", "status": "RUNNING", "startDate": 1, "input": "{}"}),
        "ListTagsForResource" | "DeleteMessage" => json!({}),
        _ if call.first.starts_with("GET ") => return (200, EMPTY.to_owned()),
        _ => return (200, STACK.to_owned()),
    };
    (200, answer.to_string())
}

#[test]
fn a_message_that_cannot_be_taken_out_is_put_back_and_its_run_is_told() {
    let stub = Stub::start(|call| Some(answer(call)));
    let output = stub.reveille(&["undelivered", "replay", "--all"]);
    let words = |text: Vec<u8>| String::from_utf8(text).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    let (said, complained) = (words(output.stdout), words(output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}\n{complained}");
    assert!(said.contains("replayed 0b1f6f3c: run again"), "{said}");
    assert!(complained.contains("replayed 77aa0000: run again"), "{complained}");
    assert!(complained.contains("but its message may still be in the queue"), "{complained}");
    assert!(complained.contains("1 of 2 were replayed, but may still be in the queue"), "{complained}");
    assert!(!complained.contains("not be replayed"), "{complained}");
    assert_eq!((stub.asked("StartExecution").len(), stub.asked("DescribeRule").len()), (2, 1), "one rule is read once");
    let put_back = stub.asked("ChangeMessageVisibilityBatch");
    assert!(put_back.len() == 1 && put_back[0].contains(IDS[1]), "{put_back:?}");
}
