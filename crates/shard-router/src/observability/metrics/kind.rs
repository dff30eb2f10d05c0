//! The metrics of one kind.

use std::{sync::Arc, time::Duration};

use super::{
    Metrics,
    labels::{KindLabel, KindOutcomeLabel, KindShardLabel},
    load::ShardLoad,
};
use crate::routing::part::Part;
use lease_core::Clock;

/// The [`Metrics`] of a replica, for one of its kinds.
#[derive(Debug, Clone)]
pub(crate) struct KindMetrics {
    metrics: Metrics,
    /// As `Kind.group`.
    kind: Arc<str>,
}

impl Metrics {
    /// Those of this kind, `Kind.group`.
    pub(crate) fn of_kind(&self, kind: &str) -> KindMetrics {
        let of_kind = KindMetrics { metrics: self.clone(), kind: kind.into() };
        // Without this, the series would begin with the first failure, and its rate would be zero until the second.
        for outcome in ["ok", "error", "panic"] {
            drop(self.reconciles.get_or_create(&of_kind.outcome(outcome)));
        }
        for outcome in ["ok", "conflict", "error", "deferred"] {
            drop(self.stamps.get_or_create(&of_kind.outcome(outcome)));
        }
        drop(self.unlabelled_children.get_or_create(&of_kind.of_all()));
        of_kind
    }
}

impl KindMetrics {
    /// The load of a part of the work.
    pub(crate) fn load(&self, part: Part, clock: &Arc<dyn Clock>) -> ShardLoad {
        self.metrics.loads.of(&self.of_part(part), clock)
    }

    /// A group of buckets has so many resources in its cache, and had `before` so far.
    pub(crate) fn objects(&self, part: Part, before: usize, now: usize) {
        self.metrics.objects.get_or_create(&self.of_part(part)).inc_by(difference(before, now));
    }

    /// The same for those that do not decode.
    pub(crate) fn undecodable(&self, part: Part, before: usize, now: usize) {
        self.metrics.undecodable.get_or_create(&self.of_part(part)).inc_by(difference(before, now));
    }

    pub(crate) fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.metrics.reconciles.get_or_create(&self.outcome(outcome)).inc();
        self.metrics.duration.get_or_create(&self.of_all()).observe(took.as_secs_f64());
    }

    pub(crate) fn stamped(&self, outcome: &'static str) {
        self.metrics.stamps.get_or_create(&self.outcome(outcome)).inc();
    }

    /// A child was written without the bucket label.
    pub(crate) fn unlabelled_child(&self) {
        self.metrics.unlabelled_children.get_or_create(&self.of_all()).inc();
    }

    fn of_all(&self) -> KindLabel {
        KindLabel { kind: self.kind.to_string() }
    }

    fn of_part(&self, part: Part) -> KindShardLabel {
        KindShardLabel { kind: self.kind.to_string(), shard: part }
    }

    fn outcome(&self, outcome: &'static str) -> KindOutcomeLabel {
        KindOutcomeLabel { kind: self.kind.to_string(), outcome }
    }
}

fn difference(before: usize, now: usize) -> i64 {
    let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
    number(now) - number(before)
}
