//! [`Part`]: what the holder of a Lease works on.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::routing::{bucket::ShardId, kind_set::KindMode};

/// A part of the work of an operator, which belongs to one Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Part {
    /// The resources of one shard, of each kind that is sharded. They belong to the Lease of the shard.
    Shard(ShardId),
    /// All resources of the kinds that are not sharded. They belong to the coordinator Lease.
    Unsharded,
}

impl Part {
    /// The mode of the kinds that it is a part of.
    pub(crate) fn mode(self) -> KindMode {
        match self {
            Self::Shard(_) => KindMode::Sharded,
            Self::Unsharded => KindMode::Unsharded,
        }
    }

    /// The shard; `None` if the kinds are not sharded.
    pub(crate) fn shard(self) -> Option<ShardId> {
        match self {
            Self::Shard(shard) => Some(shard),
            Self::Unsharded => None,
        }
    }

    /// The number of the shard, or a word.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Shard(shard) => shard.to_string(),
            Self::Unsharded => UNSHARDED.to_owned(),
        }
    }
}

/// The Lease, as a sentence names it.
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shard(shard) => write!(f, "shard {shard}"),
            Self::Unsharded => f.write_str("the coordinator Lease"),
        }
    }
}

/// As `shard` in the records: a number, or a word.
impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Shard(shard) => shard.serialize(serializer),
            Self::Unsharded => serializer.serialize_str(UNSHARDED),
        }
    }
}

/// What stands in logs, metrics and records where the number of a shard would be.
pub(crate) const UNSHARDED: &str = "unsharded";
