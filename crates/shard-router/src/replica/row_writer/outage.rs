//! Times at which rows are missing and cannot be written.

use std::time::Duration;

use lease_core::Monotonic;

/// Since when rows are missing, if they are.
#[derive(Default)]
pub(super) struct Outage {
    since: Option<Monotonic>,
    /// Whether it was told.
    pub(super) told: bool,
}

impl Outage {
    /// Rows are missing. It may have begun before.
    pub(super) fn begins(&mut self, now: Monotonic) {
        self.since.get_or_insert(now);
    }

    /// When it has lasted for as long as a bucket waits.
    pub(super) fn is_over_at(&self, wait: Duration) -> Option<Monotonic> {
        self.since.map(|since| since + wait)
    }

    /// Whether it has lasted that long.
    pub(super) fn has_lasted(&self, wait: Duration, now: Monotonic) -> bool {
        self.is_over_at(wait).is_some_and(|over| over <= now)
    }

    /// Rows were written, or are not missing any more. Returns whether an outage was told.
    pub(super) fn ends(&mut self) -> bool {
        self.since = None;
        std::mem::take(&mut self.told)
    }
}
