//! A simulation that catches nothing proves nothing: each sabotage is noticed within its number of schedules.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::sabotage::ALL;
use reveille_simulation::schedule::generate;

#[test]
fn every_sabotage_is_noticed() {
    for sabotage in ALL {
        let noticed = sabotage.noticed().unwrap();
        assert!(noticed.is_some(), "{} was not noticed within {} schedules", sabotage.name, sabotage.within);
    }
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
