//! True time: what an observer outside of every replica would read.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use overlap_checker::records::BootTime;
use serde::{Deserialize, Serialize};

/// An instant of true time, counted from the start of the schedule. No replica can read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrueTime(Duration);

impl TrueTime {
    /// The start of the schedule.
    pub const START: Self = Self(Duration::ZERO);

    /// So long after the start.
    pub const fn after_start(span: Duration) -> Self {
        Self(span)
    }

    /// An instant of a record that is kept in true time.
    pub fn of(at: BootTime) -> Self {
        Self(Duration::from_nanos(at.0))
    }

    /// How long after the start.
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long after `earlier`; nothing if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// In nanoseconds since the start.
    pub fn nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl Add<Duration> for TrueTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0 + span)
    }
}

impl Sub<Duration> for TrueTime {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span))
    }
}

impl fmt::Display for TrueTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0.as_secs_f64())
    }
}
