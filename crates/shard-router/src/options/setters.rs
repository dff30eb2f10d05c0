//! The setters of [`Options`].

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::{Backoff, Options, Pod};
use crate::{
    fencing::Fencing, observability::records::RecordSink, routing::bucket::ShardCount,
    wanted_shards::ShardsConfigMap,
};

/// Setters. Each sets the field of the same name; see there for its meaning and default.
impl Options {
    /// Sets [`product`](Self::product).
    #[must_use]
    pub fn with_product(self, product: impl Into<String>) -> Self {
        Self { product: product.into(), ..self }
    }

    /// Sets [`shards`](Self::shards).
    #[must_use]
    pub fn with_shards(self, shards: ShardCount) -> Self {
        Self { shards, ..self }
    }

    /// Sets [`wanted_shards`](Self::wanted_shards).
    #[must_use]
    pub fn with_wanted_shards(self, wanted: impl Into<Option<watch::Receiver<ShardCount>>>) -> Self {
        Self { wanted_shards: wanted.into(), ..self }
    }

    /// Sets [`shards_config_map`](Self::shards_config_map).
    #[must_use]
    pub fn with_shards_config_map(self, config_map: impl Into<Option<ShardsConfigMap>>) -> Self {
        Self { shards_config_map: config_map.into(), ..self }
    }

    /// Sets [`key_label`](Self::key_label).
    #[must_use]
    pub fn with_key_label(self, key_label: impl Into<Option<String>>) -> Self {
        Self { key_label: key_label.into(), ..self }
    }

    /// Sets [`layout_replacement`](Self::layout_replacement).
    #[must_use]
    pub fn with_layout_replacement(self, replace: bool) -> Self {
        Self { layout_replacement: replace, ..self }
    }

    /// Sets [`watch_namespaces`](Self::watch_namespaces).
    #[must_use]
    pub fn with_watch_namespaces(self, namespaces: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { watch_namespaces: namespaces.into_iter().map(Into::into).collect(), ..self }
    }

    /// Sets [`concurrency_per_shard`](Self::concurrency_per_shard).
    #[must_use]
    pub fn with_concurrency_per_shard(self, concurrency_per_shard: usize) -> Self {
        Self { concurrency_per_shard, ..self }
    }

    /// Sets [`concurrency`](Self::concurrency).
    #[must_use]
    pub fn with_concurrency(self, concurrency: usize) -> Self {
        Self { concurrency, ..self }
    }

    /// Sets [`concurrent_starts`](Self::concurrent_starts).
    #[must_use]
    pub fn with_concurrent_starts(self, concurrent_starts: usize) -> Self {
        Self { concurrent_starts, ..self }
    }

    /// Sets [`resync`](Self::resync).
    #[must_use]
    pub fn with_resync(self, resync: impl Into<Option<Duration>>) -> Self {
        Self { resync: resync.into(), ..self }
    }

    /// Sets [`drain_timeout`](Self::drain_timeout).
    #[must_use]
    pub fn with_drain_timeout(self, drain_timeout: Duration) -> Self {
        Self { drain_timeout, ..self }
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn with_backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets [`membership_settle`](Self::membership_settle).
    #[must_use]
    pub fn with_membership_settle(self, settle: impl Into<Option<Duration>>) -> Self {
        Self { membership_settle: settle.into(), ..self }
    }

    /// Sets [`stamp_delay`](Self::stamp_delay).
    #[must_use]
    pub fn with_stamp_delay(self, delay: impl Into<Option<Duration>>) -> Self {
        Self { stamp_delay: delay.into(), ..self }
    }

    /// Sets [`records`](Self::records).
    #[must_use]
    pub fn with_records(self, records: impl Into<Option<Arc<dyn RecordSink>>>) -> Self {
        Self { records: records.into(), ..self }
    }

    /// Sets [`pod`](Self::pod).
    #[must_use]
    pub fn with_pod(self, pod: impl Into<Option<Pod>>) -> Self {
        Self { pod: pod.into(), ..self }
    }

    /// Sets [`fencing`](Self::fencing).
    #[must_use]
    pub fn with_fencing(self, fencing: impl Into<Option<Fencing>>) -> Self {
        Self { fencing: fencing.into(), ..self }
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}
