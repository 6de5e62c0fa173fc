//! Every choice of a small world: the search ends, it holds, its count is its own, and it notices what is taken out.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reveille_simulation::exhaustive::bounds::{CORES, Core, NOTICED};
use reveille_simulation::exhaustive::search::{Found, MOST_PLAYS, Search};
use reveille_simulation::sabotage::{ALL, Sabotage};

fn search(core: Core, sabotage: Option<Sabotage>, jobs: usize, most_plays: u64) -> Found {
    Search { core, sabotage, jobs, most_plays }.run().unwrap()
}

/// The smallest part: without optimization a play takes tens of milliseconds. `make test` explores every quick part with it.
fn smallest() -> Core {
    let name = "one event, delivered twice at once: one effect out of turn";
    CORES.into_iter().find(|core| core.name == name).unwrap()
}

#[test]
fn a_search_ends_and_counts_the_same_however_it_is_shared() {
    let alone = search(smallest(), None, 1, MOST_PLAYS);
    assert_eq!(alone.broken, None);
    assert!(alone.ended && alone.states > 10 && alone.plays > 10, "{alone}");
    let shared = search(smallest(), None, 2, MOST_PLAYS);
    assert_eq!((shared.states, shared.ended), (alone.states, true), "{shared}");
}

#[test]
fn a_search_that_gives_up_says_so() {
    let core = CORES.into_iter().find(|core| core.budget.faults > 0).unwrap();
    let found = search(core, None, 1, 3);
    assert!(!found.ended && found.plays == 3, "{found}");
    assert!(found.to_string().contains("DID NOT END"));
}

#[test]
fn what_is_taken_out_is_noticed_and_can_be_replayed() {
    let sabotage = ALL.into_iter().find(|sabotage| sabotage.name.starts_with("the trigger's record")).unwrap();
    assert!(NOTICED.contains(&sabotage.name));
    let (choices, violation) = search(smallest(), Some(sabotage), 1, MOST_PLAYS).broken.unwrap();
    assert_eq!(violation.guarantee, "G2", "{violation:?}");
    let search = Search { core: smallest(), sabotage: Some(sabotage), jobs: 1, most_plays: 1 };
    let timeline = search.replay(choices).unwrap();
    assert!(timeline.iter().any(|line| line.contains("    > ")), "{timeline:?}");
}
