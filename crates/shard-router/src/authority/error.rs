//! [`HeldError`]: whatever a method of [`Held`](crate::Held) returns.

use crate::{caches::OwnedError, children::ApplyError, watched::WatchedError};

/// An error of any method of [`Held`](crate::Held), or of its client. For reconcilers that have no other errors: `?` converts to it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeldError {
    /// A child could not be applied.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// A request failed.
    #[error(transparent)]
    Request(#[from] kube::Error),
    /// A child could not be read from the cache.
    #[error(transparent)]
    Owned(#[from] OwnedError),
    /// An object that the resource depends on could not be read from the cache.
    #[error(transparent)]
    Watched(#[from] WatchedError),
}
