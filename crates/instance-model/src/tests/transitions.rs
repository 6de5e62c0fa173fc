//! Every state times every operation, and what follows by itself.

use super::*;
use crate::Operation;

const STATE_OPERATIONS: [Operation; 4] = [
    Operation::StartNotebookInstance,
    Operation::StopNotebookInstance,
    Operation::UpdateNotebookInstance,
    Operation::DeleteNotebookInstance,
];

fn call(world: &mut World, operation: Operation) -> Result<(), ApiError> {
    match operation {
        Operation::StartNotebookInstance => world.start(),
        Operation::StopNotebookInstance => world.stop(),
        Operation::UpdateNotebookInstance => world.update(),
        Operation::DeleteNotebookInstance => world.delete(),
        other => panic!("{other}"),
    }
}

/// The legal pairs, written out from the facts: everything else is refused.
fn legal(status: NotebookInstanceStatus, operation: Operation) -> Option<NotebookInstanceStatus> {
    match (operation, status) {
        (Operation::StartNotebookInstance, NotebookInstanceStatus::Stopped | NotebookInstanceStatus::Failed) => {
            Some(NotebookInstanceStatus::Pending)
        }
        (Operation::StopNotebookInstance, NotebookInstanceStatus::InService) => Some(NotebookInstanceStatus::Stopping),
        (Operation::UpdateNotebookInstance, NotebookInstanceStatus::Stopped) => Some(NotebookInstanceStatus::Updating),
        (Operation::DeleteNotebookInstance, NotebookInstanceStatus::Stopped | NotebookInstanceStatus::Failed) => {
            Some(NotebookInstanceStatus::Deleting)
        }
        _ => None,
    }
}

fn refusal(status: NotebookInstanceStatus, operation: Operation) -> String {
    let (legal, target) = match operation {
        Operation::StartNotebookInstance => ("Stopped, Failed", "Pending"),
        Operation::StopNotebookInstance => ("InService", "Stopping"),
        Operation::UpdateNotebookInstance => ("Stopped", "Updating"),
        Operation::DeleteNotebookInstance => ("Stopped, Failed", "Deleting"),
        other => panic!("{other}"),
    };
    format!("Status ({status}) not in ([{legal}]). Unable to transition to ({target}) for Notebook Instance ({ARN}).")
}

#[test]
fn every_operation_in_every_state_is_accepted_or_refused_in_awss_words() {
    for status in NotebookInstanceStatus::ALL {
        for operation in STATE_OPERATIONS {
            let mut world = World::in_status(status);
            let before = world.describe().unwrap();
            let result = call(&mut world, operation);
            let after = world.describe().unwrap();
            if let Some(target) = legal(status, operation) {
                assert_eq!(result, Ok(()), "{operation} when {status}");
                assert_eq!(after.status, target);
                assert_eq!(after.modified, world.now, "{operation} when {status}");
            } else {
                let error = result.unwrap_err();
                assert_eq!(error.code(), "ValidationException");
                assert_eq!(error.http_status(), 400);
                assert_eq!(error.to_string(), refusal(status, operation));
                assert_eq!(after, before, "a refused {operation} changes nothing");
            }
        }
    }
}

#[test]
fn a_start_goes_through_pending_to_in_service() {
    let mut world = World::with_stopped();
    world.start().unwrap();
    let begun = world.now;
    world.wait(9);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    world.wait(1);
    let view = world.describe().unwrap();
    assert_eq!(view.status, NotebookInstanceStatus::InService);
    assert_eq!(view.modified, begun + seconds(10));
    assert_eq!(world.statuses(), [NotebookInstanceStatus::Pending, NotebookInstanceStatus::InService]);
    assert_eq!(world.hooks(), [Hook::OnStart], "OnCreate ran at creation only");
}

#[test]
fn a_creation_runs_on_create_and_then_on_start() {
    let mut world = World::new();
    world.config("wake");
    world.create(NAME, Some("wake")).unwrap();
    world.wait(10);
    assert_eq!(world.hooks(), [Hook::OnCreate, Hook::OnStart]);
    assert_eq!(world.statuses(), [NotebookInstanceStatus::Pending, NotebookInstanceStatus::InService]);
    assert_eq!(world.describe().unwrap().arn, ARN);
}

#[test]
fn a_stop_kills_the_boot_and_only_then_is_stopped() {
    let mut world = World::in_status(NotebookInstanceStatus::InService);
    let boot = world.boot().unwrap();
    world.kills = false;
    world.seen.clear();
    world.stop().unwrap();
    assert!(!world.seen.iter().any(|effect| matches!(effect, Effect::KillBoot { .. })));
    world.wait(1);
    assert!(world.seen.contains(&Effect::KillBoot { instance: NAME.to_owned(), boot }));
    world.wait(60);
    assert_eq!(world.status(), NotebookInstanceStatus::Stopping, "processes are still alive");
    assert_eq!(world.boot(), Some(boot));
    assert!(!world.account.boot_killed(world.now, NAME, BootNumber(boot.0 + 1)), "another boot");
    assert!(world.account.boot_killed(world.now, NAME, boot));
    let killed_at = world.now;
    world.settle();
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
    assert_eq!(world.describe().unwrap().modified, killed_at, "not before it was true");
    assert_eq!(world.boot(), None);
    assert!(!world.account.boot_killed(world.now, NAME, boot), "nobody waits for it any more");
}

#[test]
fn an_update_changes_the_settings_when_it_ends() {
    let mut world = World::with_stopped();
    world.update().unwrap();
    assert_eq!(world.describe().unwrap().settings.instance_type, "ml.t3.medium");
    world.wait(3);
    let view = world.describe().unwrap();
    assert_eq!((view.status, view.settings.instance_type.as_str()), (NotebookInstanceStatus::Stopped, "ml.m5.xlarge"));
    assert_eq!(view.settings.lifecycle_config, None);
    world.seen.clear();
    world.run();
    assert_eq!(world.hooks(), []);
}

#[test]
fn a_deleted_instance_is_gone_and_its_name_is_free() {
    let mut world = World::in_status(NotebookInstanceStatus::Failed);
    world.delete().unwrap();
    world.wait(1);
    assert_eq!(world.status(), NotebookInstanceStatus::Deleting);
    assert_eq!(
        world.create(NAME, None).unwrap_err().to_string(),
        format!("Cannot create a duplicate Notebook Instance ({ARN})")
    );
    world.wait(1);
    assert!(matches!(world.seen.last(), Some(Effect::Deleted { .. })));
    for operation in STATE_OPERATIONS {
        assert_eq!(call(&mut world, operation), Err(ApiError::RecordNotFound));
    }
    let error = world.describe().unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("ValidationException", "RecordNotFound"));
    world.create(NAME, None).unwrap();
}

#[test]
fn maintenance_goes_back_to_where_it_came_from() {
    for status in [NotebookInstanceStatus::InService, NotebookInstanceStatus::Stopped, NotebookInstanceStatus::Failed] {
        let mut world = World::in_status(status);
        let (reason, boot) = (world.describe().unwrap().failure_reason, world.boot());
        world.seen.clear();
        let kind = crate::FaultKind::Maintenance { pending: seconds(2), lasting: seconds(3) };
        world.arm(crate::InstanceFault::once(kind));
        world.wait(60);
        assert_eq!(
            world.statuses(),
            [NotebookInstanceStatus::PendingMaintenance, NotebookInstanceStatus::InMaintenance, status]
        );
        assert_eq!(world.describe().unwrap().failure_reason, reason);
        assert_eq!(world.boot(), boot, "the boot survives");
    }
}

#[test]
fn what_is_due_is_announced_and_happens_at_its_own_time() {
    let mut world = World::with_stopped();
    assert_eq!(world.account.next_due(), None);
    world.start().unwrap();
    assert_eq!(world.account.next_due(), Some(world.now + seconds(10)));
    let due = world.now + seconds(10);
    world.now += seconds(100);
    world.settle();
    let view = world.describe().unwrap();
    assert_eq!(view.status, NotebookInstanceStatus::InService);
    assert_eq!(view.modified, world.now, "the script ended when the world said so");
    let starts = world.seen.iter().find_map(|effect| match effect {
        Effect::StateChanged { to: NotebookInstanceStatus::Pending, at, .. } => Some(*at),
        _ => None,
    });
    assert_eq!(starts, Some(due - seconds(10)));
}

#[test]
fn time_does_not_run_backwards() {
    let mut world = World::with_stopped();
    let latest = world.now;
    world.now -= seconds(100);
    world.start().unwrap();
    assert_eq!(world.account.snapshot(NAME).unwrap().view.modified, latest);
}

#[test]
fn durations_of_zero_end_at_once() {
    let mut world = World::with_stopped();
    let zero = Timings {
        pending: Duration::ZERO,
        shutdown: Duration::ZERO,
        stopping: Duration::ZERO,
        updating: Duration::ZERO,
        deleting: Duration::ZERO,
        script_limit: seconds(1),
    };
    world.account.set_timings(zero);
    world.start().unwrap();
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
    world.stop().unwrap();
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
    world.delete().unwrap();
    assert_eq!(world.describe(), Err(ApiError::RecordNotFound));
}

#[test]
fn the_calls_are_counted_and_logged() {
    let mut world = World::with_stopped();
    world.start().unwrap();
    world.start().unwrap_err();
    world.stop().unwrap_err();
    let calls = world.account.calls(NAME).unwrap();
    let count = |operation| {
        let counts = calls.count(operation);
        (counts.accepted, counts.refused)
    };
    assert_eq!(count(Operation::StartNotebookInstance), (1, 1));
    assert_eq!(count(Operation::StopNotebookInstance), (1, 1));
    assert_eq!(count(Operation::CreateNotebookInstance), (1, 0));
    assert!(count(Operation::DescribeNotebookInstance).0 > 0);
    let last = calls.log().last().unwrap();
    assert_eq!((last.at, last.caller.as_str()), (world.now, "tester"));
    assert_eq!(last.operation, Operation::StopNotebookInstance);
    let refused = crate::CallOutcome::Refused {
        code: "ValidationException",
        message: refusal(NotebookInstanceStatus::Pending, Operation::StopNotebookInstance),
    };
    assert_eq!(last.outcome, refused);
    assert_eq!(calls.log().count(), 5, "Describe is counted, not logged");
    assert!(world.account.calls("never").is_none());
}

#[test]
fn calls_to_a_name_without_an_instance_are_counted_too() {
    let mut world = World::new();
    assert_eq!(world.start(), Err(ApiError::RecordNotFound));
    let calls = world.account.calls(NAME).unwrap();
    assert_eq!(calls.count(Operation::StartNotebookInstance).refused, 1);
    assert_eq!(world.account.called_names().collect::<Vec<_>>(), [NAME]);
    let malformed = Command::Start { name: "../etc".to_owned() };
    world.apply(malformed).unwrap_err();
    assert_eq!(world.account.called_names().count(), 1, "no record of what is no name");
}
