//! Which state of which object: uid, resourceVersion and the fencing token made from it.

use std::fmt;
use std::str::FromStr;

/// `metadata.uid`. A Lease that was deleted and created again has another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uid(pub String);

/// `metadata.resourceVersion`, as the integer that it is.
///
/// Comparable between objects of one resource type: documented since Kubernetes 1.35 (KEP-5504), and true of every
/// earlier API server on etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceVersion(pub u64);

/// The API server sent a resourceVersion that is no integer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the API server sent the resourceVersion {0:?}, which is no integer; leases need an API server that keeps to \
     the Kubernetes API conventions"
)]
pub struct OpaqueVersion(String);

impl FromStr for ResourceVersion {
    type Err = OpaqueVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self).map_err(|_| OpaqueVersion(text.to_owned()))
    }
}

impl fmt::Display for ResourceVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One state of one object: the precondition that every write of a Lease carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Which object.
    pub uid: Uid,
    /// Which state of it.
    pub version: ResourceVersion,
}

impl Revision {
    /// Whether a consistent read or an accepted write that was sent when `known` had been seen, and that returns this state, proves that
    /// history was rewound (etcd was restored from a backup).
    ///
    /// Versions of one resource type grow with every write, and a consistent read shows nothing older than what anybody saw
    /// before it was sent. That holds for another object of the same name as well: what was known was written after it.
    pub fn proves_rewind_after(&self, known: &Self) -> bool {
        self.version < known.version
    }
}

/// A number that only grows from one owner to the next: the resourceVersion of the write that acquired the Lease.
///
/// Whoever receives a request from two owners can tell by it which of them came later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(pub u64);

impl From<ResourceVersion> for FencingToken {
    fn from(version: ResourceVersion) -> Self {
        Self(version.0)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
