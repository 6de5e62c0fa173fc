//! Which notebooks are hostile, and what they do.

use std::time::Duration;

use fastrand::Rng;

use super::{choose, ms, percent, seconds};
use crate::hostility::Hostility;
use crate::schedule::{Hostile, Strike};

/// Of each hundred schedules so many have a hostile notebook.
const HOSTILE: u8 = 25;

/// From a source of its own: what else is drawn for a seed stays what it was.
pub(super) fn hostile(seed: u64, instances: usize) -> Vec<Hostile> {
    let mut rng = Rng::with_seed(seed ^ 0x0005_7121_4e5d);
    let rng = &mut rng;
    if !percent(rng, HOSTILE) {
        return Vec::new();
    }
    let notebook = |rng: &mut Rng| Hostile {
        index: rng.usize(0..instances),
        nth: if percent(rng, 75) { 1 } else { 2 },
        strikes: (0..rng.u32(1..=5)).map(|_| strike(rng)).collect(),
    };
    (0..rng.u32(1..=2)).map(|_| notebook(rng)).collect()
}

/// Of each hundred schedules so many have somebody who replaces requests, while the first notebook or its boot lasts.
const REPLACERS: u8 = 5;

/// From a source of its own, likewise.
pub(super) fn replacer(seed: u64, instances: usize) -> Option<Hostile> {
    let mut rng = Rng::with_seed(seed ^ 0x0072_6570_6c61);
    let rng = &mut rng;
    percent(rng, REPLACERS).then(|| {
        let (times, every) = (rng.u32(1..=20), seconds(rng, 1, 60));
        let strikes = vec![Strike { after: ms(rng, 0, 4_000), kind: Hostility::RequestReplaced, times, every }];
        Hostile { index: rng.usize(0..instances), nth: 1, strikes }
    })
}

fn strike(rng: &mut Rng) -> Strike {
    let after = match rng.u8(0..10) {
        0..=3 => ms(rng, 0, 4_000),
        4..=6 => seconds(rng, 4, 60),
        _ => seconds(rng, 60, 1_800),
    };
    // Once, some times, or for as long as the boot lasts.
    let (times, every) = match rng.u8(0..10) {
        0..=5 => (1, Duration::ZERO),
        6..=7 => (rng.u32(2..=6), seconds(rng, 1, 120)),
        _ => (rng.u32(100..=400), seconds(rng, 5, 60)),
    };
    Strike { after, kind: *choose(rng, &Hostility::by_notebooks()), times, every }
}
