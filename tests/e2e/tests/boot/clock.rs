//! Instances whose clock is off, beside services that look at the clock as AWS's do: S3 takes 15 minutes, the others five.
//!
//! The kernel has one clock for all machines, so the programs are told another time (`clock.c`).

use std::{
    fs,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::InstanceName;
use reveille_e2e_tests::{LocalAws, Notebook};
use reveille_instance_model::Hook;
use serde_json::Value;

use crate::{
    Scenario,
    faults::{RUNNER_LOG_KEPT, equipped_in, rests_without_a_runner, runner_log},
    front::{Refusal, clocked},
    network::{self, S3, SAGEMAKER, STATES, subnet_with},
    printed, start,
};

pub(crate) const ALL: &[Scenario] = &[
    ("clock::a_run_on_a_clock_that_is_behind_carries_awss_time", |h, w| h.block_on(off(w, "boot-behind", -600))),
    ("clock::a_run_on_a_clock_that_is_ahead_carries_awss_time", |h, w| h.block_on(off(w, "boot-ahead", 600))),
    ("clock::a_clock_that_s3_refuses_is_told", |h, w| h.block_on(refused(w))),
];

/// The records' times may differ from this process's by as much as nobody minds; the machine's differ by ten minutes.
const ABOUT: TimeDelta = TimeDelta::minutes(2);

/// What tells a program another time, in the notebook folder.
const LIBRARY: &str = ".clock.so";
const PRELOAD: &str = "LD_PRELOAD=/home/ec2-user/SageMaker/.clock.so";

/// Puts the clock of an instance beside its notebooks: so many seconds ahead of the right one. The commands below use it.
pub(crate) fn put(world: &LocalAws, instance: &str, seconds: i64) {
    let folder = world.local().notebooks(instance);
    fs::create_dir_all(&folder).unwrap();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/boot/clock.c");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O1"]).arg(format!("-DSECONDS={seconds}"));
    // What links Rust's programs is there.
    let output = compiler.arg("-o").arg(folder.join(LIBRARY)).arg(source).output().expect("cc is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Tells every program of a unit, when it is started next, that time.
pub(crate) fn of_unit(unit: &str) -> String {
    format!(
        "mkdir -p /etc/systemd/system/{unit}.service.d\n\
         printf '[Service]\\nEnvironment={PRELOAD}\\n' >/etc/systemd/system/{unit}.service.d/clock.conf\n\
         systemctl daemon-reload\n"
    )
}

/// Tells the runner, its notebooks and the script's own `aws` that time.
fn of_machine() -> String {
    let wrapper = format!(
        "mkdir -p /opt/clock; printf '#!/bin/bash\\nexec env {PRELOAD} /usr/bin/aws \"$@\"\\n' >/opt/clock/aws\n\
         chmod 755 /opt/clock/aws; PATH=/opt/clock:$PATH\n"
    );
    of_unit("reveille-runner") + &wrapper
}

/// The services as AWS has them; gives the commands that name them, and what counts the refusals of Step Functions.
fn services(world: &LocalAws, name: &str) -> (String, Arc<AtomicUsize>) {
    let to = |port| network::behind(world, port);
    let (s3, _) = clocked(to(S3), Refusal::TooSkewed);
    let (states, refused) = clocked(to(STATES), Refusal::Expired);
    let (sagemaker, _) = clocked(to(SAGEMAKER), Refusal::Expired);
    subnet_with(world, name, &[(S3, s3), (STATES, states), (SAGEMAKER, sagemaker)]);
    (network::endpoints(), refused)
}

fn time(record: &Value, name: &str) -> DateTime<Utc> {
    record[name].as_str().and_then(|at| at.parse().ok()).unwrap_or_else(|| panic!("no {name}: {record}"))
}

async fn off(world: &LocalAws, name: &str, seconds: i64) {
    let (endpoints, refused) = services(world, name);
    let commands = endpoints + RUNNER_LOG_KEPT + &of_machine();
    equipped_in(world, name, Some(name), &commands).await;
    put(world, name, seconds);
    let begun = Utc::now() - ABOUT;
    let notebook =
        Notebook::of(&["import os, time\nprint(time.time())\nwhile not os.path.exists('go'):\n    time.sleep(0.2)"]);
    let run = start(world, name, &notebook).await;
    run.until_claimed(name).await;
    // A beat comes after this.
    run.until_record(name, "1/progress.json").await;
    let lease =
        world.object(&world.layout().lease(&InstanceName::parse(name).unwrap())).await.expect("there is a lease");
    let lease: Value = serde_json::from_slice(&lease).unwrap();
    let records =
        [lease, run.record(name, "1/claim.json").await.unwrap(), run.record(name, "1/progress.json").await.unwrap()];
    for record in &records {
        let at = time(record, "at");
        assert!(begun < at && at < Utc::now() + ABOUT, "of AWS's clock: {record}");
    }
    world.open_gate(name);
    run.assert_succeeded(name).await;
    world.until_status(name, "Stopped").await;
    world.assert_at_rest(name, 1).await;
    assert_eq!(run.claims(name).await, 1);

    // The machine's clock was off, and Step Functions looked at it.
    let seen: f64 = serde_json::from_value(printed(&run, name).await).unwrap();
    let apart = |clock: DateTime<Utc>| clock + TimeDelta::seconds(seconds);
    #[allow(clippy::cast_possible_truncation, reason = "a time of today")]
    let seen = DateTime::from_timestamp_millis((seen * 1_000.0) as i64).unwrap();
    assert!(apart(begun) < seen && seen < apart(Utc::now() + ABOUT), "{seen}");
    assert!(refused.load(Ordering::SeqCst) > 0, "Step Functions refuses what is signed with that clock");
    let log = runner_log(world, name);
    let side = if seconds < 0 { "behind AWS's" } else { "ahead of AWS's" };
    assert!(log.contains("this machine's clock is") && log.contains(side) && log.contains("chronyc makestep"), "{log}");
}

async fn refused(world: &LocalAws) {
    const HOURS: i64 = 3 * 3_600;
    tokio::join!(refused_with(world, "boot-hours-ahead", HOURS), refused_with(world, "boot-hours-behind", -HOURS));
}

async fn refused_with(world: &LocalAws, name: &str, seconds: i64) {
    let (endpoints, _) = services(world, name);
    equipped_in(world, name, Some(name), &(endpoints + &of_machine())).await;
    put(world, name, seconds);
    let run = start(world, name, &Notebook::of(&["open('ran', 'w')"])).await;
    let ended = run.assert_failed(name, "RunnerSilent").await;
    assert!(ended.cause.contains(&format!("{name}/LifecycleConfigOnStart")), "{}", ended.cause);
    assert!(!world.local().notebooks(name).join("ran").exists(), "no notebook started");
    let log = fs::read_to_string(world.local().service().log_file(name, Hook::OnStart)).unwrap();
    for part in ["An error occurred (403)", "THE RUNNER IS NOT STARTED", "its clock is right"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    rests_without_a_runner(world, name).await;
}
