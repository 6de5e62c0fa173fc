//! Instances that do not do as they are told, and instances of people.

use std::time::Duration;

use aws_sdk_sagemaker::types::NotebookInstanceLifecycleHook;
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::{Command, FaultKind, InstanceFault, Operation};
use serde_json::json;

use crate::Scenario;

pub const ALL: &[Scenario] = &[
    ("instances::a_missing_instance_is_named", |h, w| h.block_on(missing_instance(w))),
    ("instances::missing_capacity_ends_at_the_start_limit", |h, w| h.block_on(no_capacity(w))),
    ("instances::capacity_that_comes_back_is_used", |h, w| h.block_on(capacity_comes_back(w))),
    ("instances::a_quota_is_told_in_the_words_of_aws", |h, w| h.block_on(quota(w))),
    ("instances::a_lifecycle_script_that_fails_is_told", |h, w| h.block_on(lifecycle_fails(w))),
    ("instances::a_persons_instance_is_used_and_left_running", |h, w| h.block_on(a_persons_instance(w))),
    ("instances::an_instance_that_stops_is_waited_for", |h, w| h.block_on(stopping(w))),
    ("instances::an_instance_that_is_updated_is_waited_for", |h, w| h.block_on(updating(w))),
    ("instances::a_start_whose_answer_is_lost_is_sent_once", |h, w| h.block_on(answer_lost(w))),
    ("instances::throttling_is_waited_out", |h, w| h.block_on(throttled(w))),
    ("instances::the_command_line_of_aws_drives_the_service", |h, w| h.block_on(aws_command(w))),
];

fn hello() -> Notebook {
    Notebook::of(&["print('hello')"])
}

async fn missing_instance(world: &LocalAws) {
    let run = world.start_execution(&json!({"instance": "no-such-instance", "notebook": "run.ipynb"})).await;
    let ended = run.assert_failed("no-such-instance", "InstanceNotFound").await;
    assert!(ended.cause.contains("no-such-instance"), "{}", ended.cause);
    assert_eq!(run.claims("no-such-instance").await, 0);
    assert_eq!(world.status("no-such-instance").await, "Gone");
}

async fn no_capacity(world: &LocalAws) {
    world.instance_with("no-capacity", &hello()).await;
    world.arm(
        InstanceFault::once(FaultKind::MissingCapacity { after: Duration::from_secs(3) })
            .on("no-capacity")
            .until_cleared(),
    );
    let run = world
        .start_execution(&json!({"instance": "no-capacity", "notebook": "run.ipynb", "limits": {"startSeconds": 30}}))
        .await;
    let ended = run.assert_failed("no-capacity", "CapacityUnavailable").await;
    assert!(ended.cause.contains("Insufficient notebook instance capacity"), "{}", ended.cause);
    assert_eq!(run.claims("no-capacity").await, 0);
    assert_eq!(world.status("no-capacity").await, "Failed");
    assert_eq!(world.processes("no-capacity"), Vec::<i32>::new());
}

async fn capacity_comes_back(world: &LocalAws) {
    world.instance_with("capacity-back", &hello()).await;
    world.arm(InstanceFault::once(FaultKind::MissingCapacity { after: Duration::from_secs(1) }).on("capacity-back"));
    let run = world.run("capacity-back").await;
    run.assert_succeeded("capacity-back").await;
    world.assert_at_rest("capacity-back", 2).await;
}

async fn quota(world: &LocalAws) {
    world.instance_with("quota", &hello()).await;
    world.arm(InstanceFault::once(FaultKind::Quota).on("quota").until_cleared());
    let run = world.run("quota").await;
    let ended = run.assert_failed("quota", "QuotaExceeded").await;
    assert!(ended.cause.contains("account-level service limit"), "{}", ended.cause);
    assert_eq!(run.claims("quota").await, 0);
    world.assert_at_rest("quota", 0).await;
}

/// A script of somebody else's that really fails when it is really run.
async fn lifecycle_fails(world: &LocalAws) {
    world.instance_with("lifecycle", &hello()).await;
    let sagemaker = &world.local().clients().sagemaker;
    let script = NotebookInstanceLifecycleHook::builder().content("IyEvYmluL2Jhc2gKZXhpdCAzCg==").build();
    let config = sagemaker.create_notebook_instance_lifecycle_config().on_start(script);
    config.notebook_instance_lifecycle_config_name("exits-3").send().await.expect("the configuration is created");
    let update =
        sagemaker.update_notebook_instance().notebook_instance_name("lifecycle").lifecycle_config_name("exits-3");
    update.send().await.expect("the update is taken");
    world.until_status("lifecycle", "Stopped").await;
    let run = world.run("lifecycle").await;
    let ended = run.assert_failed("lifecycle", "LifecycleFailed").await;
    assert!(ended.cause.contains("lifecycle/LifecycleConfigOnStart"), "the log is named: {}", ended.cause);
    assert_eq!(run.claims("lifecycle").await, 0);
    assert_eq!(world.status("lifecycle").await, "Failed");
    assert_eq!(world.accepted("lifecycle", Operation::StartNotebookInstance), 1);
    assert_eq!(world.processes("lifecycle"), Vec::<i32>::new());
}

async fn a_persons_instance(world: &LocalAws) {
    world.instance_with("persons", &hello()).await;
    world.by_hand(Command::Start { name: "persons".to_owned() });
    world.until_status("persons", "InService").await;
    let run = world.run("persons").await;
    run.assert_succeeded("persons").await;
    assert_eq!(run.outcome("persons").await["instanceAfter"], "leftRunning");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(world.status("persons").await, "InService", "a person's instance is never stopped");
    assert_eq!(world.accepted("persons", Operation::StartNotebookInstance), 1, "the person's own");
    assert_eq!(world.accepted("persons", Operation::StopNotebookInstance), 1, "the one after its creation");
    world.by_hand(Command::Stop { name: "persons".to_owned() });
    world.until_status("persons", "Stopped").await;
}

async fn stopping(world: &LocalAws) {
    world.instance_with("stopping", &hello()).await;
    world.by_hand(Command::Start { name: "stopping".to_owned() });
    world.until_status("stopping", "InService").await;
    world.by_hand(Command::Stop { name: "stopping".to_owned() });
    let run = world.run("stopping").await;
    run.assert_succeeded("stopping").await;
    world.assert_at_rest("stopping", 2).await;
}

async fn updating(world: &LocalAws) {
    world.instance_with("updating", &hello()).await;
    let sagemaker = &world.local().clients().sagemaker;
    let update = sagemaker.update_notebook_instance().notebook_instance_name("updating").volume_size_in_gb(6);
    update.send().await.expect("the update is taken");
    let run = world.run("updating").await;
    run.assert_succeeded("updating").await;
    world.assert_at_rest("updating", 1).await;
}

/// The start was accepted and its answer lost: nothing is sent a second time, and the boot is used. It is not known
/// whose it is, so it is not stopped at once.
async fn answer_lost(world: &LocalAws) {
    world.instance_with("answer-lost", &hello()).await;
    let lost = FaultKind::ServerError {
        operation: Some(Operation::StartNotebookInstance),
        moment: reveille_instance_model::Moment::AfterEffect,
    };
    world.arm(InstanceFault::once(lost).on("answer-lost"));
    let run = world.run("answer-lost").await;
    run.assert_succeeded("answer-lost").await;
    assert_eq!(run.outcome("answer-lost").await["instanceAfter"], "leftRunning");
    assert_eq!(world.accepted("answer-lost", Operation::StartNotebookInstance), 1);
    world.by_hand(Command::Stop { name: "answer-lost".to_owned() });
    world.until_status("answer-lost", "Stopped").await;
}

async fn throttled(world: &LocalAws) {
    world.instance_with("throttled", &hello()).await;
    world.arm(
        InstanceFault::once(FaultKind::Throttle { operation: Some(Operation::StartNotebookInstance) })
            .on("throttled")
            .times(2),
    );
    world.arm(
        InstanceFault::once(FaultKind::Throttle { operation: Some(Operation::DescribeNotebookInstance) })
            .on("throttled")
            .times(4),
    );
    let run = world.run("throttled").await;
    run.assert_succeeded("throttled").await;
    world.assert_at_rest("throttled", 1).await;
}

/// A client that we did not write starts and stops an instance of ours.
async fn aws_command(world: &LocalAws) {
    world.instance("by-command").await;
    for (operation, status) in [("start", "InService"), ("stop", "Stopped")] {
        let output = tokio::process::Command::new(world.local().project().tools().join("aws"))
            .args(["sagemaker", &format!("{operation}-notebook-instance"), "--notebook-instance-name", "by-command"])
            .envs(world.local().environment())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        world.until_status("by-command", status).await;
    }
}
