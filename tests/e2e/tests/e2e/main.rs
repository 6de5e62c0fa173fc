//! Runs every scenario against one local AWS, a few at a time, in the words of libtest.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "this is a test")]

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};
use reveille_e2e_tests::LocalAws;
use tokio::runtime::{Handle, Runtime};

mod aborted;
mod account;
mod browser;
mod busy;
mod canary;
mod command;
mod command_again;
mod command_attach;
mod command_deploy;
mod command_doctor;
mod command_doctor_stack;
mod command_doctor_versions;
mod command_explain;
mod command_json;
mod command_logs;
mod command_on_run;
mod command_on_upload;
mod command_report;
mod command_schedule;
mod command_undelivered;
mod deployment;
mod engine;
mod failures;
mod guard;
mod input;
mod install_runner;
mod instance_stack;
mod instances;
mod killed;
mod parameters;
mod permissions;
mod person;
mod progress;
mod release;
mod sam;
mod services;
mod stacks;
mod success;
mod triggers;

/// Scenarios at a time: each starts a kernel or two, and two cores are what CI has.
const AT_A_TIME: usize = 3;

type Scenario = (&'static str, fn(&Handle, &LocalAws));

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads = arguments.test_threads.or(Some(AT_A_TIME));
    let scenarios: Vec<Scenario> = [
        success::ALL,
        failures::ALL,
        instances::ALL,
        busy::ALL,
        input::ALL,
        triggers::ALL,
        command::ALL,
        command_again::ALL,
        command_attach::ALL,
        command_deploy::ALL,
        command_doctor::ALL,
        command_doctor_stack::ALL,
        command_doctor_versions::ALL,
        command_explain::ALL,
        command_on_run::ALL,
        command_report::ALL,
        command_schedule::ALL,
        command_undelivered::ALL,
        command_on_upload::ALL,
        stacks::ALL,
        instance_stack::ALL,
        deployment::ALL,
        release::ALL,
        sam::ALL,
        install_runner::ALL,
        account::ALL,
        progress::ALL,
        parameters::ALL,
        guard::ALL,
        browser::ALL,
        engine::ALL,
        canary::ALL,
        aborted::ALL,
        killed::ALL,
        command_logs::ALL,
        person::ALL,
    ]
    .concat();
    if arguments.list {
        let trials = scenarios.into_iter().map(|(name, _)| Trial::test(name, || Ok(()))).collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let skipped = [(browser::skipped(), browser::ALL), (sam::skipped(), sam::ALL)];
    let mut left_out: Vec<&str> = Vec::new();
    for (why, scenarios) in &skipped {
        if let Some(why) = why {
            eprintln!("{why}");
            left_out.extend(scenarios.iter().map(|(name, _)| *name));
        }
    }
    let runtime = Runtime::new().expect("a runtime");
    let world = Arc::new(runtime.block_on(LocalAws::start()));
    let trials = scenarios
        .into_iter()
        .map(|(name, scenario)| {
            let (world, handle) = (Arc::clone(&world), runtime.handle().clone());
            let trial = Trial::test(name, move || {
                scenario(&handle, &world);
                Ok(())
            });
            trial.with_ignored_flag(left_out.contains(&name))
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    // What was not called is called by none only where each scenario ran, and to its end.
    let all = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored;
    let whole = all && !conclusion.has_failed();
    let mut faults = runtime.block_on(permissions::faults(&world, whole));
    eprintln!("{}", permissions::told(&faults, whole));
    let of_json = command_json::faults(whole);
    eprintln!("{}", command_json::told(&of_json));
    faults.extend(of_json);
    match Arc::try_unwrap(world) {
        Ok(world) => runtime.block_on(world.stop()),
        // A scenario still holds it: dropping the runtime and the process end what it started.
        Err(_) => eprintln!("a scenario did not let go of the local AWS"),
    }
    if faults.is_empty() { conclusion.exit_code() } else { ExitCode::FAILURE }
}
