//! VerifyStopped: it fences first, and answers "done" only when the lease can take no later boot for ours.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::TimeDelta;
use reveille_domain::ports::{ExecutionSeen, ExecutionStatus, InstanceStatus, StartAnswer};
use reveille_domain::records::{Claim, Claimant, Closer, Lease, LeaseState, Report, Reporter, RunRef};
use reveille_domain::{Code, RunId, input};
use reveille_protocol::admit_run;
use reveille_protocol::bring_to_rest::bring_to_rest;
use reveille_protocol::runner::decide::{Bind, bind};
use reveille_protocol::verify_stopped::{StopDecision, VerifyStoppedInput, verify_stopped};
use serde_json::json;
use support::{StepWorld, block_on, claim, now, stack};

const LEASE: &str = "leases/nightly.json";

fn run() -> RunRef {
    let execution = serde_json::from_value(json!({"arn": "arn:x", "name": "x", "startTime": now()})).unwrap();
    let input = input::parse(&json!({"instance": "nightly", "notebook": "a.ipynb"})).unwrap();
    admit_run::decide::run_ref(&admit_run::decide::request(input, &execution, now()).unwrap(), "0".repeat(64), 1)
}

fn record<T: serde::de::DeserializeOwned>(world: &StepWorld, key: &str) -> Option<T> {
    world.objects.borrow().get(key).map(|body| serde_json::from_slice(body).unwrap())
}

/// The lease of a start of this run's, written at `now()`.
fn lease(state: LeaseState) -> Lease {
    let before = Some(now() - TimeDelta::seconds(600));
    Lease { state, certain: state == LeaseState::Open, ..Lease::starting(&run().id, "n".into(), before, now()) }
}

/// What the step answers `passed` seconds later, when the instance has been stopped for as long as it says.
fn verify(world: &StepWorld, passed: i64) -> StopDecision {
    world.passed.set(passed);
    block_on(verify_stopped(
        &stack(),
        world,
        VerifyStoppedInput { run: run(), waiting: None, stopping: None, error: None },
    ))
    .unwrap()
    .decision
}

fn at_rest(lease: &Lease, since: i64) -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.put(LEASE, lease);
    world.status.set((InstanceStatus::Failed, since));
    world
}

/// The runner of a boot that this run started waits for a run that never comes, unless the fence tells it.
#[test]
fn a_run_that_never_stood_in_the_queue_is_fenced_too() {
    let world = at_rest(&lease(LeaseState::Open), 20);
    world.status.set((InstanceStatus::Pending, 5));
    assert_eq!(verify(&world, 30), StopDecision::Wait);
    let claim: Claim = record(&world, &stack().layout.claim(&run().at())).expect("the attempt is fenced");
    assert_eq!(claim.by, Claimant::Release);
}

#[test]
fn a_start_that_failed_at_once_leaves_a_lease_that_is_nobodys() {
    let world = at_rest(&lease(LeaseState::Open), 20);
    assert_eq!(verify(&world, 30), StopDecision::Done);
    let left: Lease = record(&world, LEASE).unwrap();
    assert_eq!(left.at, now(), "it is over when it would have been");
    let later = bind(Some(&left), "a person's", "m".into(), now() + TimeDelta::seconds(40));
    assert_eq!(later, Bind::Persons { remove_lease: false });
    // Whoever looks later removes it: the sweeper, or this step.
    assert_eq!(verify(&world, 60), StopDecision::Done);
    assert_eq!(record::<Lease>(&world, LEASE), None);
}

#[test]
fn a_person_who_starts_the_instance_after_that_keeps_it() {
    for state in [LeaseState::Open, LeaseState::Closing] {
        let lease = Lease { closer: Some(Closer::Function), ..lease(state) };
        let world = at_rest(&lease, 20);
        assert_eq!(verify(&world, 21), StopDecision::Done);
        world.status.set((InstanceStatus::InService, 50));
        assert_eq!(verify(&world, 55), StopDecision::Done, "{state:?}: it is left running");
        assert_eq!(verify(&world, 3_600), StopDecision::Done, "{state:?}");
        assert_eq!(record::<Lease>(&world, LEASE), None, "it is forgotten");
    }
}

#[test]
fn a_start_that_may_still_arrive_is_waited_for() {
    let unresolved = Lease { unresolved: true, ..lease(LeaseState::Open) };
    for lease in [lease(LeaseState::Starting), lease(LeaseState::Unsure), unresolved] {
        let world = at_rest(&lease, 20);
        assert_eq!(verify(&world, 59), StopDecision::Wait, "{lease:?}");
        assert_eq!(verify(&world, 60), StopDecision::Done, "{lease:?}");
        assert_eq!(record::<Lease>(&world, LEASE), None, "{lease:?}");
    }
}

/// Old leases have none of the new fields.
#[test]
fn a_lease_of_an_older_version_is_read() {
    let old = json!({"state": "open", "nonce": "n", "at": now(), "startedBy": "x-1", "certain": true});
    let lease: Lease = serde_json::from_value(old).unwrap();
    assert!(!lease.ended && !lease.unresolved && lease.started_by == RunId::from_key("x-1"));
}

/// A refused call, or any other error, ends an execution while a runner executes its attempt: without a verdict the notebook would run
/// on for nobody.
#[test]
fn a_notebook_whose_execution_gave_up_has_that_for_its_verdict() {
    for (code, by, verdict) in [
        (Some("Internal"), Some(Claimant::Runner), Some(Code::Internal)),
        (Some("AccessDenied"), Some(Claimant::Runner), Some(Code::AccessDenied)),
        (Some("States.Runtime"), Some(Claimant::Runner), Some(Code::Internal)),
        (Some("Internal"), Some(Claimant::Release), None),
        (Some("Internal"), None, None),
        // Nothing gave up: whoever reports, reports.
        (None, Some(Claimant::Runner), None),
    ] {
        let world = at_rest(&lease(LeaseState::Busy), 20);
        world.status.set((InstanceStatus::InService, 5));
        if let Some(by) = by {
            world.put(&stack().layout.claim(&run().at()), &claim(by, &run().at(), Some("b")));
        }
        let caught = |error: &str| json!({"state": "CheckInstance", "error": error, "cause": "it was refused"});
        let call = json!({"run": run(), "waiting": null, "stopping": null, "error": code.map(caught)});
        block_on(verify_stopped(&stack(), &world, serde_json::from_value(call).unwrap())).unwrap();
        let report: Option<Report> = record(&world, &stack().layout.report(&run().at()));
        let given = report.map(|report| (report.by, report.failure.unwrap().code));
        assert_eq!(given, verdict.map(|code| (Reporter::Function, code)), "{code:?} {by:?}");
    }
}

/// A start may take longer than a heartbeat, and the run that waits for it looks at every poll only: until its ticket is there,
/// nothing but the lease tells of it.
#[test]
fn a_boot_that_no_runner_has_bound_is_not_stopped_under_the_run_that_started_it() {
    for (bound, running, given_up, stops) in [
        (false, true, false, false),
        (false, false, false, true),
        (false, true, true, true),
        // Bound: it is a dead runner's, and its run starts another boot.
        (true, true, false, true),
    ] {
        let boot_id = bound.then(|| "boot".to_owned());
        let world = at_rest(&Lease { boot_id, ..lease(LeaseState::Open) }, 0);
        world.status.set((InstanceStatus::InService, 390));
        world.passed.set(400);
        let (run, at) = (run(), run().at());
        let execution = json!({"arn": "arn:x", "name": "x", "startTime": now()});
        let input = json!({"instance": "nightly", "notebook": "a.ipynb"});
        let request = admit_run::decide::request(
            input::parse(&input).unwrap(),
            &serde_json::from_value(execution.clone()).unwrap(),
            now(),
        );
        world.put(&stack().layout.request(&at.instance, &at.run), &request.unwrap());
        world.only(ExecutionSeen {
            status: if running { ExecutionStatus::Running } else { ExecutionStatus::Aborted },
            execution: serde_json::from_value(execution).unwrap(),
            input: (&input).into(),
            error: None,
            cause: None,
        });
        if given_up {
            world.put(&stack().layout.claim(&at), &claim(Claimant::Release, &at, None));
        }
        // As the sweeper asks, which is no run.
        let rest = block_on(bring_to_rest(&stack(), &world, &run.instance, None, None)).unwrap();
        assert_eq!(
            world.stops.get(),
            u32::from(stops),
            "bound {bound}, running {running}, given up {given_up}: {rest:?}"
        );
    }
}

/// Whoever gives up takes the ticket out, unless a redrive of the run put another one in its place.
#[test]
fn the_ticket_of_a_run_that_gave_up_is_taken_out() {
    let ticket = |attempt: u32| {
        serde_json::to_vec(&json!({"run": run().id, "attempt": attempt, "instance": "nightly", "executionArn": "arn:x",
            "admittedAt": now(), "queuedAt": now(), "heartbeatSeconds": 300, "queueSeconds": 60, "taskToken": "t"}))
        .unwrap()
    };
    let key = stack().layout.ticket(&run().instance, &run().id);
    for (body, stays) in [(ticket(1), false), (b"garbage".to_vec(), false), (ticket(2), true)] {
        let world = at_rest(&lease(LeaseState::Open), 20);
        world.objects.borrow_mut().insert(key.clone(), body.clone());
        verify(&world, 30);
        assert_eq!(world.objects.borrow().contains_key(&key), stays, "{}", String::from_utf8_lossy(&body));
    }
}

#[test]
fn a_stop_that_is_not_seen_in_time_is_told_with_what_the_lease_says() {
    let limit = i64::from(run().limits.stop_seconds);
    let told = |passed: i64, lease: Option<Vec<u8>>| {
        let world = at_rest(&self::lease(LeaseState::Closing), 0);
        world.status.set((InstanceStatus::Stopping, 0));
        match lease {
            Some(body) => drop(world.objects.borrow_mut().insert(LEASE.to_owned(), body)),
            None => drop(world.objects.borrow_mut().remove(LEASE)),
        }
        world.passed.set(passed);
        let stopping = json!({"since": now(), "patience": 1});
        let call = json!({"run": run(), "waiting": null, "stopping": stopping, "error": null});
        block_on(verify_stopped(&stack(), &world, serde_json::from_value(call).unwrap()))
            .map_or_else(|failure| failure.to_string(), |output| format!("{:?}", output.decision))
    };
    let closing = serde_json::to_vec(&lease(LeaseState::Closing)).unwrap();
    assert_eq!(told(limit - 1, Some(closing.clone())), "Wait");
    let message = told(limit, Some(closing));
    let said = "(limits.stopSeconds). Its record leases/nightly.json said \"closing\" since 2026-11-23T12:00:00Z. Notebook instance";
    assert!(message.starts_with("StopNotConfirmed: ") && message.contains(said), "{message}");
    let message = told(limit, None);
    assert!(
        message.contains("(limits.stopSeconds). The record leases/nightly.json does not exist. Notebook"),
        "{message}"
    );
    let message = told(limit, Some(b"garbage".to_vec()));
    assert!(message.contains("(limits.stopSeconds). Notebook instance"), "{message}");
}
