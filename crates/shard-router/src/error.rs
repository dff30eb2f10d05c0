//! [`RunError`]: why a replica did not start.

use lease_core::{InvalidOption, NameError, PoolError, StartError};

/// Why a replica could not start. Each error is fatal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The client could not be created, see [`PoolError`].
    #[error(transparent)]
    Client(#[from] PoolError),
    /// Leader election could not be started, see [`StartError`].
    #[error(transparent)]
    Elections(#[from] StartError),
    /// The LeaderElectionID is too long for the names of shard or member Leases.
    #[error(transparent)]
    Name(#[from] NameError),
    /// An option is invalid, see [`InvalidOption`].
    #[error(transparent)]
    Option(#[from] InvalidOption),
}
