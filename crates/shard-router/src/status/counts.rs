//! How many resources there are, by bucket. Pure.

use std::collections::BTreeMap;

use crate::routing::{
    bucket::{Bucket, ShardId},
    layout::Layout,
};

/// The resources of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KindCounts {
    by_bucket: BTreeMap<Bucket, u64>,
    /// Without a bucket label, or with an invalid one.
    pub(super) unstamped: u64,
}

impl KindCounts {
    /// Counts a resource whose bucket label has this value.
    pub(super) fn add(&mut self, label: Option<&str>) {
        match label.and_then(Bucket::from_label) {
            Some(bucket) => *self.by_bucket.entry(bucket).or_default() += 1,
            None => self.unstamped += 1,
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.by_bucket.values().sum::<u64>() + self.unstamped
    }

    /// How many belong to each shard of this layout.
    pub(super) fn by_shard(&self, layout: &Layout) -> BTreeMap<ShardId, u64> {
        let mut by_shard = BTreeMap::new();
        for (bucket, count) in &self.by_bucket {
            *by_shard.entry(layout.shard_of(*bucket)).or_default() += count;
        }
        by_shard
    }
}
