//! Few numbers that say how long something takes and how sure that is.

use serde::{Deserialize, Serialize};

/// Above this spread of its samples a measurement is called noisy.
pub const NOISY_SPREAD: f64 = 0.25;

/// Samples of one measurement, in short.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The fastest.
    pub min: f64,
    /// The one in the middle, or the mean of the two in the middle.
    pub median: f64,
    /// The slowest.
    pub max: f64,
}

impl Summary {
    /// Summary of samples; nothing for none.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = samples.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        Some(Self { min, median, max })
    }

    /// Distance of the extremes, as a part of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        if self.median > 0.0 { (self.max - self.min) / self.median } else { 0.0 }
    }

    /// Whether the samples disagree so much that the median says little. Differences that nobody would notice do not count.
    #[must_use]
    pub fn is_noisy(&self) -> bool {
        self.spread() > NOISY_SPREAD && self.max - self.min > 0.5
    }
}

/// How many percent less `seconds` is than `baseline`; negative where it is more.
#[must_use]
pub fn reduction(seconds: f64, baseline: f64) -> Option<f64> {
    (baseline > 0.0).then(|| (1.0 - seconds / baseline) * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_up() {
        for (samples, expected) in [
            (vec![], None),
            (vec![3.0], Some((3.0, 3.0, 3.0))),
            (vec![4.0, 1.0], Some((1.0, 2.5, 4.0))),
            (vec![9.0, 1.0, 2.0], Some((1.0, 2.0, 9.0))),
            (vec![5.0, 1.0, 3.0, 100.0], Some((1.0, 4.0, 100.0))),
        ] {
            let expected = expected.map(|(min, median, max)| Summary { min, median, max });
            assert_eq!(Summary::of(samples.clone()), expected, "{samples:?}");
        }
    }

    #[test]
    fn noise_is_a_spread_that_matters() {
        for (samples, noisy) in [
            (vec![10.0, 10.0, 10.0], false),
            (vec![10.0, 11.0, 12.4], false),
            (vec![10.0, 11.0, 13.0], true),
            // A large part of a small number.
            (vec![0.3, 0.4, 0.6], false),
            (vec![5.0], false),
        ] {
            assert_eq!(Summary::of(samples.clone()).is_some_and(|summary| summary.is_noisy()), noisy, "{samples:?}");
        }
    }

    #[test]
    fn a_reduction_is_in_percent_of_the_baseline() {
        assert_eq!(reduction(25.0, 100.0), Some(75.0));
        assert_eq!(reduction(150.0, 100.0), Some(-50.0));
        assert_eq!(reduction(1.0, 0.0), None);
    }
}
