//! AwaitRun once its ticket stands: the notebook may be executing already.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::{CallErrorKind, StartAnswer};
use reveille_protocol::await_run::{AwaitRunOutput, await_run};
use serde_json::json;
use support::{Fault, World, block_on, now, stack};

#[test]
fn nothing_that_fails_after_the_ticket_ends_the_run() {
    let world = World::answering(Ok(StartAnswer::Accepted));
    world.faults.borrow_mut().push(Fault {
        action: "s3:GetObject",
        key_end: "report.json",
        kind: CallErrorKind::AccessDenied,
        times: 1,
    });
    let call = json!({
        "execution": {"arn": "arn:x", "name": "x", "startTime": now(), "redriveCount": 0},
        "run": {"id": "x-1", "attempt": 1, "instance": "nightly", "admittedAt": now(),
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "queue", "onRunnerLost": "fail"},
        "taskToken": "token",
    });
    let answer = block_on(await_run(&stack(), &world, serde_json::from_value(call).unwrap()));
    assert_eq!(answer, Ok(AwaitRunOutput::Submitted));
    assert!(world.objects.borrow().contains_key("inbox/nightly/x-1"), "{:?}", world.objects.borrow().keys());
}
