//! The ways to get an API server.

pub(crate) mod auto;
pub(crate) mod embedded;
pub(crate) mod existing;
pub(crate) mod local;
#[cfg(feature = "testcontainers")]
pub(crate) mod testcontainers;

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
pub use local::Backup;

use crate::choice::BackendChoice;
use crate::error::{OperationError, StartError};

/// What runs the API server of a [`Cluster`](crate::Cluster).
///
/// When dropped, an implementation stops everything that it started, and blocks until it is gone.
pub trait Backend: Send + Sync {
    /// Which one this is.
    fn choice(&self) -> BackendChoice;

    /// Where the API server listens.
    fn server(&self) -> http::Uri;

    /// The audit log on this machine's file system, if one is written.
    fn audit_log(&self) -> Option<PathBuf>;

    /// The API server's own log on this machine's file system, if it can be had.
    fn server_log(&self) -> Option<PathBuf>;

    /// The programs' process ids, if they run on this machine.
    fn process_ids(&self) -> Option<ProcessIds> {
        None
    }

    /// Why the API server cannot become ready any more, if that is known.
    fn dead(&self) -> BoxFuture<'_, Option<String>>;

    /// Kills the API server without warning and starts it again on the same data and port; does not wait for it.
    fn restart(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Stops the API server's process where it stands: connections stay open, nothing is answered.
    fn pause(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Lets a paused API server go on.
    fn resume(&self) -> BoxFuture<'_, Result<(), OperationError>>;

    /// Keeps the state of etcd as it is now, while it runs.
    fn back_up(&self) -> BoxFuture<'_, Result<Backup, OperationError>> {
        let backend = self.choice();
        Box::pin(std::future::ready(Err(unsupported(backend, "take a backup of its etcd"))))
    }

    /// Kills the API server and etcd, waits, and starts both again on what the backup has; does not wait for them.
    fn restore(&self, _backup: Backup, _down_for: Duration) -> BoxFuture<'_, Result<(), OperationError>> {
        let backend = self.choice();
        Box::pin(std::future::ready(Err(unsupported(backend, "restore its etcd from a backup"))))
    }
}

/// The processes of a control plane, to read their resource usage from `/proc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessIds {
    /// kube-apiserver's.
    pub api_server: u32,
    /// etcd's.
    pub etcd: u32,
}

/// Whether a docker engine answers, and this build can use one.
pub(crate) async fn probe_testcontainers() -> Result<(), StartError> {
    #[cfg(feature = "testcontainers")]
    return testcontainers::probe().await;
    #[cfg(not(feature = "testcontainers"))]
    return Err(no_testcontainers());
}

#[cfg(not(feature = "testcontainers"))]
pub(crate) fn no_testcontainers() -> StartError {
    let reason =
        "kube-testkit is built without its feature `testcontainers`; switch it on in Cargo.toml".to_owned();
    StartError::Unavailable { backend: BackendChoice::Testcontainers, reason }
}

fn unsupported(backend: BackendChoice, operation: &'static str) -> OperationError {
    OperationError::Unsupported { backend, operation, instead: "local" }
}
