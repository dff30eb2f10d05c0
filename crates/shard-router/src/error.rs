//! [`RunError`]: why a replica did not start.

use lease_core::{InvalidOption, NameError, PoolError, StartError};

/// A replica could not start. Each is fatal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`PoolError`].
    #[error(transparent)]
    Client(#[from] PoolError),
    /// See [`StartError`].
    #[error(transparent)]
    Elections(#[from] StartError),
    /// The LeaderElectionID leaves no room for the names of shard or member Leases.
    #[error(transparent)]
    Name(#[from] NameError),
    /// See [`InvalidOption`].
    #[error(transparent)]
    Option(#[from] InvalidOption),
}
