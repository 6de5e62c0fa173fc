//! The port `AskedToEnd`: a runner that its machine asks to end keeps what there is of its notebook, in bounded time, and begins nothing; and one that
//! is begun after another was killed keeps what that one left.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::limits::RUNNER_END;
use reveille_domain::ports::{LeftNotebook, OutputFile};
use reveille_domain::records::{Claimant, Report, Reporter};
use reveille_domain::{Code, Failure, RunId};
use serde_json::Value;
use slow::played::{LONG, play};
use slow::{Slow, files, nightly};

const ASKED: Duration = Duration::from_secs(100);

/// Two runs, of which the first executes when the machine asks the runner to end.
async fn asked_under_a_notebook(change: impl FnOnce(&Slow)) -> Slow {
    let world = Slow::with_runs(2, 300, LONG);
    world.notebook.set(Duration::from_secs(1_000));
    world.asked_at.set(ASKED);
    change(&world);
    Box::pin(world.serve(Duration::from_secs(2_000))).await;
    let left_at = world.left_at.get().expect("it ended");
    assert!((ASKED..ASKED + RUNNER_END).contains(&left_at), "{left_at:?}, {:#?}", world.log.borrow());
    assert_eq!(world.executed.get(), 1, "nothing is begun any more");
    assert!(world.record(&world.layout.claim(&attempt(1))).is_none(), "the next boot's runner executes it");
    world
}

fn attempt(number: u32) -> AttemptRef {
    AttemptRef { instance: nightly().to_string(), run: RunId::from_key(&format!("r-{number:05}")), attempt: 1 }
}

fn names(report: &Value) -> Vec<&str> {
    report["outputs"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_notebook_whose_instance_is_stopped_is_lost_and_its_outputs_are_named() {
    play(async || {
        let world = asked_under_a_notebook(|_| {}).await;
        let report = world.report(0).unwrap();
        assert_eq!((&report["failure"]["code"], &report["by"]), (&"RunnerLost".into(), &"runner".into()));
        assert_eq!(names(&report), ["log", "notebook"]);
        assert_eq!(*world.answered.borrow(), ["token-00000"]);
        let lease = world.record(&world.layout.lease(&nightly())).unwrap();
        assert_eq!((&lease["state"], lease.get("busy")), (&"open".into(), None), "nothing executes any more");
    });
}

#[test]
fn a_notebook_that_had_ended_by_itself_keeps_its_own_verdict() {
    play(async || {
        let world = asked_under_a_notebook(|world| world.ending.borrow_mut().1 = None).await;
        assert_eq!(world.report(0).unwrap().get("failure"), None);
        let raised = Failure::new(Code::NotebookFailed, "Cell 1 raised ValueError.");
        let world = asked_under_a_notebook(|world| world.ending.borrow_mut().1 = Some(raised)).await;
        assert_eq!(world.report(0).unwrap()["failure"]["code"], "NotebookFailed");
    });
}

/// What does not end in time is as if the runner had been killed: nobody claims anything.
#[test]
fn a_notebook_that_does_not_end_in_time_has_no_verdict_of_a_runner_that_had_to_go() {
    play(async || {
        let world = asked_under_a_notebook(|world| world.ending.borrow_mut().0 = 3 * RUNNER_END).await;
        assert_eq!(world.report(0), None);
        assert!(world.answered.borrow().is_empty());
    });
}

/// Uploads that hang cost those that come after them, and not the report.
#[test]
fn uploads_are_cut_off_so_that_the_report_is_put() {
    play(async || {
        let world = asked_under_a_notebook(|world| world.upload_takes.set(Duration::from_secs(15))).await;
        let report = world.report(0).unwrap();
        assert_eq!((&report["failure"]["code"], names(&report)), (&"RunnerLost".into(), vec!["notebook"]));
        // Of a notebook that succeeded this is not to be told as if all were there.
        let world = asked_under_a_notebook(|world| {
            world.upload_takes.set(Duration::from_secs(15));
            world.ending.borrow_mut().1 = None;
        })
        .await;
        assert_eq!(world.report(0).unwrap()["failure"]["code"], "OutputNotSaved");
    });
}

#[test]
fn an_idle_runner_ends_at_once() {
    play(async || {
        let world = Slow::with_runs(0, 300, LONG);
        world.asked_at.set(Duration::from_secs(5));
        world.serve(Duration::from_secs(2_000)).await;
        assert!(world.left_at.get().unwrap() < Duration::from_secs(6));
    });
}

/// What the first run left on the disk.
fn left() -> LeftNotebook {
    LeftNotebook { at: attempt(0), source_sha256: Some("ab".repeat(32)), files: files() }
}

fn put_claim(world: &Slow, boot_id: &str) {
    let claim = slow::claim(Claimant::Runner, &attempt(0), Some(boot_id));
    world.put_record(&world.layout.claim(&attempt(0)), &claim);
}

fn lost_by_a_function() -> Report {
    let failure = Failure::new(Code::RunnerLost, "It fell silent.");
    Report::without_outputs(&attempt(0), Reporter::Function, Some(failure), None, Slow::time_of(Duration::ZERO))
}

/// The runner is killed under its notebook, and started again on the same boot.
#[test]
fn a_runner_that_was_started_again_reports_the_lost_run_with_what_it_left() {
    play(async || {
        let world = Slow::with_runs(1, 300, LONG);
        put_claim(&world, "boot");
        world.left.replace(Some(left()));
        world.serve(Duration::from_secs(30)).await;
        let report = world.report(0).unwrap();
        assert_eq!((&report["failure"]["code"], names(&report)), (&"RunnerLost".into(), vec!["log", "notebook"]));
        assert_eq!(report["sourceSha256"].as_str().unwrap().len(), 64);
        assert!(report["htmlError"].is_string(), "{report}");
        assert_eq!(world.executed.get(), 0);
    });
}

/// Why there is no page is told where there is a notebook without one.
#[test]
fn of_what_was_left_a_page_is_missed_beside_a_notebook_only() {
    let html =
        || OutputFile { name: "html", file_name: "output.html", path: "output.html".into(), content_type: "text/html" };
    let of =
        |names: &[&str]| [files(), vec![html()]].concat().into_iter().filter(|it| names.contains(&it.name)).collect();
    for (kept, is_missed) in [(&["notebook", "log"][..], true), (&["notebook", "html"], false), (&["log"], false)] {
        play(async || {
            let world = Slow::with_runs(1, 300, LONG);
            put_claim(&world, "boot");
            world.left.replace(Some(LeftNotebook { files: of(kept), ..left() }));
            world.serve(Duration::from_secs(30)).await;
            let report = world.report(0).unwrap();
            assert_eq!(report["outputs"].as_object().unwrap().len(), kept.len());
            assert_eq!(report.get("htmlError").is_some(), is_missed, "{kept:?}");
        });
    }
}

/// Two notebooks were lost, and the disk has the outputs of the later one.
#[test]
fn what_another_attempt_left_is_not_named_in_a_lost_ones_report() {
    play(async || {
        let world = Slow::with_runs(2, 300, LONG);
        put_claim(&world, "boot");
        let claim = slow::claim(Claimant::Runner, &attempt(1), Some("boot"));
        world.put_record(&world.layout.claim(&attempt(1)), &claim);
        world.left.replace(Some(LeftNotebook { at: attempt(1), ..left() }));
        world.serve(Duration::from_secs(30)).await;
        assert_eq!(names(&world.report(0).unwrap()), Vec::<&str>::new());
        assert_eq!(names(&world.report(1).unwrap()), ["log", "notebook"]);
    });
}

/// The instance is gone under its notebook before anything could be kept. Its next boot keeps it, and names it where the
/// function has given a verdict, or will.
#[test]
fn the_next_boot_keeps_what_the_one_before_left() {
    for stands_after in [0, 400] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            put_claim(&world, "the boot before");
            world.left.replace(Some(left()));
            world.person_until.set(Duration::from_hours(1));
            let later = async {
                tokio::time::sleep(Duration::from_secs(stands_after)).await;
                world.put_record(&world.layout.report(&attempt(0)), &lost_by_a_function());
            };
            tokio::join!(later, world.serve(Duration::from_mins(10)));
            let report = world.report(0).unwrap();
            assert_eq!(names(&report), ["log", "notebook"], "{:#?}", world.log.borrow());
            assert_eq!((&report["by"], &report["failure"]["message"]), (&"function".into(), &"It fell silent.".into()));
        });
    }
}

/// What is kept already, or was never executed, is left alone.
#[test]
fn only_outputs_that_are_missed_are_uploaded() {
    let reported = Report { by: Reporter::Runner, failure: None, ..lost_by_a_function() };
    let named = Report { outputs: [("log".to_owned(), "s3://b/log.txt".to_owned())].into(), ..lost_by_a_function() };
    let elsewhere = LeftNotebook { at: AttemptRef { instance: "weekly".into(), ..attempt(0) }, ..left() };
    let missed = lost_by_a_function();
    for (left, report) in [(left(), Some(reported)), (left(), Some(named)), (left(), None), (elsewhere, Some(missed))] {
        play(async || {
            let world = Slow::with_runs(0, 300, LONG);
            if let Some(report) = &report {
                put_claim(&world, "boot");
                let key = world.layout.report(&AttemptRef { instance: left.at.instance.clone(), ..attempt(0) });
                world.put_record(&key, report);
            }
            world.left.replace(Some(left.clone()));
            world.serve(Duration::from_mins(2)).await;
            assert!(world.uploaded.borrow().is_empty(), "{report:?}");
        });
    }
}

/// A disk full of outputs, and an S3 that does not take them, hold up the next run for a minute at most.
#[test]
fn what_was_left_holds_up_no_run_for_long() {
    play(async || {
        let world = Slow::with_runs(2, 300, LONG);
        put_claim(&world, "the boot before");
        world.left.replace(Some(left()));
        world.upload_takes.set(Duration::from_hours(1));
        world.notebook.set(Duration::from_secs(1));
        world.serve(Duration::from_mins(2)).await;
        assert_eq!(world.executed.get(), 1, "{:#?}", world.log.borrow());
    });
}
