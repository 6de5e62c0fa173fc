//! Records that were removed while they were needed: the lease, and the whole bucket. Where the instance may still be up, the
//! last message says so, and how to stop it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::ports::{CallErrorKind, InstanceStatus};
use reveille_domain::records::{Rest, RunStatus};
use reveille_domain::{Code, Failure};
use reveille_protocol::conclude_run::{ConcludeRunOutput, conclude_run};
use reveille_protocol::verify_stopped::{StopDecision, verify_stopped};
use serde_json::{Value, json};
use support::runner::{attempt, execution, waiting_run};
use support::{StepFault, StepWorld, block_on, now, stack};

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

fn verify(world: &StepWorld, waiting: &Value) -> Result<(StopDecision, Option<Rest>), Failure> {
    let call = json!({"run": run(), "waiting": waiting});
    let answer = block_on(verify_stopped(&stack(), world, serde_json::from_value(call).unwrap()))?;
    Ok((answer.decision, answer.stopping.rest))
}

fn conclude(world: &StepWorld, stop_error: &Failure) -> Result<ConcludeRunOutput, Failure> {
    let cause = json!({"errorType": stop_error.code, "errorMessage": stop_error.message}).to_string();
    let call = json!({"execution": execution(), "input": {"instance": "nightly", "notebook": "a.ipynb"}, "attempt": 1,
        "run": run(), "waiting": waiting(1, &json!(now())),
        "stopError": {"state": "VerifyStopped", "error": stop_error.code, "cause": cause}});
    block_on(conclude_run(&stack(), world, serde_json::from_value(call).unwrap()))
}

/// Ways to lose a lease.
fn lost() -> [(&'static str, StepWorld); 3] {
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
        assert_eq!(published["status"], json!(RunStatus::Succeeded), "{what}");
        assert_eq!(published["instanceAfter"], json!(Rest::NotConfirmed), "{what}");
    }
}

#[test]
fn a_boot_that_may_be_a_persons_is_left_running() {
    for (what, world) in lost() {
        for waiting in [Value::Null, waiting(0, &Value::Null), waiting(1, &json!("2026-11-23T11:00:00Z"))] {
            assert_eq!(
                verify(&world, &waiting),
                Ok((StopDecision::Done, Some(Rest::LeftRunning))),
                "{what}: {waiting}"
            );
        }
        assert_eq!(world.stops.get(), 0, "{what}");
    }
}

/// An earlier attempt sent a start that never came up. The boot that is up at the next attempt is not that one: a person's, who then
/// redrove the run.
#[test]
fn what_an_earlier_attempt_sent_says_nothing_of_the_boot_that_is_up_now() {
    let memory = json!({"attempt": 1, "firstAt": now(), "since": now(), "silences": 0, "starts": 1, "patience": 1});
    for (what, world) in lost() {
        let verify_as = |attempt: u32| {
            let mut run = run();
            run["attempt"] = json!(attempt);
            let call = json!({"run": run, "waiting": memory});
            block_on(verify_stopped(&stack(), &world, serde_json::from_value(call).unwrap()))
        };
        assert_eq!(verify_as(1).map(drop).unwrap_err().code, Code::StopNotConfirmed, "{what}: its own");
        assert_eq!(verify_as(2).unwrap().stopping.rest, Some(Rest::LeftRunning), "{what}: an earlier one's");
    }
}

#[test]
fn a_stopped_instance_needs_no_lease() {
    for (what, world) in lost() {
        world.status.set((InstanceStatus::Stopped, 0));
        let verified = verify(&world, &waiting(1, &json!(now())));
        assert_eq!(verified, Ok((StopDecision::Done, Some(Rest::AtRest))), "{what}");
    }
}

#[test]
fn without_a_bucket_the_last_message_says_how_to_stop_the_instance() {
    let world = waiting_run();
    for action in ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"] {
        let kind = CallErrorKind::Refused;
        world.faults.borrow_mut().push(StepFault { action, key_end: "", kind, times: u32::MAX });
    }
    let stop_error = verify(&world, &waiting(1, &json!(now()))).unwrap_err();
    let failure = conclude(&world, &stop_error).unwrap_err();
    assert_eq!(failure.code, Code::OutcomeNotRecorded);
    assert!(failure.message.contains(COMMAND), "{failure}");
}

/// The execution remembers its boot. Whatever a notebook makes of the lease of its instance, the boot is stopped, or the
/// execution says that it may still be up.
#[test]
fn no_lease_that_a_notebook_wrote_leaves_the_boot_of_an_execution_on_in_silence() {
    let honest: Value = serde_json::from_slice(&waiting_run().objects.borrow()[LEASE]).unwrap();
    let long_ago = "2020-01-01T00:00:00Z";
    let forgeries = [
        json!({"ended": true}),
        json!({"ended": true, "at": long_ago}),
        json!({"state": "closing", "bootId": null, "at": long_ago}),
        json!({"state": "closing", "closer": "function", "bootId": null, "at": long_ago, "ended": true}),
        json!({"certain": false}),
        json!({"certain": false, "bootId": "another", "seenUp": true}),
        json!({"certain": false, "state": "unsure", "bootId": null}),
        json!({"startedBy": "another-0123456789", "certain": false}),
        json!({"state": "busy", "busy": {"instance": "nightly", "run": "nobody-1", "attempt": 1}, "certain": false}),
        json!({"at": "2099-01-01T00:00:00Z", "personAt": "2099-01-01T00:00:00Z", "certain": false}),
        json!({"seenBeforeStart": "2099-01-01T00:00:00Z", "bootId": null}),
        json!({"instance": "payroll"}),
        json!({"startedBy": "../payroll/x"}),
        json!({"state": "busy", "busy": {"instance": "payroll", "run": "daily-1", "attempt": 1}, "certain": false}),
        json!({"state": "busy", "busy": {"instance": "nightly", "run": "a/../../payroll/b", "attempt": 1}}),
        json!({"state": "such a state never was"}),
        json!({"at": 9_223_372_036_854_775_807_i64}),
        Value::Null,
    ];
    for forgery in forgeries {
        for starts in [0, 1] {
            let world = waiting_run();
            match forgery.as_object() {
                Some(fields) => {
                    let mut lease = honest.clone();
                    lease.as_object_mut().unwrap().extend(fields.clone());
                    world.put(LEASE, &lease);
                }
                None => drop(world.objects.borrow_mut().remove(LEASE)),
            }
            // The run itself is over, and another waits for the same boot where nobody has a lease.
            world.objects.borrow_mut().retain(|key, _| !key.starts_with("inbox/"));
            let mut remembered = waiting(starts, &json!(now()));
            remembered["ownCertain"] = json!(true);
            let mut stopping = Value::Null;
            let mut ended = None;
            for _ in 0..500 {
                let call = json!({"run": run(), "waiting": remembered, "stopping": stopping});
                match block_on(verify_stopped(&stack(), &world, serde_json::from_value(call).unwrap())) {
                    Ok(answer) if answer.decision == StopDecision::Wait => stopping = json!(answer.stopping),
                    other => {
                        ended = Some(other);
                        break;
                    }
                }
                world.passed.set(world.passed.get() + 30);
            }
            match ended.expect("it ends") {
                Ok(answer) => {
                    assert_eq!(answer.stopping.rest, Some(Rest::AtRest), "{forgery} {starts}");
                    assert_eq!(world.stops.get(), 1, "{forgery} {starts}");
                }
                Err(failure) => assert_eq!(failure.code, Code::StopNotConfirmed, "{forgery} {starts}: {failure}"),
            }
        }
    }
}

/// Another run waits for the same boot. It would find no lease either, so the first one does not hand the boot over.
#[test]
fn a_boot_without_its_lease_is_not_handed_over() {
    let world = waiting_run();
    world.objects.borrow_mut().remove(LEASE);
    let ticket = world.objects.borrow().iter().find(|(key, _)| key.starts_with("inbox/")).map(|(_, body)| body.clone());
    let mut ticket: Value = serde_json::from_slice(&ticket.unwrap()).unwrap();
    ticket["run"] = json!("other-0123456789");
    world.put("inbox/nightly/other-0123456789", &ticket);
    let failure = verify(&world, &waiting(1, &json!(now()))).unwrap_err();
    assert_eq!(failure.code, Code::StopNotConfirmed);
}
