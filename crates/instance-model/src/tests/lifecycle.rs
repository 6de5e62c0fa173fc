//! Lifecycle scripts: their end, their limit, their failure.

use super::*;

fn reason() -> String {
    format!(
        "Notebook Instance Lifecycle Config '{CONFIG_ARN}' for Notebook Instance '{ARN}' took longer than 5 minutes. Please check your CloudWatch logs for more details if your Notebook Instance has Internet access."
    )
}

#[test]
fn a_script_must_end_before_the_instance_is_in_service() {
    let mut world = World::with_stopped();
    world.scripts = None;
    world.start().unwrap();
    world.wait(10 + 299);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    let boot = world.boot().unwrap();
    assert!(world.account.script_ended(world.now, NAME, boot, Hook::OnStart, ScriptResult::Succeeded));
    world.settle();
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
    let again = world.account.script_ended(world.now, NAME, boot, Hook::OnStart, ScriptResult::Failed);
    assert!(!again, "it ended already");
    assert_eq!(world.status(), NotebookInstanceStatus::InService);
}

#[test]
fn a_script_over_the_limit_fails_the_instance_once_its_boot_is_dead() {
    let mut world = World::with_stopped();
    world.scripts = None;
    world.kills = false;
    world.start().unwrap();
    world.wait(10 + 300);
    assert!(matches!(world.seen.last(), Some(Effect::KillBoot { .. })));
    assert_eq!(world.status(), NotebookInstanceStatus::Pending, "processes are still alive");
    let boot = world.boot().unwrap();
    let late = world.account.script_ended(world.now, NAME, boot, Hook::OnStart, ScriptResult::Succeeded);
    assert!(!late, "too late is too late");
    assert!(world.account.boot_killed(world.now, NAME, boot));
    world.settle();
    let view = world.describe().unwrap();
    assert_eq!((view.status, view.failure_reason), (NotebookInstanceStatus::Failed, Some(reason())));
    assert_eq!(world.boot(), None);
}

#[test]
fn the_limit_is_configurable() {
    let mut world = World::with_stopped();
    world.scripts = None;
    world.account.set_timings(Timings { script_limit: seconds(2), ..timings() });
    world.start().unwrap();
    world.wait(11);
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
    world.wait(1);
    assert_eq!(world.status(), NotebookInstanceStatus::Failed);
}

#[test]
fn a_script_that_fails_at_once_gets_the_same_words() {
    let mut world = World::in_status(NotebookInstanceStatus::Failed);
    assert_eq!(world.describe().unwrap().failure_reason, Some(reason()));
    assert_eq!(world.boot(), None);
    world.seen.clear();
    world.run();
    assert_eq!(world.describe().unwrap().failure_reason, None, "a start clears the reason");
    assert_eq!(world.hooks(), [Hook::OnStart]);
}

#[test]
fn on_start_does_not_run_when_on_create_failed() {
    let mut world = World::new();
    world.config("wake");
    world.scripts = Some(ScriptResult::Failed);
    world.create(NAME, Some("wake")).unwrap();
    world.wait(10);
    assert_eq!(world.hooks(), [Hook::OnCreate]);
    assert_eq!(world.status(), NotebookInstanceStatus::Failed);
}

#[test]
fn each_boot_has_its_own_number_and_an_older_one_is_not_listened_to() {
    let mut world = World::in_status(NotebookInstanceStatus::InService);
    let first = world.boot().unwrap();
    world.stop().unwrap();
    world.wait(5);
    world.scripts = None;
    world.start().unwrap();
    world.wait(10);
    let second = world.boot().unwrap();
    assert!(second > first);
    assert_eq!(world.account.snapshot(NAME).unwrap().boots, 3);
    assert!(!world.account.script_ended(world.now, NAME, first, Hook::OnStart, ScriptResult::Failed));
    assert!(!world.account.script_ended(world.now, NAME, second, Hook::OnCreate, ScriptResult::Failed));
    assert!(!world.account.boot_killed(world.now, NAME, second), "no kill was asked for");
    assert_eq!(world.status(), NotebookInstanceStatus::Pending);
}

#[test]
fn a_boot_runs_the_scripts_that_stood_when_start_was_accepted() {
    let mut world = World::with_stopped();
    world.start().unwrap();
    world.apply(Command::DeleteConfig { name: "wake".to_owned() }).unwrap();
    world.wait(10);
    assert_eq!(world.hooks(), [Hook::OnStart]);
    world.stop().unwrap();
    world.wait(5);
    let error = world.start().unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Unable to describe Notebook Instance Lifecycle Config '{CONFIG_ARN}'. (Details: Notebook Instance Lifecycle Config does not exist.)"
        )
    );
    assert_eq!(world.status(), NotebookInstanceStatus::Stopped);
}

#[test]
fn a_boot_that_does_not_come_up_fails_the_instance_with_its_own_reason_with_or_without_a_script() {
    for scripts in [true, false] {
        let mut world = World::with_stopped();
        world.scripts = None;
        world.kills = false;
        if !scripts {
            world.update().unwrap();
            world.wait(60);
        }
        world.start().unwrap();
        world.wait(10);
        let boot = world.boot().unwrap();
        assert!(world.account.boot_failed(world.now, NAME, boot, "no space"));
        assert!(!world.account.boot_failed(world.now, NAME, boot, "no space"), "it is told once");
        assert!(world.account.boot_killed(world.now, NAME, boot));
        world.settle();
        let view = world.describe().unwrap();
        assert_eq!(
            (view.status, view.failure_reason.as_deref()),
            (NotebookInstanceStatus::Failed, Some("no space")),
            "{scripts}"
        );
        assert_eq!(world.boot(), None);
        assert!(!world.account.boot_failed(world.now, NAME, boot, "late"), "that boot is over");
    }
}
