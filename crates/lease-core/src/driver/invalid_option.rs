//! Settings with which nothing would work.

use crate::identity::NOBODY;
use crate::metadata::InvalidMetadata;

/// An identity is written on the Lease, into the plan and into annotations of others, whose sizes are limited. A Pod's name
/// may have 253 characters, and a uuid has 36.
pub(super) const LONGEST_IDENTITY: usize = 512;

/// A setting with which the API server would refuse every write of a Lease.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOption {
    /// [`ElectionsOptions::domain`](super::ElectionsOptions::domain).
    #[error(
        "the domain {domain:?} cannot stand before labels and annotations because of {problem}; use a DNS name such as the \
         operator's API group"
    )]
    Domain {
        /// What was given.
        domain: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// [`ElectionsOptions::namespace`](super::ElectionsOptions::namespace).
    #[error(
        "LeaderElectionNamespace {0:?} is no name of a namespace; use 1 to 63 lower-case letters, digits and '-', with a \
         letter or digit at both ends"
    )]
    Namespace(String),
    /// [`ElectionsOptions::identity`](super::ElectionsOptions::identity).
    #[error(
        "the identity of this replica, of {length} bytes, will not do; use at most {LONGEST_IDENTITY} bytes without control \
         characters, such as <pod-name>_<uuid>, and not {NOBODY:?}"
    )]
    Identity {
        /// Its length.
        length: usize,
    },
    /// [`CandidateOptions::owner`](super::CandidateOptions::owner).
    #[error("the owner of a Lease has no {0}; give the whole reference")]
    Owner(&'static str),
    /// [`CandidateOptions::labels`](super::CandidateOptions::labels) or [`CandidateOptions::annotations`](super::CandidateOptions::annotations).
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
}
