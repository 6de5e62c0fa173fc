//! Records that were removed while they were needed: the lease, and the whole bucket. Where the instance may still be up, the
//! last message says so, and how to stop it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::{CallErrorKind, InstanceStatus};
use reveille_domain::records::{Rest, Status};
use reveille_domain::{Code, Failure};
use reveille_protocol::steps::conclude_run::{Answer, conclude_run};
use reveille_protocol::steps::verify_stopped::{Decision, verify_stopped};
use serde_json::{Value, json};
use support::runner::{attempt, execution, waiting_run};
use support::{Fault, World, block_on, now, stack};

const LEASE: &str = "leases/nightly.json";
const COMMAND: &str = "aws sagemaker stop-notebook-instance --notebook-instance-name nightly";

fn run() -> Value {
    json!({"id": attempt().run, "attempt": 1, "instance": "nightly", "admittedAt": now(),
        "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 7_200},
        "whenBusy": "queue", "onRunnerLost": "fail"})
}

/// What an execution remembers that started the boot which is up now, or another one.
fn waiting(starts: u32, own_boot: &Value) -> Value {
    json!({"firstAt": now(), "since": now(), "silences": 0, "starts": starts, "patience": 1, "readyAt": now(),
        "ownBoot": own_boot})
}

fn verify(world: &World, waiting: &Value) -> Result<(Decision, Option<Rest>), Failure> {
    let call = json!({"run": run(), "waiting": waiting});
    let answer = block_on(verify_stopped(&stack(), world, serde_json::from_value(call).unwrap()))?;
    Ok((answer.decision, answer.stopping.rest))
}

fn conclude(world: &World, stop_error: &Failure) -> Result<Answer, Failure> {
    let cause = json!({"errorType": stop_error.code, "errorMessage": stop_error.message}).to_string();
    let call = json!({"execution": execution(), "input": {"instance": "nightly", "notebook": "a.ipynb"}, "attempt": 1,
        "run": run(), "waiting": waiting(1, &json!(now())),
        "stopError": {"state": "VerifyStopped", "error": stop_error.code, "cause": cause}});
    block_on(conclude_run(&stack(), world, serde_json::from_value(call).unwrap()))
}

/// Ways to lose a lease.
fn lost() -> [(&'static str, World); 3] {
    let gone = waiting_run();
    gone.objects.borrow_mut().remove(LEASE);
    let garbage = waiting_run();
    garbage.objects.borrow_mut().insert(LEASE.into(), b"{".to_vec());
    let foreign = waiting_run();
    let lease = String::from_utf8(foreign.objects.borrow()[LEASE].clone()).unwrap();
    let mut lease: Value = serde_json::from_str(&lease).unwrap();
    lease["instance"] = json!("another");
    foreign.put(LEASE, &lease);
    [("gone", gone), ("garbage", garbage), ("another instance's", foreign)]
}

#[test]
fn the_execution_that_started_the_boot_says_that_it_may_still_be_up() {
    for (what, world) in lost() {
        let stop_error = verify(&world, &waiting(1, &json!(now()))).unwrap_err();
        assert_eq!(stop_error.code, Code::StopNotConfirmed, "{what}");
        assert!(stop_error.message.contains(LEASE) && stop_error.message.contains(COMMAND), "{what}: {stop_error}");
        assert_eq!(world.stops.get(), 0, "{what}: it may be a person's");
        // The notebook succeeded, and the last message says what is left to do.
        let report = json!({"run": attempt().run, "attempt": 1, "by": "runner", "outputs": {}, "endedAt": now()});
        world.put(&stack().layout.report(&attempt()), &report);
        let failure = conclude(&world, &stop_error).unwrap_err();
        assert_eq!(failure.code, Code::StopNotConfirmed, "{what}");
        assert!(failure.message.contains(COMMAND) && failure.message.contains("succeeded"), "{what}: {failure}");
        let published = world.published.borrow()[0].clone();
        assert_eq!(published["status"], json!(Status::Succeeded), "{what}");
        assert_eq!(published["instanceAfter"], json!(Rest::NotConfirmed), "{what}");
    }
}

#[test]
fn a_boot_that_may_be_a_persons_is_left_running() {
    for (what, world) in lost() {
        for waiting in [Value::Null, waiting(0, &Value::Null), waiting(1, &json!("2026-11-23T11:00:00Z"))] {
            assert_eq!(verify(&world, &waiting), Ok((Decision::Done, Some(Rest::LeftRunning))), "{what}: {waiting}");
        }
        assert_eq!(world.stops.get(), 0, "{what}");
    }
}

#[test]
fn an_instance_at_rest_needs_no_lease() {
    for (what, world) in lost() {
        world.status.set((InstanceStatus::Stopped, 0));
        let verified = verify(&world, &waiting(1, &json!(now())));
        assert_eq!(verified, Ok((Decision::Done, Some(Rest::AtRest))), "{what}");
    }
}

#[test]
fn without_a_bucket_the_last_message_says_how_to_stop_the_instance() {
    let world = waiting_run();
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
        let kind = CallErrorKind::Refused;
        world.faults.borrow_mut().push(Fault { action, key_end: "", kind, times: u32::MAX });
    }
    let stop_error = verify(&world, &waiting(1, &json!(now()))).unwrap_err();
    let failure = conclude(&world, &stop_error).unwrap_err();
    assert_eq!(failure.code, Code::OutcomeNotRecorded);
    assert!(failure.message.contains(COMMAND), "{failure}");
}
