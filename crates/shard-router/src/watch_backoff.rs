//! How long a watch that failed is left alone.
//!
//! kube-runtime's own default waits up to 30 s, which suits an operator that can only wait. A shard without its watch has
//! an owner and nobody who works: on a restart of the API server each watch fails several times within a second or two
//! (connections cut, connections refused, rights not loaded yet, versions too old), and a handful of watches per shard
//! that ask again every few seconds cost the API server nothing.

use std::time::Duration;

use kube::runtime::utils::Backoff;

const FIRST: Duration = Duration::from_millis(250);
const CAP: Duration = Duration::from_secs(5);

/// Doubles from a quarter of a second to five seconds; each wait is spread between a half and the whole of that.
pub(crate) struct WatchBackoff {
    next: Duration,
    dice: fastrand::Rng,
}

impl WatchBackoff {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self { next: FIRST, dice: fastrand::Rng::with_seed(seed) }
    }
}

impl Iterator for WatchBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next.mul_f64(0.5 + 0.5 * self.dice.f64());
        self.next = (2 * self.next).min(CAP);
        Some(wait)
    }
}

impl Backoff for WatchBackoff {
    fn reset(&mut self) {
        self.next = FIRST;
    }
}

/// For a stream put together from others that have a backoff each.
///
/// A controller pauses *all* of its triggers when one of them fails, and for longer with each failure: four watches that
/// lost their connection at once kept a shard from hearing anything for over a minute.
pub(crate) struct NoBackoff;

impl Iterator for NoBackoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for NoBackoff {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_begin_anew_after_a_success() {
        let mut backoff = WatchBackoff::seeded(1);
        let waits: Vec<Duration> = backoff.by_ref().take(12).collect();
        assert!(waits[0] <= FIRST && waits[0] >= FIRST / 2, "{waits:?}");
        assert!(waits[11] <= CAP && waits[11] >= CAP / 2, "{waits:?}");
        backoff.reset();
        assert!(backoff.next().is_some_and(|wait| wait <= FIRST));
    }
}
