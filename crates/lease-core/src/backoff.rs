//! The delays between retries of failed requests about Leases.

use std::time::Duration;

use crate::time::Monotonic;
use crate::timings::Timings;

/// Delays that double from a quarter of RetryPeriod to RetryPeriod. They are used for requests that are not renewals: the watch on Leases, and reads
/// that must succeed before work begins.
///
/// The maximum is RetryPeriod, because candidates poll at this interval while the watch is down, and work waits for these
/// reads. The delays start over only after LeaseDuration without a failure. A list that succeeds, or a watch that is
/// accepted and ends at once, does not reset them.
#[derive(Clone, Debug)]
pub struct Backoff {
    timings: Timings,
    next: Duration,
    /// When the last wait ended.
    resumed: Option<Monotonic>,
}

impl Backoff {
    /// The delays before any failure.
    pub fn new(timings: Timings) -> Self {
        Self { timings, next: timings.hurried_retry(), resumed: None }
    }

    /// The delay after a failure at `now`; the next one is longer.
    pub fn after_failure(&mut self, now: Monotonic) -> Duration {
        let well_for = self.resumed.map(|resumed| now.duration_since(resumed));
        if well_for.is_some_and(|well_for| well_for >= self.timings.lease_duration()) {
            self.next = self.timings.hurried_retry();
        }
        let wait = self.next;
        self.next = (2 * wait).min(self.timings.retry_period());
        self.resumed = Some(now + wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [u64; 5] = [500, 1000, 2000, 2000, 2000];

    /// The waits in milliseconds, where each watch goes well for so long before it fails.
    fn waits(backoff: &mut Backoff, now: &mut Monotonic, well_for: Duration) -> [u64; 5] {
        std::array::from_fn(|_| {
            *now += well_for;
            let wait = backoff.after_failure(*now);
            *now += wait;
            u64::try_from(wait.as_millis()).expect("a short wait")
        })
    }

    #[test]
    fn waits_double_to_retry_period_and_begin_anew_only_after_lease_duration_without_failure() {
        let timings = Timings::standard();
        let (mut backoff, mut now) = (Backoff::new(timings), Monotonic::ORIGIN + Duration::from_secs(100));
        assert_eq!(waits(&mut backoff, &mut now, Duration::ZERO), WAITS);
        let almost = timings.lease_duration().saturating_sub(Duration::from_millis(1));
        assert_eq!(waits(&mut backoff, &mut now, almost), [2000; 5]);
        assert_eq!(waits(&mut backoff, &mut now, timings.lease_duration()), [500; 5]);
    }
}
