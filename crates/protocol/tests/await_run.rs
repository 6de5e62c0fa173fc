//! AwaitRun: how many may wait, and, once the ticket is there, that the notebook may be executing already.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::{CallErrorKind, StartAnswer};
use reveille_domain::records::Ticket;
use reveille_domain::{Code, Failure};
use reveille_protocol::await_run::{AwaitRunOutput, await_run};
use serde_json::json;
use support::{StepFault, StepWorld, block_on, now, stack};

/// One call of a run. `stack()` lets three wait.
fn submit(world: &StepWorld, silences: u32) -> Result<AwaitRunOutput, Failure> {
    let call = json!({
        "execution": {"arn": "arn:x", "name": "x", "startTime": now(), "redriveCount": 0},
        "run": {"id": "x-1", "attempt": 1, "instance": "nightly", "admittedAt": now(),
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "queue", "onRunnerLost": "fail"},
        "silences": silences,
        "taskToken": "token",
    });
    block_on(await_run(&stack(), world, serde_json::from_value(call).unwrap()))
}

/// A world with so many other runs in the inbox.
fn waited_in_by(others: u32) -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    for other in 0..others {
        world.put(&format!("inbox/nightly/other-{other}"), &json!({}));
    }
    world
}

const TICKET: &str = "inbox/nightly/x-1";

#[test]
fn one_run_more_than_may_wait_is_refused_and_nothing_is_written() {
    for others in [3, 4, 10] {
        let world = waited_in_by(others);
        let before = world.objects.borrow().clone();
        let refused = submit(&world, 0).unwrap_err();
        assert_eq!(refused.code, Code::Busy, "{others}");
        assert!(refused.message.contains("nightly") && refused.message.contains("MaxWaitingRuns is 3"), "{refused:?}");
        assert_eq!(*world.objects.borrow(), before, "{others}");
        assert_eq!(*world.lists.borrow(), [("inbox/nightly/".to_owned(), 4)], "the listing is bounded");
    }
}

#[test]
fn the_last_run_that_may_wait_is_accepted() {
    let world = waited_in_by(2);
    // Not of this instance.
    world.put("inbox/nightly2/other", &json!({}));
    assert_eq!(submit(&world, 0), Ok(AwaitRunOutput::Submitted));
    assert!(world.objects.borrow().contains_key(TICKET));
    let full = submit_as_another(&world);
    assert_eq!(full.unwrap_err().code, Code::Busy, "it took the last place");
}

fn submit_as_another(world: &StepWorld) -> Result<AwaitRunOutput, Failure> {
    let own = world.objects.borrow_mut().remove(TICKET).unwrap();
    world.objects.borrow_mut().insert("inbox/nightly/x-0".into(), own);
    submit(world, 0)
}

/// Its ticket, its claim or its report is there, readable or not, or it comes back from a silence.
#[test]
fn a_run_that_was_submitted_is_never_refused() {
    let at = "runs/nightly/x-1/1";
    let report = json!({"run": "x-1"});
    for (key, body) in [
        (TICKET.to_owned(), b"no ticket".to_vec()),
        (format!("{at}/claim.json"), b"no claim".to_vec()),
        (format!("{at}/report.json"), serde_json::to_vec(&report).unwrap()),
    ] {
        let world = waited_in_by(10);
        world.objects.borrow_mut().insert(key.clone(), body);
        assert_eq!(submit(&world, 0), Ok(AwaitRunOutput::Submitted), "{key}");
        assert!(world.objects.borrow().contains_key(TICKET), "{key}");
    }
    let silent = waited_in_by(10);
    assert_eq!(submit(&silent, 1), Ok(AwaitRunOutput::Submitted), "its ticket may be gone");
    let again = waited_in_by(2);
    for _ in 0..2 {
        assert_eq!(submit(&again, 0), Ok(AwaitRunOutput::Submitted));
        again.put("inbox/nightly/later", &json!({}));
    }
    assert_eq!(again.lists.borrow().len(), 1, "who is there is not counted anew");
}

/// What cannot be counted is not full, and not empty: the state machine tries again.
#[test]
fn a_listing_that_fails_is_the_steps_failure() {
    for (kind, code) in
        [(CallErrorKind::Throttled, Code::Throttled), (CallErrorKind::NoAnswer, Code::ServiceUnavailable)]
    {
        let world = waited_in_by(0);
        world.faults.borrow_mut().push(StepFault { action: "s3:ListBucket", key_end: "inbox/", kind, times: 1 });
        assert_eq!(submit(&world, 0).unwrap_err().code, code);
        assert!(world.objects.borrow().is_empty());
        assert_eq!(submit(&world, 0), Ok(AwaitRunOutput::Submitted), "{code}");
    }
}

#[test]
fn nothing_that_fails_after_the_ticket_ends_the_run() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.faults.borrow_mut().push(StepFault {
        action: "s3:GetObject",
        key_end: "report.json",
        kind: CallErrorKind::AccessDenied,
        times: 1,
    });
    assert_eq!(submit(&world, 0), Ok(AwaitRunOutput::Submitted));
    assert!(world.objects.borrow().contains_key(TICKET), "{:?}", world.objects.borrow().keys());
}

fn ticket(world: &StepWorld) -> Ticket {
    serde_json::from_slice(&world.objects.borrow()[TICKET]).unwrap()
}

/// `queueSeconds` counts from the attempt's first ticket, however often it comes back from a silence.
#[test]
fn a_ticket_that_is_submitted_again_keeps_its_place_in_time() {
    let world = waited_in_by(0);
    submit(&world, 0).unwrap();
    world.passed.set(60);
    submit(&world, 1).unwrap();
    assert_eq!(ticket(&world).queued_at, now());
    // An earlier attempt's time is not this one's.
    let earlier = Ticket { attempt: 7, ..ticket(&world) };
    world.put(TICKET, &earlier);
    submit(&world, 1).unwrap();
    assert_eq!((ticket(&world).queued_at, ticket(&world).attempt), (now() + chrono::TimeDelta::seconds(60), 1));
}

/// A report that came while the ticket was away is answered at once, and the ticket is not left behind.
#[test]
fn a_report_that_is_there_is_answered_and_the_ticket_is_taken_out() {
    // The state machine would submit a run anew whose token fails with a code that it retries.
    for (code, answered) in
        [(None, None), (Some(Code::NotebookFailed), Some(Code::NotebookFailed)), (Some(Code::Throttled), None)]
    {
        let world = waited_in_by(0);
        let failure = code.map(|code| Failure::new(code, "It failed."));
        let report =
            json!({"run": "x-1", "attempt": 1, "by": "runner", "outputs": {}, "endedAt": now(), "failure": failure});
        world.put("runs/nightly/x-1/1/report.json", &report);
        assert_eq!(submit(&world, 1), Ok(AwaitRunOutput::Answered));
        let answers: Vec<_> = world.answers.borrow().iter().map(|sent| sent.as_ref().map(|it| it.code)).collect();
        assert_eq!(answers, [answered], "{code:?}");
        assert!(!world.objects.borrow().contains_key(TICKET), "{code:?}");
    }
}
