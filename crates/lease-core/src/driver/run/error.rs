//! Why [`run`](super::run) could not start.

use std::convert::Infallible;

use crate::driver::{EnvironmentError, PoolError, StartError};
use crate::name::NameError;

/// Why [`run`](crate::run) has ended without having been asked to. Each error is fatal, and none of them comes after the start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The LeaderElectionID is invalid.
    #[error(transparent)]
    Id(#[from] NameError),
    /// The environment does not contain the namespace or the identity.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// Leader election could not be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The connections for the work could not be set up.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Signals cannot be received.
    #[error("signals cannot be received: {0}; end this process by other means, with `until`")]
    Signals(#[source] std::io::Error),
    /// The process cannot listen on the address that it should serve on.
    #[error("health and metrics cannot be served on {address}: {source}; choose a free address")]
    Serve {
        /// The address.
        address: std::net::SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

impl From<Infallible> for RunError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
