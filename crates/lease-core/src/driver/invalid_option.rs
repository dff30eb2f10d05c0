//! Invalid options.

use super::resource_lock::ResourceLock;
use crate::identity::NOBODY;
use crate::metadata::InvalidMetadata;
use crate::name::{LeaderElectionId, LeaseName};

/// An identity is written into the Lease, into the plan and into annotations of other Leases, whose sizes are limited. A Pod's name
/// may have 253 characters, and a uuid has 36.
pub(super) const LONGEST_IDENTITY: usize = 512;

/// An option with which the API server would refuse every write of a Lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// [`ElectionsOptions::domain`](super::ElectionsOptions::domain) is not a DNS name.
    #[error(
        "the domain {domain:?} is not a valid prefix of labels and annotations because of {problem}; use a DNS name such as the \
         operator's API group"
    )]
    Domain {
        /// The domain.
        domain: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// [`ElectionsOptions::namespace`](super::ElectionsOptions::namespace) is not a valid name.
    #[error(
        "LeaderElectionNamespace {0:?} is not a valid name of a namespace; use 1 to 63 lower-case letters, digits and '-', with a \
         letter or digit at both ends"
    )]
    Namespace(String),
    /// [`ElectionsOptions::identity`](super::ElectionsOptions::identity) is too long, reserved, or contains control characters.
    #[error(
        "the identity of this replica ({length} bytes) is invalid; use at most {LONGEST_IDENTITY} bytes without control \
         characters, such as <pod-name>_<uuid>, and not {NOBODY:?}"
    )]
    Identity {
        /// Its length in bytes.
        length: usize,
    },
    /// [`CandidateOptions::owner`](super::CandidateOptions::owner) is incomplete.
    #[error("the owner of a Lease has no {0}; set all fields of the reference")]
    Owner(&'static str),
    /// [`CandidateOptions::labels`](super::CandidateOptions::labels) or [`CandidateOptions::annotations`](super::CandidateOptions::annotations).
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// A candidate for a Lease with a suffix, and a legacy [`ElectionsOptions::resource_lock`](super::ElectionsOptions::resource_lock), which has one object.
    #[error(
        "the resource lock {lock:?} is legacy and has one object, which is named {id}, so there can be no candidate for {lease}; use \"leases\"",
        lock = lock.as_str()
    )]
    LegacyLock {
        /// The resource lock.
        lock: ResourceLock,
        /// The name of the Lease.
        lease: LeaseName,
        /// The LeaderElectionID.
        id: LeaderElectionId,
    },
}
