//! The benchmark measures itself: the floor program stands in for all three, over http and https.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;

use reveille_bench::endpoint::Scheme;
use reveille_bench::measure::ColdStartBench;
use reveille_bench::programs::{Paths, Peer};

#[test]
fn each_program_is_measured_once_a_round() {
    let folder = tempfile::tempdir().unwrap();
    let floor = PathBuf::from(env!("CARGO_BIN_EXE_reveille-bench-floor"));
    let paths =
        Paths { function: floor.clone(), floor: floor.clone(), python: floor, folder: folder.path().to_owned() };
    let bench = ColdStartBench::start(paths).unwrap();
    for scheme in [Scheme::Https, Scheme::Http] {
        let samples = bench.rounds(scheme, 1, 2).unwrap();
        for peer in Peer::ALL {
            let samples = samples.of(peer);
            assert_eq!(samples.len(), 2);
            for sample in samples {
                assert_eq!(sample.calls, 1);
                assert!(!sample.elapsed.is_zero() && sample.peak_bytes > 0, "{sample:?}");
            }
        }
    }
}
