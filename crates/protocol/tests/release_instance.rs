//! The sweeper on an execution that ended as OutcomeNotRecorded.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::Code;
use reveille_domain::ports::{CallError, CallErrorKind, ExecutionSeen, ExecutionStatus, StartAnswer};
use reveille_domain::records::Execution;
use reveille_protocol::steps::conclude_run::conclude_run;
use reveille_protocol::steps::release_instance::{Call, release_instance};
use serde_json::json;
use support::{World, block_on, now, stack};

/// Its outcome stands, and its event could not be published: the announced end of the execution makes up for it, once.
#[test]
fn an_event_that_was_not_published_is_published_by_the_sweeper() {
    let denied = CallError {
        kind: CallErrorKind::AccessDenied,
        action: "events:PutEvents",
        resource: "default".to_owned(),
        message: "AccessDeniedException: not authorized".to_owned(),
    };
    let mut world = World { publishing: Err(denied), ..World::answering(Ok(StartAnswer::Accepted)) };
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    let call = json!({
        "execution": execution, "input": input, "attempt": 1,
        "error": {"state": "AdmitRun", "error": "InvalidRequest", "cause": ""},
    });
    let failure = block_on(conclude_run(&stack(), &world, serde_json::from_value(call).unwrap())).unwrap_err();
    assert_eq!(failure.code, Code::OutcomeNotRecorded);
    assert_eq!(world.objects.borrow().len(), 1, "the outcome stands");

    world.publishing = Ok(());
    world.events.set(0);
    world.execution = Some(ExecutionSeen {
        status: ExecutionStatus::Failed,
        execution,
        input,
        error: Some(failure.code.to_string()),
        cause: Some(failure.message),
    });
    let announced = Call { execution_arn: Some("arn:x".to_owned()) };
    assert_eq!(block_on(release_instance(&stack(), &world, announced)).unwrap().concluded, 0);
    assert_eq!(world.events.get(), 1);
    // The timer sees the same execution for an hour.
    block_on(release_instance(&stack(), &world, Call::default())).unwrap();
    assert_eq!(world.events.get(), 1);
}
