//! The steps that may happen next.

use shard_router::ShardCount;

use crate::state::MAX_SHARDS;

/// One step. `r` is a replica, `n` a shard.
#[expect(missing_docs, reason = "the fields are replicas and shards")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The replica's watch shows it the present coordinator Lease.
    Observe { r: usize },
    /// The replica takes the Lease.
    Acquire { r: usize, n: usize },
    /// The same, but the answer is lost, and the replica does not know that it has.
    AcquireUnanswered { r: usize, n: usize },
    /// Having won, the replica reads the coordinator Lease.
    Confirm { r: usize, n: usize },
    /// The replica has drained what it has to give away, and acknowledges the record that it knows.
    Acknowledge { r: usize, n: usize },
    /// The same, but the answer is lost.
    AcknowledgeUnanswered { r: usize, n: usize },
    /// The replica drains everything and releases the Lease.
    Release { r: usize, n: usize },
    /// The replica notices that it has lost the Lease, or its validity ends: it is not renewed any more.
    Notice { r: usize, n: usize },
    /// The hold ends because the replica is paused or cut off.
    End { r: usize, n: usize },
    /// The replica crashes, and another begins in its place.
    Crash { r: usize },
    /// The coordinator commits a layout of this many shards.
    Commit { shards: ShardCount },
    /// The coordinator creates the Lease.
    Create { n: usize },
    /// The coordinator records that the layout is settled.
    Settle,
    /// The coordinator deletes a Lease that no layout needs any more.
    Collect { n: usize },
    /// A replica that has found no coordinator Lease records a layout of this many shards.
    Recover { shards: ShardCount },
    /// Somebody deletes the shard Lease.
    DeleteByHand { n: usize },
    /// Somebody deletes the coordinator Lease.
    DeleteCoordinatorByHand,
}

impl Action {
    /// All of them, whether they are possible or not.
    ///
    /// # Panics
    /// If the state has no room for so many shards.
    pub fn all(replicas: usize, shards: usize) -> Vec<Self> {
        assert!(shards <= MAX_SHARDS, "the state has no room for {shards} shards");
        let mut all = vec![Self::Settle, Self::DeleteCoordinatorByHand];
        for count in 1..=shards {
            let shards = count_of(count);
            all.extend([Self::Commit { shards }, Self::Recover { shards }]);
        }
        for n in 0..shards {
            all.extend([Self::Create { n }, Self::Collect { n }, Self::DeleteByHand { n }]);
        }
        for r in 0..replicas {
            all.extend([Self::Observe { r }, Self::Crash { r }]);
            for n in 0..shards {
                all.extend([
                    Self::Acquire { r, n },
                    Self::AcquireUnanswered { r, n },
                    Self::Confirm { r, n },
                    Self::Acknowledge { r, n },
                    Self::AcknowledgeUnanswered { r, n },
                    Self::Release { r, n },
                    Self::Notice { r, n },
                    Self::End { r, n },
                ]);
            }
        }
        all
    }
}

/// A layout has this many shards.
///
/// # Panics
/// If that is no number of shards.
pub fn count_of(shards: usize) -> ShardCount {
    u16::try_from(shards).expect("there are few").try_into().expect("there is at least one")
}
