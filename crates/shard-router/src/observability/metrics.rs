//! Metrics. Labels are shard numbers, kinds, Lease names and fixed words; never the names of objects.

mod fencing;
mod kind;
mod labels;
mod load;

use std::time::Duration;

use jiff::Timestamp;
use lease_core::LeaseName;
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

use self::fencing::FencingMetrics;
use self::labels::{KindLabel, KindOutcomeLabel, KindShardLabel};
use self::load::Loads;
pub(crate) use self::{kind::KindMetrics, load::ShardLoad};
use crate::{
    observability::progress::Stall,
    routing::{bucket::ShardId, part::Part},
};

/// The metrics of one replica. Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    master: Family<LeaseLabel, Gauge>,
    owned: Family<ShardLabel, Gauge>,
    transitions: Family<LeaseLabel, Gauge>,
    renewal: Histogram,
    foreign: Gauge,
    predecessor: Gauge,
    other_namespaces: Gauge,
    shard_count_refused: Gauge,
    layout_shards: Gauge,
    layout_change: Gauge,
    rewinds: Gauge,
    ready: Gauge,
    start_time: Gauge,
    loads: Loads,
    objects: Family<KindShardLabel, Gauge>,
    stalled: Family<ShardLabel, Gauge>,
    undecodable: Family<KindShardLabel, Gauge>,
    reconciles: Family<KindOutcomeLabel, Counter>,
    duration: Family<KindLabel, Histogram, fn() -> Histogram>,
    handover: Histogram,
    acquisition: Histogram,
    start: Histogram,
    stamps: Family<KindOutcomeLabel, Counter>,
    unlabelled_children: Family<KindLabel, Counter>,
    fencing: FencingMetrics,
}

impl Default for Metrics {
    /// Metrics that are not registered.
    fn default() -> Self {
        Self {
            master: Family::default(),
            owned: Family::default(),
            transitions: Family::default(),
            // The alert uses the one at 0.8.
            renewal: Histogram::new([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
            foreign: Gauge::default(),
            predecessor: Gauge::default(),
            other_namespaces: Gauge::default(),
            shard_count_refused: Gauge::default(),
            layout_shards: Gauge::default(),
            layout_change: Gauge::default(),
            rewinds: Gauge::default(),
            ready: Gauge::default(),
            start_time: Gauge::default(),
            loads: Loads::default(),
            objects: Family::default(),
            stalled: Family::default(),
            undecodable: Family::default(),
            reconciles: Family::default(),
            duration: Family::new_with_constructor(latency),
            handover: latency(),
            acquisition: latency(),
            start: latency(),
            stamps: Family::default(),
            unlabelled_children: Family::default(),
            fencing: FencingMetrics::default(),
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
        registry.register_collector(Box::new(metrics.loads.clone()));
        registry.register(
            "cached_objects",
            "Custom resources cached, by kind and shard",
            metrics.objects.clone(),
        );
        registry.register_with_unit(
            "shard_stalled",
            "How long this replica has held the shard (or, as unsharded, the coordinator Lease) without working on all of it; 0 if it works on it or does not hold it",
            Unit::Seconds,
            metrics.stalled.clone(),
        );
        registry.register(
            "undecodable_objects",
            "Custom resources that this operator's version cannot decode, by kind and shard; they are not reconciled",
            metrics.undecodable.clone(),
        );
        registry.register(
            "reconciles",
            "Completed reconciles, by kind and outcome",
            metrics.reconciles.clone(),
        );
        registry.register(
            "lease_transitions",
            "How often the holder of a Lease has changed (leaseTransitions), as seen by this replica",
            metrics.transitions.clone(),
        );
        registry.register(
            "renewal_used_ratio",
            "The fraction of RenewDeadline that had passed when a renewal succeeded: usually RetryPeriod / RenewDeadline; at 1 \
             the Lease is lost",
            metrics.renewal.clone(),
        );
        registry.register(
            "foreign_installation",
            "Whether another installation uses this LeaderElectionID, so that this replica does not contend for Leases",
            metrics.foreign.clone(),
        );
        registry.register(
            "unsharded_predecessor",
            "Whether a version of the operator that does not shard holds the coordinator Lease, so that no shard is worked on",
            metrics.predecessor.clone(),
        );
        registry.register(
            "replicas_with_other_namespaces",
            "How many living replicas of this installation watch other namespaces than this one, so that some resources are reconciled by nobody",
            metrics.other_namespaces.clone(),
        );
        registry.register(
            "history_rewinds",
            "How often this replica has detected a restore of etcd since it started",
            metrics.rewinds.clone(),
        );
        registry.register("ready", "Whether this replica is ready", metrics.ready.clone());
        let seconds = || Unit::Seconds;
        registry.register_with_unit(
            "start_time",
            "Unix time at which this replica started; 0 before that",
            seconds(),
            metrics.start_time.clone(),
        );
        registry.register_with_unit(
            "reconcile_duration",
            "How long a reconcile took, by kind",
            seconds(),
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "handover",
            "Time from the request to drain a shard to the release of its Lease",
            seconds(),
            metrics.handover.clone(),
        );
        registry.register_with_unit(
            "acquisition",
            "Time from first seeing that a shard's Lease is free or expired to holding it",
            seconds(),
            metrics.acquisition.clone(),
        );
        registry.register_with_unit(
            "shard_start",
            "Time from acquiring a shard to passing the takeover barrier",
            seconds(),
            metrics.start.clone(),
        );
        metrics.register_layout(registry);
        metrics.register_writes(registry);
        metrics.fencing.register(registry);
        metrics
    }

    /// Those about the number of shards.
    fn register_layout(&self, registry: &mut Registry) {
        registry.register(
            "shard_count_refused",
            "Whether this replica coordinates and has refused the number of shards in the ConfigMap, so that the present one stays",
            self.shard_count_refused.clone(),
        );
        registry.register(
            "layout_shards",
            "The number of shards of the committed layout, as this replica knows it; 0 before it does",
            self.layout_shards.clone(),
        );
        registry.register(
            "layout_change_pending",
            "Whether this replica coordinates and another number of shards is wanted, or not all shards have acknowledged the committed one",
            self.layout_change.clone(),
        );
    }

    /// Those about what is written on resources and children.
    fn register_writes(&self, registry: &mut Registry) {
        registry.register(
            "stamps",
            "Buckets that were written or restored, by kind and outcome",
            self.stamps.clone(),
        );
        registry.register(
            "unlabelled_children",
            "Writes of children without the bucket label of their owner, by kind of the owner; their changes cause no reconcile",
            self.unlabelled_children.clone(),
        );
    }

    pub(crate) fn holds(&self, lease: &str, shard: Option<ShardId>, held: bool) {
        self.master.get_or_create(&LeaseLabel { name: lease.to_owned() }).set(held.into());
        if let Some(shard) = shard {
            self.owned.get_or_create(&shard.into()).set(held.into());
            drop(self.stalled.get_or_create(&shard.into()));
        }
    }

    /// The replica starts at this time.
    pub(crate) fn starts(&self, at: Timestamp) {
        self.start_time.set(at.as_second());
    }

    pub(crate) fn transitions(&self, lease: &LeaseName, count: i32) {
        self.transitions.get_or_create(&LeaseLabel { name: lease.to_string() }).set(count.into());
    }

    /// A renewal succeeded when this fraction of RenewDeadline had passed.
    pub(crate) fn renewed(&self, used: f64) {
        self.renewal.observe(used);
    }

    pub(crate) fn foreign_installation(&self, met: bool) {
        self.foreign.set(met.into());
    }

    pub(crate) fn predecessor(&self, holds: bool) {
        self.predecessor.set(holds.into());
    }

    pub(crate) fn other_namespaces(&self, replicas: usize) {
        self.other_namespaces.set(i64::try_from(replicas).unwrap_or(i64::MAX));
    }

    pub(crate) fn shard_count_refused(&self, refused: bool) {
        self.shard_count_refused.set(refused.into());
    }

    pub(crate) fn layout_shards(&self, shards: u16) {
        self.layout_shards.set(shards.into());
    }

    pub(crate) fn layout_change_pending(&self, pending: bool) {
        self.layout_change.set(pending.into());
    }

    pub(crate) fn rewinds(&self, count: u64) {
        self.rewinds.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn ready(&self, ready: bool) {
        self.ready.set(ready.into());
    }

    /// These parts are held and not worked on; all others are worked on or not held.
    pub(crate) fn stalled(&self, stalls: &[Stall]) {
        let told = |part: Part| stalls.iter().find(|stall| stall.part == part);
        let shards = (0..=u16::from(u8::MAX)).map(|shard| Part::Shard(ShardId(shard)));
        for part in shards.chain([Part::Unsharded]) {
            let (stall, label) = (told(part), ShardLabel { shard: part });
            if stall.is_some() || self.stalled.get(&label).is_some() {
                let seconds = stall.map_or(0, |stall| stall.lasted.as_secs());
                self.stalled.get_or_create(&label).set(i64::try_from(seconds).unwrap_or(i64::MAX));
            }
        }
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
}

fn latency() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 14))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LeaseLabel {
    name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ShardLabel {
    shard: Part,
}

impl From<ShardId> for ShardLabel {
    fn from(shard: ShardId) -> Self {
        Self { shard: Part::Shard(shard) }
    }
}
