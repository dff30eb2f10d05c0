//! A common clock for records and audit log.
//!
//! Records carry the boot clock, which is exact between the processes of one machine and never steps; the
//! audit log carries the API server's wall clock only. Each record carries both, so the distance between the
//! two is known for each boot ([`Clock::new`] takes the median of them all), and every boot instant can be
//! placed on the wall axis. Two instants that come from one boot keep their exact distance that way.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::records::{BootId, BootTime, Record, Stamp};

/// An instant on the checker's clock, in nanoseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub i64);

impl Moment {
    /// The instant of a wall-clock time.
    pub fn from_wall(wall: jiff::Timestamp) -> Self {
        Self(i64::try_from(wall.as_nanosecond()).unwrap_or(i64::MAX))
    }

    /// The time from `earlier` to this; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// This instant moved forward.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
    }
}

/// From `from` up to but without `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant.
    pub from: Moment,
    /// The first instant after it.
    pub to: Moment,
}

impl Interval {
    /// An interval; empty if `to` is not after `from`.
    pub fn new(from: Moment, to: Moment) -> Self {
        Self { from, to: to.max(from) }
    }

    /// The duration of the overlap of two intervals. Intervals that only touch do not overlap, and an empty one overlaps with
    /// nothing.
    pub fn overlap(&self, other: &Self) -> Option<Duration> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from < to).then(|| to.since(from))
    }

    /// Whether `at` lies inside, or outside by no more than `slack`.
    pub fn contains(&self, at: Moment, slack: Duration) -> bool {
        self.from.minus(slack) <= at && at < self.to.plus(slack)
    }
}

/// Places boot instants on the wall axis.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    offsets: BTreeMap<BootId, i64>,
    spread: Duration,
    zero: Option<Moment>,
}

impl Clock {
    /// Derives the offset of each boot from records.
    pub fn new<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut samples: BTreeMap<BootId, Vec<i64>> = BTreeMap::new();
        for record in records {
            let offset = Moment::from_wall(record.wall).0 - boot_nanos(record.boot);
            samples.entry(record.boot_id.clone()).or_default().push(offset);
        }
        let mut clock = Self::default();
        for (boot_id, mut offsets) in samples {
            offsets.sort_unstable();
            let median = offsets[offsets.len() / 2];
            clock.spread = clock.spread.max(Duration::from_nanos(typical_deviation(&offsets, median)));
            clock.offsets.insert(boot_id, median);
        }
        clock
    }

    /// The same clock, printing instants relative to `zero`.
    #[must_use]
    pub fn with_zero(mut self, zero: Option<Moment>) -> Self {
        self.zero = zero;
        self
    }

    /// The instant on this clock; none when no record came from that boot.
    pub fn moment(&self, boot: BootTime, boot_id: &BootId) -> Option<Moment> {
        self.offsets.get(boot_id).map(|offset| Moment(boot_nanos(boot) + offset))
    }

    /// The instant of a stamp; none when no record came from that boot.
    pub fn of_stamp(&self, stamp: &Stamp) -> Option<Moment> {
        self.moment(stamp.boot, &stamp.boot_id)
    }

    /// The 95th percentile of the deviations of records from the derived offset. More than a few milliseconds mean
    /// that the wall clock was set during the run, so that the times of the audit log cannot be converted.
    pub fn spread(&self) -> Duration {
        self.spread
    }

    /// The instant in words, relative to the first record.
    pub fn show(&self, at: Moment) -> RelativeTime {
        let zero = self.zero.unwrap_or(Moment(0));
        RelativeTime(at.0 - zero.0)
    }

    /// The interval in words, relative to the first record.
    pub fn show_interval(&self, interval: Interval) -> String {
        format!("{} to {}", self.show(interval.from), self.show(interval.to))
    }
}

/// Nanoseconds since the first record, shown as seconds.
#[derive(Debug, Clone, Copy)]
pub struct RelativeTime(i64);

impl fmt::Display for RelativeTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.unsigned_abs() / 1_000;
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{}.{:06} s", micros / 1_000_000, micros % 1_000_000)
    }
}

/// A duration to the microsecond, which is what clocks and people make of it.
pub(super) fn short(duration: Duration) -> Duration {
    Duration::from_micros(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}

fn boot_nanos(boot: BootTime) -> i64 {
    i64::try_from(boot.0).unwrap_or(i64::MAX)
}

fn typical_deviation(offsets: &[i64], median: i64) -> u64 {
    let mut deviations: Vec<u64> = offsets.iter().map(|offset| offset.abs_diff(median)).collect();
    deviations.sort_unstable();
    deviations[(deviations.len() - 1) * 95 / 100]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(from: i64, to: i64) -> Interval {
        Interval::new(Moment(from), Moment(to))
    }

    #[test]
    fn touching_and_empty_intervals_do_not_overlap() {
        assert_eq!(interval(0, 10).overlap(&interval(10, 20)), None);
        assert_eq!(interval(0, 10).overlap(&interval(5, 5)), None);
        assert_eq!(interval(5, 3), interval(5, 5));
    }

    #[test]
    fn an_overlap_has_the_length_of_the_common_part() {
        assert_eq!(interval(0, 10).overlap(&interval(7, 20)), Some(Duration::from_nanos(3)));
        assert_eq!(interval(0, 10).overlap(&interval(2, 4)), Some(Duration::from_nanos(2)));
    }

    #[test]
    fn instants_are_shown_as_seconds() {
        let clock = Clock::default().with_zero(Some(Moment(1_000_000_000)));
        assert_eq!(clock.show(Moment(2_500_001_000)).to_string(), "+1.500001 s");
        assert_eq!(clock.show(Moment(500_000_000)).to_string(), "-0.500000 s");
    }
}
