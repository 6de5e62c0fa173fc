//! What an idle runner says in the lease of its boot, how often it looks, and when it closes the boot.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::records::{Claimant, Closer, Lease, LeaseState};
use reveille_domain::{RunId, records};
use slow::played::{LEASE, LONG, lease, play};
use slow::{Slow, claim};

/// Serves for so many seconds on a boot whose lease is changed after 23 of them. Answers the lease as it was changed.
async fn changed(world: &Slow, seconds: u64, change: impl Fn(Lease) -> Lease) -> Lease {
    let mut written = None;
    let later = async {
        tokio::time::sleep(Duration::from_secs(23)).await;
        let lease = change(lease(world));
        world.put_record(LEASE, &lease);
        written = Some(lease);
    };
    tokio::join!(world.serve(Duration::from_secs(seconds)), later);
    written.unwrap()
}

/// Each look is a call of Jupyter's and a write of the lease.
#[test]
fn an_idle_runner_looks_every_ten_seconds() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        world.serve(Duration::from_secs(100)).await;
        assert!((9..=11).contains(&world.looks.get()), "{} looks", world.looks.get());
    });
}

/// A boot that is nobody's of ours costs the listings of its inbox, every five seconds, and no look.
#[test]
fn a_runner_on_a_persons_boot_looks_at_nothing_but_its_inbox() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        world.objects.borrow_mut().remove(LEASE);
        world.serve(Duration::from_secs(100)).await;
        assert_eq!(world.looks.get(), 0);
        assert!(world.calls.get() <= 25, "{} calls", world.calls.get());
    });
}

/// Whoever may stop the instance relies on the lease: it says that the runner lives, and since when Jupyter is silent.
#[test]
fn an_idle_runner_says_that_it_lives_and_what_it_sees() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        let before = lease(&world);
        let left = Box::pin(changed(&world, 42, |lease| Lease { ended: true, ..lease })).await;
        let said = lease(&world);
        assert!(said.nonce != left.nonce && left.nonce != before.nonce, "each write is told by its nonce");
        assert!(said.at > left.at && !said.ended, "{said:?}");
        assert_eq!((said.person_at, said.jupyter_silent_since), (None, None));

        let world = Slow::with_runs(0, 300, LONG);
        world.jupyter_is_silent.set(true);
        world.serve(Duration::from_secs(42)).await;
        let since = lease(&world).jupyter_silent_since.expect("it is told");
        assert!(since <= Slow::time_of(Duration::from_secs(11)), "since the first look: {since}");
        world.jupyter_is_silent.set(false);
        world.person_until.set(Duration::from_secs(70));
        world.serve(Duration::from_secs(20)).await;
        let said = lease(&world);
        assert_eq!(said.jupyter_silent_since, None);
        assert!(said.person_at.is_some_and(|at| at > Slow::time_of(Duration::from_secs(42))), "{said:?}");
    });
}

/// A function is about to stop the boot, or the lease is another boot's: this runner writes nothing into it, and closes nothing.
#[test]
fn an_idle_runner_writes_into_no_lease_that_is_anothers_to_write() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        let at = Slow::time_of(Duration::from_secs(23));
        let closing = Box::pin(changed(&world, 80, |lease| lease.closing(Closer::Function, "f".into(), at))).await;
        assert_eq!(lease(&world), closing);
    });
    for state in [LeaseState::Open, LeaseState::Busy] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            let others =
                Box::pin(changed(&world, 3_000, |lease| Lease { state, boot_id: Some("other".into()), ..lease })).await;
            assert_eq!((lease(&world), world.stopped.get()), (others, None), "{state:?}");
        });
    }
}

/// Who started the boot may be about to come, unless it gave up.
#[test]
fn an_idle_boot_is_closed_when_nobody_comes_any_more() {
    let starter = AttemptRef { instance: "nightly".into(), run: RunId::from_key("r-00000"), attempt: 1 };
    let report = records::Report::without_outputs(
        &starter,
        records::Reporter::Function,
        None,
        None,
        Slow::time_of(Duration::ZERO),
    );
    for (given_up, is_over, grace) in [(false, false, 900), (true, false, 150), (false, true, 0)] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            if given_up {
                world.put_record(&world.layout.claim(&starter), &claim(Claimant::Release, &starter, None));
            }
            if is_over {
                world.put_record(&world.layout.report(&starter), &report);
            }
            world.serve(Duration::from_secs(2_000)).await;
            let stopped = world.stopped.get().expect("it is stopped").as_secs();
            assert!((grace..grace + 20).contains(&stopped), "stopped after {stopped} s of {grace}");
        });
    }
}

/// The last moment: the lease is closing, and nothing was sent yet.
#[test]
fn a_run_that_comes_while_the_boot_is_being_closed_is_served_on_it() {
    play(async || {
        let world = Slow::with_runs(1, 300, LONG);
        let comes = async {
            while lease(&world).state != LeaseState::Closing {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            assert_eq!((world.executed.get(), world.stopped.get()), (1, None));
            world.add_run(1, 300, LONG);
        };
        tokio::join!(world.serve(Duration::from_mins(5)), comes);
        assert_eq!(world.executed.get(), 2, "{:#?}", world.log.borrow());
        assert!(world.stopped.get().is_some_and(|at| at > Duration::from_mins(2)), "{:?}", world.stopped.get());
    });
}

/// A slow service is not asked by thousands at a time.
#[test]
fn sixteen_beats_are_under_way_at_most() {
    play(async || {
        let world = Slow::with_runs(500, 300, LONG);
        world.serve(Duration::from_secs(20)).await;
        assert_eq!(world.beating.get().1, 16);
    });
}

/// What the lease tells already is no news: a person who works on is told of once a minute, beside a notebook.
#[test]
fn a_person_who_works_on_is_told_of_once_a_minute() {
    play(async || {
        let world = Slow::with_runs(1, 3_600, LONG);
        world.notebook.set(Duration::from_mins(15));
        world.person_until.set(Duration::from_mins(10));
        let mut nonces = std::collections::BTreeSet::new();
        let watch = async {
            for _ in 0..600 {
                nonces.insert(lease(&world).nonce);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::join!(world.serve(Duration::from_mins(10)), watch);
        assert!((8..=16).contains(&nonces.len()), "{} writes of the lease", nonces.len());
    });
}

/// A run that comes soon after another is not kept waiting.
#[test]
fn an_inbox_that_had_something_to_do_is_listed_every_second() {
    play(async || {
        let world = Slow::with_runs(1, 300, LONG);
        world.notebook.set(Duration::from_millis(100));
        world.person_until.set(Duration::from_hours(1));
        let comes = async {
            for run in 1..=4 {
                tokio::time::sleep(Duration::from_millis(1_300)).await;
                world.add_run(run, 300, LONG);
                tokio::time::sleep(Duration::from_millis(1_900)).await;
                assert_eq!(world.executed.get(), run + 1, "{:#?}", world.log.borrow());
            }
            // Later it is listed every five seconds.
            tokio::time::sleep(Duration::from_secs(80)).await;
            let before = world.calls.get();
            tokio::time::sleep(Duration::from_secs(100)).await;
            let calls = world.calls.get() - before;
            assert!(calls < 80, "{calls} calls");
        };
        tokio::join!(world.serve(Duration::from_secs(250)), comes);
    });
}

/// Beside a notebook, a ticket that waited too long is tried again soon where its report could not be put.
#[test]
fn a_run_that_waited_too_long_is_ended_as_soon_as_its_report_can_be_put() {
    play(async || {
        let world = Slow::with_runs(2, 300, 1);
        world.notebook.set(Duration::from_secs(1_000));
        world.failing_report.set(("r-00001", Duration::from_secs(40)));
        world.serve(Duration::from_mins(1)).await;
        let report = world.report(1).unwrap_or_else(|| panic!("{:#?}", world.log.borrow()));
        assert_eq!(report["failure"]["code"], "QueueTimedOut");
    });
}
