//! A simulation that catches nothing proves nothing: each sabotage is noticed within its number of schedules.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use reveille_simulation::book;
use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::sabotage::ALL;
use reveille_simulation::schedule::{Schedule, generate};
use reveille_simulation::shrink::shrink;

/// Without optimization those that take thousands of schedules would take minutes: `make test` plays all of them with it.
#[test]
fn every_sabotage_is_noticed() {
    for sabotage in ALL.into_iter().filter(|sabotage| sabotage.within <= 1_000 || !cfg!(debug_assertions)) {
        let noticed = sabotage.noticed().unwrap();
        assert!(noticed.is_some(), "{} was not noticed within {} schedules", sabotage.name, sabotage.within);
    }
}

/// Each schedule of the book holds, and breaks as soon as what was repaired is taken out again.
#[test]
fn the_book_holds_and_breaks_without_what_it_is_about() {
    let book = book::read().unwrap();
    assert!(book.len() >= 9, "{} entries", book.len());
    for (name, entry) in book {
        let sabotage = book::sabotage(&entry).unwrap_or_else(|| panic!("{name} names no sabotage: {}", entry.sabotage));
        let broken = sabotage.player()(&entry.schedule);
        assert!(broken.is_some(), "{name} does not break under its sabotage");
    }
    assert_eq!(book::play_all().unwrap(), []);
}

/// Whatever was repaired is in the book, with the commit of its repair.
#[test]
fn each_repair_has_its_entry_in_the_book() {
    let book = book::read().unwrap();
    let repairs: Vec<_> = ALL.into_iter().filter(|sabotage| sabotage.commit.is_some()).collect();
    assert!(repairs.len() >= 9, "{} repairs", repairs.len());
    for repair in repairs {
        let entry = book.iter().find(|(_, entry)| entry.sabotage == repair.name);
        let commit = entry.and_then(|(_, entry)| entry.commit.as_deref());
        assert_eq!(commit, repair.commit, "{}: `--sabotage --book --only` writes its entry", repair.name);
    }
}

/// A sabotaged protocol is explained by a schedule of few parts, which breaks the same guarantee in the same way.
#[test]
fn a_failing_seed_is_made_short() {
    let sabotage = ALL.iter().find(|sabotage| sabotage.name.starts_with("the fence")).unwrap();
    let (after, _) = sabotage.noticed().unwrap().unwrap();
    let whole = sabotage.schedule(after - 1);
    let before = sabotage.player()(&whole).unwrap();
    let shrunk = shrink(whole.clone(), sabotage.player()).unwrap();
    let parts = |schedule: &Schedule| schedule.triggers.len() + schedule.troubles.len() + schedule.hands.len();
    assert!(parts(&shrunk.schedule) <= 4, "{:#?}", shrunk.schedule);
    assert!(parts(&shrunk.schedule) <= parts(&whole));
    assert_eq!(before.guarantee, shrunk.broken.guarantee);
    let text = serde_json::to_string(&shrunk.schedule).unwrap();
    let again: Schedule = serde_json::from_str(&text).unwrap();
    assert_eq!(again, shrunk.schedule, "what is written down is what was played");
    assert!(sabotage.player()(&again).is_some());
}

/// What `--seed` shows is what failed: a seed's world is the same each time, to the millisecond.
#[test]
fn a_seed_replays_itself() {
    for seed in 0..20 {
        let mut definitions = Definitions::default();
        let timeline = |definitions: &mut Definitions| {
            let schedule = generate(seed, true);
            let machine = definitions.with(schedule.parameters).unwrap();
            play(schedule, &machine, None, true).timeline
        };
        let first = timeline(&mut definitions);
        assert!(first.len() > 10, "seed {seed}");
        assert_eq!(first, timeline(&mut definitions), "seed {seed}");
    }
}
