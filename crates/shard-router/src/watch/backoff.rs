//! How long to wait before a failed watch is retried.
//!
//! kube-runtime's own backoff is reset by each event, and its watcher emits `Init` before each list, so a list that keeps failing is always
//! retried after the first wait. Here the wait is reset only when the watch has not failed for a while.

use std::time::Duration;

use kube::runtime::watcher;
use lease_core::Monotonic;

const FIRST: Duration = Duration::from_millis(250);

/// kube-runtime's default waits up to 30 s. Here that is too long: without its watch, a shard has an owner
/// but is not worked on. After a restart of the API server each watch fails several times within a second or two
/// (connections cut, connections refused, versions too old), and a few watches per shard that retry every few
/// seconds cost the API server almost nothing.
const CAP: Duration = Duration::from_secs(5);

/// The maximum for requests that are refused, which will not change until somebody acts.
const CAP_REFUSED: Duration = Duration::from_secs(30);

/// After this time without a failure, the wait is reset.
const WELL: Duration = Duration::from_secs(30);

/// Doubles from a quarter of a second to a maximum. Each wait is a random value between half of that and all of it.
pub(crate) struct WatchBackoff {
    next: Duration,
    /// When the last wait ended, on the clock of the caller.
    resumed: Monotonic,
    rng: fastrand::Rng,
}

impl WatchBackoff {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { next: FIRST, resumed: Monotonic::ORIGIN, rng: fastrand::Rng::with_seed(seed) }
    }

    /// How long to wait after this failure, which happened at `now`.
    pub(crate) fn after(&mut self, error: &watcher::Error, now: Monotonic) -> Duration {
        let cap = if is_refused(error) { CAP_REFUSED } else { CAP };
        if now.duration_since(self.resumed) >= WELL {
            self.next = FIRST;
        }
        let longest = self.next.min(cap);
        let wait = longest.mul_f64(0.5 + 0.5 * self.rng.f64());
        self.next = (2 * longest).min(cap);
        self.resumed = now + wait;
        wait
    }
}

/// Whether the API server refused the request. It will do so again until somebody changes something.
fn is_refused(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status))
        | watcher::Error::WatchStartFailed(kube::Error::Api(status))
        | watcher::Error::WatchFailed(kube::Error::Api(status))
        | watcher::Error::WatchError(status) => status.code,
        _ => return false,
    };
    matches!(code, 401 | 403 | 404 | 405)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken() -> watcher::Error {
        watcher::Error::NoResourceVersion
    }

    fn refused() -> watcher::Error {
        let status = kube::core::Status { code: 403, ..kube::core::Status::default() };
        watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status)))
    }

    /// The waits after failures that each come as soon as the wait before is over.
    fn waits(error: &watcher::Error) -> Vec<Duration> {
        let mut backoff = WatchBackoff::seeded(1);
        let mut now = Duration::from_secs(100);
        let next = std::iter::repeat_with(|| {
            let wait = backoff.after(error, Monotonic::from_origin(now));
            now += wait;
            wait
        });
        next.take(12).collect()
    }

    #[test]
    fn waits_grow_to_the_cap() {
        for (error, cap) in [(broken(), CAP), (refused(), CAP_REFUSED)] {
            let waits = waits(&error);
            assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{waits:?}");
            assert!(waits[11] <= cap && waits[11] >= cap / 2, "{waits:?}");
        }
    }

    #[test]
    fn a_watch_that_was_well_for_a_while_begins_anew_and_no_other() {
        let mut backoff = WatchBackoff::seeded(1);
        let mut now = Duration::from_secs(100);
        for _ in 0..8 {
            now += backoff.after(&broken(), Monotonic::from_origin(now));
        }
        let soon = backoff.after(&broken(), Monotonic::from_origin(now + WELL / 2));
        assert!(soon > 2 * FIRST, "a list that succeeds between two failures is no recovery: {soon:?}");
        let later = backoff.after(&broken(), Monotonic::from_origin(now + WELL / 2 + soon + WELL));
        assert!(later <= FIRST, "{later:?}");
    }

    #[test]
    fn a_right_that_is_late_does_not_make_other_failures_slow() {
        let mut backoff = WatchBackoff::seeded(1);
        let mut now = Duration::from_secs(100);
        for _ in 0..12 {
            now += backoff.after(&refused(), Monotonic::from_origin(now));
        }
        assert!(backoff.after(&broken(), Monotonic::from_origin(now)) <= CAP);
    }
}
