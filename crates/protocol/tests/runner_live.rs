//! What a notebook has left so far is uploaded beside it, and nothing waits for that: neither beats, nor a verdict from elsewhere,
//! nor the end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

mod slow;

use std::time::Duration;

use reveille_domain::layout::AttemptRef;
use reveille_domain::ports::CallErrorKind;
use reveille_domain::records::{Progress, Report, Reporter};
use reveille_domain::{Code, Failure, RunId};
use slow::played::{LONG, play};
use slow::{Slow, nightly};

const NOTEBOOK: Duration = Duration::from_secs(1_000);

/// A run whose notebook takes `NOTEBOOK`, to its end.
fn played(change: impl FnOnce(&Slow)) -> Slow {
    played_for(2 * NOTEBOOK, change, async |_| {})
}

fn played_for(lasting: Duration, change: impl FnOnce(&Slow), beside: impl AsyncFnOnce(&Slow)) -> Slow {
    play(async || {
        let world = Slow::with_runs(0, 60, LONG);
        world.notebook.set(NOTEBOOK);
        world.shown.every.set(5);
        change(&world);
        world.add_run(0, 60, LONG);
        tokio::join!(Box::pin(world.serve(lasting)), beside(&world));
        world
    })
}

fn attempt() -> AttemptRef {
    AttemptRef { instance: nightly().to_string(), run: RunId::from_key("r-00000"), attempt: 1 }
}

/// When the run's report says that it ended, after the beginning of the world.
fn took(world: &Slow) -> Duration {
    let report: Report = serde_json::from_value(world.report(0).unwrap()).unwrap();
    (report.ended_at - Slow::time_of(Duration::ZERO)).to_std().unwrap()
}

fn pieces(world: &Slow) -> Vec<(u64, Vec<u8>)> {
    let begun = world.shown.begun.borrow();
    let place = |key: &String| world.layout.place_of_live_log(&attempt(), key);
    begun.iter().filter_map(|(key, bytes)| Some((place(key)?, bytes.clone()))).collect()
}

/// docs/output.md: "Every `LiveOutputSeconds` (5 s by default) the runner uploads what is new"
#[test]
fn what_is_printed_and_saved_is_shown_piece_by_piece_while_the_notebook_runs() {
    let world = played(|_| {});
    let pieces = pieces(&world);
    assert!(pieces.len() > 60, "{}", pieces.len());
    let mut end = 0;
    for (from, bytes) in pieces {
        assert_eq!(from, end, "each goes on where the one before ended");
        end = from + bytes.len() as u64;
    }
    assert!(end > 9_500, "{end} of 10,000 bytes");
    let notebook = world.layout.live_notebook(&attempt());
    let saved = world.shown.taken.borrow().iter().filter(|key| **key == notebook).count();
    assert!((20..=35).contains(&saved), "{saved}: rarer than the log, and none twice");
    let folder = world.layout.live(&attempt());
    assert!(world.shown.begun.borrow().iter().all(|(key, _)| key.starts_with(&folder)), "in no final output's place");
    let progress = world.record(&world.layout.progress(&attempt())).unwrap();
    assert_eq!(progress["done"], 0, "{progress}");
}

#[test]
fn a_ticket_that_asks_for_none_gets_none() {
    let world = played(|world| world.shown.every.set(0));
    assert!(world.shown.begun.borrow().is_empty());
    assert_eq!(world.report(0).unwrap().get("failure"), None);
}

/// docs/output.md: "An upload that hangs or fails does not delay the heartbeats, the end of the run or the final upload."
#[test]
fn uploads_that_hang_hold_up_neither_beats_nor_the_end() {
    let quick = took(&played(|world| world.shown.every.set(0)));
    let world = played(|world| world.shown.takes.set(Duration::from_hours(10)));
    assert!(!world.shown.begun.borrow().is_empty(), "this test can fail");
    assert!(world.shown.taken.borrow().is_empty(), "none of them came to its end");
    assert_eq!(took(&world), quick, "to the millisecond");
    assert!(world.longest_gap.get() < Duration::from_mins(1), "{:?}", world.longest_gap.get());
    assert_eq!(*world.answered.borrow(), ["token-00000"]);
}

#[test]
fn uploads_that_hang_hold_up_no_verdict_from_elsewhere() {
    let failure = Failure::new(Code::Cancelled, "A person stopped it.");
    let elsewhere =
        Report::without_outputs(&attempt(), Reporter::Function, Some(failure), None, Slow::time_of(Duration::ZERO));
    // A beat is a quarter of the heartbeat; then the notebook ends.
    let (given, soon) = (Duration::from_secs(100), Duration::from_secs(100 + 30));
    let hangs = |world: &Slow| world.shown.takes.set(Duration::from_hours(10));
    let world = played_for(soon, hangs, async |world| {
        tokio::time::sleep(given).await;
        world.put_record(&world.layout.report(&attempt()), &elsewhere);
    });
    assert_eq!(*world.answered.borrow(), ["token-00000"], "{:#?}", world.log.borrow());
}

/// docs/output.md: "An upload that hangs or fails does not delay the heartbeats, the end of the run or the final upload."
#[test]
fn an_upload_that_fails_is_tried_again_as_it_was_and_costs_nothing_else() {
    let world = played(|world| world.shown.fails.set(Some(CallErrorKind::NoAnswer)));
    let pieces = pieces(&world);
    assert!(pieces.len() > 10, "{}", pieces.len());
    assert!(pieces.iter().all(|piece| *piece == pieces[0]), "its first request may still arrive");
    assert_eq!(world.report(0).unwrap().get("failure"), None);
}

/// An instance whose role has the policy of an earlier version, without `live/`: its runs are as they were.
#[test]
fn what_is_denied_is_not_asked_for_again() {
    let before = played(|world| world.shown.every.set(0));
    let world = played(|world| world.shown.fails.set(Some(CallErrorKind::AccessDenied)));
    assert_eq!(world.report(0), before.report(0), "to the millisecond, with every output");
    assert_eq!(*world.answered.borrow(), ["token-00000"]);
    assert_eq!(world.shown.begun.borrow().len(), 2, "a piece of the log, and the notebook");
    assert_eq!(world.report(0).unwrap().get("failure"), None);
    assert_eq!(world.log.borrow().iter().filter(|line| line.contains("so far was not uploaded")).count(), 2);
}

/// The records of its progress, each as it was written first, and the second at which it was.
fn progress(cell_takes: u64, seconds: u64) -> Vec<Progress> {
    let mut seen: Vec<Progress> = Vec::new();
    let change = |world: &Slow| {
        world.shown.every.set(0);
        world.shown.cell_takes.set(cell_takes);
    };
    played_for(Duration::from_secs(seconds), change, async |world| {
        for _ in 0..seconds * 2 {
            let now = world.record(&world.layout.progress(&attempt()));
            let now = now.map(|record| serde_json::from_value::<Progress>(record).unwrap());
            if now.is_some() && now.as_ref() != seen.last() {
                seen.extend(now);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    seen
}

/// The heartbeat is 60 s, so a beat is 15 s.
///
/// docs/output.md: "at most 5 s old while cells change"
#[test]
fn progress_is_written_with_every_beat_and_soon_after_a_cell_changed() {
    let quiet = progress(0, 100);
    assert!((6..=8).contains(&quiet.len()), "{quiet:#?}");
    assert!(quiet.windows(2).all(|two| (15..=21).contains(&(two[1].at - two[0].at).num_seconds())), "{quiet:#?}");

    let busy = progress(12, 100);
    for cell in 1..=8 {
        let of_it: Vec<&Progress> = busy.iter().filter(|it| it.cell == cell).collect();
        assert_eq!(of_it.len(), 1, "cell {cell}: {busy:#?}");
        let (since, began) = (of_it[0].since.unwrap(), Slow::time_of(Duration::from_secs(12 * u64::from(cell - 1))));
        assert!((0..=6).contains(&(since - began).num_seconds()), "cell {cell}: {since}");
        assert_eq!((of_it[0].cells, of_it[0].done), (100, Some(cell - 1)));
    }
    // A cell that runs on keeps the time at which it began.
    let slow = progress(50, 100);
    let first: Vec<_> = slow.iter().filter(|it| it.cell == 1).map(|it| it.since).collect();
    assert!(first.len() > 2 && first.iter().all(|since| *since == first[0] && since.is_some()), "{slow:#?}");
}
