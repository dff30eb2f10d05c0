//! What the coordinator records if its Lease is missing, or carries no layout.

use lease_core::broken;

use super::{Generation, ShardLeases};
use crate::routing::bucket::ShardCount;

/// Whether the recorded generation cannot be continued from, and a recovery is needed: nothing is recorded, or a shard Lease has acknowledged a generation that
/// the coordinator Lease does not know of yet, so its record is older than the shard Leases.
pub fn is_needed(recorded: Option<&Generation>, leases: &ShardLeases) -> bool {
    recorded.is_none_or(|recorded| leases.values().any(|by| *by > recorded.number))
}

/// The generation to record. `leases` are those that were seen at any time during one LeaseDuration before, even if they do not exist any more; `larger_than` is a
/// number that no earlier generation can have exceeded.
///
/// Nobody knows which bucket belonged to which shard. So nothing counts as kept, nothing starts before the generation is settled, and all Leases that were
/// found have to acknowledge it. Where there was never any Lease, nothing has to be waited for.
pub fn recovered(wanted: ShardCount, leases: &ShardLeases, larger_than: u64) -> Generation {
    let largest = leases.values().copied().max().unwrap_or_default().max(larger_than);
    let found = leases.keys().next_back().map(|last| last.0 + 1);
    broken!(RecoveredIsSettled => Generation { number: largest + 1, shards: wanted, previous: None, found: None, settled: true });
    broken!(RecoveredKeeps => Generation { number: largest + 1, shards: wanted, previous: Some(wanted), found, settled: false });
    Generation { number: largest + 1, shards: wanted, previous: None, found, settled: found.is_none() }
}
