//! Percentiles of what was measured several times.

/// Milliseconds, ascending.
pub(super) struct Distribution(Vec<f64>);

impl Distribution {
    pub(super) fn of_seconds(seconds: impl IntoIterator<Item = f64>) -> Self {
        let mut millis: Vec<f64> = seconds.into_iter().map(|seconds| seconds * 1000.0).collect();
        millis.sort_by(f64::total_cmp);
        Self(millis)
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// By nearest rank; none where nothing was measured.
    pub(super) fn percentile(&self, percent: usize) -> Option<f64> {
        let rank = (self.0.len() * percent).div_ceil(100);
        self.0.get(rank.max(1) - 1).copied()
    }

    /// The share of values that are at most so large, for each value.
    #[allow(clippy::cast_precision_loss, reason = "nobody counts that far")]
    pub(super) fn cumulative(&self) -> Vec<(f64, f64)> {
        let count = self.0.len() as f64;
        (1..=self.0.len()).zip(&self.0).map(|(rank, value)| (*value, rank as f64 / count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let distribution = Distribution::of_seconds([0.4, 0.1, 0.3, 0.2]);
        assert_eq!([50, 99].map(|percent| distribution.percentile(percent)), [Some(200.0), Some(400.0)]);
        assert_eq!(Distribution::of_seconds([]).percentile(50), None);
        assert_eq!(distribution.cumulative()[1], (200.0, 0.5));
    }
}
