//! Two stacks whose runs name the same instance. docs/guarantees.md: nothing is promised of their runs, but no instance that either started stays on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "holes/support.rs"]
#[allow(dead_code, reason = "each test uses a part of it")]
mod support;

use reveille_asl::interpreter::Status;
use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::schedule::Deed;
use reveille_simulation::world::By;
use support::{event, hand, taking, world};

/// No boot that a stack started outlives its last run by more than this: the longest of the bounds that docs/guarantees.md has for
/// what may be a person's.
const LONGEST_S: i64 = 2 * 3_600;

#[test]
fn what_either_of_two_stacks_started_does_not_stay_on() {
    // docs/guarantees.md: "no instance that either stack started stays on"
    let machine = Definitions::default().with(world(Vec::new()).parameters).unwrap();
    let (mut served, mut failed) = (0, 0);
    for second in (0..400).step_by(10) {
        for takes in [20, 200] {
            let mut schedule = world(vec![event(1, 100), event(2, 1 + second)]);
            schedule.notebooks = taking(takes);
            schedule.of_second_stack = vec![1];
            if second % 40 == 0 {
                schedule.hands.push(hand(200, Deed::Abort { trigger: 1 }));
            }
            let played = play(schedule, &machine, None, true);
            for ending in &played.endings {
                assert_ne!(ending.status, Status::Running, "at {second} s: everything ends");
                let is_success = ending.status == Status::Succeeded;
                (served, failed) = (served + u32::from(is_success), failed + u32::from(!is_success));
            }
            let last = &played.timeline[played.timeline.len().saturating_sub(40)..];
            for (by, ms) in &played.boots {
                assert_eq!(*by, By::Us);
                assert!(*ms < LONGEST_S * 1_000, "at {second} s a boot was on for {} s: {last:#?}", ms / 1_000);
            }
        }
    }
    assert!(served > 0 && failed > 0, "{served} of both stacks succeeded, {failed} did not");
}
