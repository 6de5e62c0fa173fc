//! The table, the ratios, and whether the targets of the project were met.

use std::fmt::Write;

use crate::endpoint::Scheme;
use crate::measure::Samples;
use crate::programs::Peer;
use crate::stats::{Quartiles, Sample, paired_ratio, quartiles};

/// A cold start of the Python equivalent takes at least so many times ours (https).
const MIN_PYTHON_TO_OURS_TIME: f64 = 60.0;
/// Ours takes at most so many times the floor's (https).
const MAX_OURS_TO_FLOOR_TIME: f64 = 1.4;
/// A function's peak memory: a tenth of Lambda's smallest size, 128 MiB.
const MAX_OURS_MEBIBYTES: f64 = 12.0;
/// The Python equivalent's peak is at least so many times ours.
const MIN_PYTHON_TO_OURS_MEMORY: f64 = 5.0;

/// How two programs compare, over https or http.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratios {
    /// Python's time over ours.
    pub python_time: f64,
    /// Our time over the floor's.
    pub floor_time: f64,
    /// Python's peak memory over ours.
    pub python_memory: f64,
    /// Our peak memory over the floor's.
    pub floor_memory: f64,
}

impl Ratios {
    /// The ratios of some samples; `None` where a program has none.
    #[must_use]
    pub fn of(samples: &Samples) -> Option<Self> {
        let [floor, ours, python] = [Peer::Floor, Peer::Ours, Peer::Python].map(|peer| samples.of(peer));
        Some(Self {
            python_time: paired_ratio(python, ours, Sample::milliseconds)?,
            floor_time: paired_ratio(ours, floor, Sample::milliseconds)?,
            python_memory: paired_ratio(python, ours, Sample::mebibytes)?,
            floor_memory: paired_ratio(ours, floor, Sample::mebibytes)?,
        })
    }
}

/// The table of one scheme with its ratios.
#[must_use]
pub fn table(scheme: Scheme, samples: &Samples) -> String {
    let mut text = format!(
        "  {:<8} {:>9}   {:<17} {:>9}   {:>9}\n",
        scheme.name(),
        "median ms",
        "quartiles",
        "peak MiB",
        "AWS calls"
    );
    for peer in Peer::ALL {
        text.push_str(&row(peer, samples.of(peer)).unwrap_or_default());
    }
    if let Some(ratios) = Ratios::of(samples) {
        text.push_str(&lines(&ratios));
    }
    text
}

fn row(peer: Peer, samples: &[Sample]) -> Option<String> {
    let Quartiles { lower, median, upper } = quartiles(samples.iter().map(Sample::milliseconds))?;
    let peak = quartiles(samples.iter().map(Sample::mebibytes))?.median;
    let calls = samples.iter().map(|sample| sample.calls).max()?;
    let spread = format!("{lower:.2} to {upper:.2}");
    Some(format!("  {:<8} {median:>9.2}   {spread:<17} {peak:>9.1}   {calls:>9}\n", peer.name()))
}

fn lines(ratios: &Ratios) -> String {
    let mut text = String::new();
    for (what, python, floor) in
        [("time", ratios.python_time, ratios.floor_time), ("memory", ratios.python_memory, ratios.floor_memory)]
    {
        // Writing into a string cannot fail.
        writeln!(text, "  {what:<8} python / ours: {python:.1} x   ours / floor: {floor:.2} x").ok();
    }
    text
}

/// One target and what was reached.
#[derive(Clone, Debug, PartialEq)]
pub struct TargetVerdict {
    pub figure: &'static str,
    /// What was measured, with its unit.
    pub reached: String,
    /// What was to be reached.
    pub target: String,
    /// Whether it was.
    pub passed: bool,
}

/// Judges the samples over https; `None` where a program has none.
#[must_use]
pub fn verdicts(https: &Samples) -> Option<Vec<TargetVerdict>> {
    let ratios = Ratios::of(https)?;
    let peak = quartiles(https.of(Peer::Ours).iter().map(Sample::mebibytes))?.median;
    Some(vec![
        at_least("cold start, python / ours", ratios.python_time, MIN_PYTHON_TO_OURS_TIME),
        at_most("cold start, ours / floor", ratios.floor_time, MAX_OURS_TO_FLOOR_TIME, "x"),
        at_most("peak memory of a function", peak, MAX_OURS_MEBIBYTES, "MiB"),
        at_least("peak memory, python / ours", ratios.python_memory, MIN_PYTHON_TO_OURS_MEMORY),
    ])
}

fn at_least(figure: &'static str, value: f64, target: f64) -> TargetVerdict {
    let (reached, target_text) = (format!("{value:.1} x"), format!(">= {target} x"));
    TargetVerdict { figure, reached, target: target_text, passed: value >= target }
}

fn at_most(figure: &'static str, value: f64, target: f64, unit: &str) -> TargetVerdict {
    let (reached, target_text) = (format!("{value:.2} {unit}"), format!("<= {target} {unit}"));
    TargetVerdict { figure, reached, target: target_text, passed: value <= target }
}

/// The verdicts as lines.
#[must_use]
pub fn judgement(verdicts: &[TargetVerdict]) -> String {
    let line = |verdict: &TargetVerdict| {
        let word = if verdict.passed { "PASS" } else { "MISS" };
        format!("  {word}  {:<28} {:>10}   target {}\n", verdict.figure, verdict.reached, verdict.target)
    };
    verdicts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn samples(figures: [(u64, u64); 3]) -> Samples {
        let mut samples = Samples::default();
        for (peer, (microseconds, mebibytes)) in Peer::ALL.into_iter().zip(figures) {
            let elapsed = Duration::from_micros(microseconds);
            samples.push(peer, Sample { elapsed, peak_bytes: mebibytes << 20, calls: 1 });
        }
        samples
    }

    #[test]
    fn the_table_shows_medians_and_ratios() {
        let text = table(Scheme::Https, &samples([(3_000, 4), (4_000, 8), (300_000, 60)]));
        let expected = "  https    median ms   quartiles          peak MiB   AWS calls
  floor         3.00   3.00 to 3.00            4.0           1
  ours          4.00   4.00 to 4.00            8.0           1
  python      300.00   300.00 to 300.00       60.0           1
  time     python / ours: 75.0 x   ours / floor: 1.33 x
  memory   python / ours: 7.5 x   ours / floor: 2.00 x
";
        assert_eq!(text, expected, "\n{text}");
    }

    #[test]
    fn each_target_is_met_or_missed_by_itself() {
        let passed = |figures| -> Vec<bool> {
            verdicts(&samples(figures)).unwrap().iter().map(|verdict| verdict.passed).collect()
        };
        assert_eq!(passed([(3_000, 4), (4_000, 8), (300_000, 60)]), [true; 4]);
        assert_eq!(passed([(3_000, 4), (4_000, 8), (200_000, 60)]), [false, true, true, true]);
        assert_eq!(passed([(2_000, 4), (4_000, 8), (300_000, 60)]), [true, false, true, true]);
        assert_eq!(passed([(3_000, 4), (4_000, 13), (300_000, 70)]), [true, true, false, true]);
        assert_eq!(passed([(3_000, 4), (4_000, 8), (300_000, 30)]), [true, true, true, false]);
        assert_eq!(verdicts(&Samples::default()), None);
    }

    #[test]
    fn a_judgement_says_pass_or_miss() {
        let text = judgement(&verdicts(&samples([(2_000, 4), (4_000, 8), (300_000, 60)])).unwrap());
        assert!(text.contains("PASS  cold start, python / ours        75.0 x   target >= 60 x\n"), "{text}");
        assert!(text.contains("MISS  cold start, ours / floor         2.00 x   target <= 1.4 x\n"), "{text}");
    }
}
