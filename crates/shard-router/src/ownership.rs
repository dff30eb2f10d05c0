//! The rows of the [ownership table](crate::fencing) that this replica is entitled to, and whether they are written.
//!
//! A hold [says](HoldRows::want) which rows it needs and under which fencing token, and begins with a bucket when its row [is ready](HoldRows::is_ready). One task of the replica
//! (`replica/row_writer.rs`) writes the rows of all holds, so that they do not conflict with each other.
//!
//! A row belongs to a bucket and a hold: it is void when the hold gives the bucket away, or ends. Void means that this replica does not write it any more. It stays in the table
//! until the next owner replaces it, so nobody else is admitted in between.

mod hold;
mod known;
pub(crate) mod rules;
mod state;
mod writer;

use std::sync::Arc;

use lease_core::Term;

use self::state::Shared;
pub(crate) use self::{
    hold::{HoldRows, RowNews},
    state::{Contested, Due, Owners},
    writer::{Basis, WriterSide},
};
use crate::{options::Pod, routing::bucket::ShardId};

/// The rows of one replica. Cheap to clone. Without fencing, each row is ready.
#[derive(Clone)]
pub(crate) struct Ownership(Option<Arc<Shared>>);

impl Ownership {
    /// Of a replica in this Pod; `None` without fencing.
    pub(crate) fn new(pod: Option<Pod>) -> Self {
        Self(pod.map(|pod| Arc::new(Shared::new(pod))))
    }

    /// Whether there is fencing.
    pub(crate) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The rows of a hold that has just begun: none yet.
    pub(crate) fn of_hold(&self, term: &Term, shard: Option<ShardId>) -> HoldRows {
        HoldRows::new(self.0.as_ref().map(|shared| (shared.clone(), shared.begin(term, shard))))
    }

    /// Tells holds that they should look at their rows again.
    pub(crate) fn news(&self) -> RowNews {
        RowNews::new(self.0.as_ref().map(|shared| shared.news.subscribe()))
    }

    /// What keeps buckets from being worked on, for readiness.
    pub(crate) fn problem(&self) -> Option<String> {
        self.0.as_ref()?.problem.get()
    }

    /// What the task that writes the rows works with; `None` without fencing.
    pub(crate) fn writer(&self) -> Option<WriterSide> {
        self.0.clone().map(WriterSide::new)
    }
}
