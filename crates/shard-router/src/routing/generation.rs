//! The generation of a layout: how many shards there are, how many there were, and how far the change is.

use crate::routing::{
    bucket::{Bucket, ShardCount, ShardId},
    table::shard_among,
};

/// What the coordinator Lease records of a generation of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Generation {
    /// Its number, which grows with each change.
    pub number: u64,
    /// The number of shards.
    pub shards: ShardCount,
    /// The number of shards in the generation before, whose number is one less; `None` if that is not known, or if this is the first.
    pub previous: Option<ShardCount>,
    /// Where the coordinator Lease was missing: this many shard Leases have to acknowledge, whatever S is. `None` otherwise.
    pub found: Option<u16>,
    /// Whether every shard Lease has acknowledged this generation.
    pub settled: bool,
}

impl Generation {
    /// Which shard Leases have to exist, and to acknowledge, before the generation is settled: those with lower numbers. Afterwards: which ones belong to the layout.
    pub fn width(&self) -> u16 {
        let (shards, previous) = (self.shards.get(), self.previous.map_or(0, ShardCount::get));
        if self.settled { shards } else { shards.max(previous).max(self.found.unwrap_or_default()) }
    }

    /// Whether no holder can work by a layout of which this generation knows nothing.
    pub fn is_known_to_all(&self) -> bool {
        self.settled || self.previous.is_some()
    }

    /// Whether this generation gives the bucket to the shard.
    pub fn gives(&self, bucket: Bucket, shard: ShardId) -> bool {
        shard_among(self.shards, bucket) == shard
    }

    /// The shard that had the bucket in the generation before.
    pub fn before(&self, bucket: Bucket) -> Option<ShardId> {
        self.previous.map(|shards| shard_among(shards, bucket))
    }
}
