//! Instances whose clock is off, beside services that look at the clock as AWS's do: S3 takes 15 minutes, the others five.
//!
//! The kernel has one clock for all machines, so the programs are told another time (libfaketime, in the root).

use reveille_e2e_tests::{Notebook, World};
use reveille_instance_model::Hook;

use crate::{
    Scenario,
    faults::equipped_in,
    front::{Refusal, clocked},
    network::{self, S3, SAGEMAKER, STATES, subnet_with},
    start,
};

pub(crate) const ALL: &[Scenario] = &[("clock::a_clock_that_s3_refuses_is_told", |h, w| h.block_on(refused(w)))];

/// How a program is told another time.
fn told(seconds: i64) -> String {
    format!("LD_PRELOAD=%s FAKETIME={seconds:+} FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1")
}

const LIBRARY: &str = "library=$(echo /usr/lib/*/faketime/libfaketime.so.1)\n";

/// Tells every program of a unit, when it is started next, another time.
pub(crate) fn of_unit(unit: &str, seconds: i64) -> String {
    let told = told(seconds);
    format!(
        "{LIBRARY}mkdir -p /etc/systemd/system/{unit}.service.d\n\
         printf '[Service]\\nEnvironment={told}\\n' \"$library\" >/etc/systemd/system/{unit}.service.d/clock.conf\n\
         systemctl daemon-reload\n"
    )
}

/// Tells the runner, its notebooks and the script's own `aws` another time.
fn of_machine(seconds: i64) -> String {
    let told = told(seconds);
    let wrapper = format!(
        "mkdir -p /opt/clock; printf '#!/bin/bash\\nexport {told}\\nexec /usr/local/bin/aws \"$@\"\\n' \"$library\" >/opt/clock/aws\n\
         chmod 755 /opt/clock/aws; PATH=/opt/clock:$PATH\n"
    );
    of_unit("reveille-runner", seconds) + &wrapper
}

/// The services as AWS has them; gives the commands that name them.
fn services(world: &World, name: &str) -> String {
    let to = |port| network::behind(world, port);
    let s3 = clocked(to(S3), Refusal::TooSkewed);
    let [states, sagemaker] = [STATES, SAGEMAKER].map(|port| clocked(to(port), Refusal::Expired));
    subnet_with(world, name, &[(S3, s3), (STATES, states), (SAGEMAKER, sagemaker)]);
    network::endpoints()
}

async fn refused(world: &World) {
    const NAME: &str = "boot-hours";
    let endpoints = services(world, NAME);
    equipped_in(world, NAME, Some(NAME), &(endpoints + &of_machine(3 * 3_600))).await;
    let run = start(world, NAME, &Notebook::of(&["open('ran', 'w')"])).await;
    let ended = run.assert_failed(NAME, "RunnerSilent").await;
    assert!(ended.cause.contains(&format!("{NAME}/LifecycleConfigOnStart")), "{}", ended.cause);
    assert!(!world.local().notebooks(NAME).join("ran").exists(), "no notebook started");
    let log = std::fs::read_to_string(world.local().service().log_file(NAME, Hook::OnStart)).unwrap();
    for part in ["An error occurred (403)", "THE RUNNER IS NOT STARTED", "its clock is right"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    world.until_status(NAME, "Stopped").await;
    world.assert_at_rest(NAME, 1).await;
}
