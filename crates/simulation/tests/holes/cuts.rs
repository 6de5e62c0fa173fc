//! Every step cut off around each of its effects, and run twice; the runner killed at any moment.

use std::time::Duration;

use reveille_asl::interpreter::Status;
use reveille_simulation::fault::Fault;
use reveille_simulation::schedule::{Cut, Deed, InstanceTrouble, Invocation, Step};
use serde_json::json;

use super::support::*;

/// Calls of the longest step, the lease's swap and a second look included.
const MOST_CALLS: u32 = 12;

#[test]
fn every_step_is_cut_off_before_and_after_each_of_its_effects() {
    for step in Step::ALL {
        for number in 0..MOST_CALLS {
            for how in [Cut::Before(number), Cut::After(number), Cut::Hangs(number)] {
                let mut schedule = telling(vec![event(1, 1), event(2, 30)]);
                // The sweeper is not tried again: its timer comes again.
                let times = if step == Step::Sweep { 1 } else { 2 };
                schedule.troubles.push(cut(step, Invocation::Cut(how), times));
                // For the sweeper: something to sweep.
                schedule.hands.push(hand(70, Deed::Abort { trigger: 1 }));
                let played = hold(schedule);
                let struck = [Fault::FunctionDiedBeforeEffect, Fault::FunctionDiedAfterEffect, Fault::FunctionTimedOut];
                let is_struck = struck.iter().any(|fault| played.faults.contains_key(fault));
                assert!(number > 0 || is_struck, "{step:?} is not called, or calls nothing");
                assert_eq!(only(&played, 0).notebooks, 1, "{step:?} {how:?}");
                assert_eq!(only(&played, 0).status, Status::Succeeded, "{step:?} {how:?}");
            }
        }
    }
}

#[test]
fn every_step_runs_twice_in_a_row_each_time() {
    for step in Step::ALL {
        let mut schedule = telling(vec![event(1, 1), event(2, 30)]);
        schedule.troubles.push(cut(step, Invocation::Twice, 1_000));
        schedule.hands.push(hand(70, Deed::Abort { trigger: 1 }));
        let played = hold(schedule);
        assert!(played.faults.contains_key(&Fault::StepRanTwice), "{step:?}");
        assert_eq!((only(&played, 0).notebooks, only(&played, 0).status), (1, Status::Succeeded), "{step:?}");
    }
}

#[test]
fn the_runner_is_killed_at_any_moment() {
    for (asked, most) in [("fail", 1), ("rerun", 3)] {
        let input = json!({"onRunnerLost": asked});
        let ends = second_of(&hold(world(vec![event_with(1, 1, &input)])), "boot 2 is dead");
        for at_ms in (62_000..ends * 1_000).step_by(250) {
            for what in [InstanceTrouble::KillRunner, InstanceTrouble::KillRunnerForGood] {
                let mut schedule = world(vec![event_with(1, 1, &input)]);
                let mut kill = at_instance(0, what, 0);
                kill.at = Duration::from_millis(at_ms);
                schedule.troubles.push(kill);
                let played = hold(schedule);
                assert!(only(&played, 0).notebooks <= most, "at {at_ms} ms {what:?}");
            }
        }
    }
}
