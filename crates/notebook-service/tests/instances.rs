//! Instances that are real processes: what runs, what is kept, what dies.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::{collections::BTreeMap, fs, time::Duration};

use reveille_instance_model::{Command, FaultKind, InstanceFault, NotebookInstanceStatus};
use support::TestService;
use tokio::time::{Instant, sleep};

/// A runner as the real one is left behind: another session, its parent gone.
const LEAVES_A_RUNNER: &str = "#!/bin/bash\nset -eu\nsetsid nohup bash -c 'trap \"\" TERM HUP; touch \"$REVEILLE_ROOT/run/up\"; while :; do sleep 0.05; done' >/dev/null 2>&1 &\nwhile [ ! -e \"$REVEILLE_ROOT/run/up\" ]; do sleep 0.02; done\necho started\n";

#[tokio::test]
async fn what_a_script_leaves_behind_lives_until_the_stop_and_not_longer() {
    let world = TestService::new().await;
    world.create("nightly", LEAVES_A_RUNNER);
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let boot = world.service.boot_id("nightly").unwrap();
    assert!(!world.processes("nightly", &boot).is_empty(), "the runner outlives the script");
    assert_eq!(world.log("nightly"), "started\n");

    world.stop("nightly");
    world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    assert_eq!(world.processes("nightly", &boot), Vec::<i32>::new(), "Stopped means dead");
    assert_eq!(world.service.boot_id("nightly"), None);
    let all = [
        NotebookInstanceStatus::Pending,
        NotebookInstanceStatus::InService,
        NotebookInstanceStatus::Stopping,
        NotebookInstanceStatus::Stopped,
    ]
    .map(Some);
    // The listener is told right after the state can be read.
    let begun = Instant::now();
    while world.statuses("nightly") != all {
        assert!(begun.elapsed() < support::PATIENCE, "{:?}", world.statuses("nightly"));
        sleep(Duration::from_millis(10)).await;
    }
    world.end().await;
}

#[tokio::test]
async fn each_boot_has_its_own_id_and_the_notebook_folder_persists() {
    let world = TestService::new().await;
    let script = "#!/bin/bash\necho $REVEILLE_BOOT >> home/ec2-user/SageMaker/boots\ncat proc/sys/kernel/random/boot_id >> home/ec2-user/SageMaker/kernel\ntest ! -e tmp/old\ntouch tmp/old\n";
    world.create("nightly", script);
    for start in [false, true] {
        if start {
            world.start("nightly");
        }
        world.reaches("nightly", NotebookInstanceStatus::InService).await;
        world.stop("nightly");
        world.reaches("nightly", NotebookInstanceStatus::Stopped).await;
    }
    let notebooks = world.service.machine("nightly").notebooks();
    let boots = fs::read_to_string(notebooks.join("boots")).unwrap();
    assert_eq!(boots, fs::read_to_string(notebooks.join("kernel")).unwrap());
    let ids: Vec<&str> = boots.lines().collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    world.end().await;
}

#[tokio::test]
async fn the_environment_of_a_script_is_bare() {
    let mut config = support::config();
    config.path = "/usr/bin:/bin".to_owned();
    config.environment = BTreeMap::from(
        [("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), ("PATH", "/evil"), ("REVEILLE_BOOT", "none")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    let world = TestService::with(config).await;
    world.create("nightly", "#!/usr/bin/env -S bash --norc\nexec env\n");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let root = world.service.machine("nightly").root().to_owned();
    let boot = world.service.boot_id("nightly").unwrap();
    let log = world.log("nightly");
    // bash adds these two by itself.
    let own = ["SHLVL", "_"];
    let variables = log.lines().filter_map(|line| line.split_once('='));
    let seen: BTreeMap<&str, &str> = variables.filter(|(name, _)| !own.contains(name)).collect();
    let home = root.join("root");
    let expected = BTreeMap::from([
        // What it starts calls the service.
        ("AWS_ACCESS_KEY_ID", world.service.access_key().as_str()),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        // So that a request says which role makes it.
        ("AWS_SESSION_TOKEN", "arn:aws:iam::000000000000:role/notebooks"),
        ("HOME", home.to_str().unwrap()),
        ("PATH", "/usr/bin:/bin"),
        ("PWD", root.to_str().unwrap()),
        ("REVEILLE_BOOT", boot.as_str()),
        ("REVEILLE_ROOT", root.to_str().unwrap()),
    ]);
    assert_eq!(seen, expected);
    world.end().await;
}

#[tokio::test]
async fn a_failing_script_fails_the_instance_and_its_log_says_why() {
    let world = TestService::new().await;
    world.create("nightly", "#!/bin/bash\necho out\necho err >&2\nsleep 60 &\nexit 3\n");
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    let view = world.service.snapshot("nightly").unwrap().view;
    assert!(view.failure_reason.unwrap().contains("took longer than 5 minutes"));
    let mut lines: Vec<String> = world.log("nightly").lines().map(str::to_owned).collect();
    lines.sort();
    assert_eq!(lines, ["err", "out"]);
    assert_eq!(world.service.boot_id("nightly"), None, "its leftovers are dead");
    world.end().await;
}

/// The processes with this variable.
fn having(variable: &str) -> Vec<i32> {
    let environment = |pid: &i32| reveille_processes::environment(*pid).unwrap_or_default();
    let pids = reveille_processes::pids().unwrap();
    pids.filter(|pid| reveille_processes::has(&environment(pid), variable.as_bytes())).collect()
}

#[tokio::test]
async fn a_script_over_the_limit_is_killed_with_all_it_started() {
    let mut config = support::config();
    config.timings.script_limit = Duration::from_millis(500);
    let world = TestService::with(config).await;
    // Longer than this test waits for Failed.
    world.create("nightly", "#!/bin/bash\nsetsid sleep 3601 &\nsleep 3600\n");
    let root = format!("REVEILLE_ROOT={}", world.service.machine("nightly").root().display());
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    assert_eq!(having(&root), Vec::<i32>::new());
    world.end().await;
}

#[tokio::test]
async fn windows_line_ends_fail_as_on_a_real_instance() {
    let world = TestService::new().await;
    world.create("nightly", "#!/bin/bash\r\necho hello\r\n");
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    assert!(world.log("nightly").contains("could not be run"), "{}", world.log("nightly"));
    world.end().await;
}

#[tokio::test]
async fn a_script_without_an_interpreter_line_is_run_by_bash() {
    let world = TestService::new().await;
    world.create("nightly", "[[ -n $BASH_VERSION ]] && echo bash\n");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    assert_eq!(world.log("nightly"), "bash\n");
    world.end().await;
}

#[tokio::test]
async fn a_talkative_script_fills_its_log_only_so_far_and_lives() {
    let mut config = support::config();
    config.log_limit = 1000;
    let world = TestService::with(config).await;
    world.create("nightly", "#!/bin/bash\nset -e\nfor i in {1..2000}; do echo 0123456789; done\n");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    assert_eq!(world.log("nightly").len(), 1000);
    world.end().await;
}

#[tokio::test]
async fn a_deleted_instance_leaves_no_disk() {
    let world = TestService::new().await;
    world.create("nightly", "exit 1\n");
    world.reaches("nightly", NotebookInstanceStatus::Failed).await;
    let root = world.service.machine("nightly").root().to_owned();
    assert!(root.exists());
    world.service.apply("test", Command::Delete { name: "nightly".to_owned() }).unwrap();
    let begun = Instant::now();
    while root.exists() {
        assert!(begun.elapsed() < support::PATIENCE);
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.status("nightly"), None);
    world.end().await;
}

#[tokio::test]
async fn two_instances_do_not_kill_each_other() {
    let world = TestService::new().await;
    world.create("one", LEAVES_A_RUNNER);
    world.create("two", LEAVES_A_RUNNER);
    world.reaches("one", NotebookInstanceStatus::InService).await;
    world.reaches("two", NotebookInstanceStatus::InService).await;
    let two = world.service.boot_id("two").unwrap();
    world.stop("one");
    world.reaches("one", NotebookInstanceStatus::Stopped).await;
    assert!(!world.processes("two", &two).is_empty());
    world.end().await;
}

#[tokio::test]
async fn a_shutdown_kills_every_boot() {
    let world = TestService::new().await;
    world.create("nightly", LEAVES_A_RUNNER);
    world.create("other", "#!/bin/bash\nsleep 60\n");
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    world.has("other", b"sleep\x0060\0", 1).await;
    let boots = ["nightly", "other"].map(|name| {
        let root = world.service.machine(name).root().to_owned();
        (root, world.service.boot_id(name).unwrap())
    });
    world.end().await;
    for (root, boot) in boots {
        let left = reveille_notebook_service::processes_of_boot(&root, &boot).unwrap();
        assert_eq!(left, Vec::<i32>::new());
    }
}

#[tokio::test]
async fn dropping_the_service_kills_every_boot_too() {
    let world = TestService::new().await;
    world.create("nightly", LEAVES_A_RUNNER);
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    let root = world.service.machine("nightly").root().to_owned();
    let boot = world.service.boot_id("nightly").unwrap();
    let directory = world.directory.clone();
    drop(world);
    assert_eq!(reveille_notebook_service::processes_of_boot(&root, &boot).unwrap(), Vec::<i32>::new());
    fs::remove_dir_all(directory).unwrap();
}

#[tokio::test]
async fn faults_can_be_armed_and_cleared_through_the_handle() {
    let world = TestService::new().await;
    let id = world.service.arm(InstanceFault::once(FaultKind::StuckPending)).unwrap();
    world.create("nightly", "exit 0\n");
    sleep(Duration::from_millis(300)).await;
    assert_eq!(world.status("nightly"), Some(NotebookInstanceStatus::Pending));
    assert_eq!(world.service.faults()[0].fired, 1);
    assert_eq!(world.service.clear_faults(Some(id)), 1);
    world.reaches("nightly", NotebookInstanceStatus::InService).await;
    world.end().await;
}
