//! The timer's sweeps: there may be more to look at than one sweep can, and every call may be slow.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod support;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use reveille_domain::RunId;
use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::{MAX_INBOX, MAX_RUN_KEYS, MAX_SWEPT_LEASES, SWEEPS_AT_ONCE};
use reveille_domain::ports::{CallErrorKind, ExecutionSeen, ExecutionStatus, InstanceStatus, StartAnswer};
use reveille_domain::records::{Execution, Lease};
use reveille_protocol::sweep::decide::Cursor;
use reveille_protocol::sweep::{self, SweepInput};
use serde_json::{Value, json};
use support::{StepFault, StepWorld, block_on, now, stack};

fn world() -> StepWorld {
    StepWorld::answering(Ok(StartAnswer::Accepted))
}

/// One sweep of the timer. What it could not do is no failure of these tests.
fn sweep(world: &StepWorld) {
    drop(block_on(sweep::sweep(&stack(), world, SweepInput::default())));
}

fn with_leases(names: impl Iterator<Item = String>) -> StepWorld {
    let world = world();
    // It is coming up, so that its lease stays.
    world.status.set((InstanceStatus::Pending, 0));
    for name in names {
        let lease = Lease::starting(&RunId::from_key("r"), name.clone(), None, now());
        world.put(&format!("leases/{name}.json"), &lease);
    }
    world
}

/// Every lease is looked at within so many sweeps as their number asks for, however slow the calls are.
#[test]
fn no_lease_starves() {
    for many in [1, SWEEPS_AT_ONCE, 100, MAX_SWEPT_LEASES + 1] {
        let world = with_leases((0..many).map(|number| format!("nb-{number}")));
        // So slow that a sweep gets no further than to what it begins at once.
        world.describing.set(30);
        let sweeps = many.div_ceil(SWEEPS_AT_ONCE);
        for lap in 1..=3 {
            world.described.borrow_mut().clear();
            // Where a lap ends the next begins, so each may need one sweep more.
            (0..=sweeps).for_each(|_| sweep(&world));
            let described: BTreeSet<String> = world.described.borrow().iter().cloned().collect();
            assert_eq!(described.len(), many, "lap {lap} of {many} leases in {sweeps} sweeps");
        }
    }
}

#[test]
fn a_lease_that_cannot_be_read_or_is_none_holds_up_no_other() {
    let world = with_leases(["a", "b", "c"].into_iter().map(str::to_owned));
    for stray in ["leases/", "leases/_.json", "leases/b.json.bak", "leases/zz/"] {
        world.objects.borrow_mut().insert(stray.to_owned(), b"{".to_vec());
    }
    world.objects.borrow_mut().insert("leases/b.json".to_owned(), b"garbage".to_vec());
    sweep(&world);
    assert_eq!(*world.described.borrow(), ["a", "b", "c"]);
}

/// The record that says how far it came may be gone, garbage, or out of reach.
#[test]
fn a_sweep_without_its_cursor_begins_at_the_beginning() {
    for fault in [None, Some("s3:GetObject"), Some("s3:PutObject")] {
        let world = with_leases((0..3).map(|number| format!("nb-{number}")));
        world.objects.borrow_mut().insert("sweeper.json".to_owned(), b"garbage".to_vec());
        if let Some(action) = fault {
            let kind = CallErrorKind::AccessDenied;
            world.faults.borrow_mut().push(StepFault { action, key_end: "sweeper.json", kind, times: 9 });
        }
        sweep(&world);
        assert_eq!(world.described.borrow().len(), 3, "{fault:?}");
    }
}

fn ended(name: &str, started: DateTime<Utc>, redrive_count: u32) -> ExecutionSeen {
    ExecutionSeen {
        status: ExecutionStatus::Aborted,
        execution: Execution { arn: format!("arn:{name}"), name: name.into(), start_time: started, redrive_count },
        input: (&json!({"instance": "nightly", "notebook": "a.ipynb"})).into(),
        error: None,
        cause: None,
    }
}

/// A place that could not be read is not taken for none: what is written there then would be the beginning.
#[test]
fn a_place_that_cannot_be_read_is_not_written_over() {
    let world = with_leases(["nb-0"].into_iter().map(str::to_owned));
    put_cursor(&world, now() - TimeDelta::days(1));
    let before = world.objects.borrow()["sweeper.json"].clone();
    let (action, kind) = ("s3:GetObject", CallErrorKind::Throttled);
    world.faults.borrow_mut().push(StepFault { action, key_end: "sweeper.json", kind, times: 9 });
    sweep(&world);
    assert_eq!(world.described.borrow().len(), 1);
    assert_eq!(world.objects.borrow()["sweeper.json"], before);
}

/// Nothing is cut off, but the first lease takes all of a sweep's time.
#[test]
fn executions_do_not_starve_behind_a_slow_instance() {
    let (world, all) = with_work(1, 3);
    world.describing.set(30);
    (0..8).for_each(|_| sweep(&world));
    for seen in &all {
        assert!(has_outcome(&world, seen), "{}", seen.execution.name);
    }
    assert_eq!(leases_looked_at(&world), 1);
}

/// One sweep of the timer that may be cut off.
fn sweep_cut_off(world: &StepWorld) {
    let (stack, call) = (stack(), SweepInput::default());
    block_on(async {
        tokio::select! {
            _ = sweep::sweep(&stack, world, call) => {}
            () = world.cut.notified() => {}
        }
    });
}

/// Leases of boots that runners have left for long, and executions that were aborted.
fn with_work(leases: usize, executions: i64) -> (StepWorld, Vec<ExecutionSeen>) {
    let world = world();
    world.status.set((InstanceStatus::Pending, 0));
    for name in (0..leases).map(|number| format!("nb-{number}")) {
        world.put(&format!("leases/{name}.json"), &Lease::starting(&RunId::from_key("r"), name.clone(), None, now()));
    }
    let all: Vec<_> =
        (0..executions).map(|number| ended(&format!("x{number}"), now() - TimeDelta::hours(number), 0)).collect();
    *world.executions.borrow_mut() = all.iter().map(|seen| (seen.clone(), now())).collect();
    world.page_size.set(3);
    (world, all)
}

fn leases_looked_at(world: &StepWorld) -> usize {
    let described: BTreeSet<String> = world.described.borrow().iter().cloned().collect();
    described.iter().filter(|name| name.starts_with("nb-")).count()
}

/// However short the time of each is: if it is enough for one thing, everything is looked at in the end.
#[test]
fn nothing_starves_where_every_sweep_is_cut_off() {
    let (leases, executions) = (5_usize, 8);
    for calls in (20..70).step_by(3) {
        let (world, all) = with_work(leases, executions);
        // A thing is cut off at most once before it is the first of a sweep, which begins with its kind every second time.
        for _ in 0..4 * (leases + all.len()) {
            world.calls_left.set(Some(calls));
            sweep_cut_off(&world);
        }
        assert_eq!(leases_looked_at(&world), leases, "{calls} calls a sweep");
        for seen in &all {
            assert!(has_outcome(&world, seen), "{calls} calls a sweep: {}", seen.execution.name);
        }
    }
}

/// Whatever cuts off each sweep that looks at it (it is slow, or too large) holds up nothing else.
#[test]
fn what_cuts_off_a_sweep_holds_up_nothing_else() {
    for poison in [["nb-0", "nb-3"], ["arn:x0", "arn:x4"], ["nb-1", "arn:x2"], ["nb-4", "arn:x7"]] {
        let (world, all) = with_work(5, 8);
        *world.poison.borrow_mut() = poison.into_iter().map(str::to_owned).collect();
        // Each may cut off a sweep of many at once, and one that begins with the other kind, before one passes it.
        (0..12).for_each(|_| sweep_cut_off(&world));
        let is_poison = |name: &str| poison.contains(&name);
        let described: BTreeSet<String> = world.described.borrow().iter().cloned().collect();
        for name in (0..5).map(|number| format!("nb-{number}")).filter(|name| !is_poison(name)) {
            assert!(described.contains(&name), "{poison:?}: {name}");
        }
        for seen in all.iter().filter(|seen| !is_poison(&seen.execution.arn)) {
            assert!(has_outcome(&world, seen), "{poison:?}: {}", seen.execution.name);
        }
        // Nothing else is passed again and again: leases are looked at in every few sweeps.
        world.described.borrow_mut().clear();
        (0..8).for_each(|_| sweep_cut_off(&world));
        let expected = (0..5).filter(|number| !is_poison(&format!("nb-{number}"))).count();
        assert_eq!(leases_looked_at(&world), expected, "{poison:?}");
    }
}

fn has_outcome(world: &StepWorld, seen: &ExecutionSeen) -> bool {
    let at = AttemptRef { instance: "nightly".into(), run: seen.execution.run(), attempt: 1 };
    world.objects.borrow().contains_key(&stack().layout.outcome(&at))
}

fn put_cursor(world: &StepWorld, looked_at: DateTime<Utc>) {
    world.put("sweeper.json", &Cursor { looked_at: Some(looked_at), ..Cursor::default() });
}

/// Step Functions lists by the start: what ended just now may be days behind what started last.
#[test]
fn every_execution_that_ended_lately_is_concluded_however_many_and_however_slow() {
    let world = world();
    let all: Vec<_> = (0..150)
        .map(|number| {
            let started = now() - TimeDelta::hours(number);
            (ended(&format!("x{number}"), started, 0), now() - TimeDelta::minutes(number % 50))
        })
        .collect();
    *world.executions.borrow_mut() = all.clone();
    world.page_size.set(40);
    world.describing.set(30);
    // Before the first, nothing had been looked at for a day.
    put_cursor(&world, now() - TimeDelta::days(1));
    for _ in 0..=150 / SWEEPS_AT_ONCE + 4 {
        sweep(&world);
    }
    for (seen, _) in &all {
        assert!(has_outcome(&world, seen), "{}", seen.execution.name);
    }
    assert_eq!(world.events.get(), 150, "one event each");
}

#[test]
fn what_ended_while_no_sweep_came_is_concluded_by_the_next() {
    let seen = ended("x", now() - TimeDelta::hours(9), 0);
    for (hours, found) in [(5, true), (8, false)] {
        let world = world();
        *world.executions.borrow_mut() = vec![(seen.clone(), now() - TimeDelta::hours(hours))];
        put_cursor(&world, now() - TimeDelta::hours(6));
        sweep(&world);
        assert_eq!(has_outcome(&world, &seen), found, "it ended {hours} hours ago");
    }
}

#[test]
fn a_redriven_execution_may_have_started_weeks_ago() {
    let world = world();
    let mut all: Vec<_> = (0..30)
        .map(|number| (ended(&format!("old{number}"), now() - TimeDelta::days(9), 0), now() - TimeDelta::days(9)))
        .collect();
    let redriven = ended("redriven", now() - TimeDelta::days(13), 1);
    all.push((redriven.clone(), now()));
    *world.executions.borrow_mut() = all;
    world.page_size.set(10);
    sweep(&world);
    assert!(has_outcome(&world, &redriven));
    assert_eq!(world.events.get(), 1, "those that ended days ago are not looked at");
}

/// The last of many attempts is found by the outcomes before it, and no listing is without a bound.
#[test]
fn listings_are_few_and_bounded() {
    let world = world();
    let seen = ended("x", now(), 9);
    let run = stack().layout.run("nightly", &seen.execution.run());
    for attempt in 1..=100 {
        for file in ["a", "b", "log.txt", "output.html", "output.ipynb"] {
            world.objects.borrow_mut().insert(format!("{run}{attempt}/{file}"), b"{}".to_vec());
        }
        if attempt < 100 {
            let outcome = json!({"run": seen.execution.run(), "attempt": attempt, "status": "FAILED", "code": "NotebookFailed",
                "instance": "nightly", "outputs": {}, "phases": {}, "instanceAfter": "atRest",
                "executionArn": seen.execution.arn, "redriveCount": 0, "concludedAt": now()});
            world.put(&format!("{run}{attempt}/outcome.json"), &outcome);
        }
    }
    world.only(seen.clone());
    let announced = SweepInput { execution_arn: Some(seen.execution.arn.clone()) };
    drop(block_on(sweep::sweep(&stack(), &world, announced)));
    let lists = world.lists.borrow().clone();
    assert_eq!(lists.iter().filter(|(prefix, _)| prefix.starts_with("runs/")).count(), 2, "{lists:?}");
    assert!(world.objects.borrow().contains_key(&format!("{run}100/outcome.json")), "the last attempt's");
    sweep(&world);
    for (prefix, limit) in world.lists.borrow().iter() {
        assert!(*limit <= MAX_RUN_KEYS.max(MAX_SWEPT_LEASES).max(MAX_INBOX), "{prefix}: {limit}");
    }
}

/// An engine that shows another start time than its context object: the request tells which run it is.
#[test]
fn a_run_is_found_by_its_request_among_its_namesakes() {
    let world = world();
    let seen = ended("nightly", now(), 0);
    let admitted = Execution { start_time: now() + TimeDelta::milliseconds(1), ..seen.execution.clone() };
    let other = Execution { name: "nightly-2".into(), arn: "arn:nightly-2".into(), ..admitted.clone() };
    for execution in [&admitted, &other] {
        let call = json!({"execution": execution, "input": serde_json::from_str::<Value>(seen.input.as_str()).unwrap(), "attempt": 1});
        let call = serde_json::from_value(call).unwrap();
        block_on(reveille_protocol::admit_run::admit_run(&stack(), &world, call)).unwrap();
    }
    world.only(seen);
    let announced = SweepInput { execution_arn: Some("arn:nightly".to_owned()) };
    assert_eq!(block_on(sweep::sweep(&stack(), &world, announced)).unwrap().concluded, 1);
    let at = AttemptRef { instance: "nightly".into(), run: admitted.run(), attempt: 1 };
    assert!(world.objects.borrow().contains_key(&stack().layout.outcome(&at)));
}

/// The first part of a sweep leaves half of the time for the second. A careful one looks at one thing after another.
#[test]
fn many_slow_leases_leave_time_for_an_execution_in_the_same_sweep() {
    let world = with_leases((0..100).map(|number| format!("nb-{number}")));
    world.describing.set(1);
    // One sweep was cut off, and it began with the executions.
    world.put("sweeper.json", &json!({"unfinished": 1, "executionsFirst": true}));
    let execution = Execution { arn: "arn:x".into(), name: "x".into(), start_time: now(), redrive_count: 0 };
    world.only(ExecutionSeen {
        status: ExecutionStatus::Aborted,
        execution,
        input: (&json!({"instance": "nb-1", "notebook": "a.ipynb"})).into(),
        error: None,
        cause: None,
    });
    sweep(&world);
    assert_eq!(world.described.borrow().len(), 9 + 1, "in half of the 18 s, and the execution's own instance");
    assert_eq!(world.events.get(), 1);
}

/// A round that looked at every lease begins anew; one that may have more before it goes on behind the last.
#[test]
fn the_cursor_says_behind_which_lease_the_next_sweep_goes_on() {
    for (many, goes_on) in [(1, false), (3, false), (MAX_SWEPT_LEASES - 1, false), (MAX_SWEPT_LEASES, true)] {
        let world = with_leases((0..many).map(|number| format!("nb-{number:04}")));
        sweep(&world);
        let cursor: Cursor = serde_json::from_slice(&world.objects.borrow()["sweeper.json"]).unwrap();
        assert_eq!(cursor.lease, goes_on.then(|| format!("leases/nb-{:04}.json", many - 1)), "{many}");
    }
}

#[test]
fn a_sweep_goes_round_from_behind_its_cursor() {
    for (cursor, expected) in [("b", ["c", "a", "b"]), ("a", ["b", "c", "a"]), ("c", ["a", "b", "c"])] {
        let world = with_leases(["a", "b", "c"].into_iter().map(str::to_owned));
        world.put("sweeper.json", &json!({"lease": format!("leases/{cursor}.json")}));
        sweep(&world);
        assert_eq!(*world.described.borrow(), expected, "behind {cursor}");
    }
}
