//! When the coordinator commits a generation, and when it records that one is settled.

use lease_core::broken;

use super::{Generation, ShardLeases};
use crate::routing::bucket::{ShardCount, ShardId};

/// Whether the generation after `current`, with `wanted` shards, may be committed now.
///
/// Three things have to hold: `current` is settled; the Leases of all `wanted` shards exist; and there is none that belongs to neither layout. A bucket that has
/// moved twice would otherwise have a former owner of whom the rules know nothing, and a Lease that is left over would never acknowledge.
pub fn may_commit(current: &Generation, wanted: ShardCount, leases: &ShardLeases) -> bool {
    let differs = wanted != current.shards;
    let complete = wanted.shards().all(|shard| leases.contains_key(&shard));
    broken!(CommitsBeforeSettled => differs && complete);
    let width = ShardId(current.shards.max(wanted).get());
    differs && current.settled && complete && leases.range(width..).next().is_none()
}

/// The generation after `current`, with `wanted` shards.
pub fn next(current: &Generation, wanted: ShardCount) -> Generation {
    Generation {
        number: current.number + 1,
        shards: wanted,
        previous: Some(current.shards),
        found: None,
        settled: false,
    }
}

/// Whether `current` may be recorded as settled: every Lease below its [width](Generation::width) exists, and has acknowledged it.
pub fn is_settled(current: &Generation, leases: &ShardLeases) -> bool {
    let acknowledged = |shard| leases.get(&shard).is_some_and(|by| *by >= current.number);
    // Those that exist have acknowledged, and one that is absent is not waited for.
    broken!(AbsentCountsAsAcknowledged => leases.values().all(|by| *by >= current.number));
    broken!(SettledByItsOwnShards => current.shards.shards().all(acknowledged));
    (0..current.width()).map(ShardId).all(acknowledged)
}
