//! bring_to_rest: what becomes of the lease around a stop, and who holds an instance.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::layout::AttemptRef;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, InstanceStatus, StartAnswer};
use reveille_domain::records::{Execution, Lease, LeaseState, Report, Reporter, Rest, Ticket};
use reveille_domain::{InstanceName, RunId, input};
use reveille_protocol::admit_run;
use reveille_protocol::bring_to_rest::bring_to_rest;
use reveille_protocol::check_instance::decide::Check;
use reveille_protocol::check_instance::{CheckInstanceInput, check_instance};
use serde_json::json;
use support::{StepFault, StepWorld, block_on, now, stack};

const LEASE: &str = "leases/nightly.json";

fn nightly() -> InstanceName {
    InstanceName::parse("nightly").unwrap()
}

/// An instance that is up, and the lease of a boot of ours, written at `now()`.
fn up(lease: &Lease) -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.status.set((InstanceStatus::InService, -10));
    world.put(LEASE, lease);
    world
}

/// A boot whose runner fell silent, and nobody waits for it.
fn abandoned(state: LeaseState) -> StepWorld {
    let started = Lease::starting(&RunId::from_key("r-1"), "n".into(), None, now());
    let world = up(&Lease { state, certain: true, boot_id: Some("boot".into()), seen_up: true, ..started });
    world.passed.set(400);
    world
}

fn left(world: &StepWorld) -> Lease {
    serde_json::from_slice(&world.objects.borrow()[LEASE]).unwrap()
}

#[test]
fn a_boot_that_nobody_needs_is_stopped_under_a_closing_lease() {
    let world = abandoned(LeaseState::Open);
    assert_eq!(block_on(bring_to_rest(&stack(), &world, &nightly(), None, None)), Ok(None));
    assert_eq!((world.stops.get(), left(&world).state), (1, LeaseState::Closing));
}

/// Nothing was stopped: the runner, or the next try, goes on from where it was. Without an answer it may have been.
#[test]
fn a_stop_that_was_refused_opens_the_lease_again() {
    for (kind, state) in [
        (CallErrorKind::Throttled, LeaseState::Open),
        (CallErrorKind::AccessDenied, LeaseState::Open),
        (CallErrorKind::Refused, LeaseState::Open),
        (CallErrorKind::NoAnswer, LeaseState::Closing),
    ] {
        let world = abandoned(LeaseState::Busy);
        let before = left(&world);
        let fault = StepFault { action: "sagemaker:StopNotebookInstance", key_end: "nightly", kind, times: 1 };
        world.faults.borrow_mut().push(fault);
        assert!(block_on(bring_to_rest(&stack(), &world, &nightly(), None, None)).is_err(), "{kind:?}");
        let after = left(&world);
        assert_eq!((after.state, world.stops.get()), (state, 0), "{kind:?}");
        assert_ne!(after.nonce, before.nonce, "{kind:?}: each write is told by its nonce");
        if state == LeaseState::Open {
            assert_eq!(after, Lease { state, nonce: after.nonce.clone(), ..before }, "{kind:?}");
        }
    }
}

/// Others believe after a while that no stop can come any more.
#[test]
fn a_function_that_was_frozen_after_its_claim_sends_no_stop() {
    for (seconds, stops) in [(29, 1), (30, 0), (100, 0)] {
        let world = abandoned(LeaseState::Open);
        world.describing.set(seconds);
        assert_eq!(block_on(bring_to_rest(&stack(), &world, &nightly(), None, None)), Ok(None));
        assert_eq!(world.stops.get(), stops, "{seconds}");
    }
}

fn execution(name: &str) -> Execution {
    Execution { arn: format!("arn:{name}"), name: name.into(), start_time: now(), redrive_count: 0 }
}

fn attempt(name: &str) -> AttemptRef {
    AttemptRef { instance: "nightly".into(), run: execution(name).run(), attempt: 1 }
}

/// Whether the run of the execution `me` finds the instance busy, as it asks that is to be skipped then.
fn is_busy(world: &StepWorld) -> bool {
    let asked = input::parse(&json!({"instance": "nightly", "notebook": "a.ipynb", "whenBusy": "skip"})).unwrap();
    let request = admit_run::decide::request(asked, &execution("me"), now()).unwrap();
    let run = admit_run::decide::run_ref(&request, "0".repeat(64), 1);
    let call = CheckInstanceInput { run, waiting: None, silences: 0 };
    block_on(check_instance(&stack(), world, call)).unwrap().decision == Check::Skip
}

/// The executions of these names run, and each has its run's request.
fn running(world: &StepWorld, names: &[&str]) {
    let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
    let seen = |name: &&str| {
        let request = admit_run::decide::request(input::parse(&input).unwrap(), &execution(name), now()).unwrap();
        world.put(&stack().layout.request("nightly", &execution(name).run()), &request);
        let (status, execution) = (ExecutionStatus::Running, execution(name));
        (ExecutionSeen { status, execution, input: (&input).into(), error: None, cause: None }, now())
    };
    *world.executions.borrow_mut() = names.iter().map(seen).collect();
}

fn reported(world: &StepWorld, at: &AttemptRef) {
    let report = Report::without_outputs(at, Reporter::Runner, None, None, now());
    world.put(&stack().layout.report(at), &report);
}

fn busy_with(at: AttemptRef) -> Lease {
    let started = Lease::starting(&at.run, "n".into(), None, now());
    let instance = Some(nightly());
    Lease { state: LeaseState::Busy, busy: Some(at), boot_id: Some("boot".into()), certain: true, instance, ..started }
}

/// It executes, whatever became of its ticket.
#[test]
fn the_run_that_the_lease_is_busy_with_holds_the_instance_while_it_is_live() {
    let payroll = AttemptRef { instance: "payroll".into(), ..attempt("other") };
    for (lease, is_running, is_reported, expected) in [
        (busy_with(attempt("other")), true, false, true),
        (busy_with(attempt("other")), true, true, false),
        (busy_with(attempt("other")), false, false, false),
        (busy_with(attempt("me")), true, false, false),
        (busy_with(payroll), true, false, false),
        (Lease { state: LeaseState::Open, ..busy_with(attempt("other")) }, true, false, false),
    ] {
        let world = up(&lease);
        running(&world, if is_running { &["other", "me"] } else { &["me"] });
        if is_reported {
            reported(&world, &attempt("other"));
        }
        assert_eq!(is_busy(&world), expected, "{lease:?}, running {is_running}, reported {is_reported}");
    }
}

#[test]
fn a_run_in_the_inbox_holds_the_instance_while_it_is_live() {
    for (name, is_running, is_reported, expected) in [
        ("other", true, false, true),
        ("other", true, true, false),
        ("other", false, false, false),
        ("me", true, false, false),
    ] {
        let world = up(&Lease { state: LeaseState::Open, ..busy_with(attempt("before")) });
        running(&world, if is_running { &["other", "me"] } else { &[] });
        let ticket = json!({"run": attempt(name).run, "attempt": 1, "instance": "nightly", "executionArn": execution(name).arn,
            "admittedAt": now(), "queuedAt": now(), "heartbeatSeconds": 300, "queueSeconds": 60, "taskToken": "t"});
        let ticket: Ticket = serde_json::from_value(ticket).unwrap();
        world.put(&stack().layout.ticket(&nightly(), &ticket.run), &ticket);
        if is_reported {
            reported(&world, &attempt(name));
        }
        assert_eq!(is_busy(&world), expected, "{name}, running {is_running}, reported {is_reported}");
    }
}

/// Its lease is there, so it is no lost boot: the other run stops it.
#[test]
fn a_boot_of_this_execution_is_handed_over_to_a_run_that_is_live() {
    let world = up(&busy_with(attempt("other")));
    running(&world, &["other", "me"]);
    let came_up = Some(now() - chrono::TimeDelta::seconds(10));
    let before = Waiting::at_look(None, 1, 0, now());
    let waiting = Waiting { starts: 1, ready_at: Some(now()), own_boot: came_up, own_certain: true, ..before };
    let me = attempt("me").run;
    let rest = block_on(bring_to_rest(&stack(), &world, &nightly(), Some(&me), Some(&waiting)));
    assert_eq!((rest, world.stops.get()), (Ok(Some(Rest::HandedOver)), 0));
}
