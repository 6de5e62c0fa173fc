//! A long queue on one instance, each run with an execution of its own, where every call takes its time: all end, in the order
//! in which they were admitted, and the instance does not wait long between two of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "it shows its figures")]

#[path = "holes/support.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod support;

use std::time::Duration;

use reveille_simulation::definition::Definitions;
use reveille_simulation::play::{Played, play};
use reveille_simulation::schedule::{Parameters, Schedule};
use serde_json::json;
use support::{event_with, taking, world};

/// What each notebook takes.
const NOTEBOOK_S: u32 = 2;
/// The longest that an instance may be without a notebook between two: a runner looks once a second, and then reads and writes
/// a few records.
const BETWEEN_MS: u64 = 5_000;

/// Within this, every run that waited for the start has seen it.
const POLLED_MS: u64 = 60_000;

/// Runs that are asked for within a minute, and a runner whose listings take 30 to 120 ms.
fn queue(runs: u32) -> Schedule {
    let limits =
        json!({"limits": {"startSeconds": 1_200, "queueSeconds": 86_400, "runSeconds": 600, "stopSeconds": 600}});
    let mut triggers: Vec<_> = (0..runs).map(|number| event_with(number + 1, 1, &limits)).collect();
    for (trigger, number) in triggers.iter_mut().zip(0_u64..) {
        trigger.at += Duration::from_millis(number * 60_000 / u64::from(runs));
    }
    let parameters = Parameters { start_poll: 30, stop_poll: 15, heartbeat: 300 };
    Schedule { parameters, notebooks: taking(NOTEBOOK_S), listing_ms: 30, ..world(triggers) }
}

fn played(schedule: Schedule) -> Played {
    let machine = Definitions::default().with(schedule.parameters).unwrap();
    let played = play(schedule, &machine, None, true);
    assert!(played.violations.is_empty(), "{:#?}", &played.violations[..played.violations.len().min(9)]);
    played
}

/// The milliseconds at which notebooks began, and the numbers of their triggers, in order.
fn begun(played: &Played) -> Vec<(u64, u32)> {
    let of = |line: &String| {
        let (_, run) = line.split_once("  notebook of t")?;
        let number = run.split('-').next()?.parse().ok()?;
        let clock: Vec<u64> = line[..13].trim().split([':', '.']).map(|part| part.trim().parse().unwrap()).collect();
        Some((((clock[0] * 60 + clock[1]) * 60 + clock[2]) * 1_000 + clock[3], number))
    };
    played.timeline.iter().filter_map(of).collect()
}

fn holds_with(runs: u32) {
    let played = played(queue(runs));
    let begun = begun(&played);
    assert_eq!(begun.len(), runs as usize, "each ran once");
    assert!(played.endings.iter().all(|ending| ending.outcome.as_ref().is_some_and(|outcome| outcome.code.is_none())));
    assert_eq!(played.boots.len(), 1, "one boot served all");
    let takes = u64::from(NOTEBOOK_S) * 1_000;
    let mut between: Vec<u64> = begun.windows(2).map(|pair| pair[1].0 - pair[0].0 - takes).collect();
    between.sort_unstable();
    let (median, longest) = (between[between.len() / 2], between[between.len() - 1]);
    // Whoever was admitted while the instance started comes into the queue with their next poll.
    let polled = begun[0].0 + POLLED_MS;
    let late = begun.windows(2).filter(|pair| pair[0].0 > polled && pair[1].1 < pair[0].1).count();
    println!(
        "{runs} runs: {median} ms between two in the median, {longest} ms at most; {late} of them before an earlier one; {} calls, {} function calls",
        played.calls, played.invocations
    );
    assert_eq!(late, 0, "in the order of their admission");
    assert!(longest <= BETWEEN_MS, "{longest} ms without a notebook");
}

#[test]
fn hundreds_of_runs_are_served_in_order_without_a_pause() {
    holds_with(300);
}

/// As many as anybody will queue: minutes. `cargo test --locked --profile simulate -p reveille-simulation --test queue -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn thousands_of_runs_are_served_in_order_without_a_pause() {
    holds_with(2_000);
}
