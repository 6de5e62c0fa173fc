//! What a runner writes into the lease of its boot, and what it does where a call of it fails for a while or for good.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use chrono::TimeDelta;
use reveille_domain::ports::CallErrorKind;
use reveille_domain::records::{Closer, Lease, LeaseState, Report, Reporter};
use reveille_domain::{Code, Failure, InstanceName};
use reveille_protocol::runner::{Identity, Runner};
use support::runner::{attempt, serve, waiting_run};
use support::{StepFault, StepWorld, block_on, now, stack};

const LEASE: &str = "leases/nightly.json";

fn lease(world: &StepWorld) -> Lease {
    serde_json::from_slice(&world.objects.borrow()[LEASE]).unwrap()
}

/// A runner begins, and serves nothing.
fn begin(world: &StepWorld) {
    let me = Identity { instance: InstanceName::parse("nightly").unwrap(), boot_id: "boot".into() };
    block_on(async { drop(Runner::bind(&stack().layout, world, &me).await) });
}

fn fail(world: &StepWorld, action: &'static str, key_end: &'static str, kind: CallErrorKind, times: u32) {
    world.faults.borrow_mut().push(StepFault { action, key_end, kind, times });
}

fn logged(world: &StepWorld, part: &str) -> usize {
    world.log.borrow().iter().filter(|line| line.contains(part)).count()
}

#[test]
fn a_boot_of_ours_is_bound_at_once() {
    let world = waiting_run();
    let before = lease(&world);
    world.passed.set(40);
    begin(&world);
    let (bound, at) = (lease(&world), now() + TimeDelta::seconds(40));
    assert_ne!(bound.nonce, before.nonce);
    let boot_id = Some("boot".to_owned());
    let nonce = bound.nonce.clone();
    assert_eq!(bound, Lease { boot_id, bound_at: Some(at), at, nonce, ..before });
}

/// An earlier process of this boot was about to do something. A function's stop may still come, for as long as a function lives.
#[test]
fn a_runner_that_begins_again_opens_what_another_process_of_its_boot_left() {
    use Closer::{Function, Runner};
    for (state, closer, age, opens) in [
        (LeaseState::Busy, None, 0, true),
        (LeaseState::Closing, Some(Runner), 0, true),
        (LeaseState::Closing, Some(Function), 59, false),
        (LeaseState::Closing, Some(Function), 60, true),
        (LeaseState::Open, None, 0, false),
    ] {
        let world = waiting_run();
        let busy = (state == LeaseState::Busy).then(attempt);
        let boot_id = Some("boot".to_owned());
        let left = Lease { state, closer, busy, boot_id, bound_at: Some(now()), ..lease(&world) };
        world.put(LEASE, &left);
        world.passed.set(age);
        begin(&world);
        let (after, at) = (lease(&world), now() + TimeDelta::seconds(age));
        if opens {
            assert_ne!(after.nonce, left.nonce, "{left:?}");
            let nonce = after.nonce.clone();
            assert_eq!(after, Lease { state: LeaseState::Open, closer: None, busy: None, at, nonce, ..left });
        } else {
            assert_eq!(after, left);
        }
    }
}

/// Whatever an earlier process of the boot left is killed before anything is served.
#[test]
fn a_runner_kills_what_was_left_of_notebooks() {
    let world = waiting_run();
    serve(&world);
    assert_eq!((world.kills.get(), world.executed.get(), world.stops.get()), (1, 1, 1));
}

/// Without the right to stop it asks once each time, and the lease says that a function has to.
#[test]
fn a_runner_that_may_not_stop_its_instance_says_so_in_the_lease() {
    let world = waiting_run();
    fail(&world, "sagemaker:StopNotebookInstance", "nightly", CallErrorKind::AccessDenied, 999);
    serve(&world);
    assert!(lease(&world).cannot_stop_itself);
    assert!(logged(&world, "the instance role needs sagemaker:StopNotebookInstance on itself") > 0);
    assert_eq!(logged(&world, "not stopped yet"), 0, "{:?}", world.log.borrow());
}

#[test]
fn a_stop_that_fails_for_a_while_is_tried_again() {
    for kind in [CallErrorKind::Throttled, CallErrorKind::NoAnswer, CallErrorKind::Refused] {
        let world = waiting_run();
        fail(&world, "sagemaker:StopNotebookInstance", "nightly", kind, 3);
        serve(&world);
        assert_eq!((world.stops.get(), lease(&world).cannot_stop_itself), (1, false), "{kind:?}");
        assert_eq!(logged(&world, "not stopped yet"), 3, "{kind:?}: {:?}", world.log.borrow());
    }
}

/// The attempt is claimed, so the notebook is not executed anywhere: its execution is told.
#[test]
fn a_run_whose_request_is_gone_fails_and_executes_nothing() {
    let world = waiting_run();
    world.objects.borrow_mut().remove(&stack().layout.request("nightly", &attempt().run));
    serve(&world);
    assert_eq!(world.executed.get(), 0);
    let sent = world.answers.borrow().iter().flatten().map(|failure| failure.code).collect::<Vec<_>>();
    assert_eq!(sent, [Code::Internal]);
    let report: Report = serde_json::from_slice(&world.objects.borrow()[&stack().layout.report(&attempt())]).unwrap();
    assert!(report.failure.unwrap().message.contains("is gone"));
}

/// A notebook that is ended for a verdict from elsewhere leaves two files.
fn ended_elsewhere() -> StepWorld {
    let mut world = waiting_run();
    world.endless.set(true);
    let verdict = Failure::new(Code::Cancelled, "It was stopped.");
    let report = Report::without_outputs(&attempt(), Reporter::Function, Some(verdict), None, now());
    world.during = Some((stack().layout.report(&attempt()), serde_json::to_vec(&report).unwrap()));
    world
}

/// S3 has half a minute to recover: pauses of 1, 2, 4, 8 and 16 s.
#[test]
fn an_upload_is_tried_six_times_with_growing_pauses() {
    let at_once = ended_elsewhere();
    serve(&at_once);
    for (failing, uploaded, least) in [(0, 2, None), (1, 2, None), (5, 2, Some(25)), (6, 1, Some(25))] {
        let world = ended_elsewhere();
        fail(&world, "s3:PutObject", "output.ipynb", CallErrorKind::NoAnswer, failing);
        serve(&world);
        assert_eq!(world.uploaded.borrow().len(), uploaded, "{failing}");
        assert_eq!(logged(&world, "upload of output.ipynb failed; trying again"), failing.min(5) as usize, "{failing}");
        let later = world.passed.get() - at_once.passed.get();
        assert!(least.is_none_or(|least| later >= least), "{failing}: {later} s");
    }
}

/// Without its report the run is lost.
#[test]
fn a_report_is_tried_six_times_with_growing_pauses() {
    let at_once = waiting_run();
    serve(&at_once);
    let world = waiting_run();
    fail(&world, "s3:PutObject", "report.json", CallErrorKind::NoAnswer, 5);
    serve(&world);
    assert_eq!(*world.answers.borrow(), [None], "it succeeded");
    assert_eq!(logged(&world, "was not written"), 5, "{:?}", world.log.borrow());
    let later = world.passed.get() - at_once.passed.get();
    assert!(later >= 25, "{later} s");
}
