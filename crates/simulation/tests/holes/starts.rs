//! Starts whose answer is lost, that fail, or that are accepted and not carried out; and people who start at the same time.

use std::time::Duration;

use reveille_asl::interpreter::Status;
use reveille_domain::Code;
use reveille_domain::records::Rest;
use reveille_simulation::schedule::{Action, Caller, Cut, Deed, InstanceTrouble, Invocation, Mode, Step};
use reveille_simulation::world::By;
use serde_json::json;

use super::support::*;

const START: Caller = Caller::Function(Step::StartInstance);

#[test]
fn starts_answer_is_lost() {
    for mode in [Mode::AnswerLost, Mode::NotReached, Mode::LandsLate, Mode::Throttled] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.troubles.push(call(START, Action::Start, mode, 1));
        let played = hold(schedule);
        assert_eq!(only(&played, 0).notebooks, 1, "{mode:?}");
        assert_eq!(only(&played, 0).status, Status::Succeeded, "{mode:?}\n{}", played.timeline.join("\n"));
        assert_eq!(played.boots.len(), 1, "one start is one boot: {mode:?}");
    }
}

#[test]
fn the_intent_is_written_the_function_dies_and_a_person_starts() {
    let mut schedule = world(vec![event(1, 1)]);
    schedule.troubles.push(cut(Step::StartInstance, Invocation::Cut(Cut::After(2)), 4));
    schedule.hands.push(hand(3, Deed::Start { index: 0, work: Duration::from_mins(45) }));
    let played = hold(schedule);
    assert_success(only(&played, 0), Rest::LeftRunning);
    let (by, on_ms) = played.boots[0];
    assert_eq!((played.boots.len(), by), (1, By::Person));
    assert!(on_ms >= (45 + 30) * 60_000, "on for {on_ms} ms, the work and its quiet:\n{}", played.timeline.join("\n"));
}

/// "At rest" is answered while the lease may not be removed yet: it must not take a later boot for ours.
#[test]
fn a_start_that_failed_at_once_takes_nobodys_later_boot_for_ours() {
    for at in [30, 45, 60, 90, 200] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.instances[0].pending = seconds(15);
        schedule.troubles.push(at_instance(0, InstanceTrouble::LifecycleScriptFails, 3_600));
        schedule.hands.push(hand(at, Deed::Start { index: 0, work: Duration::ZERO }));
        // The world goes on until it would have been stopped.
        schedule.hands.push(hand(1_800, Deed::Work { index: 0, work: Duration::ZERO }));
        let played = hold(schedule);
        assert_eq!(code(only(&played, 0)), Some(Code::LifecycleFailed), "at {at} s");
        let (by, on_ms) = *played.boots.last().unwrap();
        assert_eq!(by, By::Person, "at {at} s");
        assert!(on_ms > 1_500_000, "the person's boot was stopped after {on_ms} ms:\n{}", played.timeline.join("\n"));
    }
}

/// It is sent again after a minute, and so often only as `startSeconds` have minutes.
#[test]
fn a_start_that_is_accepted_and_not_carried_out_is_sent_again() {
    let mut schedule = world(vec![event(1, 1)]);
    schedule.troubles.push(at_instance(0, InstanceTrouble::StartDropped, 3_600));
    let played = hold(schedule);
    assert_success(only(&played, 0), Rest::AtRest);
    assert_eq!((starts(&played), played.boots.len()), (2, 1));

    let mut schedule = world(vec![event_with(1, 1, &json!({"limits": {"startSeconds": 300}}))]);
    for _ in 0..100 {
        schedule.troubles.push(at_instance(0, InstanceTrouble::StartDropped, 3_600));
    }
    let played = hold(schedule);
    let ending = only(&played, 0);
    assert_eq!(code(ending), Some(Code::StartNotConfirmed));
    assert_eq!(ending.outcome.as_ref().unwrap().instance_after, Rest::AtRest);
    assert!((3..=5).contains(&starts(&played)), "{} starts in 300 s", starts(&played));
    assert!(played.boots.is_empty());
}

/// A person starts the instance before it is sent again. Nobody can know whose boot it is; their work is respected.
#[test]
fn a_person_starts_after_a_start_that_was_not_carried_out() {
    for at in [20, 50, 63, 70] {
        let mut schedule = world(vec![event(1, 1)]);
        schedule.troubles.push(at_instance(0, InstanceTrouble::StartDropped, 3_600));
        schedule.hands.push(hand(at, Deed::Start { index: 0, work: Duration::from_mins(10) }));
        let played = hold(schedule);
        assert_eq!((only(&played, 0).status, only(&played, 0).notebooks), (Status::Succeeded, 1), "at {at} s");
        let (_, on_ms) = played.boots[0];
        assert!(at > 60 || on_ms > 20 * 60_000, "at {at} s: on for {on_ms} ms");
    }
}

fn starts(played: &reveille_simulation::play::Played) -> usize {
    played.timeline.iter().filter(|line| line.contains("Start nb-0: accepted")).count()
}
