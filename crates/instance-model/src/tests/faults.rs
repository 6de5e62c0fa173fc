//! Each fault: what it does, when it is used up, and that others are spared.

use super::*;
use crate::{FaultError, FaultKind, InstanceFault, Moment, Operation};

const START: Operation = Operation::StartNotebookInstance;

#[test]
fn missing_capacity_is_pending_for_a_while_and_then_failed_without_a_boot() {
    let mut world = World::with_stopped();
    world.arm(InstanceFault::once(FaultKind::MissingCapacity { after: seconds(1800) }));
    world.start().unwrap();
    world.wait(1799);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    world.wait(1);
    let view = world.describe().unwrap();
    assert_eq!(view.status, NotebookInstanceStatus::Failed);
    assert_eq!(
        view.failure_reason.as_deref(),
        Some("Insufficient notebook instance capacity. Retry later or with a different instance type.")
    );
    assert_eq!(world.hooks(), []);
    world.run();
}

#[test]
fn a_dropped_start_is_accepted_and_leaves_the_instance_as_it_was() {
    for before in [NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed] {
        for pending in [0, 7] {
            let mut world = World::in_status(before);
            let (was, boots) = (world.describe().unwrap(), world.account.snapshot(NAME).unwrap().boots);
            world.seen.clear();
            world.arm(InstanceFault::once(FaultKind::StartDropped { pending: seconds(pending) }).on(NAME));
            world.start().unwrap();
            assert_eq!(world.account.calls(NAME).unwrap().log().last().unwrap().outcome, crate::CallOutcome::Accepted);
            if pending > 0 {
                world.wait(pending - 1);
                assert_eq!(world.status(), NotebookInstanceStatus::Pending);
                assert!(world.start().unwrap_err().to_string().starts_with("Status (Pending)"));
                world.wait(1);
            }
            world.wait(600);
            let view = world.describe().unwrap();
            assert_eq!((view.status, &view.failure_reason), (before, &was.failure_reason));
            assert_eq!(world.account.snapshot(NAME).unwrap().boots, boots, "no machine came up");
            let shown = [NotebookInstanceStatus::Pending, before];
            assert_eq!(world.statuses(), if pending > 0 { shown.as_slice() } else { &[] });
            assert_eq!(world.account.faults()[0].fired, 1);
            world.run();
        }
    }
}

#[test]
fn a_create_is_never_dropped() {
    let mut world = World::new();
    world.arm(InstanceFault::once(FaultKind::StartDropped { pending: Duration::ZERO }));
    world.create(NAME, None).unwrap();
    world.wait(10);
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
    assert_eq!(world.account.faults()[0].fired, 0);
}

#[test]
fn a_used_up_quota_refuses_start_and_create_in_awss_words() {
    let mut world = World::with_stopped();
    world.create("other", None).unwrap();
    world.arm(InstanceFault::once(FaultKind::Quota).times(2));
    let error = world.start().unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("ResourceLimitExceeded", 400));
    assert!(error.to_string().starts_with(
        "The account-level service limit 'ml.t3.medium for notebook instance usage' is 1 Instances, with current utilization of 1 Instances and a request delta of 1 Instances."
    ), "{error}");
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
    assert_eq!(world.create("third", None).unwrap_err().code(), "ResourceLimitExceeded");
    world.start().unwrap();
}

#[test]
fn throttling_refuses_one_operation_so_many_times() {
    let mut world = World::with_stopped();
    let id = world.arm(InstanceFault::once(FaultKind::Throttle { operation: Some(START) }).times(2));
    for _ in 0..2 {
        let error = world.start().unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), ("ThrottlingException", "Rate exceeded"));
        assert_eq!(world.status(), NotebookInstanceStatus::Stopped, "Describe is not throttled");
    }
    world.start().unwrap();
    assert_eq!(world.account.calls(NAME).unwrap().count(START).refused, 2);
    let armed = world.account.faults();
    assert_eq!((armed[0].id, armed[0].fired), (id, 2), "a used-up fault stays listed");
}

#[test]
fn throttling_of_everything_lasts_until_cleared() {
    let mut world = World::with_stopped();
    let id = world.arm(InstanceFault::once(FaultKind::Throttle { operation: None }).until_cleared());
    for _ in 0..5 {
        assert_eq!(world.describe(), Err(ApiError::Throttled));
        assert_eq!(world.start(), Err(ApiError::Throttled));
        assert_eq!(world.apply(Command::DescribeConfig { name: "wake".to_owned() }), Err(ApiError::Throttled));
    }
    assert_eq!(world.account.clear_faults(world.now, Some(id)), 1);
    world.start().unwrap();
}

#[test]
fn a_server_error_before_the_effect_changes_nothing() {
    let mut world = World::with_stopped();
    let kind = FaultKind::ServerError { operation: Some(START), moment: Moment::BeforeEffect };
    world.arm(InstanceFault::once(kind));
    let error = world.start().unwrap_err();
    assert_eq!((error.code(), error.http_status()), ("InternalFailure", 500));
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
    assert_eq!(world.account.calls(NAME).unwrap().count(START).accepted, 0);
}

#[test]
fn a_server_error_after_the_effect_loses_the_answer_only() {
    let mut world = World::with_stopped();
    let kind = FaultKind::ServerError { operation: Some(START), moment: Moment::AfterEffect };
    world.arm(InstanceFault::once(kind));
    assert_eq!(world.start(), Err(ApiError::InternalFailure));
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    let calls = world.account.calls(NAME).unwrap();
    assert_eq!(calls.count(START).accepted, 1);
    assert_eq!(calls.log().last().unwrap().outcome, crate::CallOutcome::AnswerLost);
}

#[test]
fn a_refused_call_does_not_use_up_the_loss_of_an_answer() {
    let mut world = World::in_status(NotebookInstanceStatus::InService);
    let kind = FaultKind::ServerError { operation: Some(START), moment: Moment::AfterEffect };
    world.arm(InstanceFault::once(kind));
    assert_eq!(world.start().unwrap_err().code(), "ValidationException");
    assert_eq!(world.account.faults()[0].fired, 0);
}

#[test]
fn a_stale_describe_shows_the_past() {
    let mut world = World::with_stopped();
    world.wait(100);
    world.run();
    world.arm(InstanceFault::once(FaultKind::StaleDescribe { age: seconds(5) }).times(2));
    world.arm(InstanceFault::once(FaultKind::StaleDescribe { age: seconds(50) }).times(1));
    world.arm(InstanceFault::once(FaultKind::StaleDescribe { age: seconds(100_000_000) }).times(1));
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending, "the oldest known: its creation");
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
}

#[test]
fn stuck_pending_lasts_until_the_fault_is_cleared() {
    let mut world = World::with_stopped();
    let id = world.arm(InstanceFault::once(FaultKind::StuckPending));
    world.start().unwrap();
    world.wait(5000);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    assert_eq!(world.account.next_due(), None);
    assert_eq!(world.account.clear_faults(world.now, Some(id)), 1);
    world.settle();
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
}

#[test]
fn stuck_stopping_kills_the_boot_and_lasts_until_the_fault_is_cleared() {
    let mut world = World::in_status(NotebookInstanceStatus::InService);
    world.arm(InstanceFault::once(FaultKind::StuckStopping));
    let other = world.arm(InstanceFault::once(FaultKind::Quota));
    world.stop().unwrap();
    world.wait(5000);
    assert_eq!(world.status(), NotebookInstanceStatus::Stopping);
    assert_eq!(world.boot(), None);
    world.account.clear_faults(world.now, Some(other));
    world.wait(1);
    assert_eq!(world.status(), NotebookInstanceStatus::Stopping, "another fault was cleared");
    assert_eq!(world.account.clear_faults(world.now, None), 1);
    world.settle();
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
}

#[test]
fn an_armed_maintenance_waits_for_the_next_stop() {
    let mut world = World::with_stopped();
    world.start().unwrap();
    world.seen.clear();
    world.arm(InstanceFault::once(FaultKind::Maintenance { pending: seconds(1), lasting: seconds(1) }).times(2));
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    world.wait(60);
    let once = [
        NotebookInstanceStatus::InService,
        NotebookInstanceStatus::PendingMaintenance,
        NotebookInstanceStatus::InMaintenance,
    ];
    assert_eq!(world.statuses(), [once.as_slice(), &once, &[NotebookInstanceStatus::InService]].concat());
}

#[test]
fn a_lifecycle_failure_needs_no_script_to_run() {
    let mut world = World::with_stopped();
    world.arm(InstanceFault::once(FaultKind::LifecycleFailure));
    world.start().unwrap();
    world.wait(10);
    let view = world.describe().unwrap();
    assert_eq!(view.status, NotebookInstanceStatus::Failed);
    assert!(view.failure_reason.unwrap().contains("took longer than 5 minutes"));
    assert_eq!(world.hooks(), []);
    world.run();
}

#[test]
fn a_fault_of_one_instance_spares_the_others() {
    let mut world = World::with_stopped();
    world.arm(InstanceFault::once(FaultKind::Quota).on("other"));
    world.arm(InstanceFault::once(FaultKind::Throttle { operation: None }).on("other"));
    world.start().unwrap();
    assert!(world.account.faults().iter().all(|armed| armed.fired == 0));
    assert_eq!(world.create("other", None), Err(ApiError::Throttled));
    assert_eq!(world.create("other", None).unwrap_err().code(), "ResourceLimitExceeded");
    world.create("other", None).unwrap();
}

#[test]
fn there_is_an_end_to_what_can_be_armed() {
    let mut world = World::new();
    let endless = FaultKind::Maintenance { pending: Duration::ZERO, lasting: Duration::ZERO };
    for fault in [
        InstanceFault::once(endless.clone()).until_cleared(),
        InstanceFault::once(endless.clone()).times(0),
        InstanceFault::once(endless).times(101),
    ] {
        assert_eq!(world.account.arm(world.now, fault), Err(FaultError::MaintenanceTimes));
    }
    for _ in 0..1000 {
        world.account.arm(world.now, InstanceFault::once(FaultKind::Quota)).unwrap();
    }
    assert_eq!(world.account.arm(world.now, InstanceFault::once(FaultKind::Quota)), Err(FaultError::TooMany));
    assert_eq!(world.account.clear_faults(world.now, None), 1000);
}
