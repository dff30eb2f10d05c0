//! When a shard Lease is created, acquired and deleted.

use lease_core::broken;

use super::{Acknowledged, Generation};
use crate::routing::bucket::{ShardCount, ShardId};

/// What a new Lease has acknowledged.
pub const NOTHING: Acknowledged = 0;

/// The shards whose Leases have to exist: those of the current generation, those that it waits for, and those of the count that is wanted next. Only the coordinator creates
/// Leases.
pub fn needed(current: &Generation, wanted: ShardCount) -> impl Iterator<Item = ShardId> + use<> {
    (0..current.width().max(if current.settled { wanted.get() } else { 0 })).map(ShardId)
}

/// Whether a new Lease names a placeholder as its holder, which has to expire like any other holder.
///
/// It must, if any shard Lease of the election may have existed within LeaseDuration, whatever its number: the holder of a deleted Lease may still be valid, and
/// a bucket of the new shard may have been a bucket of that one.
pub fn born_with_placeholder(any_may_have_existed: bool) -> bool {
    broken!(NewLeaseIsFree => false);
    any_may_have_existed
}

/// Whether a replica that knows `known` may acquire the free Lease of this shard. Until a generation is settled, all Leases that have to acknowledge may be acquired, also
/// those that are left over: somebody has to acknowledge for them.
pub fn may_acquire(shard: ShardId, known: &Generation) -> bool {
    // A Lease that is left over, and free, never acknowledges.
    broken!(SurplusIsNotAcquired => shard.0 < known.shards.get());
    shard.0 < known.width()
}

/// What the update that acquires a Lease writes as acknowledged: its holder has not begun anything yet, so it acknowledges what it knows. What the Lease
/// has acknowledged before stands, even if this replica does not know of that generation yet.
pub fn acknowledged_by_acquisition(before: Acknowledged, known: &Generation) -> Acknowledged {
    broken!(AcquisitionForgets => known.number);
    before.max(known.number)
}

/// Whether the coordinator may delete the Lease of this shard.
pub fn may_delete(shard: ShardId, current: &Generation) -> bool {
    let surplus = shard.0 >= current.shards.get();
    broken!(DeletesBeforeSettled => surplus);
    current.settled && surplus
}
