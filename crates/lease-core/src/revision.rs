//! Versions of objects: uid, resourceVersion, and the fencing token that is derived from it.

use std::fmt;
use std::str::FromStr;

/// `metadata.uid`. A Lease that was deleted and recreated has a different one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uid(pub String);

/// `metadata.resourceVersion` as an integer.
///
/// Comparable between objects of one resource type: documented since Kubernetes 1.35 (KEP-5504), and true of every
/// earlier API server on etcd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceVersion(pub u64);

/// The API server sent a resourceVersion that is not an integer.
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

/// One state of one object. It is the precondition of every write of a Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Revision {
    /// Which object.
    pub uid: Uid,
    /// Which state of it.
    pub version: ResourceVersion,
}

impl Revision {
    /// Whether this state proves that history was rewound, that is, that etcd was restored from a backup. This state is the result of a
    /// consistent read or an accepted write, and `known` had been seen when the request was sent.
    ///
    /// Versions of a resource type grow with every write, and a consistent read returns nothing older than what any client had seen
    /// when it was sent. This also holds if the read returns another object of the same name.
    pub fn proves_rewind_after(&self, known: &Self) -> bool {
        self.version < known.version
    }
}

/// A number that grows from one holder to the next: the resourceVersion of the write that acquired the Lease.
///
/// A service that receives requests from two holders can tell by it which holder is the later one.
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
