//! What the API server, and each replica, has and knows at one moment.

use shard_router::{
    ShardId,
    layout_change::{Acknowledged, Generation, ShardLeases},
};

/// The most replicas that a model may have.
pub const MAX_REPLICAS: usize = 3;
/// The most shards that a layout may have.
pub const MAX_SHARDS: usize = 3;

/// A set of [sample buckets](crate::buckets), one bit for each.
pub type BucketBits = u8;

/// One moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// What the coordinator Lease records; `None` if there is no such Lease.
    pub committed: Option<Generation>,
    /// The shard Leases, by their number.
    pub leases: [Option<Lease>; MAX_SHARDS],
    /// Acknowledgements of Leases that were deleted: a view that is behind still shows them.
    pub ghosts: [Option<Acknowledged>; MAX_SHARDS],
    /// Those beyond the model's number stay empty.
    pub replicas: [Replica; MAX_REPLICAS],
    /// Shards whose Leases the first coordinator has created, one bit for each; `None` once anything has happened after which others may hold shards.
    pub first_term: Option<u8>,
    /// Shards whose Leases have existed since the coordinator Lease has been missing, one bit for each.
    pub seen_while_missing: u8,
    /// The largest generation that was ever committed.
    pub largest: u64,
    /// What may still happen.
    pub left: Left,
}

/// A shard Lease on the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The generation that its holders have acknowledged.
    pub ack: Acknowledged,
    /// Whom it names.
    pub holder: Holder,
}

/// Whom a shard Lease names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Nobody, or somebody who has stopped for good: whoever waits takes it sooner or later.
    Nobody,
    /// The placeholder of a new Lease. It expires once all have ended who held a deleted Lease when it was created.
    Placeholder,
    /// A replica whose hold has not ended.
    Replica,
}

/// A replica.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The record that it knows. It may be behind.
    pub known: Option<Generation>,
    /// What it believes to hold, by shard.
    pub holds: [Option<Hold>; MAX_SHARDS],
}

/// A shard that a replica believes to hold. It ends before anybody else may take the Lease that names the replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold {
    /// The acknowledgement that the replica believes to be on its Lease.
    pub ack: Acknowledged,
    /// Whether it has read the coordinator Lease since the acquisition.
    pub confirmed: bool,
    /// Whether the Lease still exists and names this hold. If not, the replica does not know yet.
    pub stands: bool,
    /// The buckets that it works on.
    pub running: BucketBits,
    /// Who waits for its end: the placeholders of these shards, and, by the bit [`RECOVERY`], the recovery of the coordinator Lease.
    pub awaited_by: u8,
}

/// See [`Hold::awaited_by`].
pub const RECOVERY: u8 = 1 << MAX_SHARDS;

/// How many more of each may happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Left {
    /// Layout changes.
    pub changes: u8,
    /// Replicas that crash, and holds that end because their replica is paused or cut off.
    pub ends: u8,
    /// Writes that are accepted, but whose answers are lost.
    pub lost_answers: u8,
    /// Leases deleted by hand.
    pub deletions: u8,
}

impl State {
    /// Before the installation: nothing exists.
    pub fn before_installation(left: Left) -> Self {
        Self {
            committed: None,
            leases: [None; MAX_SHARDS],
            ghosts: [None; MAX_SHARDS],
            replicas: [Replica::default(); MAX_REPLICAS],
            first_term: Some(0),
            seen_while_missing: 0,
            largest: 0,
            left,
        }
    }

    /// All holds that have not ended.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.replicas.iter().flat_map(|replica| replica.holds.iter().flatten())
    }

    /// The same, to change them.
    pub fn holds_mut(&mut self) -> impl Iterator<Item = &mut Hold> {
        self.replicas.iter_mut().flat_map(|replica| replica.holds.iter_mut().flatten())
    }

    /// Whether any bucket is worked on under two holds.
    pub fn overlaps(&self) -> bool {
        let mut running = 0;
        self.holds().any(|hold| {
            let twice = running & hold.running != 0;
            running |= hold.running;
            twice
        })
    }

    /// The shard Leases, as they are.
    pub fn leases_now(&self) -> ShardLeases {
        numbered(self.leases.map(|lease| lease.map(|lease| lease.ack)))
    }

    /// The shard Leases, as replicas may see them: as they are, or, in a view that is behind, with those that were deleted, and what they had acknowledged.
    ///
    /// What a Lease has acknowledged only grows, and the rules permit more the more it is, so views between these two permit nothing else.
    pub fn views(&self) -> [ShardLeases; 2] {
        let behind = |n: usize| self.leases[n].map(|lease| lease.ack).max(self.ghosts[n]);
        [self.leases_now(), numbered(std::array::from_fn(behind))]
    }

    /// Whether nobody has to end before the waiters of this bit go on.
    pub fn nobody_is_awaited_by(&self, bit: u8) -> bool {
        self.holds().all(|hold| hold.awaited_by & bit == 0)
    }

    /// Replicas have no names: states that differ only in which is which are one.
    #[must_use]
    pub fn canonical(mut self, replicas: usize) -> Self {
        self.replicas[..replicas].sort_unstable();
        self
    }
}

fn numbered(acknowledged: [Option<Acknowledged>; MAX_SHARDS]) -> ShardLeases {
    (0..).map(ShardId).zip(acknowledged).filter_map(|(shard, by)| Some((shard, by?))).collect()
}
