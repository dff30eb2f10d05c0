//! What the users of the operator do meanwhile.

use serde::{Deserialize, Serialize};

use crate::time::TrueTime;

/// The number of a resource; its name is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResourceIndex(pub usize);

/// Something that a user does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// When.
    pub at: TrueTime,
    /// To which resource.
    pub resource: ResourceIndex,
    /// What.
    pub what: EditKind,
}

/// The kinds of edits. One that does not fit (to delete what is not there) does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EditKind {
    /// Creates it, unless it is there.
    Create,
    /// Creates it, unless it is there, with this tenant's label: only with a key label does that mean anything.
    CreateFor(u8),
    /// Sets the number of replicas.
    Scale(i32),
    /// Sets memcached's memory.
    Memory(i32),
    /// Changes the label that the shard key came from; only with a key label does that mean anything.
    MoveTenant(u8),
    /// Deletes it.
    Delete,
    /// Does this to the resource of this number of the kind that is not sharded.
    Profile(ProfileEdit),
}

/// What is done to a resource of the kind that is not sharded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileEdit {
    /// Asks for this number, and creates the resource if it is not there.
    Write(i32),
    /// Deletes it.
    Delete,
}
