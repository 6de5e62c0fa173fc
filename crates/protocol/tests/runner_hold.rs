//! What a runner does about a run when the lease of its boot was changed by somebody else meanwhile.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::RunId;
use reveille_domain::layout::AttemptRef;
use reveille_domain::records::{Closer, Lease, LeaseState};
use serde_json::Value;
use slow::Slow;
use slow::played::{LEASE, LONG, lease, play};

/// An idle runner, 23 s after whose beginning the lease becomes another one, and a run comes. Serves for so many seconds.
async fn changed_under_a_runner(world: &Slow, seconds: u64, change: impl Fn(Lease) -> Option<Lease>) {
    let changes = async {
        tokio::time::sleep(Duration::from_secs(23)).await;
        match change(lease(world)) {
            Some(lease) => world.put_record(LEASE, &lease),
            None => drop(world.objects.borrow_mut().remove(LEASE)),
        }
        world.add_run(1, 300, LONG);
    };
    tokio::join!(world.serve(Duration::from_secs(seconds)), changes);
}

/// The run is served all the same. Nobody knows any more whose boot it is, so nobody here stops it.
#[test]
fn a_boot_whose_lease_is_gone_or_anothers_is_treated_as_a_persons() {
    let others = |state| move |lease: Lease| Some(Lease { state, boot_id: Some("other".into()), ..lease });
    let changes: [Box<dyn Fn(Lease) -> Option<Lease>>; 4] = [
        Box::new(|_| None),
        Box::new(others(LeaseState::Open)),
        Box::new(others(LeaseState::Busy)),
        Box::new(others(LeaseState::Closing)),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            let written: std::cell::RefCell<Option<Value>> = std::cell::RefCell::default();
            changed_under_a_runner(&world, 2_000, |lease| {
                let after = change(lease);
                written.replace(after.as_ref().map(|lease| serde_json::to_value(lease).unwrap()));
                after
            })
            .await;
            assert_eq!(*world.answered.borrow(), ["token-00001"], "{number}: {:#?}", world.log.borrow());
            assert_eq!(world.record(LEASE), written.take(), "{number}: it is nobody's to write here");
            assert_eq!(world.stopped.get(), None, "{number}");
            let told = world.log.borrow().iter().filter(|line| line.contains("the lease of this boot is gone")).count();
            assert_eq!(told, 1, "{number}: {:#?}", world.log.borrow());
        });
    }
}

/// A function was about to stop the boot, and died. Its stop may come for a minute; then the run is served.
#[test]
fn a_boot_that_a_function_closes_takes_a_run_when_no_stop_can_come_any_more() {
    for (seconds, executed, state) in [(80, 0, LeaseState::Closing), (95, 1, LeaseState::Busy)] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            let at = Slow::time_of(Duration::from_secs(23));
            let closing = |lease: Lease| Some(lease.closing(Closer::Function, "f".into(), at));
            changed_under_a_runner(&world, seconds, closing).await;
            assert_eq!((world.executed.get(), lease(&world).state), (executed, state), "{:#?}", world.log.borrow());
        });
    }
}

/// The lease names the attempt, and says when the runner was last heard from.
#[test]
fn a_run_that_comes_holds_the_boot_from_then_on() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        world.notebook.set(Duration::from_secs(1_000));
        changed_under_a_runner(&world, 28, |lease| Some(Lease { ended: true, ..lease })).await;
        let held = lease(&world);
        assert!(!held.ended, "whoever wrote that was mistaken");
        let at = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r-00001"), attempt: 1 };
        assert_eq!((held.state, held.busy), (LeaseState::Busy, Some(at)));
        assert!(held.at >= Slow::time_of(Duration::from_secs(23)), "{}", held.at);
    });
}
