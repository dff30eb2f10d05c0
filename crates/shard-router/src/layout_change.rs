//! How the number of shards changes while replicas work: the rules, each a pure function with its deliberate fault beside it.
//!
//! No rule does I/O, reads a clock or keeps a state, so that a model can take exactly these functions as its steps. What they work on is plain data:
//!
//! - [`Generation`]: what the coordinator Lease records. Only the holder of that Lease changes it, by conditional updates.
//! - [`Acknowledged`]: which generation the holder of a shard Lease has acknowledged, as that Lease records it. To acknowledge generation g means: under this
//!   Lease, no bucket is worked on any more that layout g does not give to its shard.
//! - [`ShardLeases`]: the shard Leases that exist, with what each has acknowledged. The view of a replica may be old.
//!
//! The order of events, for a change from S to S' shards:
//!
//! 1. The coordinator creates the Leases that S' needs, and waits until their placeholders have expired ([`leases`]).
//! 2. It commits generation g + 1 ([`commit::may_commit`], [`commit::next`]).
//! 3. Each holder sees it, stops working on the buckets that it loses ([`buckets::may_continue`]), and acknowledges g + 1 when the last
//!    reconcile of them has ended ([`acknowledge::due`]). Nobody holds a free Lease, so whoever acquires it acknowledges for it
//!    ([`leases::acknowledged_by_acquisition`]).
//! 4. Each holder starts a bucket that it gains as soon as the Lease that had it before has acknowledged g + 1 ([`buckets::may_start`]).
//! 5. When all have acknowledged, the coordinator records that g + 1 is settled ([`commit::is_settled`]), and deletes the Leases that are left over
//!    ([`leases::may_delete`]).

pub mod acknowledge;
pub mod buckets;
pub mod commit;
pub mod leases;
pub mod recovery;

use std::collections::BTreeMap;

use crate::routing::bucket::ShardId;
pub use crate::routing::generation::Generation;

/// The number of the generation that a shard Lease has acknowledged. A new Lease has acknowledged 0, that is nothing; the first generation is 1.
pub type Acknowledged = u64;

/// The shard Leases that exist, with what each has acknowledged. A Lease that is absent has acknowledged nothing.
pub type ShardLeases = BTreeMap<ShardId, Acknowledged>;

#[cfg(test)]
mod tests;
