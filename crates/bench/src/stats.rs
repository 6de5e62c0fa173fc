//! Medians and ratios of samples that were taken in turns.

use std::time::Duration;

/// What one run of one program showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// From before the spawn until the answer's last byte was in.
    pub elapsed: Duration,
    /// The largest resident set until then, in bytes.
    pub peak_bytes: u64,
    /// Calls of AWS until then.
    pub calls: u32,
}

impl Sample {
    #[must_use]
    pub fn milliseconds(&self) -> f64 {
        self.elapsed.as_secs_f64() * 1e3
    }

    /// MiB.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "no process here is near 2^53 bytes")]
    pub fn mebibytes(&self) -> f64 {
        self.peak_bytes as f64 / (1024.0 * 1024.0)
    }
}

/// The quartiles of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// A quarter lies below.
    pub lower: f64,
    /// Half lies below.
    pub median: f64,
    /// A quarter lies above.
    pub upper: f64,
}

/// The quartiles of some values, interpolated between neighbours; `None` for no values.
#[must_use]
pub fn quartiles(values: impl IntoIterator<Item = f64>) -> Option<Quartiles> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    Some(Quartiles { lower: at(&values, 1)?, median: at(&values, 2)?, upper: at(&values, 3)? })
}

/// The value at that many quarters of the way through sorted values.
#[expect(clippy::cast_precision_loss, reason = "a remainder of 4")]
fn at(sorted: &[f64], quarters: usize) -> Option<f64> {
    let way = sorted.len().checked_sub(1)? * quarters;
    let (below, part) = (way / 4, (way % 4) as f64 / 4.0);
    let low = sorted.get(below)?;
    let high = sorted.get(below + 1).unwrap_or(low);
    Some((high - low).mul_add(part, *low))
}

/// The median of the ratios of runs of one round: what slowed the machine for a while slowed both of a pair.
#[must_use]
pub fn paired_ratio(one: &[Sample], other: &[Sample], figure: impl Fn(&Sample) -> f64) -> Option<f64> {
    let ratios = one.iter().zip(other).map(|(one, other)| figure(one) / figure(other));
    quartiles(ratios).map(|quartiles| quartiles.median)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(milliseconds: u64) -> Sample {
        Sample { elapsed: Duration::from_millis(milliseconds), peak_bytes: 3 << 19, calls: 1 }
    }

    #[test]
    fn quartiles_are_interpolated_and_ask_for_no_order() {
        assert_eq!(quartiles([]), None);
        let one = quartiles([4.0]).unwrap();
        assert_eq!((one.lower, one.median, one.upper), (4.0, 4.0, 4.0));
        let four = quartiles([40.0, 10.0, 30.0, 20.0]).unwrap();
        assert_eq!((four.lower, four.median, four.upper), (17.5, 25.0, 32.5));
        let five = quartiles([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!((five.lower, five.median, five.upper), (2.0, 3.0, 4.0));
    }

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was ten times slower in the second round: the rounds' own ratios are 2, 2 and 3.
        let (slow, quick) = ([20, 200, 30].map(sample), [10, 100, 10].map(sample));
        assert_eq!(paired_ratio(&slow, &quick, Sample::milliseconds), Some(2.0));
        assert_eq!(paired_ratio(&[], &quick, Sample::milliseconds), None);
    }

    #[test]
    fn figures_have_their_units() {
        assert!((sample(3).milliseconds() - 3.0).abs() < 1e-9);
        assert!((sample(3).mebibytes() - 1.5).abs() < 1e-9);
    }
}
