//! What judges a mutant that its own crate's tests let live (`make mutants`): the first schedules of `make simulate`.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use reveille_simulation::definition::Definitions;
use reveille_simulation::play::play;
use reveille_simulation::schedule::generate;

const SCHEDULES: u64 = 2_000;

#[test]
#[ignore = "half a minute in an optimised build, and minutes in another; `make simulate` plays more"]
fn every_guarantee_holds_in_the_first_schedules() {
    let mut definitions = Definitions::default();
    for seed in 0..SCHEDULES {
        let schedule = generate(seed, true);
        let machine = definitions.with(schedule.parameters).unwrap();
        let violations = play(schedule, &machine, None, false).violations;
        assert!(violations.is_empty(), "seed {seed}: {violations:?}");
    }
}
