//! CheckInstance: what it reads, what it writes, and what it answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::MAX_UNCLAIMED_SILENCES;
use reveille_domain::memory::Waiting;
use reveille_domain::ports::{InstanceStatus, StartAnswer};
use reveille_domain::records::{Claimant, Lease, LeaseState, Report, Reporter, RunRef};
use reveille_domain::{Code, Failure, RunId, input};
use reveille_protocol::admit_run;
use reveille_protocol::check_instance::decide::Check;
use reveille_protocol::check_instance::{CheckInstanceInput, check_instance};
use serde_json::json;
use support::{StepWorld, block_on, claim, now, stack};

fn run(when_busy: &str) -> RunRef {
    let execution = serde_json::from_value(json!({"arn": "arn:x", "name": "x", "startTime": now()})).unwrap();
    let input = input::parse(&json!({"instance": "nightly", "notebook": "a.ipynb", "whenBusy": when_busy})).unwrap();
    admit_run::decide::run_ref(&admit_run::decide::request(input, &execution, now()).unwrap(), "0".repeat(64), 1)
}

fn world(status: InstanceStatus) -> StepWorld {
    let world = StepWorld::answering(Ok(StartAnswer::Accepted));
    world.status.set((status, 0));
    world
}

fn look(world: &StepWorld, run: RunRef, waiting: Option<Waiting>, silences: u32) -> Result<Check, Code> {
    let input = CheckInstanceInput { run, waiting, silences };
    block_on(check_instance(&stack(), world, input)).map(|output| output.decision).map_err(|failure| failure.code)
}

fn lease(state: LeaseState, boot_id: Option<&str>) -> Lease {
    let started = Lease::starting(&RunId::from_key("other"), "n".into(), None, now());
    Lease { state, boot_id: boot_id.map(str::to_owned), ..started }
}

#[test]
fn a_look_at_an_instance_writes_nothing() {
    for (status, expected) in [
        (InstanceStatus::Stopped, Check::Start),
        (InstanceStatus::Failed, Check::Start),
        (InstanceStatus::Pending, Check::Wait),
        (InstanceStatus::Stopping, Check::Wait),
        (InstanceStatus::InService, Check::Ready),
    ] {
        let world = world(status);
        assert_eq!(look(&world, run("queue"), None, 0), Ok(expected), "{status:?}");
        assert!(world.objects.borrow().is_empty(), "{status:?}");
        assert_eq!((world.starts.get(), world.stops.get()), (0, 0), "{status:?}");
    }
}

/// Whoever binds the lease later may be the runner of another boot.
#[test]
fn a_boot_that_came_up_unbound_is_marked_once() {
    let world = world(InstanceStatus::InService);
    let key = stack().layout.lease(&run("queue").instance);
    let unmarked = lease(LeaseState::Open, None);
    world.put(&key, &unmarked);
    world.passed.set(20);
    assert_eq!(look(&world, run("queue"), None, 0), Ok(Check::Ready));
    let marked = world.objects.borrow()[&key].clone();
    let written: Lease = serde_json::from_slice(&marked).unwrap();
    assert_ne!(written.nonce, unmarked.nonce, "a write of its own");
    let at = now() + chrono::TimeDelta::seconds(20);
    assert_eq!(written, Lease { seen_up: true, at, nonce: written.nonce.clone(), ..unmarked });
    assert_eq!(look(&world, run("queue"), None, 0), Ok(Check::Ready));
    assert_eq!(world.objects.borrow()[&key], marked);
}

/// Who is busy is asked of a starting instance too, and that reads its lease.
#[test]
fn a_boot_that_is_not_up_yet_is_not_marked() {
    let world = world(InstanceStatus::Pending);
    let run = run("skip");
    let key = stack().layout.lease(&run.instance);
    let own = Lease { started_by: run.id.clone(), ..lease(LeaseState::Open, None) };
    world.put(&key, &own);
    assert_eq!(look(&world, run, None, 0), Ok(Check::Wait));
    assert_eq!(serde_json::from_slice::<Lease>(&world.objects.borrow()[&key]).unwrap(), own);
}

#[test]
fn a_bound_boot_is_left_as_it_is() {
    let world = world(InstanceStatus::InService);
    let key = stack().layout.lease(&run("queue").instance);
    world.put(&key, &lease(LeaseState::Open, Some("boot")));
    let before = world.objects.borrow()[&key].clone();
    assert_eq!(look(&world, run("queue"), None, 0), Ok(Check::Ready));
    assert_eq!(world.objects.borrow()[&key], before);
}

/// Only a first look ends a run for others' sake: later it may be this run that made the instance busy.
#[test]
fn who_is_busy_is_asked_at_the_first_look_only() {
    for (when_busy, expected) in [("skip", Ok(Check::Skip)), ("fail", Err(Code::Busy)), ("queue", Ok(Check::Start))] {
        let world = world(InstanceStatus::Stopped);
        world.put(&stack().layout.lease(&run(when_busy).instance), &lease(LeaseState::Starting, None));
        assert_eq!(look(&world, run(when_busy), None, 0), expected, "{when_busy}");
        let waiting = Waiting::at_look(None, 1, 0, now());
        assert_eq!(look(&world, run(when_busy), Some(waiting), 0), Ok(Check::Start), "{when_busy}");
    }
}

/// A ticket that fell silent: its report ends the wait, and a claim that nobody beats for is given a verdict, once.
#[test]
fn a_silent_run_is_heard_or_declared_lost() {
    let run = run("queue");
    let at = run.at();
    let silent = || Some(Waiting::at_look(None, 1, 0, now()));
    let reported = world(InstanceStatus::InService);
    let report = Report::without_outputs(&at, Reporter::Runner, None, None, now());
    reported.put(&stack().layout.report(&at), &report);
    assert_eq!(look(&reported, run.clone(), silent(), 1), Ok(Check::Reported));

    let lost = world(InstanceStatus::InService);
    lost.put(&stack().layout.claim(&at), &claim(Claimant::Runner, &at, None));
    lost.passed.set(100_000);
    assert_eq!(look(&lost, run.clone(), silent(), 1), Err(Code::RunnerLost));
    let key = stack().layout.report(&at);
    let verdict = lost.objects.borrow()[&key].clone();
    assert_eq!(serde_json::from_slice::<Report>(&verdict).unwrap().by, Reporter::Function);
    assert_eq!(look(&lost, run, silent(), 1), Ok(Check::Reported), "there is a verdict, and it is met");
    assert_eq!(lost.objects.borrow()[&key], verdict);
}

/// A run behind one whose runner fell silent is told which, and what became of it; the instance's set-up is not to blame.
#[test]
fn a_run_that_waited_behind_a_lost_one_is_told_which() {
    let run = run("queue");
    let first = AttemptRef { instance: run.instance.to_string(), run: RunId::from_key("first"), attempt: 1 };
    let world = world(InstanceStatus::InService);
    let busy = Lease { busy: Some(first.clone()), ..lease(LeaseState::Busy, Some("boot")) };
    world.put(&stack().layout.lease(&run.instance), &busy);
    world.put(&stack().layout.claim(&first), &claim(Claimant::Runner, &first, None));
    let lost = Failure::new(Code::RunnerLost, "The runner fell silent.");
    let report = Report::without_outputs(&first, Reporter::Function, Some(lost), None, now());
    world.put(&stack().layout.report(&first), &report);
    let call = CheckInstanceInput {
        run,
        waiting: Some(Waiting::at_look(None, 1, 0, now())),
        silences: MAX_UNCLAIMED_SILENCES,
    };
    let failure = block_on(check_instance(&stack(), &world, call)).unwrap_err();
    assert_eq!(failure.code, Code::RunnerSilent);
    for part in ["took the run first, was last heard from at ", "first ended as RunnerLost"] {
        assert!(failure.message.contains(part), "{failure}");
    }
    // A lease that names another instance's run, or this very one, tells nothing.
    for other in [AttemptRef { instance: "payroll".into(), ..first.clone() }, self::run("queue").at()] {
        let busy = Lease { busy: Some(other.clone()), ..lease(LeaseState::Busy, Some("boot")) };
        world.put(&stack().layout.lease(&self::run("queue").instance), &busy);
        world.put(&stack().layout.progress(&other), &json!({"cell": 1, "cells": 2, "at": now()}));
        let call = CheckInstanceInput {
            run: self::run("queue"),
            waiting: Some(Waiting::at_look(None, 1, 0, now())),
            silences: MAX_UNCLAIMED_SILENCES,
        };
        let failure = block_on(check_instance(&stack(), &world, call)).unwrap_err();
        assert!(!failure.message.contains("took the run"), "{other:?}: {failure}");
    }
}
