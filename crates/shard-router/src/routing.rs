//! Which resource belongs to which shard, and which replica should hold it. Pure.

pub(crate) mod bucket;
pub(crate) mod generation;
pub mod hash;
pub(crate) mod key;
pub(crate) mod kind_set;
pub(crate) mod layout;
pub(crate) mod part;
pub(crate) mod plan;
pub(crate) mod table;
