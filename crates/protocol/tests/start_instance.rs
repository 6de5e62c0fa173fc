//! StartInstance against every answer of StartNotebookInstance: what it answers, and what the lease says afterwards.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::memory::Waiting;
use reveille_domain::ports::{Call, CallError, CallErrorKind, StartAnswer};
use reveille_domain::records::{Lease, LeaseState, RunRef};
use reveille_domain::{Code, input};
use reveille_protocol::admit_run;
use reveille_protocol::start_instance::{self, StartDecision, start_instance};
use serde_json::json;
use support::{StepWorld, block_on, now, stack};

fn run() -> RunRef {
    let execution = serde_json::from_value(json!({"arn": "arn:x", "name": "x", "startTime": now()})).unwrap();
    let input = input::parse(&json!({"instance": "nightly", "notebook": "a.ipynb"})).unwrap();
    admit_run::decide::run_ref(&admit_run::decide::request(input, &execution, now()).unwrap(), "0".repeat(64), 1)
}

/// What the step answers, how often it sent, and the lease afterwards.
fn outcome(
    answer: Call<StartAnswer>,
    before: Option<Lease>,
) -> (Result<StartDecision, Code>, u32, Option<(LeaseState, bool)>) {
    let world = StepWorld::answering(answer);
    if let Some(lease) = before {
        world.objects.borrow_mut().insert("leases/nightly.json".into(), serde_json::to_vec(&lease).unwrap());
    }
    let call = start_instance::StartInstanceInput { run: run(), waiting: Waiting::at_look(None, 1, 0, now()) };
    let answer = block_on(start_instance(&stack(), &world, call));
    let lease = world.objects.borrow().get("leases/nightly.json").map(|body| {
        let lease: Lease = serde_json::from_slice(body).unwrap();
        (lease.state, lease.certain)
    });
    (answer.map(|answer| answer.decision).map_err(|failure| failure.code), world.starts.get(), lease)
}

fn failed(kind: CallErrorKind) -> Call<StartAnswer> {
    Err(CallError { kind, action: "sagemaker:StartNotebookInstance", resource: "nightly".into(), message: "no".into() })
}

#[test]
fn every_answer_of_start_has_its_own() {
    let open = Some((LeaseState::Open, true));
    let unsure = Some((LeaseState::Unsure, false));
    let cases = [
        (Ok(StartAnswer::Accepted), Ok(StartDecision::Started), open),
        (Ok(StartAnswer::WrongStatus("Status (Pending) not in".into())), Ok(StartDecision::Raced), None),
        (Ok(StartAnswer::QuotaExceeded("limit".into())), Err(Code::QuotaExceeded), None),
        (Ok(StartAnswer::NotFound), Err(Code::InstanceNotFound), None),
        (failed(CallErrorKind::NoAnswer), Ok(StartDecision::Unsure), unsure),
        (failed(CallErrorKind::Throttled), Err(Code::Throttled), None),
        (failed(CallErrorKind::AccessDenied), Err(Code::AccessDenied), None),
        (failed(CallErrorKind::Refused), Err(Code::Internal), None),
    ];
    for (answer, expected, lease) in cases {
        let shown = format!("{answer:?}");
        assert_eq!(outcome(answer, None), (expected, 1, lease), "{shown}");
    }
}

/// An earlier send of this run is unresolved: a refusal proves nothing, and the lease is not withdrawn.
#[test]
fn after_an_unresolved_send_a_refusal_proves_nothing() {
    let mut before = Lease::starting(&run().id, "n".into(), None, now());
    before.state = LeaseState::Starting;
    let refused = Ok(StartAnswer::WrongStatus("Status (Pending) not in".into()));
    assert_eq!(outcome(refused, Some(before)), (Ok(StartDecision::Raced), 1, Some((LeaseState::Unsure, false))));
}

#[test]
fn a_start_that_may_not_have_shown_yet_is_not_sent_again() {
    let mut before = Lease::starting(&reveille_domain::RunId::from_key("other"), "n".into(), None, now());
    for state in [LeaseState::Starting, LeaseState::Unsure, LeaseState::Open] {
        before.state = state;
        let (answer, starts, lease) = outcome(Ok(StartAnswer::Accepted), Some(before.clone()));
        assert_eq!((answer, starts, lease), (Ok(StartDecision::Waited), 0, Some((state, false))), "{state:?}");
    }
}

/// What the runner and the next look need: whose start it is, of which attempt, and whether something older is unresolved.
#[test]
fn the_lease_and_the_memory_tell_of_the_start() {
    let unresolved = Lease { state: LeaseState::Starting, ..Lease::starting(&run().id, "n".into(), None, now()) };
    for (answer, before, is_unresolved) in [
        (Ok(StartAnswer::Accepted), None, false),
        (failed(CallErrorKind::NoAnswer), None, false),
        (Ok(StartAnswer::Accepted), Some(unresolved.clone()), true),
    ] {
        let world = StepWorld::answering(answer);
        if let Some(before) = &before {
            world.put("leases/nightly.json", before);
        }
        let waiting = Waiting { starts: 2, ..Waiting::at_look(None, 3, 0, now()) };
        let call = start_instance::StartInstanceInput { run: RunRef { attempt: 3, ..run() }, waiting };
        let output = block_on(start_instance(&stack(), &world, call)).unwrap();
        let lease: Lease = serde_json::from_slice(&world.objects.borrow()["leases/nightly.json"]).unwrap();
        assert_eq!(lease.instance, Some(run().instance));
        assert_eq!(lease.starter(&run().instance).attempt, 3);
        assert_eq!(lease.unresolved, is_unresolved, "{before:?}");
        assert_eq!((output.waiting.starts, output.waiting.sent_at), (3, Some(now())));
        assert_eq!(output.waiting.seen_before_start, Some(now()), "as Describe showed it before the start");
    }
}

/// Its own write is told by its nonce: it is no other start, and no reason to try for ever.
#[test]
fn a_start_whose_writes_lose_their_answers_is_a_start() {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.loses_answers.set(true);
    let call = start_instance::StartInstanceInput { run: run(), waiting: Waiting::at_look(None, 1, 0, now()) };
    let answer = block_on(start_instance(&stack(), &world, call)).map(|answer| answer.decision);
    assert_eq!((answer, world.starts.get()), (Ok(StartDecision::Started), 1));
    let lease: Lease = serde_json::from_slice(&world.objects.borrow()["leases/nightly.json"]).unwrap();
    assert_eq!((lease.state, lease.certain), (LeaseState::Open, true));
}
