//! What faults and edits are drawn upon.

use std::time::Duration;

use fastrand::Rng;

use super::Size;
use super::ranges::{between, of};
use crate::schedule::{LeaseOf, NetworkSpec, ReplicaSpec, ResourceIndex, Slot, TimingsSpec};

/// The installation.
pub(super) struct Context {
    pub(super) timings: TimingsSpec,
    pub(super) slots: usize,
    pub(super) shards: u16,
    pub(super) resources: usize,
    pub(super) key_label: bool,
    pub(super) busy_for: Duration,
    /// What may be added to a request's way at most.
    pub(super) held_up: Duration,
}

impl Context {
    pub(super) fn new(
        size: &Size,
        key_label: bool,
        timings: TimingsSpec,
        network: NetworkSpec,
        replicas: &[ReplicaSpec],
    ) -> Self {
        Self {
            timings,
            slots: size.replicas,
            shards: size.shards,
            resources: size.resources,
            key_label,
            busy_for: size.busy_for,
            held_up: longest_hold_up(timings, network, replicas),
        }
    }

    pub(super) fn slot(&self, rng: &mut Rng) -> Slot {
        Slot(rng.usize(..self.slots))
    }

    /// Any other than this one: there are two slots at least.
    pub(super) fn other_slot(&self, rng: &mut Rng, than: Slot) -> Slot {
        Slot((than.0 + rng.usize(1..self.slots)) % self.slots)
    }

    pub(super) fn resource(&self, rng: &mut Rng) -> ResourceIndex {
        ResourceIndex(rng.usize(..self.resources))
    }

    pub(super) fn lease(&self, rng: &mut Rng) -> LeaseOf {
        match rng.u8(..6) {
            0 => LeaseOf::Coordinator,
            1 => LeaseOf::Member(self.slot(rng)),
            _ => LeaseOf::Shard(rng.u16(..self.shards)),
        }
    }

    /// A time that means something to an election: too short to matter, long enough for attempts to fail, around the end of
    /// validity, beyond expiry.
    pub(super) fn span(&self, rng: &mut Rng) -> Duration {
        let TimingsSpec { lease_duration, renew_deadline, retry_period } = self.timings;
        let (least, most) = of(
            rng,
            &[
                (2, (Duration::from_millis(50), retry_period)),
                (3, (retry_period, renew_deadline)),
                (3, (renew_deadline, lease_duration + retry_period)),
                (2, (lease_duration, lease_duration * 3)),
            ],
        );
        between(rng, least, most)
    }
}

/// How much longer than in a healthy network a request may be on its way, so that the assumption holds that the promise
/// rests on: none is held up for longer than LeaseDuration − RenewDeadline, as the two clocks that measure these would have it.
/// Twice the drift, since one may be fast and the other slow.
fn longest_hold_up(timings: TimingsSpec, network: NetworkSpec, replicas: &[ReplicaSpec]) -> Duration {
    let drift = replicas.iter().map(|replica| replica.drift_ppm.unsigned_abs()).max().unwrap_or(0);
    let by_drift = timings.lease_duration * 2 * drift / 1_000_000;
    let healthy = network.latency.max + network.straggler.max;
    timings.margin().saturating_sub(by_drift).saturating_sub(healthy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Span;
    use crate::time::TrueTime;

    #[test]
    fn a_request_is_held_up_for_no_longer_than_the_margin_less_drift_and_its_own_way() {
        let millis = Duration::from_millis;
        let timings = TimingsSpec {
            lease_duration: millis(15_000),
            renew_deadline: millis(10_000),
            retry_period: millis(2_000),
        };
        let network = NetworkSpec {
            latency: Span { min: millis(8), max: millis(50) },
            straggler: Span { min: millis(50), max: millis(300) },
        };
        let replica = |drift_ppm| ReplicaSpec {
            starts: TrueTime::START,
            drift_ppm,
            wall_offset_ms: 0,
            uptime: Duration::ZERO,
        };
        assert_eq!(longest_hold_up(timings, network, &[]), millis(5_000 - 350));
        assert_eq!(
            longest_hold_up(timings, network, &[replica(500), replica(-5_000)]),
            millis(5_000 - 350 - 150)
        );
        let narrow = TimingsSpec { renew_deadline: millis(14_900), ..timings };
        assert_eq!(longest_hold_up(narrow, network, &[]), Duration::ZERO);
    }
}
