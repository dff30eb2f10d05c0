//! Reports the states of a candidate as metrics, and wakes the replica's loop with each change.

use std::{future::Future, sync::Arc, time::Duration};

use lease_core::{Candidate, LeaseName, Monotonic, ShownLease, State, Term};
use tokio::sync::Notify;

use crate::{names::Names, routing::bucket::ShardId, setup::Setup};

/// Follows one candidate until its task ends.
pub(super) fn follow(
    setup: Arc<Setup>,
    shard: Option<ShardId>,
    candidate: &Candidate,
    wake: Arc<Notify>,
) -> impl Future<Output = ()> + Send + use<> {
    let (lease, mut status) = (candidate.lease().clone(), candidate.status());
    async move {
        let mut tracker = LatencyTracker::default();
        loop {
            let (state, term) = {
                let status = status.borrow_and_update();
                (status.state, status.term.clone())
            };
            setup.metrics.holds(lease.as_str(), shard, matches!(state, State::Leader | State::Releasing));
            let latency = tracker.observe(state, setup.clock.now().monotonic);
            match latency.filter(|_| shard.is_some()) {
                Some(Latency::Acquired(took)) => setup.metrics.acquired(took),
                Some(Latency::HandedOver(took)) => setup.metrics.handed_over(took),
                None => {}
            }
            wake.notify_one();
            tokio::select! {
                changed = status.changed() => if changed.is_err() { return },
                () = follow_renewals(&setup, term.as_ref()) => {}
            }
        }
    }
}

/// Reports how often the holders of the coordinator Lease and of the shard Leases have changed.
pub(super) fn transitions(setup: &Setup, leases: &[ShownLease]) {
    for lease in leases {
        let Some(name) = lease.metadata.name.as_deref().filter(|name| counts(&setup.names, name)) else {
            continue;
        };
        let count = lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or_default();
        setup.metrics.transitions(&LeaseName::from_server(name), count);
    }
}

fn counts(names: &Names, lease: &str) -> bool {
    names.is_coordinator(lease) || names.shard_of(lease).is_some()
}

/// Reports the fraction of RenewDeadline that has passed at each renewal of a term. Never ends by itself.
async fn follow_renewals(setup: &Setup, term: Option<&Term>) {
    let deadline = setup.options.elections.timings.renew_deadline();
    if let Some(term) = term {
        let mut renewals = term.renewals();
        let mut before = *renewals.borrow_and_update();
        while renewals.changed().await.is_ok() {
            let (now, renewed) = (setup.clock.now(), *renewals.borrow_and_update());
            if renewed.holds_at(now) {
                let left = before.remaining(now).unwrap_or_default();
                setup.metrics.renewed(1.0 - left.div_duration_f64(deadline).min(1.0));
            }
            before = renewed;
        }
    }
    std::future::pending::<()>().await;
}

/// Since when the Lease has been free, or is being released. Pure.
#[derive(Debug, Default)]
struct LatencyTracker {
    free_since: Option<Monotonic>,
    leaving_since: Option<Monotonic>,
}

#[derive(Debug, PartialEq, Eq)]
enum Latency {
    Acquired(Duration),
    HandedOver(Duration),
}

impl LatencyTracker {
    fn observe(&mut self, state: State, now: Monotonic) -> Option<Latency> {
        match state {
            State::Expired | State::Acquiring => {
                self.free_since.get_or_insert(now);
            }
            State::Releasing => {
                self.leaving_since.get_or_insert(now);
            }
            State::Leader => {
                return Some(Latency::Acquired(now.duration_since(self.free_since.take()?)));
            }
            State::Starting | State::Standby => self.free_since = None,
        }
        if state == State::Releasing {
            None
        } else {
            Some(Latency::HandedOver(now.duration_since(self.leaving_since.take()?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn latencies_run_from_free_to_held_and_from_drain_to_release() {
        let mut tracker = LatencyTracker::default();
        assert_eq!(tracker.observe(State::Standby, at(1)), None);
        assert_eq!(tracker.observe(State::Expired, at(2)), None);
        assert_eq!(tracker.observe(State::Acquiring, at(3)), None);
        assert_eq!(tracker.observe(State::Leader, at(4)), Some(Latency::Acquired(2 * SECOND)));
        assert_eq!(tracker.observe(State::Leader, at(5)), None);
        assert_eq!(tracker.observe(State::Releasing, at(6)), None);
        assert_eq!(tracker.observe(State::Standby, at(9)), Some(Latency::HandedOver(3 * SECOND)));
    }
}
