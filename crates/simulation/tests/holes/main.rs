//! Each known hole of the run protocol, closed: the directed tests beside the random schedules.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod cuts;
mod starts;
mod support;

use std::time::Duration;

use reveille_asl::interpreter::Status;
use reveille_domain::Code;
use reveille_domain::records::{self, Rest};
use reveille_simulation::fault::Fault;
use reveille_simulation::schedule::{
    Action, Caller, Cut, Deed, InstanceTrouble, Invocation, Mode, Parameters, Step, Trigger,
};
use reveille_simulation::world::By;
use serde_json::json;
use support::*;

#[test]
fn nothing_goes_wrong() {
    let played = hold(world(vec![event(1, 1)]));
    assert_success(only(&played, 0), Rest::AtRest);
    assert_eq!(played.boots.len(), 1);
}

#[test]
fn an_aborted_run_still_stands_in_the_inbox() {
    let mut schedule = world(vec![event(1, 1), event(2, 80)]);
    schedule.notebooks = taking(300);
    schedule.hands.push(hand(110, Deed::Abort { trigger: 1 }));
    let played = hold(schedule);
    assert_success(only(&played, 0), Rest::AtRest);
    let aborted = only(&played, 1);
    assert_eq!((aborted.status, aborted.notebooks, code(aborted)), (Status::Aborted, 0, Some(Code::Cancelled)));
    assert_eq!(aborted.outcome.as_ref().unwrap().status, records::RunStatus::Aborted);
}

#[test]
fn one_object_and_two_rules() {
    let second = Trigger { event: Some(1), ..event_with(1, 1, &json!({"notebook": "reports/second.ipynb"})) };
    let played = hold(world(vec![event(1, 1), second]));
    for trigger in 0..2 {
        assert_eq!((only(&played, trigger).notebooks, only(&played, trigger).status), (1, Status::Succeeded));
    }
    assert_eq!(played.boots.len(), 1);
}

#[test]
fn a_redrive_after_a_success_only_verifies_the_stop() {
    let mut schedule = world(vec![event_with(1, 1, &json!({"limits": {"stopSeconds": 60}}))]);
    schedule.troubles.push(at_instance(0, InstanceTrouble::StopHangs, 900));
    schedule.hands.push(hand(1_500, Deed::Redrive { trigger: 0 }));
    let played = hold(schedule);
    let ending = only(&played, 0);
    assert_eq!((ending.status, ending.notebooks), (Status::Succeeded, 1));
    assert_eq!(code(ending), Some(Code::StopNotConfirmed), "the outcome was recorded before the redrive, and stands");
}

/// A verdict that exists decides the outcome: that nobody saw the instance stop is told beside it.
#[test]
fn a_success_stays_one_when_only_its_stop_could_not_be_verified() {
    for effects in [1, 2] {
        for how in [Invocation::Cut(Cut::Before(effects)), Invocation::Cut(Cut::After(effects))] {
            let mut schedule = world(vec![event(1, 1)]);
            schedule.troubles.push(cut(Step::VerifyStopped, how, 100));
            let played = hold(schedule);
            let ending = only(&played, 0);
            assert_eq!((ending.status, ending.notebooks), (Status::Failed, 1), "{how:?}");
            assert_eq!(code(ending), Some(Code::StopNotConfirmed), "{how:?}");
            let outcome = ending.outcome.as_ref().unwrap();
            assert_eq!(outcome.status, records::RunStatus::Succeeded, "{how:?}");
            assert_eq!(outcome.instance_after, Rest::NotConfirmed, "{how:?}");
        }
    }
}

#[test]
fn a_redrive_after_an_abort_while_queued() {
    let mut schedule = world(vec![event(1, 1), event(2, 80)]);
    schedule.notebooks = taking(200);
    schedule.hands = vec![hand(110, Deed::Abort { trigger: 1 }), hand(1_000, Deed::Redrive { trigger: 1 })];
    let played = hold(schedule);
    let redriven = only(&played, 1);
    assert_success(redriven, Rest::AtRest);
    assert_eq!(redriven.outcome.as_ref().unwrap().attempt, 2);
}

#[test]
fn a_duplicate_after_a_failure() {
    let twice = Trigger { deliveries: vec![seconds(0), seconds(600)], ..event(1, 1) };
    let mut schedule = world(vec![twice]);
    schedule.notebooks.fails = 100;
    let played = hold(schedule);
    let endings = of(&played, 0);
    assert_eq!((code(endings[0]), endings[0].notebooks), (Some(Code::NotebookFailed), 1));
    assert_eq!((endings[1].duplicate, endings[1].status, endings[1].notebooks), (true, Status::Succeeded, 0));
}

#[test]
fn an_old_event_is_run_again_and_a_fresh_one_is_not() {
    let mut schedule = world(vec![event(1, 1)]);
    schedule.hands = vec![hand(300, Deed::Repeat { trigger: 0 }), hand(1_000, Deed::Repeat { trigger: 0 })];
    let played = hold(schedule);
    let endings = of(&played, 0);
    assert_eq!(endings.iter().map(|ending| ending.duplicate).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(endings.iter().map(|ending| ending.notebooks).collect::<Vec<_>>(), [1, 0, 1]);
}

#[test]
fn an_abort_while_start_instance_is_in_flight() {
    // The start is sent about a second after the event; each of these cuts through it at another place.
    for at_ms in (1_150..2_400).step_by(50) {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.hands.push(reveille_simulation::schedule::Hand {
            at: Duration::from_millis(at_ms),
            deed: Deed::Abort { trigger: 0 },
        });
        let played = hold(schedule);
        assert_eq!((only(&played, 0).status, only(&played, 0).notebooks), (Status::Aborted, 0), "at {at_ms} ms");
    }
}

#[test]
fn a_stop_meets_a_fresh_claim() {
    let ends = second_of(&hold(world(vec![event(1, 1)])), "nothing is left to do");
    // The second run comes at every moment around the closing of the boot.
    for at_ms in (ends * 1_000 - 3_000..ends * 1_000 + 3_000).step_by(100) {
        let mut second = event(2, 0);
        second.at = Duration::from_millis(at_ms);
        let played = hold(world(vec![event(1, 1), second]));
        for trigger in 0..2 {
            assert_eq!((only(&played, trigger).notebooks, only(&played, trigger).status), (1, Status::Succeeded));
        }
    }
}

#[test]
fn a_late_stop_and_a_persons_new_boot() {
    // Without a runner it is a function that stops; its Stop lands late, and a person is quick.
    for at in (180..330).step_by(10) {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.troubles = vec![
            at_instance(0, InstanceTrouble::NoRunner, 0),
            call(Caller::Function(Step::VerifyStopped), Action::Stop, Mode::LandsLate, 1),
        ];
        schedule.hands.push(hand(at, Deed::Restart { index: 0 }));
        schedule.hands.push(hand(at + 400, Deed::Work { index: 0, work: Duration::from_mins(20) }));
        hold(schedule);
    }
}

#[test]
fn a_person_starts_soon_after_a_function_stopped_our_boot() {
    let mut schedule = world(vec![event(1, 1), event_with(2, 4_000, &json!({}))]);
    schedule.troubles.push(at_instance(0, InstanceTrouble::NoRunner, 0));
    schedule.hands.push(hand(260, Deed::Start { index: 0, work: Duration::from_mins(10) }));
    let played = hold(schedule);
    assert_eq!(code(only(&played, 0)), Some(Code::RunnerSilent));
    assert_success(only(&played, 1), Rest::LeftRunning);
}

#[test]
fn a_person_stops_our_boot_and_starts_it_again() {
    for at in [70, 80, 100, 150, 300] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.notebooks = taking(400);
        schedule.hands.push(hand(at, Deed::Restart { index: 0 }));
        let played = hold(schedule);
        assert!(played.faults.contains_key(&Fault::PersonStarts), "at {at} s it was up");
        let (by, on_ms) = *played.boots.last().unwrap();
        assert!(by == By::Us || on_ms > 120_000, "the person's boot is left alone: {on_ms} ms");
    }
}

#[test]
fn a_runner_is_cut_off_declared_lost_and_reports_later() {
    for (asked, most) in [("fail", 1), ("rerun", 2)] {
        let mut schedule = world(vec![event_with(1, 1, &json!({"onRunnerLost": asked}))]);
        schedule.notebooks = taking(600);
        schedule.troubles.push(at_instance(75, InstanceTrouble::PartitionRunner, 400));
        let played = hold(schedule);
        let ending = only(&played, 0);
        assert!(ending.notebooks <= most, "{asked}: {}", ending.notebooks);
        assert!(played.timeline.iter().any(|line| line.contains("RunnerLost")), "{asked}");
    }
}

#[test]
fn a_runner_is_cut_off_while_it_reports() {
    for lasting in [30, 70, 120, 200, 280, 400] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.parameters = Parameters { start_poll: 30, stop_poll: 15, heartbeat: 300 };
        schedule.troubles.push(at_instance(100, InstanceTrouble::PartitionRunner, lasting));
        schedule.notebooks = taking(30);
        let played = hold(schedule);
        assert_eq!(only(&played, 0).notebooks, 1, "cut off for {lasting} s");
    }
}

#[test]
fn a_ticket_is_replaced_while_the_runner_reports() {
    for lost in 4..16 {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.notebooks = taking(300);
        schedule.troubles.push(call(Caller::Runner, Action::Beat, Mode::NotReached, lost));
        let played = hold(schedule);
        assert_eq!((only(&played, 0).notebooks, only(&played, 0).status), (1, Status::Succeeded), "{lost} beats lost");
    }
}

#[test]
fn a_hand_over_to_a_run_that_dies() {
    // Both runs are given up at the same time: neither may count on the other.
    let mut schedule = world(vec![event(1, 1), event(2, 2)]);
    schedule.troubles.push(at_instance(0, InstanceTrouble::NoRunner, 0));
    schedule.sweeper = false;
    let played = hold(schedule);
    assert!(played.endings.iter().all(|ending| code(ending) == Some(Code::RunnerSilent)), "{:?}", played.endings);
    assert_eq!(played.boots.len(), 1);
    // Handed over to a run that is then aborted: the sweeper brings the instance to rest.
    let mut schedule = world(vec![event(1, 1), event(2, 2)]);
    schedule.notebooks = taking(100);
    schedule.troubles.push(at_instance(200, InstanceTrouble::KillRunnerForGood, 0));
    schedule.hands.push(hand(230, Deed::Abort { trigger: 1 }));
    hold(schedule);
}

#[test]
fn a_person_works_on_our_boot() {
    let mut schedule = world(vec![event(1, 1)]);
    schedule.hands.push(hand(70, Deed::Work { index: 0, work: Duration::from_mins(20) }));
    let played = hold(schedule);
    assert_success(only(&played, 0), Rest::LeftRunning);
    let (_, on_ms) = played.boots[0];
    let quiet = (20 + 15) * 60_000;
    assert!((quiet..quiet + 120_000).contains(&on_ms), "stopped when nobody worked for a while: {on_ms} ms");
}

#[test]
fn a_run_is_queued_behind_a_long_one() {
    let mut schedule = world(vec![event(1, 1), event(2, 2), event(3, 3)]);
    schedule.notebooks = taking(3_000);
    let played = hold(schedule);
    for trigger in 0..3 {
        assert_eq!((only(&played, trigger).notebooks, only(&played, trigger).status), (1, Status::Succeeded));
    }
    assert_eq!(played.boots.len(), 1, "one start for all");
    assert!(!played.faults.contains_key(&Fault::TokenExpired), "the queued ones were beaten, too");
}

#[test]
fn a_request_that_is_refused_is_refused_again_when_it_is_redriven() {
    let mut schedule = world(vec![event_with(1, 1, &json!({"notebook": "../outside.ipynb"}))]);
    schedule.hands = vec![hand(100, Deed::Redrive { trigger: 0 }), hand(200, Deed::Redrive { trigger: 0 })];
    let played = hold(schedule);
    assert_eq!(code(only(&played, 0)), Some(Code::InvalidRequest));
    assert_eq!(only(&played, 0).outcome.as_ref().unwrap().attempt, 3);
}

/// The runner is told by the fence of its starter that nobody comes; no step waits for another in a circle.
#[test]
fn a_run_that_gives_up_during_the_start_does_not_keep_the_instance_up() {
    let mut schedule = world(vec![event_with(1, 1, &json!({"limits": {"startSeconds": 30}}))]);
    schedule.sweeper = false;
    let played = hold(schedule);
    let given_up = only(&played, 0);
    assert_eq!((code(given_up), given_up.notebooks), (Some(Code::StartNotConfirmed), 0));
    let (_, on_ms) = played.boots[0];
    assert!(on_ms < 300_000, "on for {on_ms} ms, and nobody came");
    assert_eq!(given_up.outcome.as_ref().unwrap().instance_after, Rest::AtRest);
}

/// Another run waits for the same boot, and looks at it only every now and then.
#[test]
fn a_run_that_waits_for_the_start_of_one_that_gave_up_still_finds_the_boot() {
    for start_poll in [10, 30] {
        let first = event_with(1, 1, &json!({"limits": {"startSeconds": 30}}));
        let mut schedule = world(vec![first, event(2, 5)]);
        schedule.parameters.start_poll = start_poll;
        let played = hold(schedule);
        assert_eq!(code(only(&played, 0)), Some(Code::StartNotConfirmed));
        assert_success(only(&played, 1), Rest::AtRest);
        assert_eq!(played.boots.len(), 1, "polled every {start_poll} s");
    }
}

#[test]
fn a_sweep_meets_a_notebook_whose_ticket_its_runner_withdrew() {
    // Cut off until its tokens time out, the runner comes back just when the sweeper's timer fires: the inbox is empty until
    // the executions submit their tickets anew, and the lease is a heartbeat old. Where between two beats that is, is tried
    // all over: a beat comes every 20 s at most.
    for later_ms in (0..20_000).step_by(50) {
        let mut schedule = world(vec![event(1, 1), event(2, 2)]);
        for trigger in &mut schedule.triggers {
            trigger.at += Duration::from_millis(later_ms);
        }
        schedule.notebooks = taking(600);
        schedule.troubles.push(at_instance(250, InstanceTrouble::PartitionRunner, 40));
        let played = hold(schedule);
        let told = || format!("{later_ms} ms later:\n{}", played.timeline.join("\n"));
        let is_stop = |line: &&String| line.contains("sweep") && line.contains("Stop nb-0");
        assert_eq!(played.timeline.iter().find(is_stop), None, "{}", told());
        // Where its execution took the runner for lost in the very moment of its return, its notebook is ended, and the other
        // run may have to start the instance anew.
        let lost = code(only(&played, 0)) == Some(Code::RunnerLost);
        assert!(played.boots.len() == 1 || lost, "{}", told());
    }
}

#[test]
fn a_person_who_shuts_their_kernels_down_is_given_the_same_quiet() {
    // In this world whoever leaves shuts everything down: Jupyter tells of nobody from then on.
    for lasting in [3, 20] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.hands.push(hand(70, Deed::Work { index: 0, work: Duration::from_mins(lasting) }));
        let played = hold(schedule);
        let (_, on_ms) = played.boots[0];
        let quiet = i64::try_from(lasting + 15).unwrap() * 60_000;
        assert!((quiet..quiet + 120_000).contains(&on_ms), "{lasting} minutes of work, stopped after {on_ms} ms");
    }
}
