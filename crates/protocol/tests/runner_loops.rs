//! The runner's loops in simulated time, with 25 ms for each call: beats depend on nothing else, what is no ticket is nobody's,
//! and whatever an early return skips is put right later.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::records::Ticket;
use reveille_domain::{InstanceName, RunId};
use slow::played::{LEASE, LONG, lease, play};
use slow::{Slow, nightly};

fn assert_beaten(world: &Slow, heartbeat: u32, what: &str) {
    let third = Duration::from_secs(heartbeat.into()) / 3;
    let longest = world.longest_gap.get();
    assert!(longest <= third, "{what}: {longest:?} between two beats of a heartbeat of {heartbeat} s");
}

#[test]
fn a_long_queue_is_beaten_while_a_notebook_executes() {
    for (runs, heartbeat) in [(1_500, 300), (5_000, 300), (5_000, 60)] {
        play(async || {
            let world = Slow::with_runs(runs, heartbeat, LONG);
            world.notebook.set(Duration::from_secs(1_000));
            world.serve(Duration::from_secs((4 * heartbeat / 3).into())).await;
            assert_eq!(world.executed.get(), 1);
            assert_beaten(&world, heartbeat, &format!("{runs} runs"));
        });
    }
}

#[test]
fn thousands_that_expire_at_once_stop_no_beat() {
    for (runs, heartbeat) in [(1_500, 300), (5_000, 300), (5_000, 60)] {
        play(async || {
            let world = Slow::with_runs(runs, heartbeat, 120);
            world.notebook.set(Duration::from_secs(1_000));
            world.serve(Duration::from_mins(10)).await;
            assert_beaten(&world, heartbeat, &format!("{runs} runs"));
            let expired = (1..runs).filter(|number| world.report(*number).is_some()).count();
            assert_eq!(expired, runs as usize - 1, "all of them, within minutes");
            assert_eq!(world.report(1).unwrap()["failure"]["code"], "QueueTimedOut");
            assert!(world.report(0).is_none(), "it executes");
        });
    }
}

#[test]
fn a_call_that_never_answers_stops_no_beat() {
    play(async || {
        let world = Slow::with_runs(200, 60, LONG);
        world.list_hangs_after.set(Duration::from_secs(30));
        world.notebook.set(Duration::from_secs(2_000));
        world.serve(Duration::from_mins(15)).await;
        assert_beaten(&world, 60, "S3 does not answer");
        let told = world.log.borrow().iter().filter(|line| line.contains("no answer within")).count();
        assert!(told > 1, "each listing ends: {told}");
    });
}

#[test]
fn a_new_ticket_is_beaten_within_a_beat() {
    play(async || {
        let world = Slow::with_runs(1, 60, LONG);
        world.notebook.set(Duration::from_secs(2_000));
        let arriving = async {
            for number in 1..100 {
                tokio::time::sleep(Duration::from_millis(7_300)).await;
                world.add_run(number, 60, LONG);
            }
        };
        tokio::join!(world.serve(Duration::from_secs(800)), arriving);
        assert_beaten(&world, 60, "arriving one after the other");
    });
}

#[test]
fn the_ticket_of_a_notebook_that_executes_stays_whatever_became_of_its_token() {
    play(async || {
        let world = Slow::with_runs(2, 60, LONG);
        world.notebook.set(Duration::from_mins(5));
        world.gone.borrow_mut().extend(["token-00001".to_owned()]);
        let later = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            world.gone.borrow_mut().insert("token-00000".to_owned());
            tokio::time::sleep(Duration::from_secs(200)).await;
            let waits = |number| {
                let run = RunId::from_key(&format!("r-{number:05}"));
                world.record(&world.layout.ticket(&nightly(), &run)).is_some()
            };
            assert!(waits(0), "it executes");
            assert!(!waits(1), "nobody waits for it");
        };
        tokio::join!(world.serve(Duration::from_secs(290)), later);
        assert_eq!(world.executed.get(), 1);
    });
}

#[test]
fn what_is_no_ticket_holds_up_nothing_and_is_never_acted_on() {
    play(async || {
        let world = Slow::with_runs(1, 60, LONG);
        let copy = world.record(&world.layout.ticket(&nightly(), &RunId::from_key("r-00000"))).unwrap();
        let foreign = Ticket {
            run: RunId::from_key("other-1"),
            instance: Some(InstanceName::parse("weekly").unwrap()),
            task_token: "a token of another instance's run".into(),
            ..world.ticket(7, 60, LONG)
        };
        let strays = ["r-00000.bak", "", "a/b", "r-00000/", "0-copy"].map(|name| format!("inbox/nightly/{name}"));
        for key in &strays {
            world.put_record(key, &copy);
        }
        world.objects.borrow_mut().insert("inbox/nightly/garbage".into(), b"{".to_vec());
        world.put_record("inbox/nightly/other-1", &foreign);
        // A person keeps the boot up, so that the runner stays idle beside the strays.
        world.person_until.set(Duration::from_hours(1));
        world.serve(Duration::from_mins(10)).await;
        let calls = world.calls.get();
        assert_eq!(world.executed.get(), 1);
        assert_eq!(*world.answered.borrow(), ["token-00000"]);
        for key in strays.iter().map(String::as_str).chain(["inbox/nightly/garbage", "inbox/nightly/other-1"]) {
            assert!(world.objects.borrow().contains_key(key), "{key} is nobody's to remove");
            let log = world.log.borrow();
            let told = log.iter().filter(|line| line.contains(&format!(" {key} is left out"))).count();
            assert_eq!(told, 1, "{key}: {log:#?}");
        }
        assert!(!world.objects.borrow().keys().any(|key| key.starts_with("runs/nightly/other-1")));
        assert!(calls < 2_500, "{calls} calls in ten minutes");
    });
    play(async || {
        let world = Slow::with_runs(1, 60, LONG);
        world.put_record("inbox/nightly/r-00000.bak", &world.ticket(0, 60, LONG));
        world.serve(Duration::from_mins(5)).await;
        assert!(world.stopped.get().is_some(), "a stray keeps no boot up: {:#?}", world.log.borrow());
    });
}

#[test]
fn a_lease_write_that_fails_after_a_run_keeps_no_boot_up() {
    for failing in 1..=6 {
        play(async || {
            let world = Slow::with_runs(1, 60, LONG);
            world.failing_leases.set(failing);
            world.serve(Duration::from_secs(400)).await;
            assert_eq!(*world.answered.borrow(), ["token-00000"]);
            assert!(world.stopped.get().is_some(), "{failing} writes failed: {:#?}", world.log.borrow());
        });
    }
}

/// A later process of the runner finds the verdict of the run that started the boot, or gives it: nobody comes any more, and
/// the boot does not wait for anybody.
#[test]
fn a_runner_that_was_killed_under_the_starters_notebook_closes_the_boot() {
    play(async || {
        let world = Slow::with_runs(1, 60, LONG);
        world.notebook.set(Duration::from_secs(1_000));
        world.serve(Duration::from_secs(30)).await;
        world.serve(Duration::from_mins(2)).await;
        assert_eq!(world.report(0).unwrap()["failure"]["code"], "RunnerLost");
        assert!(world.stopped.get().is_some(), "{:#?}", world.log.borrow());
    });
}

#[test]
fn a_runner_that_is_back_from_a_partition_is_seen_at_once_and_not_at_its_next_beat() {
    play(async || {
        let world = Slow::with_runs(1, 300, LONG);
        world.notebook.set(Duration::from_secs(2_000));
        let back = Duration::from_secs(405);
        world.unwritable_lease.set((Duration::from_mins(1), back));
        // Less than a beat, which is 75 s, after it is back.
        world.serve(back + Duration::from_secs(12)).await;
        let lease = lease(&world);
        assert!(lease.at >= Slow::time_of(back), "{lease:?}: an older lease is taken for that of a dead runner");
    });
}

#[test]
fn a_person_who_leaves_is_given_their_quiet_by_this_process_and_by_the_next() {
    for killed in [false, true] {
        play(async || {
            let world = Slow::with_runs(1, 60, LONG);
            world.person_until.set(Duration::from_mins(5));
            if killed {
                // Another process of the runner knows only what the lease tells.
                world.serve(Duration::from_secs(400)).await;
            }
            world.serve(Duration::from_secs(2_000)).await;
            let stopped = world.stopped.get().expect("it is stopped in the end").as_secs();
            // The runner looks every 10 s; the second one waits for a run, too, that may have started the boot.
            let most = if killed { 400 + 900 + 30 } else { 300 + 900 + 30 };
            assert!((300 + 900 - 11..most).contains(&stopped), "stopped after {stopped} s, killed: {killed}");
        });
    }
}

#[test]
fn a_run_whose_report_is_still_to_be_put_is_executed_once_whatever_is_served_meanwhile() {
    play(async || {
        let world = Slow::with_runs(0, 60, LONG);
        world.add_run(5, 60, LONG);
        world.failing_report.set(("r-00005", Duration::from_mins(10)));
        let older = async {
            tokio::time::sleep(Duration::from_secs(90)).await;
            // Admitted before, and submitted only now.
            world.add_run(1, 60, LONG);
            world.add_run(2, 60, LONG);
        };
        tokio::join!(world.serve(Duration::from_mins(20)), older);
        assert_eq!(world.executed.get(), 3, "{:#?}", world.log.borrow());
        for run in [1, 2, 5] {
            assert_eq!(world.report(run).unwrap().get("failure"), None, "{run}");
        }
    });
}

/// Whatever a runner waits for on a boot that served nothing counts from its first process: one that dies again and again would
/// otherwise keep the boot on for ever.
#[test]
fn a_runner_that_is_started_again_and_again_waits_as_long_as_one_that_lives() {
    for (certain, grace) in [(true, 900), (false, 1_800)] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            let mut lease = lease(&world);
            lease.certain = certain;
            world.put_record(LEASE, &lease);
            for _ in 0..40 {
                world.serve(Duration::from_secs(100)).await;
                if world.stopped.get().is_some() {
                    break;
                }
            }
            let stopped = world.stopped.get().expect("it is stopped in the end").as_secs();
            assert!((grace..grace + 60).contains(&stopped), "stopped after {stopped} s of {grace}");
        });
    }
}

/// A heartbeat may be an hour. If the runner dies before the next beat, the lease is all that tells of the person.
#[test]
fn a_person_beside_a_notebook_is_told_at_once_and_not_at_the_next_beat() {
    play(async || {
        let world = Slow::with_runs(1, 3_600, LONG);
        world.notebook.set(Duration::from_mins(50));
        world.person_until.set(Duration::from_secs(500));
        let told = |world: &Slow| lease(world).person_at.map(|at| (at - Slow::time_of(Duration::ZERO)).num_seconds());
        let (mut first, mut last) = (None, None);
        let watch = async {
            tokio::time::sleep(Duration::from_mins(1)).await;
            first = told(&world);
            tokio::time::sleep(Duration::from_mins(9)).await;
            last = told(&world);
        };
        tokio::join!(world.serve(Duration::from_secs(700)), watch);
        assert!(first.is_some_and(|at| at <= 60), "{first:?}");
        assert!(last.is_some_and(|at| (430..=500).contains(&at)), "{last:?}");
    });
}
