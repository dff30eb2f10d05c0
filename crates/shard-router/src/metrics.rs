//! Metrics. Labels are shard numbers, Lease names and fixed words; never the names of objects.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::{Registry, Unit},
};

use crate::bucket::ShardId;

/// The metrics of one replica. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    master: Family<LeaseLabel, Gauge>,
    owned: Family<ShardLabel, Gauge>,
    queue: Family<ShardLabel, Gauge>,
    objects: Family<ShardLabel, Gauge>,
    reconciles: Family<OutcomeLabel, Counter>,
    duration: Histogram,
    handover: Histogram,
    acquisition: Histogram,
    start: Histogram,
    stamps: Family<OutcomeLabel, Counter>,
}

impl Default for Metrics {
    /// Metrics that nobody collects.
    fn default() -> Self {
        let latency = || Histogram::new(exponential_buckets(0.005, 2.0, 14));
        Self {
            master: Family::default(),
            owned: Family::default(),
            queue: Family::default(),
            objects: Family::default(),
            reconciles: Family::default(),
            duration: latency(),
            handover: latency(),
            acquisition: latency(),
            start: latency(),
            stamps: Family::default(),
        }
    }
}

impl Metrics {
    /// Creates the metrics and puts them into the registry.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        registry.register(
            "leader_election_master_status",
            "Whether this replica holds the Lease: 1 yes, 0 no",
            metrics.master.clone(),
        );
        let registry = registry.sub_registry_with_prefix("shard_router");
        registry.register("shard_owned", "Whether this replica holds the shard", metrics.owned.clone());
        registry.register("queue_depth", "Reconciles waiting to begin, by shard", metrics.queue.clone());
        registry.register("cached_objects", "Custom resources cached, by shard", metrics.objects.clone());
        registry.register("reconciles", "Reconciles ended, by outcome", metrics.reconciles.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "reconcile_duration",
            "How long a reconcile took",
            seconds(),
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "handover",
            "From asking a shard to drain to its Lease being released",
            seconds(),
            metrics.handover.clone(),
        );
        registry.register_with_unit(
            "acquisition",
            "From first seeing a shard's Lease free or expired to holding it",
            seconds(),
            metrics.acquisition.clone(),
        );
        registry.register_with_unit(
            "shard_start",
            "From holding a shard to the takeover barrier being passed",
            seconds(),
            metrics.start.clone(),
        );
        registry.register("stamps", "Buckets written or restored, by outcome", metrics.stamps.clone());
        metrics
    }

    pub(crate) fn holds(&self, lease: &str, shard: Option<ShardId>, held: bool) {
        self.master.get_or_create(&LeaseLabel { name: lease.to_owned() }).set(held.into());
        if let Some(shard) = shard {
            self.owned.get_or_create(&shard.into()).set(held.into());
        }
    }

    /// A gauge for reconciles that wait for their turn.
    pub(crate) fn queue(&self, shard: ShardId) -> Gauge {
        self.queue.get_or_create(&shard.into()).clone()
    }

    pub(crate) fn objects(&self, shard: ShardId, count: usize) {
        self.objects.get_or_create(&shard.into()).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn reconciled(&self, outcome: &'static str, took: Duration) {
        self.reconciles.get_or_create(&OutcomeLabel { outcome }).inc();
        self.duration.observe(took.as_secs_f64());
    }

    pub(crate) fn handed_over(&self, took: Duration) {
        self.handover.observe(took.as_secs_f64());
    }

    pub(crate) fn acquired(&self, took: Duration) {
        self.acquisition.observe(took.as_secs_f64());
    }

    pub(crate) fn started(&self, took: Duration) {
        self.start.observe(took.as_secs_f64());
    }

    pub(crate) fn stamped(&self, outcome: &'static str) {
        self.stamps.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaseLabel {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: u16,
}

impl From<ShardId> for ShardLabel {
    fn from(shard: ShardId) -> Self {
        Self { shard: shard.0 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}
