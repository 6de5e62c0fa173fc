//! Who holds an instance, in simulated time, with 25 ms for each call: a long queue is looked at within seconds, and a run that
//! could not be looked at is taken for live.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::limits::{HOLDERS_TIME, MAX_INBOX};
use reveille_domain::{Code, RunId};
use reveille_protocol::Stack;
use reveille_protocol::check_instance::check_instance;
use reveille_protocol::check_instance::decide::Check;
use serde_json::json;
use slow::{Slow, nightly};
use tokio::time::Instant;

const LONG: u32 = 86_400;

/// A first look of a run that is to fail on a busy instance, with so many runs in the inbox, of which one may be live: what it
/// answers, how long it takes, and how many calls.
fn look(waiting: u32, live: Option<u32>) -> (Result<Check, Code>, Duration, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Slow::with_runs(waiting, 300, LONG);
        world.objects.borrow_mut().remove(&world.layout.lease(&nightly()));
        if let Some(live) = live {
            let mut ticket = world.ticket(live, 300, LONG);
            ticket.execution_arn = "live".into();
            world.put_record(&world.layout.ticket(&nightly(), &ticket.run), &ticket);
            world.running.borrow_mut().insert("live".into());
        }
        let stack = Stack {
            layout: world.layout.clone(),
            heartbeat_seconds: 300,
            live_output_seconds: 0,
            max_waiting_runs: 1_000,
        };
        let call = json!({"run": {
            "id": RunId::from_key("me"), "attempt": 1, "instance": "nightly", "admittedAt": "2026-11-23T12:00:00Z",
            "limits": {"startSeconds": 60, "queueSeconds": 60, "runSeconds": 60, "stopSeconds": 60},
            "whenBusy": "fail", "onRunnerLost": "fail",
        }});
        let began = Instant::now();
        let answer = check_instance(&stack, &world, serde_json::from_value(call).unwrap()).await;
        let answer = answer.map(|output| output.decision).map_err(|failure| failure.code);
        (answer, began.elapsed(), world.calls.get())
    })
}

/// One after another they would take 37 s.
#[test]
fn five_hundred_runs_that_ended_are_seen_to_have_ended() {
    let (answer, took, _) = look(500, None);
    assert_eq!(answer, Ok(Check::Start));
    assert!(took < HOLDERS_TIME.to_std().unwrap(), "{took:?}");
}

#[test]
fn a_live_run_is_found_wherever_it_is_and_ends_the_look() {
    for (live, calls) in [(0, 100), (250, 1_000), (499, 1_600)] {
        let (answer, _, took) = look(500, Some(live));
        assert_eq!(answer, Err(Code::Busy), "{live}");
        assert!(took <= calls, "{live}: {took} calls");
    }
}

#[test]
fn when_the_time_is_over_a_live_run_is_assumed() {
    let all = u32::try_from(MAX_INBOX).unwrap();
    let (answer, took, _) = look(all, None);
    assert_eq!(answer, Err(Code::Busy), "nothing is done on a guess");
    assert!(took < (HOLDERS_TIME * 2).to_std().unwrap(), "{took:?}");
}
